from __future__ import annotations

import hashlib
import json
import re
from pathlib import PurePosixPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from tasks.store.tracks import Failure, Track, TrackRecord, feed_key, file_key, site_key, web_key

# This includes lone surrogates, because the bytes of a feed need not be valid text.
hostile = st.text(st.characters(codec=None, categories=("L", "N", "P", "S", "Z", "Cc", "Cs")))


def record(**more):
    return TrackRecord(
        **{"key": "web-0", "title": "So What", "source": "https://a.example/1", "status": "done", "updated_at": "now"}
        | more
    )


@given(hostile, hostile)
@example("Youtube", "../../etc/passwd")
@example("Youtube", "")
@example("../..", "con.txt\0")
@example("Bandcamp:album", "a" * 4000)
@example("", ".")
@example("Youtube", "-rf")
def test_every_key_is_a_plain_file_name_that_a_track_accepts(one, other):
    for key in (site_key("Youtube", other), site_key(one[:40], other), feed_key(one, other), web_key(one)):
        assert re.fullmatch(r"[a-z0-9_]+-[A-Za-z0-9_-]+", key)
        assert PurePosixPath(key).name == key
        assert len(f".{key}.parquet.4194304-89abcdef.0123abcd.tmp") <= 255
        assert Track(key=key, title="", source="").key == key


@given(hostile, hostile)
@example("Ab", "aB")
@example("\ud800", "\ud801")
@example("a b", "a_b")
@example("a/b", "a-b")
def test_different_tracks_have_different_keys(one, other):
    for key in (lambda text: site_key("Youtube", text), lambda text: feed_key("A feed", text)):
        assert (key(one) == key(other)) == (one == other)
    assert (feed_key(one, "1") == feed_key(other, "1")) == (one == other)


def test_keys_match_the_table_in_the_module_docstring():
    def hashed(text):
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    assert site_key("Youtube", "dQw4w9WgXcQ") == "youtube-dQw4w9WgXcQ"
    assert site_key("archive.org", "a_b-c") == "archive_org-a_b-c"
    assert site_key("Youtube", "a b") == f"youtube-{hashed('a b')}"
    assert web_key("https://a.example/#t=30") == f"web-{hashed('https://a.example/')}"
    assert feed_key("A feed", "tag:7") == f"feed-{hashed(chr(10).join(['A feed', 'tag:7']))}"
    assert file_key("0123456789abcdef" * 4) == "file-0123456789abcdef"


@given(hostile, hostile)
@example("HTTPS://a.example/1", "t=30")  # a URL parser would change the scheme to lower case
@example("http://[a.example/1", "t=30")  # and reject this address
def test_the_fragment_of_an_address_is_not_part_of_its_key(url, fragment):
    url = url.replace("#", "")
    assert web_key(f"{url}#{fragment}") == web_key(url)


def test_the_query_of_an_address_is_part_of_its_key():
    assert web_key("https://a.example/?id=1") != web_key("https://a.example/?id=2")


@pytest.mark.parametrize(
    "key", ["", "plain", "../up", "web-a/b", "web-a.b", "web-", "-a", "web-a\n", "Web-a", "web-ä", "web-a b"]
)
def test_track_rejects_a_key_that_is_not_a_plain_name(key):
    with pytest.raises(ValidationError, match="key"):
        Track(key=key, title="", source="")


def test_record_round_trips_through_json():
    known = record(
        title="Où?",
        duration=12.5,
        entry={"id": 1, "formats": [None]},
        error=Failure(failure="needs-you", message="log in"),
        files={"features/a/web-0.parquet": 12},
    )
    text = json.dumps(known.model_dump(mode="json", by_alias=True))
    assert json.loads(text)["error"] == {"class": "needs-you", "message": "log in"}
    assert TrackRecord.model_validate_json(text) == known


def test_unknown_fields_of_a_record_are_ignored():
    assert TrackRecord.model_validate_json(record().model_dump_json()[:-1] + ',"mood":"blue"}') == record()


@pytest.mark.parametrize("wrong", [{"status": "cached"}, {"error": {"class": "odd", "message": ""}}, {"key": "a/b"}])
def test_record_rejects_invalid_values(wrong):
    with pytest.raises(ValidationError):
        record(**wrong)


def test_summary_has_the_documented_fields():
    failed = record(status="failed", attempts=3, error=Failure(failure="transient", message="a reset"))
    assert failed.summary() == {
        "key": "web-0",
        "title": "So What",
        "source": "https://a.example/1",
        "status": "failed",
        "duration": None,
        "attempts": 3,
        "next_retry_at": None,
        "error": {"class": "transient", "message": "a reset"},
        "notes": [],
    }
    assert record().summary("cached")["status"] == "cached"
    assert record().summary()["error"] is None


def test_record_of_an_earlier_version_has_no_notes():
    stored = record().model_dump_json(exclude={"notes"})
    assert TrackRecord.model_validate_json(stored).notes == ()

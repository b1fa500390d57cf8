"""Tracks whose address has changed are recognized by their content."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pytest

from songform.errors import TrackError
from tasks.ingest.ingest_plan import plan_ingest
from tasks.ingest.known_copies import MAX_COPIES, KnownTracks, replace_known_copies, set_copies_aside
from tasks.ingest.track_outcomes import record_done, record_failure
from tasks.settings import Settings
from tasks.store.corpus import Corpus
from tasks.store.tables import features_config
from tasks.store.tracks import Track

SETTINGS = Settings()


@pytest.fixture
def corpus(tmp_path):
    corpus = Corpus(tmp_path)
    corpus.prepare()
    return corpus


def a_track(name, kind="web"):
    address = f"https://a.example/{name}"
    return Track(key=f"{kind}-{name}", title=name, source=address, entry={"_type": "url", "url": address})


def made(corpus, track, content):
    """Record a track as done, with dummy tables, and with the hash of some content."""
    config = features_config(SETTINGS)
    files = [corpus.features_path(config, track.key), corpus.overview_path(config, track.key)]
    for path in files:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"PAR1 table PAR1")
    sha256 = hashlib.sha256(content).hexdigest()
    return record_done(corpus, track, duration=3.0, sha256=sha256, decoder="x", files=files)


def downloaded(corpus, track, content):
    path = corpus.incoming_path(track.key)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return track, path


def known(corpus):
    return KnownTracks(corpus.home, SETTINGS)


def test_download_with_known_content_is_a_copy_and_is_not_downloaded_again(corpus):
    old, new, other = a_track("a"), a_track("a-2"), a_track("b")
    made(corpus, old, b"song")
    record_failure(corpus, new, TrackError("lost", "transient"))
    jobs = [downloaded(corpus, new, b"song"), downloaded(corpus, other, b"another song")]
    found = plan_ingest(corpus.home, [new, other], SETTINGS, retry_failed=True, now=datetime(2100, 1, 1, tzinfo=UTC))

    kept, hashes, notes = set_copies_aside(jobs, known(corpus))
    assert kept == jobs[1:]
    assert hashes[other.key] == hashlib.sha256(b"another song").hexdigest()
    assert not jobs[0][1].exists()
    assert jobs[1][1].exists()
    (note,) = notes
    assert f"({new.source}) is a copy of a ({old.source})" in note

    first, _ = found.summaries(corpus.home, SETTINGS)
    assert (first["key"], first["status"], first["error"]) == ("web-a", "cached", None)
    assert [record.key for record in corpus.records()] == ["web-a"]

    tracks, again = replace_known_copies([new, other], known(corpus))
    assert [track.key for track in tracks] == ["web-a", "web-b"]
    assert tracks[0].entry == new.entry  # the new address is used if the track has to be downloaded again
    assert again == notes
    assert plan_ingest(corpus.home, tracks, SETTINGS, now=datetime.now(UTC)).cached == (tracks[0],)


def test_known_track_is_no_copy_of_another_one_with_the_same_audio(corpus):
    """Homes of earlier versions contain such tracks, and an upgrade downloads both again."""
    tracks = [a_track("a"), a_track("a-2")]
    for track in tracks:
        made(corpus, track, b"song")
    jobs = [downloaded(corpus, track, b"song") for track in tracks]
    kept, _, notes = set_copies_aside(jobs, known(corpus))
    assert (kept, notes) == (jobs, [])
    assert {record.key for record in corpus.records()} == {"web-a", "web-a-2"}


def test_known_copies_survive_a_new_extraction(corpus):
    old, new = a_track("a"), a_track("a-2")
    made(corpus, old, b"song")
    set_copies_aside([downloaded(corpus, new, b"song")], known(corpus))
    assert made(corpus, old, b"song").copies == ("web-a-2",)


@pytest.mark.parametrize("kind", ["feed", "youtube"])
def test_track_with_an_id_is_never_a_copy(kind, corpus):
    """A guid or an id on a site identifies a track, whatever its content."""
    made(corpus, a_track("a"), b"song")
    jobs = [downloaded(corpus, a_track("b", kind), b"song")]
    assert set_copies_aside(jobs, known(corpus)) == (jobs, {}, [])


def test_only_tracks_with_features_of_the_same_settings_are_known(corpus):
    made(corpus, a_track("a"), b"song")
    jobs = [downloaded(corpus, a_track("b"), b"song")]
    other = Settings.model_validate({"features": {"n_mfcc": 20}})
    assert set_copies_aside(jobs, KnownTracks(corpus.home, other)).jobs == jobs
    itself = [downloaded(corpus, a_track("a"), b"song")]
    assert set_copies_aside(itself, known(corpus)).jobs == itself


def test_number_of_recorded_copies_is_limited(corpus):
    made(corpus, a_track("a"), b"song")
    jobs = [downloaded(corpus, a_track(f"n{number}"), b"song") for number in range(MAX_COPIES + 3)]
    (note,) = set_copies_aside(jobs, known(corpus)).notes
    assert corpus.record("web-a").copies == tuple(f"web-n{number}" for number in range(3, MAX_COPIES + 3))
    assert note.count("is a copy of") == 5
    assert note.endswith(f"and {MAX_COPIES - 2} more")


def test_records_are_not_searched_if_every_track_is_known(corpus, monkeypatch):
    made(corpus, a_track("a"), b"song")
    monkeypatch.setattr(Corpus, "records", None)
    tracks = (a_track("a"), a_track("b", "feed"))
    assert replace_known_copies(tracks, known(corpus)) == (tracks, [])


def test_records_are_read_once_per_ingest_and_new_tracks_are_known(corpus, monkeypatch):
    """The second batch knows the tracks of the first one, and no record is read again to find out."""
    for number in range(5):
        made(corpus, a_track(f"a{number}"), b"song %d" % number)
    tracks = known(corpus)
    new = a_track("b")
    assert set_copies_aside([downloaded(corpus, new, b"another song")], tracks).notes == []
    tracks.add([made(corpus, new, b"another song")])
    monkeypatch.setattr(Corpus, "records", None)
    (note,) = set_copies_aside([downloaded(corpus, a_track("c"), b"another song")], tracks).notes
    assert f"is a copy of b ({new.source})" in note
    assert corpus.record(new.key).copies == ("web-c",)


def test_tracks_with_an_id_that_were_just_ingested_are_known(corpus):
    """The records are read before the first batch, which has no track whose content is looked up."""
    tracks, new = known(corpus), a_track("b")
    assert replace_known_copies([new], tracks) == ((new,), [])
    tracks.add([made(corpus, a_track("a", "feed"), b"song")])
    assert set_copies_aside([downloaded(corpus, new, b"song")], tracks).jobs == []
    assert corpus.record("feed-a").copies == (new.key,)


def test_track_that_was_removed_during_the_ingest_has_no_copies(corpus):
    old = a_track("a")
    made(corpus, old, b"song")
    tracks = known(corpus)
    set_copies_aside([downloaded(corpus, a_track("b"), b"another song")], tracks)
    corpus.record_path(old.key).unlink()
    jobs = [downloaded(corpus, a_track("c"), b"song")]
    assert set_copies_aside(jobs, tracks).jobs == jobs


@pytest.mark.parametrize("content", [b"", b"{", b"\xff"])
def test_damaged_record_does_not_stop_the_ingest(corpus, content):
    """The plan renames the damaged record, and the track is ingested again."""
    old = a_track("a")
    made(corpus, old, b"song")
    tracks = known(corpus)
    set_copies_aside([downloaded(corpus, a_track("b"), b"another song")], tracks)
    corpus.record_path(old.key).write_bytes(content)
    jobs = [downloaded(corpus, a_track("c"), b"song")]
    assert set_copies_aside(jobs, tracks).jobs == jobs
    assert replace_known_copies([old], known(corpus)) == ((old,), [])
    assert plan_ingest(corpus.home, [old], SETTINGS, now=datetime.now(UTC)).wanted == (old,)

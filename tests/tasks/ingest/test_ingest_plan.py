"""Plan of an ingest: which tracks are done, deferred or wanted, without reading a record twice."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from songform.errors import FAILURE_CLASSES, TrackError
from tasks.ingest.ingest_plan import plan_ingest
from tasks.ingest.track_outcomes import record_done, record_failure, record_skipped
from tasks.settings import Settings
from tasks.store.corpus import Corpus
from tasks.store.tables import features_config, spectrum_config
from tasks.store.tracks import Track

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
OTHER = Settings.model_validate({"features": {"n_mfcc": 20}})


@pytest.fixture
def corpus(tmp_path):
    corpus = Corpus(tmp_path)
    corpus.prepare()
    return corpus


def a_track(name):
    return Track(key=f"web-{name}", title=name, source=f"https://a.example/{name}", entry={"url": "x"})


def made(corpus, name, settings=Settings()):  # noqa: B008  frozen
    """Record a track as done, with dummy tables."""
    config, key = features_config(settings), a_track(name).key
    files = [corpus.features_path(config, key), corpus.overview_path(config, key)]
    for path in files:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"PAR1 table PAR1")
    return record_done(corpus, a_track(name), duration=3.0, sha256="ab", decoder="x", files=files)


def failed(corpus, name, failure, **more):
    return record_failure(corpus, a_track(name), TrackError(f"{name} failed", failure), now=NOW, **more)


def look(corpus, names, later=0.0, settings=Settings(), **more):  # noqa: B008  frozen
    tracks = None if names is None else [a_track(name) for name in names]
    return plan_ingest(corpus.home, tracks, settings, now=NOW + timedelta(seconds=later), **more)


def groups(found):
    return {name: [track.title for track in getattr(found, name)] for name in ("wanted", "cached", "deferred")}


def test_unknown_incomplete_and_due_tracks_are_wanted(corpus):
    for name in ("finished", "cut", "without"):
        made(corpus, name)
    corpus.features_path(features_config(Settings()), "web-cut").write_bytes(b"tab")
    corpus.overview_path(features_config(Settings()), "web-without").unlink()
    failed(corpus, "due", "environment")
    failed(corpus, "later", "later")
    failed(corpus, "gone", "permanent")
    names = ["new", "finished", "cut", "without", "due", "later", "gone", "new"]
    found = look(corpus, names)
    assert [track.title for track in found.tracks] == names[:-1]
    expected = {"wanted": ["new", "cut", "without", "due"], "cached": ["finished"], "deferred": ["later", "gone"]}
    assert groups(found) == expected
    assert found.records["web-gone"].error.failure == "permanent"
    assert "web-new" not in found.records


def edited(corpus, **changes):
    """Change a record on disk, as with an editor."""
    path = corpus.record_path("web-a")
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("change", "group"),
    [
        pytest.param(lambda corpus, table: table.write_bytes(b"tab"), "wanted", id="table cut"),
        pytest.param(lambda corpus, table: table.write_bytes(b"tables"), "wanted", id="table longer"),
        pytest.param(lambda corpus, table: table.write_bytes(b""), "wanted", id="table empty"),
        pytest.param(lambda corpus, table: table.unlink(), "wanted", id="table gone"),
        pytest.param(lambda corpus, table: table.rename(table.with_suffix(".bak")), "wanted", id="table renamed"),
        pytest.param(lambda corpus, table: shutil.rmtree(table.parent), "wanted", id="folder gone"),
        pytest.param(lambda corpus, table: corpus.record_path("web-a").unlink(), "wanted", id="record gone"),
        pytest.param(lambda corpus, table: edited(corpus, files={}), "wanted", id="files taken from the record"),
        pytest.param(lambda corpus, table: edited(corpus, status="failed"), "wanted", id="status changed"),
        pytest.param(
            lambda corpus, table: edited(corpus, status="failed", error={"class": "permanent", "message": "not this"}),
            "deferred",
            id="given up by hand",
        ),
        pytest.param(lambda corpus, table: edited(corpus, title="another"), "cached", id="title changed"),
    ],
)
def test_changes_by_the_user_or_another_process_are_seen_by_the_next_plan(corpus, change, group):
    """Plans of the same process see the changes, too: nothing is cached between plans."""
    made(corpus, "a")
    assert groups(look(corpus, ["a"]))["cached"] == ["a"]
    change(corpus, corpus.features_path(features_config(Settings()), "web-a"))
    assert groups(look(corpus, ["a"])) == {"wanted": [], "cached": [], "deferred": []} | {group: ["a"]}
    made(corpus, "a")
    assert groups(look(corpus, ["a"]))["cached"] == ["a"]


@pytest.mark.parametrize("failure", FAILURE_CLASSES)
def test_failures_are_wanted_when_due_and_permanent_ones_on_request(failure, corpus):
    failed(corpus, "a", failure)
    lasts = failure in {"permanent", "needs-you"}
    for later, retry_failed in ((0.0, False), (90_000.0, False), (0.0, True), (90_000.0, True)):
        wanted = retry_failed if lasts else later > 0.0 or failure == "environment"
        found = look(corpus, ["a"], later, retry_failed=retry_failed)
        assert groups(found) == {"wanted": ["a"] * wanted, "cached": [], "deferred": ["a"] * (not wanted)}


def test_without_sources_all_failed_and_skipped_tracks_are_planned(corpus):
    made(corpus, "finished")
    failed(corpus, "gone", "permanent")
    failed(corpus, "due", "environment")
    record_skipped(corpus, a_track("skipped"), until=NOW + timedelta(hours=1), reason="it rests")
    assert groups(look(corpus, None)) == {"wanted": ["due"], "cached": [], "deferred": ["gone", "skipped"]}
    assert groups(look(corpus, None, 3600.0))["wanted"] == ["due", "skipped"]
    assert groups(look(corpus, None, retry_failed=True))["wanted"] == ["due", "gone"]


def test_failed_refresh_with_other_settings_does_not_affect_finished_tracks(corpus):
    made(corpus, "a")
    failed(corpus, "a", "permanent")
    found = look(corpus, ["a"])
    assert groups(found) == {"wanted": [], "cached": ["a"], "deferred": []}
    (summary,) = found.summaries(corpus.home, Settings())
    assert (summary["status"], summary["error"], summary["next_retry_at"]) == ("cached", None, None)
    found = look(corpus, ["a"], settings=OTHER)
    assert groups(found)["deferred"] == ["a"]
    assert found.summaries(corpus.home, OTHER)[0]["status"] == "failed"


def test_summaries_give_the_outcome_of_each_track_in_source_order(corpus):
    made(corpus, "finished")
    made(corpus, "old", OTHER)
    failed(corpus, "gone", "permanent")
    names = ["gone", "becomes", "finished", "fails", "unwritten", "skipped", "old"]
    found = look(corpus, names)
    made(corpus, "becomes")
    failed(corpus, "fails", "transient")
    record_skipped(corpus, a_track("skipped"), until=NOW, reason="it rests")
    record_skipped(corpus, a_track("old"), until=NOW, reason="it rests")  # its record is kept
    told = {
        each["title"]: (each["status"], each["error"] and each["error"]["class"])
        for each in found.summaries(corpus.home, Settings())
    }
    assert list(told) == names
    assert told == {
        "gone": ("failed", "permanent"),
        "becomes": ("done", None),
        "finished": ("cached", None),
        "fails": ("failed", "transient"),
        "unwritten": ("failed", "environment"),
        "skipped": ("skipped", "throttled"),
        "old": ("skipped", None),
    }


def test_each_record_is_read_once_and_those_of_finished_tracks_not_again(corpus, monkeypatch):
    made(corpus, "finished")
    failed(corpus, "gone", "permanent")
    failed(corpus, "due", "environment")
    read = Counter()
    plain = Corpus.record

    def record(self, key):
        read[key] += 1
        return plain(self, key)

    monkeypatch.setattr(Corpus, "record", record)
    names = ["finished", "gone", "due", "new", "finished"]
    found = look(corpus, names)
    assert read == dict.fromkeys(("web-finished", "web-gone", "web-due", "web-new"), 1)
    made(corpus, "new")
    read.clear()
    found.summaries(corpus.home, Settings())
    assert read == {"web-due": 1, "web-new": 1}
    read.clear()
    look(corpus, None)
    assert read == dict.fromkeys(("web-finished", "web-gone", "web-due", "web-new"), 1)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"key": "web-a", "status": "done"}'])
def test_damaged_record_is_renamed_and_its_track_is_wanted(corpus, content):
    for name in ("a", "b"):
        made(corpus, name)
    path = corpus.record_path(a_track("a").key)
    path.write_bytes(content)
    found = look(corpus, ["a", "b"])
    assert groups(found) == {"wanted": ["a"], "cached": ["b"], "deferred": []}
    (note,) = found.notes
    assert note.startswith(f"the record {path} cannot be read (")
    assert path.with_name(f"{path.name}.damaged-1").read_bytes() == content
    assert look(corpus, ["a", "b"]).notes == ()


def test_damaged_record_is_named_when_failed_tracks_are_retried(corpus):
    """Its source is not known, so the record stays in place until its track is listed."""
    failed(corpus, "late", "transient")
    path = corpus.record_path(a_track("a").key)
    path.write_bytes(b"")
    found = look(corpus, None, later=1e6)
    assert groups(found)["wanted"] == ["late"]
    assert str(path) in found.notes[0]
    assert path.exists()


def test_record_that_is_not_accessible_fails_alone_and_stays_in_place(corpus, monkeypatch):
    for name in ("a", "b"):
        made(corpus, name)
    path, read = corpus.record_path(a_track("a").key), open

    def refuse(name, *arguments):
        if str(name) == str(path):
            raise PermissionError(13, "Permission denied", str(path))
        return read(name, *arguments)

    monkeypatch.setattr("builtins.open", refuse)
    found = look(corpus, ["a", "b"])
    assert groups(found) == {"wanted": [], "cached": ["b"], "deferred": ["a"]}
    assert "Permission denied" in found.notes[0]
    assert path.exists()
    assert found.records["web-a"].error.failure == "environment"


@pytest.mark.parametrize("number", [0, 1])
def test_table_that_was_overwritten_is_renamed_and_its_track_is_wanted(corpus, number):
    made(corpus, "a")
    names = corpus.table_names(features_config(Settings()), "web-a")
    path = corpus.data / names[number]
    path.write_bytes(bytes(path.stat().st_size))
    found = look(corpus, ["a"])
    assert groups(found) == {"wanted": ["a"], "cached": [], "deferred": []}
    assert found.notes[0].startswith(f"{path} cannot be read (")
    assert not path.exists()


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("content", [b"", b"zz", b"PAR1 ta", b"PAR1 another table PAR1"])
def test_table_of_another_size_is_renamed_and_kept(corpus, number, content):
    made(corpus, "a")
    path = corpus.data / corpus.table_names(features_config(Settings()), "web-a")[number]
    path.write_bytes(content)
    found = look(corpus, ["a"])
    assert groups(found)["wanted"] == ["a"]
    (note,) = found.notes
    assert note.startswith(f"{path} cannot be read (it has {len(content)} bytes instead of 15); it was renamed to ")
    assert note.endswith("and the track is ingested again")
    assert path.with_name(f"{path.name}.damaged-1").read_bytes() == content
    assert look(corpus, ["a"]).notes == ()


def test_both_tables_of_a_track_are_kept_when_one_is_cut_and_the_other_overwritten(corpus):
    made(corpus, "a")
    paths = [corpus.data / name for name in corpus.table_names(features_config(Settings()), "web-a")]
    paths[0].write_bytes(b"PAR1")
    paths[1].write_bytes(bytes(15))
    found = look(corpus, ["a"])
    assert [note.startswith(str(path)) for path, note in zip(paths, found.notes, strict=True)] == [True] * 2
    assert [path.exists() for path in paths] == [False] * 2


def test_missing_table_needs_no_note(corpus):
    made(corpus, "a")
    corpus.features_path(features_config(Settings()), "web-a").unlink()
    found = look(corpus, ["a"])
    assert (groups(found)["wanted"], found.notes) == (["a"], ())


def test_note_on_a_damaged_table_does_not_promise_an_ingest_that_is_not_due(corpus):
    made(corpus, "a")
    failed(corpus, "a", "permanent")
    corpus.features_path(features_config(Settings()), "web-a").write_bytes(b"zz")
    found = look(corpus, ["a"])
    assert groups(found)["deferred"] == ["a"]
    assert found.notes[0].endswith("and the track is ingested again when its failure is retried")


def test_damage_within_a_table_is_found_only_if_the_tables_are_verified(corpus):
    made(corpus, "a")
    assert groups(look(corpus, ["a"]))["cached"] == ["a"]
    found = look(corpus, ["a"], verify=True)
    assert groups(found)["wanted"] == ["a"]
    assert len(found.notes) == 2


def made_with_spectrum(corpus, name):
    """Record a track as done, with dummy tables and a dummy spectrum; return the path of the spectrum."""
    path = corpus.spectrum_path(spectrum_config(Settings()), a_track(name).key)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"PAR1 table PAR1")
    record = made(corpus, name)
    sizes = {**record.files, corpus.relative(path): path.stat().st_size}
    corpus.save_record(record.model_copy(update={"files": sizes}))
    return path


def test_tracks_of_an_earlier_version_are_done_and_wanted_only_for_an_upgrade(corpus):
    made_with_spectrum(corpus, "new")
    made(corpus, "old")
    failed(corpus, "gone", "permanent")
    names = ["new", "old", "gone"]
    found = look(corpus, names)
    assert groups(found) == {"wanted": [], "cached": ["new", "old"], "deferred": ["gone"]}
    assert found.without_spectrum == ("web-old",)
    for tracks in (names, None):
        found = look(corpus, tracks, upgrade=True)
        assert groups(found)["wanted"] == ["old"]
        assert found.without_spectrum == ()
    assert groups(look(corpus, None)) == {"wanted": [], "cached": [], "deferred": ["gone"]}


def test_failed_upgrade_leaves_a_track_done_and_is_repeated_only_on_request(corpus):
    made(corpus, "old")
    failed(corpus, "old", "permanent")
    found = look(corpus, ["old"], upgrade=True)
    assert (groups(found)["cached"], found.without_spectrum) == (["old"], ("web-old",))
    assert groups(look(corpus, ["old"], upgrade=True, retry_failed=True))["wanted"] == ["old"]


@pytest.mark.parametrize("is_damaged", [True, False])
def test_spectrum_that_was_lost_is_wanted_without_an_upgrade(corpus, is_damaged):
    path = made_with_spectrum(corpus, "a")
    path.write_bytes(bytes(path.stat().st_size)) if is_damaged else path.unlink()
    found = look(corpus, ["a"])
    assert groups(found)["wanted"] == ["a"]
    assert [note.startswith(f"{path} cannot be read (") for note in found.notes] == [True] * is_damaged
    assert path.with_name(f"{path.name}.damaged-1").exists() == is_damaged
    assert not path.exists()
    assert groups(look(corpus, ["a"]))["wanted"] == ["a"]  # as when the batch is planned again

"""Tests of the checks of a finished soak test: each violation is found."""

from __future__ import annotations

import re
import time

import pyarrow as pa
import pytest

from benchmarks.mishaps import EXPECTED, Sound
from benchmarks.soak_run import SETTINGS, Soak, outcome
from benchmarks.verdicts import class_table, forbidden, kind_table
from songform.errors import FAILURE_CLASSES, TrackError
from tasks.ingest.track_outcomes import record_done, record_failure
from tasks.settings import Settings
from tasks.store.tables import features_config, write_table
from tasks.store.tracks import Track

ALL = Settings(download=SETTINGS)
TABLE = pa.table({"a": [1.0]})
KINDS = {
    "web-good": "",
    "web-once": "503 once",
    "web-gone": "404",
    "web-busy": "429 always",
    "web-table": "table path blocked",
    "web-download": "download path blocked",
}


def track(key):
    return Track(key=key, title=key, source=f"https://a.example/{key}", entry={"url": "x"})


@pytest.fixture
def run(tmp_path):
    """Return a finished soak test without violations, for which nothing was downloaded."""
    tracks = {key: Sound(b"", "audio/ogg", 6.0, kind) for key, kind in KINDS.items()}
    run = Soak(tmp_path, tracks, [], "http://127.0.0.1:9/feed.rss", last_start=0.0)
    run.corpus.prepare()
    run.runs = ["killed alone after 3 s", "ended with 3 after 20 s"]
    for key in ("web-good", "web-once"):
        finish(run, key)
    fail(run, "web-gone", "permanent")
    fail(run, "web-busy", "throttled")
    for key in ("web-table", "web-download"):
        fail(run, key, "environment")
    run.look_at_outcomes()
    for key in ("web-table", "web-download"):
        finish(run, key)
    return run


def fail(run, key, failure):
    record_failure(run.corpus, track(key), TrackError(f"{key} failed", failure), settings=SETTINGS)


def finish(run, key):
    corpus, config = run.corpus, features_config(ALL)
    files = [corpus.features_path(config, key), corpus.overview_path(config, key)]
    for path in files:
        write_table(path, TABLE)
    record_done(corpus, track(key), duration=6.0, sha256="0", decoder="x", files=files)


def violations(run, kills=1):
    """Return the names of the violations that occurred."""
    return {what for what, those in forbidden(run, ALL, kills=kills) if those}


def table_of(run, key):
    return run.corpus.features_path(features_config(ALL), key)


def leave_file(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")


def test_good_run_has_no_violations(run):
    assert violations(run) == set()
    assert kind_table(run.tracks, run.outcomes)[1] == []
    assert run.n_kills == 1


@pytest.mark.parametrize(
    ("break_it", "what"),
    [
        (lambda run: table_of(run, "web-good").write_bytes(b"cut"), "without a failure .* not done"),
        (lambda run: table_of(run, "web-table").unlink(), "not done after .* obstacles"),
        (lambda run: run.asked_again.append("web-good in run 2"), "requested although no download"),
        (lambda run: run.fetched_twice.append("web-good in run 2"), "downloaded twice"),
        (lambda run: run.written_again.append("web-good"), "changed records"),
        (lambda run: finish(run, "web-stranger"), "records of unknown tracks"),
        (
            lambda run: leave_file(run.corpus.data / "features" / ".a.parquet.1.tmp"),
            "temporary files",
        ),
        (lambda run: leave_file(run.corpus.track_locks_path / "web-good.lock"), "locks"),
        (lambda run: leave_file(run.corpus.incoming_path("web-good")), "remaining downloads"),
        (lambda run: leave_file(run.corpus.data / "features" / "other" / "web-good.parquet"), "unreadable"),
        (lambda run: leave_file(run.corpus.data / "alarms.json"), "unreadable"),
        (lambda run: run.orphans.append("77: python"), "processes"),
        (lambda run: run.runs.append("ended with 1 after 9 s"), "defect"),
        (lambda run: run.still_due.append("web-once"), "still due before"),
        (lambda run: run.runs.insert(0, "ended with 0 after 9 s"), "ended before they were killed"),
    ],
)
def test_each_violation_is_found(run, break_it, what):
    before = violations(run)
    run.last_start = time.time() + 60.0  # so that every file is older than the last run
    break_it(run)
    assert any(re.search(what, name) for name in violations(run) - before)


def test_failure_that_is_expected_each_time_does_not_make_a_track_due(run):
    """A track without an expected failure is due after the same failure."""
    fail(run, "web-busy", "throttled")
    for key in ("web-table", "web-good"):
        run.corpus.record_path(key).unlink()
        fail(run, key, "environment")
    run.corpus.record_path("web-once").unlink()
    assert run.due() == ["web-once", "web-good"]
    run.look_at_outcomes()
    assert run.still_due == ["web-once", "web-good"]
    assert run.outcomes["web-once"] == "no record"


def test_kind_table_shows_expected_and_actual_outcomes_and_names_unexpected_ones(run):
    run.outcomes |= {"web-gone": "transient", "web-good": "no record"}
    table, wrong = kind_table(run.tracks, run.outcomes)
    assert wrong == ["web-good (): no record", "web-gone (404): transient"]
    assert "| 404 | 1 | permanent | 1 transient |" in table
    assert "| none | 1 | done | 1 no record |" in table


def test_class_table_counts_outcomes_and_names_classes_that_did_not_occur(run):
    table, unseen = class_table(run.outcomes)
    assert "| done | 2 |" in table
    assert "| environment | 2 |" in table
    assert unseen == [name for name in FAILURE_CLASSES if name not in {"permanent", "throttled", "environment"}]
    assert class_table({f"web-{name}": name for name in FAILURE_CLASSES})[1] == []


def test_outcome_is_the_failure_class_or_the_status(run):
    records = {record.key: outcome(record) for record in run.corpus.records()}
    assert records["web-gone"] in EXPECTED["404"]
    assert records["web-good"] == "done"
    assert outcome(None) == "no record"


def test_obstacles_block_files_until_they_are_removed(run):
    for key in ("web-table", "web-download"):
        run.corpus.record_path(key).unlink()
    table_of(run, "web-table").unlink()
    run.obstruct()
    assert [table_of(run, "web-table").is_dir(), run.corpus.incoming_path("web-download").is_dir()] == [True, True]
    with pytest.raises(IsADirectoryError):
        finish(run, "web-table")
    run.clear_obstacles()
    finish(run, "web-table")
    assert not run.corpus.incoming_path("web-download").exists()

"""The soak's verdicts: each thing that must not be is seen when it is."""

from __future__ import annotations

import time

import pyarrow as pa
import pytest

from benchmarks.mishaps import EXPECTED, Sound
from benchmarks.soak import SETTINGS, Soak
from benchmarks.verdicts import class_table, forbidden, kind_table, outcome
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
    "web-table": "no place for its table",
    "web-download": "no place for its download",
}


def track(key):
    return Track(key=key, title=key, source=f"https://a.example/{key}", entry={"url": "x"})


@pytest.fixture
def run(tmp_path):
    """Return a soak that is over, and of which all is well; nothing was fetched in it."""
    tracks = {key: Sound(b"", "audio/ogg", 6.0, kind) for key, kind in KINDS.items()}
    run = Soak(tmp_path, tracks, [], "http://127.0.0.1:9/feed.rss", last_start=0.0)
    run.corpus.prepare()
    run.runs = ["killed alone after 3 s", "ended with 3 after 20 s"]
    for key in ("web-good", "web-once"):
        bring_in(run, key)
    fail(run, "web-gone", "permanent")
    fail(run, "web-busy", "throttled")
    for key in ("web-table", "web-download"):
        fail(run, key, "environment")
    run.look_at_outcomes()
    for key in ("web-table", "web-download"):
        bring_in(run, key)
    return run


def fail(run, key, failure):
    record_failure(run.corpus, track(key), TrackError(f"{key} failed", failure), settings=SETTINGS)


def bring_in(run, key):
    corpus, config = run.corpus, features_config(ALL)
    files = [corpus.features_path(config, key), corpus.overview_path(config, key)]
    for path in files:
        write_table(path, TABLE)
    record_done(corpus, track(key), duration=6.0, sha256="0", decoder="x", files=files)


def off(run, kills=1):
    """Return what must not be and is."""
    return {what for what, those in forbidden(run, ALL, kills=kills) if those}


def table_of(run, key):
    return run.corpus.features_path(features_config(ALL), key)


def left(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")


def test_nothing_is_off_when_all_is_well(run):
    assert off(run) == set()
    assert kind_table(run.tracks, run.outcomes)[1] == []
    assert run.n_kills == 1


@pytest.mark.parametrize(
    ("break_it", "what"),
    [
        (lambda run: table_of(run, "web-good").write_bytes(b"cut"), "good tracks not done"),
        (lambda run: table_of(run, "web-table").unlink(), "tracks not done when this machine was mended"),
        (lambda run: run.asked_again.append("web-good in run 2"), "tracks asked for although they were at hand"),
        (lambda run: run.fetched_twice.append("web-good in run 2"), "good tracks fetched twice in a run"),
        (lambda run: run.written_again.append("web-good"), "records of done tracks written again"),
        (lambda run: bring_in(run, "web-stranger"), "records of no track"),
        (
            lambda run: left(run.corpus.data / "features" / ".a.parquet.1.tmp"),
            "temporary files older than the last run",
        ),
        (lambda run: left(run.corpus.track_locks_path / "web-good.lock"), "locks left"),
        (lambda run: left(run.corpus.incoming_path("web-good")), "downloads left"),
        (lambda run: left(run.corpus.data / "features" / "other" / "web-good.parquet"), "files that cannot be read"),
        (lambda run: left(run.corpus.data / "alarms.json"), "files that cannot be read"),
        (lambda run: run.orphans.append("77: python"), "processes left behind"),
        (lambda run: run.runs.append("ended with 1 after 9 s"), "runs that ended with a defect"),
        (lambda run: run.still_due.append("web-once"), "tracks still due before that"),
        (lambda run: run.runs.insert(0, "ended with 0 after 9 s"), "kills that came too late"),
    ],
)
def test_whatever_is_off_is_seen(run, break_it, what):
    run.last_start = time.time() + 60.0  # all that there is, is older
    break_it(run)
    assert what in off(run)


def test_what_a_host_or_this_machine_withholds_each_time_is_not_waited_for(run):
    """It is due at once, for ever; but of a track that should come, the same failure is waited for."""
    fail(run, "web-busy", "throttled")
    for key in ("web-table", "web-good"):
        run.corpus.record_path(key).unlink()
        fail(run, key, "environment")
    run.corpus.record_path("web-once").unlink()
    assert run.due() == ["web-once", "web-good"]
    run.look_at_outcomes()
    assert run.still_due == ["web-once", "web-good"]
    assert run.outcomes["web-once"] == "no record"


def test_a_track_that_came_to_another_end_is_named_with_what_should_have_been(run):
    run.outcomes |= {"web-gone": "transient", "web-good": "no record"}
    table, wrong = kind_table(run.tracks, run.outcomes)
    assert wrong == ["web-good (): no record", "web-gone (404): transient"]
    assert "| 404 | 1 | permanent | 1 transient |" in table
    assert "| nothing | 1 | done | 1 no record |" in table


def test_the_ends_are_counted_and_a_class_that_no_track_came_to_is_named(run):
    table, unseen = class_table(run.outcomes)
    assert "| done | 2 |" in table
    assert "| environment | 2 |" in table
    assert unseen == [name for name in FAILURE_CLASSES if name not in {"permanent", "throttled", "environment"}]
    assert class_table({f"web-{name}": name for name in FAILURE_CLASSES})[1] == []


def test_an_outcome_is_the_failures_class_or_the_status(run):
    records = {record.key: outcome(record) for record in run.corpus.records()}
    assert records["web-gone"] in EXPECTED["404"]
    assert records["web-good"] == "done"
    assert outcome(None) == "no record"


def test_obstacles_lie_where_files_should_and_are_cleared_away(run):
    for key in ("web-table", "web-download"):
        run.corpus.record_path(key).unlink()
    table_of(run, "web-table").unlink()
    run.obstruct()
    assert [table_of(run, "web-table").is_dir(), run.corpus.incoming_path("web-download").is_dir()] == [True, True]
    with pytest.raises(IsADirectoryError):
        bring_in(run, "web-table")
    run.mend()
    bring_in(run, "web-table")
    assert not run.corpus.incoming_path("web-download").exists()

"""Extraction: whole tables or none, and a track that fails alone."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import soundfile

import tasks.ingest.extract_tracks
import tasks.ingest.extraction_worker
import tasks.store.corpus
from songform.errors import CorpusError, TrackError
from tasks.ingest.extract_tracks import extract_tracks
from tasks.ingest.ingest_plan import plan_ingest
from tasks.ingest.sources.local_files import local_listing
from tasks.progress import listening
from tasks.settings import Settings
from tasks.store.corpus import Corpus
from tasks.store.tables import features_config, has_features, read_features, read_overview
from tasks.store.tracks import Track


@pytest.fixture
def tracks(song):
    """Give three short songs as tracks."""
    for name, frequency in (("a", 220.0), ("b", 330.0), ("c", 440.0)):
        path = song(f"songs/{name}.flac", frequency)
    return local_listing(path.parent).tracks


@pytest.fixture
def corpus(tmp_path):
    corpus = Corpus(tmp_path / "home")
    corpus.prepare()
    return corpus


def in_turn(function, jobs, *, workers, seconds):
    """Do the jobs in this process, as `tasks.ingest.process_pool.run_jobs` does them in others."""
    for number, job in enumerate(jobs):
        try:
            yield number, function(job)
        except Exception as error:  # noqa: BLE001  whatever it is
            yield number, error


@pytest.fixture
def here(monkeypatch):
    """Extract in this process, which a test can lead astray, and which need not be started."""
    monkeypatch.setattr(tasks.ingest.extract_tracks, "run_jobs", in_turn)


def extract(corpus, tracks, settings=Settings(), audio=None):  # noqa: B008  frozen
    jobs = [(track, audio or Path(track.path)) for track in tracks]
    return extract_tracks.fn(corpus.home, jobs, settings, len(jobs))


def tables(corpus):
    return {path.relative_to(corpus.home): path.read_bytes() for path in corpus.data.rglob("*.parquet")}


def downloaded(corpus, track, content):
    path = corpus.incoming_path(track.key)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def fail_writing(monkeypatch, match, error=errno.ENOSPC):
    """Let the disk be full as soon as some bytes of a file whose path holds `match` are written."""
    replace = os.replace

    def full(source, target):
        if match in str(target):
            raise OSError(error, os.strerror(error), str(source))
        replace(source, target)

    monkeypatch.setattr(tasks.store.corpus.os, "replace", full)


def test_a_second_extraction_makes_the_same_bytes(corpus, tracks, tmp_path):
    other = Corpus(tmp_path / "other")
    other.prepare()
    extract(corpus, tracks)
    extract(other, tracks)
    assert len(tables(corpus)) == 6
    assert tables(other) == tables(corpus)


@pytest.mark.usefixtures("here")
def test_files_of_this_machine_are_never_touched(corpus, tracks):
    before = {track.path: (Path(track.path).read_bytes(), Path(track.path).stat().st_mtime_ns) for track in tracks}
    extract(corpus, tracks, Settings.model_validate({"audio": {"keep": True}}))
    after = {track.path: (Path(track.path).read_bytes(), Path(track.path).stat().st_mtime_ns) for track in tracks}
    assert after == before
    assert not (corpus.data / "audio").exists()


def wanted(corpus, tracks, settings):
    return list(plan_ingest(corpus.home, tracks, settings, now=datetime.now(UTC)).wanted)


@pytest.mark.usefixtures("here")
def test_what_stands_is_not_wanted_and_what_does_not_stand_as_recorded_is(corpus, tracks):
    settings, config = Settings(), features_config(Settings())
    records = extract(corpus, tracks)
    assert wanted(corpus, tracks, settings) == []
    whole = tables(corpus)
    path = corpus.features_path(config, tracks[0].key)
    path.write_bytes(path.read_bytes()[:-1])
    corpus.overview_path(config, tracks[1].key).unlink()
    assert [has_features(corpus, record, settings) for record in records] == [False, False, True]
    again = wanted(corpus, tracks, settings)
    assert again == list(tracks[:2])
    extract(corpus, again)
    assert tables(corpus) == whole
    assert wanted(corpus, tracks, settings) == []


@pytest.mark.usefixtures("here")
def test_a_task_that_is_done_again_removes_the_download_that_its_dead_worker_left(corpus, tracks):
    """It died between the record and the removal; the tables are not made again."""
    (record,) = extract(corpus, tracks[:1])
    left = downloaded(corpus, tracks[0], Path(tracks[0].path).read_bytes())
    whole = tables(corpus)
    assert extract(corpus, tracks[:1], audio=left) == [record]
    assert not left.exists()
    assert tables(corpus) == whole


@pytest.mark.usefixtures("here")
def test_a_full_disk_is_one_sentence_and_leaves_nothing_half_written(corpus, tracks, monkeypatch):
    fail_writing(monkeypatch, f"overview/{features_config(Settings())}/{tracks[1].key}")
    records = extract(corpus, tracks)
    assert [record.status for record in records] == ["done", "failed", "done"]
    error = corpus.record(tracks[1].key).error
    assert error.failure == "environment"
    said = "b cannot be written down (No space left on device); make room or mend the permissions"
    assert error.message == said
    assert [path for path in corpus.data.rglob("*") if ".tmp" in path.name] == []
    assert not has_features(corpus, corpus.record(tracks[1].key), Settings())
    monkeypatch.undo()
    assert wanted(corpus, tracks, Settings()) == [tracks[1]]
    assert extract(corpus, tracks[1:2])[0].status == "done"


@pytest.mark.usefixtures("here")
def test_a_disk_on_which_not_even_the_failure_can_be_written_stops_everything(corpus, tracks, monkeypatch):
    fail_writing(monkeypatch, str(corpus.data))
    with pytest.raises(CorpusError, match=r"cannot be written \(No space left on device\); make room"):
        extract(corpus, tracks)
    assert [path for path in corpus.data.rglob("*") if path.is_file()] == []


@pytest.mark.usefixtures("here")
def test_a_full_disk_does_not_lose_a_download(corpus, tracks, monkeypatch):
    path = downloaded(corpus, tracks[0], Path(tracks[0].path).read_bytes())
    fail_writing(monkeypatch, "features/")
    extract(corpus, tracks[:1], audio=path)
    assert path.is_file()


@pytest.mark.usefixtures("here")
def test_a_download_goes_when_its_features_stand_unless_it_is_to_be_kept(corpus, tracks):
    content = Path(tracks[0].path).read_bytes()
    path = downloaded(corpus, tracks[0], content)
    (record,) = extract(corpus, tracks[:1], audio=path)
    assert not path.exists()
    assert not (corpus.data / "audio").exists()
    assert len(record.files) == 2
    path = downloaded(corpus, tracks[1], content)
    (record,) = extract(corpus, tracks[1:2], Settings.model_validate({"audio": {"keep": True}}), audio=path)
    assert not path.exists()
    kept = corpus.audio_path(tracks[1].key)
    assert kept.read_bytes() == content
    assert record.files[corpus.relative(kept)] == len(content)


@pytest.mark.usefixtures("here")
def test_a_broken_download_fails_alone_and_is_not_used_again(corpus, tracks):
    content = Path(tracks[0].path).read_bytes()
    path = downloaded(corpus, tracks[0], content[: len(content) // 5])
    (record,) = extract(corpus, tracks[:1], audio=path)
    assert record.status == "failed"
    assert record.error.failure == "transient"
    assert not path.exists()
    assert tables(corpus) == {}


@pytest.mark.usefixtures("here")
def test_a_damaged_file_of_this_machine_is_told_to_be_replaced_and_not_fetched_or_tried_again(corpus, tracks):
    """It is known by its content, so another attempt could only end as this one."""
    for size, words in ((0, "is empty"), (Path(tracks[1].path).stat().st_size // 5, "")):
        path = Path(tracks[1].path)
        path.write_bytes(path.read_bytes()[:size] if size else b"")
        (record,) = extract(corpus, tracks[1:2])
        assert (record.error.failure, record.next_retry_at) == ("permanent", None)
        assert words in record.error.message
        assert record.error.message.endswith("; put a whole copy in its place")
        assert "again" not in record.error.message
        assert path.exists()
        path.write_bytes(Path(tracks[0].path).read_bytes())


@pytest.mark.usefixtures("here")
def test_a_defect_takes_its_own_track_alone_and_asks_to_be_reported(corpus, tracks, monkeypatch):
    groups, stumbled = tasks.ingest.extraction_worker.feature_groups, []

    def stumble(*what, **how):
        if not stumbled:
            stumbled.append(True)
            raise ZeroDivisionError("division by zero")
        return groups(*what, **how)

    monkeypatch.setattr(tasks.ingest.extraction_worker, "feature_groups", stumble)
    records = extract(corpus, tracks)
    assert [record.status for record in records] == ["failed", "done", "done"]
    assert records[0].error.failure == "bug"
    assert "ZeroDivisionError: division by zero" in records[0].error.message
    assert "please report" in records[0].error.message


def test_every_track_is_announced_once(corpus, tracks):
    heard = []
    with listening(heard.append):
        extract(corpus, tracks)
    assert [(event.stage, event.done, event.total) for event in heard] == [("features", n, 3) for n in (1, 2, 3)]
    assert {event.detail for event in heard} == {"a", "b", "c"}


@pytest.mark.usefixtures("here")
def test_what_was_written_is_read_again(corpus, tracks):
    (record,) = extract(corpus, tracks[:1])
    features, overview = (read(corpus, record.key, Settings()) for read in (read_features, read_overview))
    assert features.index.name == "time_s"
    assert len(features) == len(overview.onset) == 1 + round(record.duration * 22050) // 512
    assert json.loads(corpus.record_path(record.key).read_bytes())["status"] == "done"


@pytest.mark.usefixtures("here")
def test_both_tables_say_what_they_were_made_of(corpus, tracks):
    (record,) = extract(corpus, tracks[:1])
    sha256 = hashlib.sha256(Path(tracks[0].path).read_bytes()).hexdigest()
    assert record.audio_sha256 == sha256
    assert len(tables(corpus)) == 2
    for path in tables(corpus):
        about = json.loads(pq.read_schema(corpus.home / path).metadata[b"songform"])
        assert (about["key"], about["title"], about["audio_sha256"]) == (record.key, "a", sha256)
        assert about["decoder"] == record.decoder
        assert about["frames"]["hop_length"] == 512


@pytest.mark.usefixtures("here")
def test_memory_that_runs_out_is_the_machines_fault(corpus, tracks, monkeypatch):
    def run_out(*_, **__):
        raise MemoryError

    monkeypatch.setattr(tasks.ingest.extraction_worker, "feature_groups", run_out)
    path = downloaded(corpus, tracks[0], Path(tracks[0].path).read_bytes())
    (record,) = extract(corpus, tracks[:1], audio=path)
    assert record.error.failure == "environment"
    assert record.error.message == "memory ran out over a; extract fewer tracks at a time: --set run.workers=1"
    assert path.is_file()


@pytest.mark.usefixtures("here")
def test_a_download_that_wants_an_ffmpeg_waits_for_one(corpus, tracks, monkeypatch):
    """It is sound as far as anyone knows, and need not be fetched again."""
    monkeypatch.setattr(tasks.ingest.extract_tracks, "find_ffmpeg", no_ffmpeg)
    path = downloaded(corpus, tracks[0], b"not for libsndfile")
    (record,) = extract(corpus, tracks[:1], audio=path)
    assert record.error.failure == "environment"
    assert path.is_file()


def no_ffmpeg():
    raise TrackError("no ffmpeg", "environment")


KILLED = (
    "the process that extracted b was killed, most often because memory ran out; "
    "extract fewer tracks at a time: --set run.workers=1"
)
CRASHED = (
    "the decoder crashed (signal 11) on b.flac; the file is damaged or the decoder has a defect; "
    "fetch the file again, and if it happens again, please report it with the file"
)


@pytest.fixture(params=["KILL", "SEGV"])
def deadly(request, tmp_path, monkeypatch):
    """Let ffmpeg take along the process by which it was started; return the signal."""
    stub = tmp_path / "ffmpeg"
    stub.write_text(f"#!/bin/sh\nkill -{request.param} $PPID\n")
    stub.chmod(0o755)
    monkeypatch.setattr(tasks.ingest.extract_tracks, "find_ffmpeg", lambda: str(stub))
    return request.param


def test_a_worker_that_dies_loses_its_own_track_alone(corpus, tracks, deadly):
    Path(tracks[1].path).write_bytes(b"not for libsndfile")
    records = extract(corpus, tracks)
    assert [record.status for record in records] == ["done", "failed", "done"]
    assert (records[1].error.failure, records[1].error.message) == {
        "KILL": ("environment", KILLED),
        "SEGV": ("bug", CRASHED),
    }[deadly]
    assert corpus.record(tracks[1].key) == records[1]
    assert len(tables(corpus)) == 4


def test_a_decoder_that_never_comes_back_loses_its_own_track_alone_and_twice_for_good(
    corpus, tracks, tmp_path, monkeypatch
):
    """The download is fetched anew once; then it is the file."""
    stub = tmp_path / "ffmpeg"
    stub.write_text("#!/bin/sh\nexec sleep 600\n")
    stub.chmod(0o755)
    monkeypatch.setattr(tasks.ingest.extract_tracks, "find_ffmpeg", lambda: str(stub))
    settings = Settings.model_validate({"run": {"max_minutes": 0.05}})
    for failure in ("transient", "permanent"):
        path = downloaded(corpus, tracks[1], b"not for libsndfile")
        jobs = [(tracks[0], Path(tracks[0].path)), (tracks[1], path), (tracks[2], Path(tracks[2].path))]
        records = extract_tracks.fn(corpus.home, jobs, settings, len(jobs))
        assert [record.status for record in records] == ["done", "failed", "done"]
        assert records[1].error.failure == failure
        assert records[1].error.message.startswith(
            "the extraction of b was ended after run.max_minutes = 0.05; its file"
        )
        assert not path.exists()
    assert list(corpus.data.rglob("*.tmp")) == []
    assert len(tables(corpus)) == 4


@pytest.mark.usefixtures("here")
def test_a_download_that_holds_more_than_the_limit_is_refused_whatever_it_announced(corpus, tracks):
    settings = Settings.model_validate({"audio": {"codec": "native"}, "download": {"max_hours": 0.0005}})
    entry = {"_type": "url", "url": "https://a.example/a"}
    endless = Track(key="web-0", title="Endless", source="https://a.example/a", duration=1.0, entry=entry)
    path = corpus.incoming_path(endless.key, "native", ".flac")
    path.parent.mkdir(parents=True)
    path.write_bytes(Path(tracks[0].path).read_bytes())
    (record,) = extract_tracks.fn(corpus.home, [(endless, path)], settings, 1)
    assert (record.status, record.error.failure, record.next_retry_at) == ("failed", "permanent", None)
    assert record.error.message == (
        "Endless holds more sound than download.max_hours = 0.0005, whatever it announced; "
        "raise this limit if that is no mistake"
    )
    assert [path for path in corpus.data.rglob("*") if path.is_file()] == [corpus.record_path("web-0")]


@pytest.mark.usefixtures("here")
def test_a_sound_that_is_shorter_than_a_sample_is_no_defect_of_songforms(corpus, tracks):
    """The sampling rate in a header may be anything."""
    soundfile.write(tracks[0].path, [0.1] * 100, 2_000_000_000, format="WAV")
    (record,) = extract(corpus, tracks[:1])
    assert (record.status, record.error.failure) == ("failed", "permanent")
    assert record.error.message.startswith("a holds no sound: it is shorter than a sample at 22050 Hz; its header lies")


@pytest.mark.usefixtures("here")
def test_a_file_of_this_machine_may_be_as_long_as_it_is(corpus, tracks):
    settings = Settings.model_validate({"download": {"max_hours": 0.0005}})
    assert [record.status for record in extract(corpus, tracks, settings)] == ["done"] * 3


@pytest.mark.usefixtures("here")
def test_what_is_done_is_not_done_again_by_a_task_that_is(corpus, tracks):
    """A cluster repeats a task whose worker died after its last line; its download is gone by then."""
    path = downloaded(corpus, tracks[0], Path(tracks[0].path).read_bytes())
    (first,) = extract(corpus, tracks[:1], audio=path)
    made = {path: (corpus.home / path).stat().st_mtime_ns for path in tables(corpus)}
    assert not path.exists()
    assert extract(corpus, tracks[:1], audio=path) == [first]
    assert corpus.record(tracks[0].key) == first
    assert {path: (corpus.home / path).stat().st_mtime_ns for path in tables(corpus)} == made

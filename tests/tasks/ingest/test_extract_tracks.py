"""Extraction of features: complete tables or none, and independent failures of tracks."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
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
from tasks.store.tables import (
    features_config,
    has_features,
    has_spectrum,
    read_features,
    read_overview,
    read_spectrum,
    spectrum_config,
)
from tasks.store.tracks import Track


@pytest.fixture
def tracks(song):
    """Return three short songs as tracks."""
    for name, frequency in (("a", 220.0), ("b", 330.0), ("c", 440.0)):
        path = song(f"songs/{name}.flac", frequency)
    return local_listing(path.parent).tracks


@pytest.fixture
def corpus(tmp_path):
    corpus = Corpus(tmp_path / "home")
    corpus.prepare()
    return corpus


def in_turn(function, jobs, *, workers, seconds):
    """Run the jobs in this process, with the interface of `tasks.process_pool.run_jobs`."""
    for number, job in enumerate(jobs):
        try:
            yield number, function(job)
        except Exception as error:  # noqa: BLE001  as in the process pool
            yield number, error


@pytest.fixture
def here(monkeypatch):
    """Extract in this process, where a test can patch functions, and which does not have to be started."""
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
    """Simulate a full disk for files whose path contains `match`."""
    replace = os.replace

    def full(source, target):
        if match in str(target):
            raise OSError(error, os.strerror(error), str(source))
        replace(source, target)

    monkeypatch.setattr(tasks.store.corpus.os, "replace", full)


def test_extraction_is_reproducible_byte_for_byte(corpus, tracks, tmp_path):
    other = Corpus(tmp_path / "other")
    other.prepare()
    extract(corpus, tracks)
    extract(other, tracks)
    assert len(tables(corpus)) == 9
    assert tables(other) == tables(corpus)


@pytest.mark.usefixtures("here")
def test_local_files_are_never_changed(corpus, tracks):
    before = {track.path: (Path(track.path).read_bytes(), Path(track.path).stat().st_mtime_ns) for track in tracks}
    extract(corpus, tracks, Settings.model_validate({"audio": {"keep": True}}))
    after = {track.path: (Path(track.path).read_bytes(), Path(track.path).stat().st_mtime_ns) for track in tracks}
    assert after == before
    assert not (corpus.data / "audio").exists()


def wanted(corpus, tracks, settings):
    return list(plan_ingest(corpus.home, tracks, settings, now=datetime.now(UTC)).wanted)


@pytest.mark.usefixtures("here")
def test_tracks_are_wanted_only_if_their_tables_differ_from_the_record(corpus, tracks):
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
def test_repeated_task_removes_the_download_left_by_a_dead_worker(corpus, tracks):
    """The worker died between writing the record and removing the download; the tables are not made again."""
    (record,) = extract(corpus, tracks[:1])
    left = downloaded(corpus, tracks[0], Path(tracks[0].path).read_bytes())
    whole = tables(corpus)
    assert extract(corpus, tracks[:1], audio=left) == [record]
    assert not left.exists()
    assert tables(corpus) == whole


@pytest.mark.usefixtures("here")
def test_full_disk_is_reported_in_one_sentence_and_leaves_no_partial_file(corpus, tracks, monkeypatch):
    fail_writing(monkeypatch, f"overview/{features_config(Settings())}/{tracks[1].key}")
    records = extract(corpus, tracks)
    assert [record.status for record in records] == ["done", "failed", "done"]
    error = corpus.record(tracks[1].key).error
    assert error.failure == "environment"
    assert "features of b cannot be written (No space left on device); " in error.message
    assert "disk space" in error.message
    assert "permissions" in error.message
    assert [path for path in corpus.data.rglob("*") if ".tmp" in path.name] == []
    assert not has_features(corpus, corpus.record(tracks[1].key), Settings())
    monkeypatch.undo()
    assert wanted(corpus, tracks, Settings()) == [tracks[1]]
    assert extract(corpus, tracks[1:2])[0].status == "done"


@pytest.mark.usefixtures("here")
def test_failure_that_cannot_be_recorded_stops_the_extraction(corpus, tracks, monkeypatch):
    fail_writing(monkeypatch, str(corpus.data))
    with pytest.raises(CorpusError, match=r"cannot be written \(No space left on device\); .*disk space"):
        extract(corpus, tracks)
    assert [path for path in corpus.data.rglob("*") if path.is_file()] == []


@pytest.mark.usefixtures("here")
def test_full_disk_does_not_remove_the_download(corpus, tracks, monkeypatch):
    path = downloaded(corpus, tracks[0], Path(tracks[0].path).read_bytes())
    fail_writing(monkeypatch, "features/")
    extract(corpus, tracks[:1], audio=path)
    assert path.is_file()


@pytest.mark.usefixtures("here")
def test_download_is_removed_after_extraction_unless_it_is_kept(corpus, tracks):
    content = Path(tracks[0].path).read_bytes()
    path = downloaded(corpus, tracks[0], content)
    (record,) = extract(corpus, tracks[:1], audio=path)
    assert not path.exists()
    assert not (corpus.data / "audio").exists()
    assert len(record.files) == 3
    path = downloaded(corpus, tracks[1], content)
    (record,) = extract(corpus, tracks[1:2], Settings.model_validate({"audio": {"keep": True}}), audio=path)
    assert not path.exists()
    kept = corpus.audio_path(tracks[1].key)
    assert kept.read_bytes() == content
    assert record.files[corpus.relative(kept)] == len(content)


@pytest.mark.usefixtures("here")
def test_damaged_download_fails_and_is_removed(corpus, tracks):
    content = Path(tracks[0].path).read_bytes()
    path = downloaded(corpus, tracks[0], content[: len(content) // 5])
    (record,) = extract(corpus, tracks[:1], audio=path)
    assert record.status == "failed"
    assert record.error.failure == "transient"
    assert not path.exists()
    assert tables(corpus) == {}


@pytest.mark.usefixtures("here")
def test_damaged_local_file_is_permanent_and_the_message_says_to_replace_it(corpus, tracks):
    """Its key is the hash of its content, so another attempt would have the same result."""
    for size, words in ((0, "is empty"), (Path(tracks[1].path).stat().st_size // 5, "")):
        path = Path(tracks[1].path)
        path.write_bytes(path.read_bytes()[:size] if size else b"")
        (record,) = extract(corpus, tracks[1:2])
        assert (record.error.failure, record.next_retry_at) == ("permanent", None)
        assert words in record.error.message
        assert record.error.message.endswith("; replace the file with an intact copy")
        assert "again" not in record.error.message
        assert path.exists()
        path.write_bytes(Path(tracks[0].path).read_bytes())


@pytest.mark.usefixtures("here")
def test_defect_affects_only_its_own_track_and_asks_for_a_report(corpus, tracks, monkeypatch):
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


def test_progress_is_reported_once_per_track(corpus, tracks):
    heard = []
    with listening(heard.append):
        extract(corpus, tracks)
    assert [(event.stage, event.done, event.total) for event in heard] == [("features", n, 3) for n in (1, 2, 3)]
    assert {event.detail for event in heard} == {"a", "b", "c"}


@pytest.mark.usefixtures("here")
def test_written_tables_can_be_read(corpus, tracks):
    (record,) = extract(corpus, tracks[:1])
    features, overview = (read(corpus, record.key, Settings()) for read in (read_features, read_overview))
    assert features.index.name == "time_s"
    assert len(features) == len(overview.onset) == 1 + round(record.duration * 22050) // 512
    assert json.loads(corpus.record_path(record.key).read_bytes())["status"] == "done"


@pytest.mark.usefixtures("here")
def test_all_tables_contain_their_provenance(corpus, tracks):
    (record,) = extract(corpus, tracks[:1])
    sha256 = hashlib.sha256(Path(tracks[0].path).read_bytes()).hexdigest()
    assert record.audio_sha256 == sha256
    assert len(tables(corpus)) == 3
    for path in tables(corpus):
        about = json.loads(pq.read_schema(corpus.home / path).metadata[b"songform"])
        assert (about["key"], about["title"], about["audio_sha256"]) == (record.key, "a", sha256)
        assert about["decoder"] == record.decoder
        assert about["frames"]["hop_length"] == 512


@pytest.mark.usefixtures("here")
def test_running_out_of_memory_is_an_environment_failure(corpus, tracks, monkeypatch):
    def run_out(*_, **__):
        raise MemoryError

    monkeypatch.setattr(tasks.ingest.extraction_worker, "feature_groups", run_out)
    path = downloaded(corpus, tracks[0], Path(tracks[0].path).read_bytes())
    (record,) = extract(corpus, tracks[:1], audio=path)
    assert record.error.failure == "environment"
    assert re.search("out of memory .* a; .*--set run.workers=1$", record.error.message)
    assert path.is_file()


@pytest.mark.usefixtures("here")
def test_download_that_needs_a_missing_ffmpeg_is_kept(corpus, tracks, monkeypatch):
    """It may be intact, so it does not have to be downloaded again."""
    monkeypatch.setattr(tasks.ingest.extract_tracks, "find_ffmpeg", no_ffmpeg)
    path = downloaded(corpus, tracks[0], b"not for libsndfile")
    (record,) = extract(corpus, tracks[:1], audio=path)
    assert record.error.failure == "environment"
    assert record.error.message.endswith(
        "so ffmpeg is needed, but it was not found; install the Python package imageio-ffmpeg, or ffmpeg itself"
    )
    assert path.is_file()


def no_ffmpeg():
    raise TrackError("no ffmpeg", "environment")


KILLED = "process that extracted b was killed, .*out of memory; .*--set run.workers=1$"
CRASHED = r"the decoder crashed \(signal 11\) on b\.flac; the file is damaged or .*; .*please report it with the file$"


@pytest.fixture(params=["KILL", "SEGV"])
def deadly(request, tmp_path, monkeypatch):
    """Replace ffmpeg by a program that kills its parent process; return the signal."""
    stub = tmp_path / "ffmpeg"
    stub.write_text(f"#!/bin/sh\nkill -{request.param} $PPID\n")
    stub.chmod(0o755)
    monkeypatch.setattr(tasks.ingest.extract_tracks, "find_ffmpeg", lambda: str(stub))
    return request.param


def test_crashed_worker_affects_only_its_own_track(corpus, tracks, deadly):
    Path(tracks[1].path).write_bytes(b"not for libsndfile")
    records = extract(corpus, tracks)
    assert [record.status for record in records] == ["done", "failed", "done"]
    failure, words = {"KILL": ("environment", KILLED), "SEGV": ("bug", CRASHED)}[deadly]
    assert records[1].error.failure == failure
    assert re.search(words, records[1].error.message)
    assert corpus.record(tracks[1].key) == records[1]
    assert len(tables(corpus)) == 6


def test_hanging_decoder_affects_only_its_own_track_and_is_permanent_the_second_time(
    corpus, tracks, tmp_path, monkeypatch
):
    """The file is downloaded again once; if the decoder hangs again, the file is the cause."""
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
        words = r"^the extraction of b exceeded run\.max_minutes = 0\.05; .*damaged.*raise this limit"
        assert re.search(words, records[1].error.message)
        assert not path.exists()
    assert list(corpus.data.rglob("*.tmp")) == []
    assert len(tables(corpus)) == 6


@pytest.mark.usefixtures("here")
def test_too_long_download_is_refused_whatever_it_announced(corpus, tracks):
    settings = Settings.model_validate({"audio": {"codec": "native"}, "download": {"max_hours": 0.0005}})
    entry = {"_type": "url", "url": "https://a.example/a"}
    endless = Track(key="web-0", title="Endless", source="https://a.example/a", duration=1.0, entry=entry)
    path = corpus.incoming_path(endless.key, "native", ".flac")
    path.parent.mkdir(parents=True)
    path.write_bytes(Path(tracks[0].path).read_bytes())
    (record,) = extract_tracks.fn(corpus.home, [(endless, path)], settings, 1)
    assert (record.status, record.error.failure, record.next_retry_at) == ("failed", "permanent", None)
    assert re.search(r"\bEndless .*longer than download\.max_hours = 0\.0005; raise this limit", record.error.message)
    assert [path for path in corpus.data.rglob("*") if path.is_file()] == [corpus.record_path("web-0")]


@pytest.mark.usefixtures("here")
def test_audio_shorter_than_one_sample_is_a_permanent_failure(corpus, tracks):
    """A header may contain any sampling rate."""
    soundfile.write(tracks[0].path, [0.1] * 100, 10_000_000, format="WAV")
    (record,) = extract(corpus, tracks[:1])
    assert (record.status, record.error.failure) == ("failed", "permanent")
    words = "^a contains no audio: it is shorter than one sample at 22050 Hz; its header is wrong.*; find another copy"
    assert re.search(words, record.error.message)


@pytest.mark.usefixtures("here")
def test_local_file_has_no_length_limit(corpus, tracks):
    settings = Settings.model_validate({"download": {"max_hours": 0.0005}})
    assert [record.status for record in extract(corpus, tracks, settings)] == ["done"] * 3


@pytest.mark.usefixtures("here")
def test_repeated_task_does_not_extract_finished_tracks(corpus, tracks):
    """A cluster repeats a task whose worker died at its very end, when the download was already removed."""
    path = downloaded(corpus, tracks[0], Path(tracks[0].path).read_bytes())
    (first,) = extract(corpus, tracks[:1], audio=path)
    made = {path: (corpus.home / path).stat().st_mtime_ns for path in tables(corpus)}
    assert not path.exists()
    assert extract(corpus, tracks[:1], audio=path) == [first]
    assert corpus.record(tracks[0].key) == first
    assert {path: (corpus.home / path).stat().st_mtime_ns for path in tables(corpus)} == made


@pytest.mark.usefixtures("here")
def test_notes_about_the_audio_are_kept_in_the_record(corpus, tracks):
    """The duration in a feed does not outweigh a complete file."""
    track = tracks[0].model_copy(update={"duration": 600.0})
    (record,) = extract(corpus, [track])
    assert record.status == "done"
    (note,) = corpus.record(track.key).notes
    assert re.fullmatch(r"it contains \d+\.\d s of audio, but its source states 600\.0 s", note)
    assert record.summary()["notes"] == [note]
    (record,) = extract(corpus, [tracks[1]])
    assert record.notes == ()


def test_known_hash_of_a_download_is_recorded(corpus, tracks):
    jobs = [(track, Path(track.path)) for track in tracks[:2]]
    known = {tracks[0].key: "0" * 64}
    first, second = extract_tracks.fn(corpus.home, jobs, Settings(), 2, known)
    assert first.audio_sha256 == "0" * 64
    assert second.audio_sha256 == hashlib.sha256(jobs[1][1].read_bytes()).hexdigest()


def without_spectrum(corpus, record):
    """Let a track look as if an earlier version had ingested it; return the bytes of its spectrum."""
    name = corpus.spectrum_name(spectrum_config(Settings()), record.key)
    content = (corpus.data / name).read_bytes()
    (corpus.data / name).unlink()
    files = {path: size for path, size in record.files.items() if path != name}
    corpus.save_record(record.model_copy(update={"files": files, "decoder": "an earlier one"}))
    return content


@pytest.mark.usefixtures("here")
def test_upgrade_writes_only_the_spectrum_if_the_features_come_out_the_same(corpus, tracks):
    (record,) = extract(corpus, tracks[:1])
    content = without_spectrum(corpus, record)
    made = {path: (corpus.home / path).stat().st_ino for path in tables(corpus)}
    (again,) = extract(corpus, tracks[:1])
    assert (again.audio_sha256, again.decoder) == (record.audio_sha256, "an earlier one")
    assert again.files == record.files
    assert {path: (corpus.home / path).stat().st_ino for path in made} == made
    assert corpus.spectrum_path(spectrum_config(Settings()), record.key).read_bytes() == content
    assert list(corpus.data.rglob("*.tmp")) == []


@pytest.mark.usefixtures("here")
def test_upgrade_from_other_bytes_with_the_same_sound_keeps_the_hash_that_models_depend_on(corpus, tracks, tmp_path):
    (record,) = extract(corpus, tracks[:1])
    without_spectrum(corpus, record)
    y, sr = soundfile.read(tracks[0].path, dtype="int16")
    soundfile.write(tmp_path / "other.wav", y, sr)
    (again,) = extract(corpus, tracks[:1], audio=tmp_path / "other.wav")
    assert again.audio_sha256 == record.audio_sha256
    assert has_spectrum(corpus, again, spectrum_config(Settings()))


@pytest.mark.usefixtures("here")
def test_upgrade_from_other_audio_replaces_all_tables(corpus, tracks):
    (record,) = extract(corpus, tracks[:1])
    without_spectrum(corpus, record)
    (again,) = extract(corpus, tracks[:1], audio=Path(tracks[1].path))
    (other,) = extract(corpus, tracks[1:2])
    assert again.audio_sha256 == other.audio_sha256
    for read in (read_features, read_overview, read_spectrum):
        found, expected = (read(corpus, key, Settings()) for key in (record.key, other.key))
        assert len(found) == len(expected)
    assert has_features(corpus, again, Settings())
    assert list(corpus.data.rglob("*.tmp")) == []


@pytest.mark.usefixtures("here")
def test_failed_upgrade_keeps_the_existing_tables(corpus, tracks, tmp_path):
    (record,) = extract(corpus, tracks[:1])
    without_spectrum(corpus, record)
    before = tables(corpus)
    (tmp_path / "broken.wav").write_bytes(b"")
    (failed,) = extract(corpus, tracks[:1], audio=tmp_path / "broken.wav")
    assert (failed.status, failed.error is not None) == ("done", True)
    assert tables(corpus) == before
    assert list(corpus.data.rglob("*.tmp")) == []

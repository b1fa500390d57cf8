"""Prefect task that extracts features from audio files, on all cores, and writes them to Parquet.

Worker processes read, analyze and write (`tasks.ingest.extraction_worker`). This process records the outcome of each
track as soon as it is known. If a worker crashes, only its own track fails.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from songform.errors import AudioError, TrackError
from tasks.ingest.extraction_worker import ExtractionJob, ExtractionResult, extract_track
from tasks.ingest.ffmpeg import error_without_ffmpeg, find_ffmpeg
from tasks.ingest.track_outcomes import record_done, record_failure, without_retry_advice
from tasks.process_pool import WorkerLostError, WorkerTimeoutError, run_jobs, usable_cores
from tasks.progress import announce
from tasks.recorded_task import task
from tasks.settings import Settings
from tasks.store.atomic_files import moved
from tasks.store.corpus import Corpus
from tasks.store.tables import has_features, has_spectrum, spectrum_config
from tasks.store.tracks import Track, TrackRecord

__all__ = ["extract_tracks"]


def _run_name(parameters: dict[str, Any]) -> str:
    jobs = parameters["jobs"]
    return f"extract {jobs[0][0].title}" if len(jobs) == 1 else f"extract {len(jobs)} tracks"


@task(task_run_name=_run_name)
def extract_tracks(
    home: Path,
    jobs: Sequence[tuple[Track, Path]],
    settings: Settings,
    n_tracks: int,
    hashes: Mapping[str, str] | None = None,
) -> list[TrackRecord]:
    """Extract the features of several tracks on all cores; a failed track does not affect the others.

    If the tables of a track exist, only its download is removed: a cluster may run a task again after its worker died.

    Parameters
    ----------
    home : Path
        Home of the corpus.
    jobs : sequence of (Track, Path)
        Tracks and their audio files.
    settings : Settings
        All settings.
    n_tracks : int
        Number of tracks, for the progress display.
    hashes : mapping of str to str, optional
        Known SHA-256 hashes of audio files, by the keys of the tracks. The other files are hashed.

    Returns
    -------
    list of TrackRecord
        Records of the tracks, in the order of the jobs.
    """
    corpus, ffmpeg = Corpus(home), _ffmpeg()
    known = hashes or {}
    asked = [ExtractionJob(corpus.home, *job, settings, ffmpeg, known.get(job[0].key)) for job in jobs]
    records = {job.track.key: record for job in asked if (record := _done_before(corpus, job)) is not None}
    wanted = [job for job in asked if job.track.key not in records]
    workers, seconds = settings.run.workers or usable_cores(), 60.0 * settings.run.max_minutes
    with closing(run_jobs(extract_track, wanted, workers=workers, seconds=seconds)) as arriving:
        for number, outcome in arriving:
            track = wanted[number].track
            records[track.key] = _recorded(corpus, wanted[number], outcome)
            announce("features", len(records), n_tracks, track.title)
    return [records[track.key] for track, _ in jobs]


def _done_before(corpus: Corpus, job: ExtractionJob) -> TrackRecord | None:
    record = corpus.record(job.track.key)
    if record is None or not has_features(corpus, record, job.settings):
        return None
    if not has_spectrum(corpus, record, spectrum_config(job.settings)):
        return None
    _downloads(corpus, job)[0].unlink(missing_ok=True)
    return record


def _recorded(corpus: Corpus, job: ExtractionJob, outcome: ExtractionResult | Exception) -> TrackRecord:
    """Record the outcome of a track, and keep or remove its download."""
    try:
        if isinstance(outcome, ExtractionResult):
            return _done(corpus, job, outcome)
    except OSError as full:
        msg = (
            f"the outcome of {job.track.title} cannot be recorded ({full.strerror or full}); "
            "free some disk space or fix the permissions of the home folder"
        )
        outcome = TrackError(msg, "environment")
    error = _track_error(job, outcome)
    if is_wasted := _is_audio_fault(error) and job.audio in _downloads(corpus, job):
        job.audio.unlink(missing_ok=True)  # the next attempt must download it again
    return record_failure(corpus, job.track, error, settings=job.settings.download, attempted=is_wasted)


def _done(corpus: Corpus, job: ExtractionJob, made: ExtractionResult) -> TrackRecord:
    incoming, kept = _downloads(corpus, job)
    files = list(made.files)
    if job.audio == incoming and job.settings.audio.keep:
        files.append(moved(incoming, kept))
    record = record_done(
        corpus,
        job.track,
        duration=made.duration,
        sha256=made.sha256,
        decoder=made.decoder,
        files=files,
        notes=made.notes,
    )
    incoming.unlink(missing_ok=True)
    return record


def _downloads(corpus: Corpus, job: ExtractionJob) -> tuple[Path, Path]:
    """Return the paths of a track's download: before its features are extracted, and afterward if it is kept."""
    key, encoding, suffix = job.track.key, job.settings.audio.encoding, job.audio.suffix
    return corpus.incoming_path(key, encoding, suffix), corpus.audio_path(key, encoding, suffix)


def _is_audio_fault(error: TrackError) -> bool:
    """Return whether the audio file is the cause of the failure."""
    return isinstance(error, AudioError) and error.failure != "environment"


def _track_error(job: ExtractionJob, outcome: object) -> TrackError:
    if isinstance(outcome, AudioError):
        outcome = error_without_ffmpeg(outcome)
    if isinstance(outcome, TrackError):
        return _permanent_if_local(outcome) if job.track.path == str(job.audio) else outcome
    if isinstance(outcome, WorkerLostError) and outcome.signal == signal.SIGKILL:
        return TrackError(
            f"the process that extracted {job.track.title} was killed, probably because the machine ran out of memory; "
            "extract fewer tracks at the same time: --set run.workers=1",
            "environment",
        )
    if isinstance(outcome, WorkerTimeoutError):
        late = AudioError(
            f"the extraction of {job.track.title} exceeded run.max_minutes = {job.settings.run.max_minutes:g}; "
            "the file may be damaged in a way that keeps the decoder from finishing; if this machine is merely "
            "overloaded, raise this limit",
            "transient",
        )
        late.repeated = "permanent"  # a new download did not help
        return late
    if isinstance(outcome, WorkerLostError):
        return AudioError(
            f"the decoder crashed ({outcome}) on {job.audio.name}; the file is damaged or the decoder has a defect; "
            "download or copy the file again, and if the decoder crashes again, please report it with the file",
            "bug",
        )
    msg = f"songform failed on {job.track.title}: {type(outcome).__name__}: {outcome}; please report it with the file"
    return TrackError(msg, "bug")


def _permanent_if_local(error: TrackError) -> TrackError:
    """Return a temporary failure as a permanent one, for a local file, which cannot be downloaded again.

    The key of a local file is the hash of its content: the same content fails again, an intact copy is another track.
    """
    if not isinstance(error, AudioError) or error.failure != "transient":
        return error
    return AudioError(f"{without_retry_advice(str(error))}; replace the file with an intact copy")


def _ffmpeg() -> str | None:
    try:
        return find_ffmpeg()
    except TrackError:
        return None  # a track that needs ffmpeg reports that it is missing

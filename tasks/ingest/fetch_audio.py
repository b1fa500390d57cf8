"""Prefect task that downloads the audio of one track.

Prefect retries a download if the failure may be temporary. The task waits for a slot of the rate limiter of the track's
host (`tasks.ingest.fetch.host_rate_limiter`), and pauses the host when it asks for that. If the host is paused for
longer than the ingest waits, the track is skipped: the task run ends with a Completed state named Skipped.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from songform.errors import TrackError
from tasks.cancellation import raise_if_stopped
from tasks.ingest.failures.classify import track_error, track_label
from tasks.ingest.failures.retries import HostPausedError, should_retry
from tasks.ingest.fetch.deadline import Stopwatch
from tasks.ingest.fetch.download import Download, download_track
from tasks.ingest.fetch.host_rate_limiter import host_limiter
from tasks.ingest.ffmpeg import find_ffmpeg
from tasks.ingest.track_locks import locked_tracks
from tasks.ingest.track_outcomes import record_failure, record_skipped
from tasks.progress import announce
from tasks.recorded_task import task
from tasks.settings import Settings
from tasks.store.atomic_files import moved, temporary_path
from tasks.store.corpus import Corpus
from tasks.store.tracks import Track, TrackRecord

if TYPE_CHECKING:
    from prefect import State

__all__ = ["existing_audio", "fetch_audio", "remove_leftover_downloads"]


def existing_audio(home: Path, track: Track, settings: Settings) -> Path | None:
    """Return the audio file of a track if it exists: a local file, a kept download, or the download of an earlier run.

    A download is used only if it was made with the same `audio.codec` and, for MP3, the same `audio.bitrate`.
    """
    if track.path is not None:
        return Path(track.path)
    corpus, encoding = Corpus(home), settings.audio.encoding
    return corpus.incoming_audio(track.key, encoding) or corpus.kept_audio(track.key, encoding)


def remove_leftover_downloads(home: Path, tracks: Sequence[Track], settings: Settings) -> None:
    """Remove the downloads of finished tracks.

    A download is left over if a process is killed between writing the track's record and removing the download.
    """
    corpus, finished = Corpus(home), {track.key for track in tracks}
    left = [path for path in corpus.waiting_audio(settings.audio.encoding) if path.stem in finished]
    if not left:
        return
    with locked_tracks(corpus, [path.stem for path in left]) as ours:  # an ingest with other settings may need the file
        for path in left:
            if path.stem in ours:
                path.unlink(missing_ok=True)


@task(task_run_name="download {track.title}", retry_condition_fn=should_retry)
def fetch_audio(home: Path, track: Track, settings: Settings) -> Download | State[Any]:
    """Download a track into a new folder, and move the file to `data/incoming/`.

    Returns
    -------
    Download or State
        The file and its warnings; or the state Skipped, if the host is paused for longer than this ingest waits.

    Raises
    ------
    TrackError
        If the download fails; the failure is already in the track's record.
    """
    from prefect.runtime import task_run

    corpus, is_first = Corpus(home), task_run.run_count <= 1
    watch = Stopwatch(0.0 if is_first else _spent(corpus, track))
    try:
        limiter = host_limiter(corpus, track, settings.download)
        ffmpeg = find_ffmpeg()  # before any request is sent
        with limiter.slot(), watch:
            fetched = _fetched(corpus, track, settings, ffmpeg, spent=watch.seconds)
        limiter.reset_throttling()
    except HostPausedError as pause:
        return _skipped(corpus, track, pause, is_first=is_first)
    except Exception as error:  # noqa: BLE001  an unexpected error must not affect other tracks
        failure = _throttled(corpus, track, settings, track_error(error, track))
    else:
        return fetched
    record = record_failure(
        corpus, track, failure, settings=settings.download, first_attempt=is_first, spent=watch.seconds
    )
    raise _as_recorded(record, failure) from failure.__cause__


def _spent(corpus: Corpus, track: Track) -> float:
    """Return the duration of the previous attempts of this ingest, in seconds."""
    record = corpus.record(track.key)
    return record.spent or 0.0 if record else 0.0


def _fetched(corpus: Corpus, track: Track, settings: Settings, ffmpeg: str, *, spent: float) -> Download:
    encoding = settings.audio.encoding
    attempt = temporary_path(corpus.incoming_path(track.key, encoding).with_name(track.key), "attempt")
    try:
        fetched = download_track(
            track,
            attempt,
            audio=settings.audio,
            download=settings.download,
            ffmpeg=ffmpeg,
            progress=partial(_report_progress, track.title),
            spent=spent,
        )
        target = corpus.incoming_path(track.key, encoding, fetched.path.suffix)
        return replace(fetched, path=moved(fetched.path, target))
    finally:
        shutil.rmtree(attempt, ignore_errors=True)


def _report_progress(title: str, done: int, total: int | None) -> None:
    raise_if_stopped()
    announce("download", done, total, title)


def _throttled(corpus: Corpus, track: Track, settings: Settings, failure: TrackError) -> TrackError:
    """Pause the track's host if it asks for that, and set `retry_after` to the length of the pause."""
    is_named = failure.failure == "transient" and failure.retry_after is not None
    if failure.failure == "throttled" or is_named:
        try:
            until = host_limiter(corpus, track, settings.download).throttle_for(failure)
        except OSError:
            return failure  # the folder cannot be written; writing the record will report that
        failure.retry_after = max(0.0, until - time.time())
    return failure


def _skipped(corpus: Corpus, track: Track, pause: HostPausedError, *, is_first: bool) -> State[Any]:
    """Record that a track was skipped; raise its earlier error if this is a retry within the ingest."""
    from prefect.states import Completed

    reason = f"{track_label(track)} was not downloaded: {pause}; it is retried automatically after that time"
    record = record_skipped(corpus, track, until=datetime.fromtimestamp(pause.until, UTC), reason=reason)
    if is_first or record.error is None:
        return Completed(name="Skipped", message=reason)
    raise TrackError(record.error.message, record.error.failure, retry_after=float("inf"))


def _as_recorded(record: TrackRecord, failure: TrackError) -> TrackError:
    """Return a failure with the message and the class of the record, which differ for repeated failures.

    The error is a new object: Prefect keeps it, and the traceback of the original would keep yt-dlp's objects alive.
    """
    if record.error is None:
        return failure
    return TrackError(record.error.message, record.error.failure, retry_after=failure.retry_after, robot=failure.robot)

"""Fetch the audio of one track, as a task of Prefect's.

Prefect repeats a download whose failure may pass within this ingest. The rate limiter of the track's host
(`tasks.ingest.fetch.host_rate_limiter`) makes it wait for its turn, and is told when the host asks for a pause. A track
whose host is paused for longer than the ingest waits is skipped: its task run is Completed, and named so.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from prefect import State, task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import task_run
from prefect.states import Completed

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
from tasks.settings import Settings
from tasks.store.atomic_files import moved, temporary_path
from tasks.store.corpus import Corpus
from tasks.store.tracks import Track, TrackRecord

__all__ = ["existing_audio", "fetch_audio", "remove_leftover_downloads"]


def existing_audio(home: Path, track: Track, settings: Settings) -> Path | None:
    """Return a track's audio file if it needs no download: a local one, a kept one, one that an earlier run fetched.

    A download counts only if the same `audio.codec`, and for MP3 the same `audio.bitrate`, made it.
    """
    if track.path is not None:
        return Path(track.path)
    corpus, encoding = Corpus(home), settings.audio.encoding
    return corpus.incoming_audio(track.key, encoding) or corpus.kept_audio(track.key, encoding)


def remove_leftover_downloads(home: Path, tracks: Sequence[Track], settings: Settings) -> None:
    """Remove the downloads of tracks that stand.

    A process that is killed between writing a track's record and removing its download leaves one behind.
    """
    corpus, stand = Corpus(home), {track.key for track in tracks}
    left = [path for path in corpus.waiting_audio(settings.audio.encoding) if path.stem in stand]
    if not left:
        return
    with locked_tracks(corpus, [path.stem for path in left]) as ours:  # with other settings, somebody may wait for it
        for path in left:
            if path.stem in ours:
                path.unlink(missing_ok=True)


@task(task_run_name="download {track.title}", retry_condition_fn=should_retry, cache_policy=NO_CACHE)
def fetch_audio(home: Path, track: Track, settings: Settings) -> Download | State[Any]:
    """Download a track once, into a fresh folder, and move it to where it waits for its features.

    Returns
    -------
    Download or State
        The file and what is odd about it; or the state Skipped, if its host wants a longer rest than this ingest waits.

    Raises
    ------
    TrackError
        With the failure's class; the track's record already says the same.
    """
    corpus, is_first = Corpus(home), task_run.run_count <= 1
    watch = Stopwatch(0.0 if is_first else _spent(corpus, track))
    try:
        limiter = host_limiter(corpus, track, settings.download)
        ffmpeg = find_ffmpeg()  # without it, the host need not be troubled
        with limiter.slot(), watch:
            fetched = _fetched(corpus, track, settings, ffmpeg, spent=watch.seconds)
        limiter.reset_throttling()
    except HostPausedError as pause:
        return _skipped(corpus, track, pause, is_first=is_first)
    except Exception as error:  # noqa: BLE001  whatever it was, it is this track's alone
        failure = _throttled(corpus, track, settings, track_error(error, track))
    else:
        return fetched
    record = record_failure(
        corpus, track, failure, settings=settings.download, first_attempt=is_first, spent=watch.seconds
    )
    raise _as_recorded(record, failure) from failure.__cause__


def _spent(corpus: Corpus, track: Track) -> float:
    """Return the seconds that the attempts of this ingest have taken so far."""
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
            progress=partial(_tell, track.title),
            spent=spent,
        )
        target = corpus.incoming_path(track.key, encoding, fetched.path.suffix)
        return replace(fetched, path=moved(fetched.path, target))
    finally:
        shutil.rmtree(attempt, ignore_errors=True)


def _tell(title: str, done: int, total: int | None) -> None:
    raise_if_stopped()
    announce("download", done, total, title)


def _throttled(corpus: Corpus, track: Track, settings: Settings, failure: TrackError) -> TrackError:
    """Pause the track's host if it asks for that; the failure then knows for how long."""
    is_named = failure.failure == "transient" and failure.retry_after is not None
    if failure.failure == "throttled" or is_named:
        try:
            until = host_limiter(corpus, track, settings.download).throttle_for(failure)
        except OSError:
            return failure  # nothing can be written here, which is said when the record cannot be written either
        failure.retry_after = max(0.0, until - time.time())
    return failure


def _skipped(corpus: Corpus, track: Track, pause: HostPausedError, *, is_first: bool) -> State[Any]:
    """Write down that a track was not asked for; one that was asked for in this ingest has failed before."""
    reason = f"{track_label(track)} was not asked for: {pause}; it is asked for by itself after that"
    record = record_skipped(corpus, track, until=datetime.fromtimestamp(pause.until, UTC), reason=reason)
    if is_first or record.error is None:
        return Completed(name="Skipped", message=reason)
    raise TrackError(record.error.message, record.error.failure, retry_after=float("inf"))


def _as_recorded(record: TrackRecord, failure: TrackError) -> TrackError:
    """Return a failure with the words and the class of the record: what repeats itself lasts.

    It is a new one. Prefect remembers it, and with the old one all that lives in the frames which that one passed.
    """
    if record.error is None:
        return failure
    return TrackError(record.error.message, record.error.failure, retry_after=failure.retry_after, robot=failure.robot)

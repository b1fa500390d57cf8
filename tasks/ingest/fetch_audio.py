"""Ingestion: listing the sources, and fetching one track's audio, each as a task of Prefect's.

Prefect repeats a download whose failure may pass within this ingest. The gate before the track's host
(`tasks.ingest.fetch.host_rate_limiter`) makes it wait for its turn, and is closed here when the host asks for a pause.
A track whose host wants to be left alone for longer than the ingest waits is skipped: its task run is Completed, and
named so.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import task_run
from prefect.states import Completed, State

from songform.errors import SourceError, TrackError
from songform.sanitize import plain_text
from tasks.cancellation import end_if_stopped
from tasks.ingest.failures.classify import named, track_error
from tasks.ingest.fetch.download import Download
from tasks.ingest.fetch.deadline import Stopwatch
from tasks.ingest.fetch.download import download_track
from tasks.ingest.fetch.host_rate_limiter import HostGate, HostPaused, gate_of, host_of_address
from tasks.ingest.ffmpeg import find_ffmpeg
from tasks.ingest.sources.file_hashes import KnownFiles
from tasks.ingest.sources.listing import Listing
from tasks.ingest.sources.resolve_source import list_tracks
from tasks.ingest.track_locks import claimed
from tasks.ingest.track_records import record_failure, record_skipped
from tasks.progress import announce
from tasks.settings import Settings
from tasks.store.atomic_files import moved
from tasks.store.corpus import Corpus
from tasks.store.temp_files import temporary_path
from tasks.store.tracks import Track, TrackRecord

__all__ = ["audio_at_hand", "fetch_audio", "list_source", "remove_leftovers"]


def _is_worth_another(_task: Any, _run: Any, state: Any) -> bool:
    """Tell Prefect whether another attempt is worth it within this ingest."""
    error = state.result(raise_on_failure=False)
    if isinstance(error, SourceError):
        return error.failure in ("transient", "throttled") and not isinstance(error.__cause__, HostPaused)
    if not isinstance(error, TrackError) or error.failure not in ("transient", "throttled"):
        return False
    patience: float = task_run.parameters["settings"].download.patience_seconds
    return (error.retry_after or 0.0) <= patience


@task(task_run_name="list {source}", retry_condition_fn=_is_worth_another, cache_policy=NO_CACHE)
def list_source(home: Path, source: str, settings: Settings, limit: int | None = None) -> Listing:
    """List the tracks of a SOURCE, without fetching any; local files that the home knows are not read again."""
    known = KnownFiles(Corpus(home))
    with _admitted(home, source, settings):
        listing = list_tracks(source, limit=limit, settings=settings.download, known=known)
    known.save()
    return listing


@contextmanager
def _admitted(home: Path, source: str, settings: Settings) -> Iterator[None]:
    """Ask the host of an address as politely for its list as for its tracks."""
    if not source.strip().lower().startswith(("http://", "https://")):
        yield
        return
    gate = HostGate(Corpus(home).hosts, host_of_address(source.strip()), settings.download)
    try:
        with gate.entered():
            yield
    except HostPaused as pause:
        until = datetime.fromtimestamp(pause.until, UTC)
        msg = (
            f"{plain_text(source, 400)} was not asked for: {pause.host} is left alone until {until:%Y-%m-%d %H:%M} UTC"
        )
        raise SourceError(f"{msg} ({pause.reason}); ingest it again after that", "throttled") from pause
    except SourceError as error:
        cause = error.__cause__
        if isinstance(cause, TrackError) and cause.failure == "throttled":
            gate.throttle(cause.retry_after, robot=cause.robot, reason=_reason(cause))
        raise


def audio_at_hand(home: Path, track: Track, settings: Settings) -> Path | None:
    """Return a track's audio file if it needs no download: a local one, a kept one, one that an earlier run fetched.

    A download counts only if the same `audio.codec`, and for MP3 the same `audio.bitrate`, made it.
    """
    if track.path is not None:
        return Path(track.path)
    corpus, encoding = Corpus(home), settings.audio.encoding
    return corpus.incoming_audio(track.key, encoding) or corpus.kept_audio(track.key, encoding)


def remove_leftovers(home: Path, tracks: Sequence[Track], settings: Settings) -> None:
    """Remove the downloads of tracks that stand.

    A process that is killed between writing a track's record and removing its download leaves one behind.
    """
    corpus, stand = Corpus(home), {track.key for track in tracks}
    left = [path for path in corpus.waiting_audio(settings.audio.encoding) if path.stem in stand]
    if not left:
        return
    with claimed(corpus, [path.stem for path in left]) as ours:  # with other settings, somebody may wait for it
        for path in left:
            if path.stem in ours:
                path.unlink(missing_ok=True)


@task(task_run_name="download {track.title}", retry_condition_fn=_is_worth_another, cache_policy=NO_CACHE)
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
        gate = gate_of(corpus, track, settings.download)
        ffmpeg = find_ffmpeg()  # without it, the host need not be troubled
        with gate.entered(), watch:
            fetched = _fetched(corpus, track, settings, ffmpeg, spent=watch.seconds)
        gate.serve()
    except HostPaused as pause:
        return _skipped(corpus, track, pause, is_first=is_first)
    except Exception as error:  # noqa: BLE001  whatever it was, it is this track's alone
        failure = _rested(corpus, track, settings, track_error(error, track))
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
    end_if_stopped()
    announce("download", done, total, title)


def _rested(corpus: Corpus, track: Track, settings: Settings, failure: TrackError) -> TrackError:
    """Close the host's gate if the host asks for it; the failure then knows for how long."""
    asked = failure.retry_after if failure.failure in ("throttled", "transient") else None
    if failure.failure == "throttled" or asked is not None:
        gate = gate_of(corpus, track, settings.download)
        try:
            until = gate.throttle(asked, robot=failure.robot, reason=_reason(failure))
        except OSError:
            return failure  # nothing can be written here, which is said when the record cannot be written either
        failure.retry_after = max(0.0, until - time.time())
    return failure


def _reason(failure: TrackError) -> str:
    return "it takes songform for a robot" if failure.robot else "it wants fewer requests"


def _skipped(corpus: Corpus, track: Track, pause: HostPaused, *, is_first: bool) -> State[Any]:
    """Write down that a track was not asked for; one that was asked for in this ingest has failed before."""
    until = datetime.fromtimestamp(pause.until, UTC)
    reason = (
        f"{named(track)} was not asked for: {pause.host} is left alone until {until:%Y-%m-%d %H:%M} UTC "
        f"({pause.reason}); it is asked for by itself after that"
    )
    record = record_skipped(corpus, track, until=until, reason=reason)
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

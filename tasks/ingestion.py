"""Ingestion: which tracks there are, which of them are wanted, and their audio."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from songform.corpus import Corpus
from songform.errors import TrackError
from songform.settings import Settings
from songform.sources import Track
from tasks.download import download_track
from tasks.enumeration import list_tracks
from tasks.failures import track_error
from tasks.features import has_features
from tasks.ffmpeg import find_ffmpeg
from tasks.listing import Listing, unique_tracks
from tasks.progress import announce
from tasks.records import is_settled, record_failure

__all__ = ["audio_at_hand", "failed_tracks", "fetch_audio", "list_source", "wanted_tracks"]


@task(task_run_name="list {source}", cache_policy=NO_CACHE)
def list_source(source: str, settings: Settings, limit: int | None = None) -> Listing:
    """List the tracks of a SOURCE, without fetching any."""
    return list_tracks(source, limit=limit, settings=settings.download)


def failed_tracks(home: Path) -> tuple[Track, ...]:
    """Return the corpus's failed tracks, which their records describe well enough to try them again."""
    return tuple(record for record in Corpus(home).records() if record.status == "failed")


def wanted_tracks(
    home: Path, tracks: Sequence[Track], settings: Settings, *, retry_failed: bool = False
) -> list[Track]:
    """Return the tracks whose features are missing, but for those whose failure is known to last."""
    corpus = Corpus(home)
    wanted = []
    for track in unique_tracks(tracks):
        record = corpus.record(track.key)
        settled = record is not None and is_settled(record) and not retry_failed
        if not settled and not has_features(corpus, record, settings):
            wanted.append(track)
    return wanted


def audio_at_hand(home: Path, track: Track, settings: Settings = Settings()) -> Path | None:  # noqa: B008  frozen
    """Return a track's audio file if it needs no download: a local one, a kept one, one that an earlier run fetched.

    A download counts only if the same `audio.codec`, and for MP3 the same `audio.bitrate`, made it.
    """
    if track.path is not None:
        return Path(track.path)
    corpus, encoding = Corpus(home), settings.audio.encoding
    return corpus.incoming_audio(track.key, encoding) or corpus.kept_audio(track.key, encoding)


def _may_pass(_task: Any, _run: Any, state: Any) -> bool:
    """Tell Prefect whether another attempt is worth it."""
    error = state.result(raise_on_failure=False)
    return not isinstance(error, TrackError) or error.failure == "transient"


@task(task_run_name="download {track.title}", retry_condition_fn=_may_pass, cache_policy=NO_CACHE)
def fetch_audio(home: Path, track: Track, settings: Settings) -> Path:
    """Download a track once, into a fresh folder, and move it to where it waits for its features.

    Raises
    ------
    TrackError
        With the failure's class; the track's record already says the same.
    """
    corpus, encoding = Corpus(home), settings.audio.encoding
    attempt = corpus.incoming_path(track.key, encoding).with_name(f".{track.key}.{os.getpid()}.attempt.tmp")
    try:
        fetched = download_track(
            track,
            attempt,
            audio=settings.audio,
            download=settings.download,
            ffmpeg=find_ffmpeg(),
            progress=lambda done, total: announce("download", done, total, track.title),
        )
        with fetched.path.open("rb") as file:
            os.fsync(file.fileno())
        return fetched.path.replace(corpus.incoming_path(track.key, encoding, fetched.path.suffix))
    except Exception as error:
        failure = error if isinstance(error, TrackError) else track_error(error, track)
        record_failure(corpus, track, failure)
        raise failure from error
    finally:
        shutil.rmtree(attempt, ignore_errors=True)

"""Features: from audio files to Parquet, on all cores.

A track's audio is decoded once, in a stream: checked, described frame by frame, and forgotten. The two tables say in
their metadata what they were made of and with what.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from prefect import task
from prefect.cache_policies import NO_CACHE

from songform import features as frame_features
from songform import overview as overviews
from songform.audio import open_audio, resampled
from songform.corpus import Corpus, read_table, write_table
from songform.errors import TrackError
from songform.extraction import describe_audio
from songform.overview import Overview
from songform.settings import Settings, digest
from songform.sources import Track, TrackRecord
from tasks.ffmpeg import find_ffmpeg
from tasks.progress import announce
from tasks.records import record_done, record_failure

__all__ = ["extract_tracks", "features_config", "has_features", "read_features", "read_overview"]

_LIBRARIES = ("songform", "numpy", "scipy", "soundfile", "soxr")


def features_config(settings: Settings) -> str:
    """Return what names the folder of the features: the digest of all that determines them."""
    return digest(settings.frames, settings.features, settings.audio.bitrate, frame_features.VERSION, overviews.VERSION)


def has_features(corpus: Corpus, record: TrackRecord | None, settings: Settings) -> bool:
    """Return whether a track's tables stand as its record says."""
    if record is None or record.status != "done":
        return False
    config = features_config(settings)
    return corpus.holds(record, corpus.features_path(config, record.key), corpus.overview_path(config, record.key))


def read_features(corpus: Corpus, key: str, settings: Settings) -> pd.DataFrame:
    """Read a track's frame features."""
    return read_table(corpus.features_path(features_config(settings), key)).to_pandas().set_index("time_s")


def read_overview(corpus: Corpus, key: str, settings: Settings) -> Overview:
    """Read a track's overview."""
    return Overview.from_table(read_table(corpus.overview_path(features_config(settings), key)))


@task(task_run_name="extract {n_tracks} tracks", cache_policy=NO_CACHE)
def extract_tracks(
    home: Path, jobs: Sequence[tuple[Track, Path]], settings: Settings, n_tracks: int
) -> list[TrackRecord]:
    """Extract the features of several tracks on all cores; one that fails does not touch the others.

    Parameters
    ----------
    home : Path
        The corpus's home.
    jobs : sequence of (Track, Path)
        Each track and its audio file.
    settings : Settings
        All settings.
    n_tracks : int
        Number of jobs, for the task run's name.

    Returns
    -------
    list of TrackRecord
        In the order of the jobs.
    """
    corpus = Corpus(home)
    ffmpeg = _ffmpeg_or_none()
    done = 0

    def extract(job: tuple[Track, Path]) -> TrackRecord:
        nonlocal done
        record = _extract_or_record(corpus, *job, settings, ffmpeg)
        done += 1
        announce("features", done, n_tracks, job[0].title)
        return record

    with ThreadPoolExecutor(settings.run.workers or os.cpu_count()) as pool:
        # The context holds the listener to whom progress is announced.
        futures = [pool.submit(copy_context().run, extract, job) for job in jobs]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # Ctrl-C: what has not begun does not begin
            raise


def _extract_or_record(
    corpus: Corpus, track: Track, audio: Path, settings: Settings, ffmpeg: str | None
) -> TrackRecord:
    try:
        return _extract(corpus, track, audio, settings, ffmpeg)
    except TrackError as error:
        if audio in (corpus.incoming_path(track.key), corpus.audio_path(track.key)):
            audio.unlink(missing_ok=True)  # the next attempt must fetch it anew
        return record_failure(corpus, track, error, attempted=False)
    except OSError as error:
        msg = f"{track.title} cannot be written down ({error.strerror or error}); make room or mend the permissions"
        return record_failure(corpus, track, TrackError(msg, "environment"), attempted=False)
    except Exception as error:  # noqa: BLE001  a defect that one track uncovers must not take the others with it
        msg = f"songform failed on {track.title}: {type(error).__name__}: {error}; please report it with the file"
        return record_failure(corpus, track, TrackError(msg, "bug"), attempted=False)


def _extract(corpus: Corpus, track: Track, audio: Path, settings: Settings, ffmpeg: str | None) -> TrackRecord:
    """Decode, describe and write one track; keep or remove its download."""
    frames = settings.frames
    with open_audio(audio, ffmpeg=ffmpeg, announced=track.duration) as stream:
        features, overview, n_samples = describe_audio(
            resampled(stream, orig_sr=stream.sr, target_sr=frames.sr),
            sr=frames.sr,
            frame_length=frames.frame_length,
            hop_length=frames.hop_length,
            n_mfcc=settings.features.n_mfcc,
        )
        decoder = stream.decoder
    with audio.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    about = _about(track, settings, sha256=sha256, decoder=decoder)
    config = features_config(settings)
    files = [corpus.features_path(config, track.key), corpus.overview_path(config, track.key)]
    write_table(files[0], pa.Table.from_pandas(features.reset_index(), preserve_index=False), about=about)
    write_table(files[1], overview.to_table(), about=about)
    incoming, kept = corpus.incoming_path(track.key), corpus.audio_path(track.key)
    if audio == incoming and settings.audio.keep:
        kept.parent.mkdir(parents=True, exist_ok=True)
        files.append(incoming.replace(kept))
    record = record_done(corpus, track, duration=n_samples / frames.sr, sha256=sha256, decoder=decoder, files=files)
    incoming.unlink(missing_ok=True)
    return record


def _about(track: Track, settings: Settings, *, sha256: str, decoder: str) -> dict[str, Any]:
    """Return what a table says of itself."""
    return {
        "key": track.key,
        "title": track.title,
        "audio_sha256": sha256,
        "decoder": decoder,
        "frames": settings.frames.model_dump(),
        "features": settings.features.model_dump(),
        "versions": {"features": frame_features.VERSION, "overview": overviews.VERSION},
        "libraries": {name: version(name) for name in _LIBRARIES},
    }


def _ffmpeg_or_none() -> str | None:
    try:
        return find_ffmpeg()
    except TrackError:
        return None  # a track that needs it says so

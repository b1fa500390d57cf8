"""What a worker process does: extract one audio file into two tables on disk.

The file is read once: hashed, decoded, checked, described and written down in one stream, so that memory holds some
10,000 rows and the overview, however long the song is. Worker processes import this module and must not wait long for
it: it knows nothing of Prefect.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from songform.audio.stream import AudioStream, open_audio, resampled
from songform.errors import AudioError, TrackError
from songform.features import frame_features
from songform.features import overview as overviews
from songform.features.extraction import SongExtractor, feature_groups, feature_schema
from tasks.settings import Settings
from tasks.store.corpus import Corpus
from tasks.store.tables import ROW_GROUP, features_config, table_writer, write_table
from tasks.store.tracks import Track

__all__ = ["ExtractionJob", "ExtractionResult", "extract_track"]

_LIBRARIES = ("songform", "numpy", "scipy", "soundfile", "soxr")


@dataclass(frozen=True)
class ExtractionJob:
    """What is to be done.

    Parameters
    ----------
    home : Path
        The corpus's home.
    track : Track
        The track.
    audio : Path
        Its audio file; it is only read.
    settings : Settings
        All settings.
    ffmpeg : str, optional
        Path of the ffmpeg executable.
    """

    home: Path
    track: Track
    audio: Path
    settings: Settings
    ffmpeg: str | None = None


@dataclass(frozen=True)
class ExtractionResult:
    """What was done.

    Parameters
    ----------
    duration : float
        Length of the song, in seconds.
    sha256 : str
        Of the audio file.
    decoder : str
        Who decoded it, with the version.
    files : tuple of Path
        The tables.
    """

    duration: float
    sha256: str
    decoder: str
    files: tuple[Path, Path]


def extract_track(job: ExtractionJob) -> ExtractionResult:
    """Describe a track's audio; both tables stand afterwards, or the failure says why not.

    Raises
    ------
    TrackError
        Whatever happens, with the failure's class: no other exception has to find its way out of a process.
    """
    title = job.track.title
    try:
        return _extract(job)
    except TrackError:
        raise
    except OSError as error:
        done = "read" if error.filename == str(job.audio) else "written down"
        msg = f"{title} cannot be {done} ({error.strerror or error}); make room or mend the permissions"
        raise TrackError(msg, "environment") from error
    except MemoryError as error:
        msg = f"memory ran out over {title}; extract fewer tracks at a time: --set run.workers=1"
        raise TrackError(msg, "environment") from error
    except Exception as error:
        msg = f"songform failed on {title}: {type(error).__name__}: {error}; please report it with the file"
        raise TrackError(msg, "bug") from error


def _extract(job: ExtractionJob) -> ExtractionResult:
    corpus, config, frames = Corpus(job.home), features_config(job.settings), job.settings.frames
    features, overview = (find(config, job.track.key) for find in (corpus.features_path, corpus.overview_path))
    extractor = SongExtractor(
        frames.sr,
        frame_length=frames.frame_length,
        hop_length=frames.hop_length,
        n_mfcc=job.settings.features.n_mfcc,
    )
    with (
        open_audio(job.audio, ffmpeg=job.ffmpeg, announced=job.track.duration) as audio,
        table_writer(features, feature_schema(extractor.columns)) as table,
    ):
        blocks = _audible(resampled(_bounded(audio, job), orig_sr=audio.sr, target_sr=frames.sr), job)
        for group in feature_groups(extractor, blocks, n_rows=ROW_GROUP):
            table.write(group)
        about = _about(job, sha256=audio.sha256, decoder=audio.decoder)
        table.describe(about)
    write_table(overview, extractor.overview().to_table(), about=about)
    return ExtractionResult(
        extractor.n_samples / frames.sr, about["audio_sha256"], about["decoder"], (features, overview)
    )


def _bounded(audio: AudioStream, job: ExtractionJob) -> Iterator[NDArray[np.float32]]:
    """Hear a download to its end, or to the limit, for it may hold more than it says; a file of the user's has none."""
    hours = job.settings.download.max_hours if job.track.path is None else math.inf
    for block in audio:
        if audio.seconds > 3600.0 * hours:
            held = f"{job.track.title} holds more sound than download.max_hours = {hours:g}, whatever it announced"
            raise AudioError(f"{held}; raise this limit if that is no mistake", "permanent")
        yield block


def _audible(blocks: Iterable[NDArray[np.float32]], job: ExtractionJob) -> Iterator[NDArray[np.float32]]:
    """Refuse what is over before its first sample is: a sound of some microseconds, or a sampling rate that lies."""
    n_samples = 0
    for block in blocks:
        n_samples += len(block)
        yield block
    if not n_samples:
        held = f"{job.track.title} holds no sound: it is shorter than a sample at {job.settings.frames.sr} Hz"
        raise AudioError(f"{held}; its header lies, or the recording was empty: find another copy of it")


def _about(job: ExtractionJob, *, sha256: str, decoder: str) -> dict[str, Any]:
    """Return what a table says of itself."""
    return {
        "key": job.track.key,
        "title": job.track.title,
        "audio_sha256": sha256,
        "decoder": decoder,
        "frames": job.settings.frames.model_dump(),
        "features": job.settings.features.model_dump(),
        "versions": {"features": frame_features.VERSION, "overview": overviews.VERSION},
        "libraries": {name: version(name) for name in _LIBRARIES},
    }

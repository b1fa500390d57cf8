"""Extraction of one audio file to three tables on disk, in a worker process.

The file is read once: it is hashed, decoded, checked, analyzed and written in one stream, so that memory holds about
10,000 rows, the overview and the semitone spectrum, regardless of the song's length. If a track already has features
and an overview, and they come out the same, only the spectrum is written. Worker processes import this module, so it
does not import Prefect, which is slow.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from songform.audio.stream import AudioStream, read_audio, resampled
from songform.errors import AudioError, TrackError, UnreadableFileError
from songform.features import frame_features, semitone_spectrum
from songform.features import overview as overviews
from songform.features.extraction import SongExtractor, feature_groups, feature_schema
from songform.structure.pooling import UNIT_SECONDS
from tasks.settings import Settings
from tasks.store.atomic_files import moved, temporary_path
from tasks.store.corpus import Corpus
from tasks.store.tables import (
    ROW_GROUP,
    features_config,
    has_feature_tables,
    is_same_table,
    read_table,
    spectrum_config,
    table_writer,
    write_table,
)
from tasks.store.tracks import Track

__all__ = ["ExtractionJob", "ExtractionResult", "extract_track"]

_LIBRARIES = ("songform", "numpy", "scipy", "soundfile", "soxr")


@dataclass(frozen=True)
class ExtractionJob:
    """Extraction of one track.

    Parameters
    ----------
    home : Path
        Home of the corpus.
    track : Track
        The track.
    audio : Path
        Path of its audio file, which is not changed.
    settings : Settings
        All settings.
    ffmpeg : str, optional
        Path of the ffmpeg executable.
    sha256 : str, optional
        SHA-256 of the audio file, if it is known. Otherwise the file is hashed while it is read.
    """

    home: Path
    track: Track
    audio: Path
    settings: Settings
    ffmpeg: str | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class ExtractionResult:
    """Result of an extraction.

    Parameters
    ----------
    duration : float
        Length of the song, in seconds.
    sha256 : str
        SHA-256 of the audio file from which the features were extracted.
    decoder : str
        Name and version of its decoder.
    files : tuple of Path
        Paths of the tables.
    notes : tuple of str
        What is unusual about the audio file.
    """

    duration: float
    sha256: str
    decoder: str
    files: tuple[Path, ...]
    notes: tuple[str, ...] = ()


def extract_track(job: ExtractionJob) -> ExtractionResult:
    """Extract the features, the overview and the semitone spectrum of a track, and write the tables.

    Raises
    ------
    TrackError
        For any failure, because other exceptions may not be picklable.
    """
    title = job.track.title
    try:
        return _extract(job)
    except TrackError:
        raise
    except OSError as error:
        is_input = error.filename == str(job.audio)
        what = f"the audio file of {title} cannot be read" if is_input else f"the features of {title} cannot be written"
        msg = f"{what} ({error.strerror or error}); free some disk space or fix the permissions"
        raise TrackError(msg, "environment") from error
    except MemoryError as error:
        msg = (
            f"the machine ran out of memory while extracting {title}; "
            "extract fewer tracks at the same time: --set run.workers=1"
        )
        raise TrackError(msg, "environment") from error
    except Exception as error:
        msg = f"songform failed on {title}: {type(error).__name__}: {error}; please report it with the file"
        raise TrackError(msg, "bug") from error


def _extract(job: ExtractionJob) -> ExtractionResult:
    def read(audio: AudioStream) -> ExtractionResult:
        return _extracted(job, audio)

    return read_audio(job.audio, read, ffmpeg=job.ffmpeg, announced=job.track.duration, sha256=job.sha256)


def _extracted(job: ExtractionJob, audio: AudioStream) -> ExtractionResult:
    corpus, frames = Corpus(job.home), job.settings.frames
    features = corpus.features_path(features_config(job.settings), job.track.key)
    extractor = SongExtractor(
        frames.sr,
        frame_length=frames.frame_length,
        hop_length=frames.hop_length,
        n_mfcc=job.settings.features.n_mfcc,
    )
    with _new_features(features) as written:
        with table_writer(
            written, feature_schema(extractor.columns)
        ) as table:  # discarded if the stream raises an error
            blocks = _audible(resampled(_bounded(audio, job), orig_sr=audio.sr, target_sr=frames.sr), job)
            for group in feature_groups(extractor, blocks, n_rows=ROW_GROUP):
                table.write(group)
            about = _about(job, sha256=audio.sha256, decoder=audio.decoder)
            table.describe(about)
        sha256, decoder, overview = _write_overview(job, extractor, features, written, about)
    spectrum = corpus.spectrum_path(spectrum_config(job.settings), job.track.key)
    about["versions"] = {"semitone_spectrum": semitone_spectrum.VERSION}
    write_table(spectrum, extractor.semitone_spectrum().to_table(), about=about)
    files = (features, overview, spectrum)
    return ExtractionResult(extractor.n_samples / frames.sr, sha256, decoder, files, tuple(audio.notes))


@contextmanager
def _new_features(features: Path) -> Iterator[Path]:
    """Yield the path to which new features are written: a temporary one if there are features already."""
    if not features.exists():
        yield features
        return
    temporary = temporary_path(features)
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _write_overview(
    job: ExtractionJob, extractor: SongExtractor, features: Path, written: Path, about: dict[str, Any]
) -> tuple[str, str, Path]:
    """Write the overview, and move the new features to their path; keep existing tables that came out the same.

    Returns
    -------
    sha256, decoder : str
        Hash and decoder of the audio of the tables. For existing tables, they are those of their record: the models
        depend on this hash, and a second download may differ from the first one in its tags.
    overview : Path
        Path of the overview.
    """
    corpus, config = Corpus(job.home), features_config(job.settings)
    overview, table = corpus.overview_path(config, job.track.key), extractor.overview().to_table()
    if written != features:
        known = corpus.record(job.track.key)
        is_complete = known is not None and has_feature_tables(corpus, known, config)
        if known is not None and is_complete and is_same_table(features, written) and _has_rows(overview, table):
            return known.audio_sha256 or about["audio_sha256"], known.decoder or about["decoder"], overview
        moved(written, features)
    write_table(overview, table, about=about)
    return about["audio_sha256"], about["decoder"], overview


def _has_rows(path: Path, table: pa.Table) -> bool:
    """Return whether a table on disk can be read and is equal to another one."""
    try:
        return bool(read_table(path).equals(table))
    except UnreadableFileError:
        return False


def _bounded(audio: AudioStream, job: ExtractionJob) -> Iterator[NDArray[np.float32]]:
    """Yield the blocks of a track; refuse a download that is longer than the limit. Local files have no limit."""
    hours = job.settings.download.max_hours if job.track.path is None else math.inf
    for block in audio:
        if audio.seconds > 3600.0 * hours:
            held = f"the decoded audio of {job.track.title} is longer than download.max_hours = {hours:g}"
            raise AudioError(f"{held}; raise this limit if the track is really that long", "permanent")
        yield block


def _audible(blocks: Iterable[NDArray[np.float32]], job: ExtractionJob) -> Iterator[NDArray[np.float32]]:
    """Yield the blocks of a track; refuse one that is shorter than one unit, or has no samples at the sampling rate."""
    n_samples = 0
    for block in blocks:
        n_samples += len(block)
        yield block
    if not n_samples:
        held = f"{job.track.title} contains no audio: it is shorter than one sample at {job.settings.frames.sr} Hz"
        raise AudioError(f"{held}; its header is wrong or the recording is empty; find another copy of it")
    seconds = n_samples / job.settings.frames.sr
    if seconds < UNIT_SECONDS:
        held = f"{job.track.title} lasts {seconds:.3g} s, but songform finds the form of a song in units of"
        raise AudioError(
            f"{held} {UNIT_SECONDS:g} s; it is not a song, or the file was cut off; find another copy of it"
        )


def _about(job: ExtractionJob, *, sha256: str, decoder: str) -> dict[str, Any]:
    """Return the metadata of the tables."""
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

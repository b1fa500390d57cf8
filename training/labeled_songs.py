"""Labeled songs of a folder, with their tables.

The folder is ingested into a home first, so that a second training needs no second extraction. Next to each song are
its labels: ``SONG.beats`` has one line per beat, with its time in seconds and, if known, its position in the bar, and
``SONG.lab``, ``SONG.1.lab`` and so on have the sections that people heard.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from songform.annotation.annotations import Annotation
from songform.annotation.formats import read_annotation, read_beats
from songform.features.overview import Overview
from songform.features.semitone_spectrum import SemitoneSpectrum
from tasks.annotate.annotations import label_files
from tasks.ingest.sources.corpus_lookup import find_tracks
from tasks.settings import Settings
from tasks.store.corpus import Corpus
from tasks.store.tables import has_features, read_features, read_overview, read_spectrum

__all__ = ["LabeledSong", "TrueBeats", "labeled_songs", "split_by_composition"]


class Named(Protocol):
    """Song with a name."""

    @property
    def name(self) -> str:
        """Name of the song."""


Song = TypeVar("Song", bound=Named)


@dataclass(frozen=True, eq=False)
class TrueBeats:
    """Beats that are known.

    Attributes
    ----------
    times : np.ndarray, shape (n,)
        Times in seconds.
    positions : np.ndarray, shape (n,)
        Positions in the bar, from 1.
    has_accents : bool
        Whether the downbeats are known and can be heard. Otherwise the positions are not used.
    """

    times: NDArray[np.float64]
    positions: NDArray[np.intp]
    has_accents: bool = True

    @property
    def downbeats(self) -> NDArray[np.float64]:
        """Times of the downbeats, in seconds."""
        return self.times[self.positions == 1]


@dataclass(frozen=True, eq=False)
class LabeledSong:
    """Song with its tables and labels.

    Attributes
    ----------
    name : str
        Name of the audio file without its suffix.
    features, overview, spectrum
        Tables of the song.
    duration : float
        Length in seconds.
    beats : TrueBeats or None
        Beats, if they are known.
    people : tuple of Annotation
        Sections that people heard.
    """

    name: str
    features: pd.DataFrame
    overview: Overview
    spectrum: SemitoneSpectrum
    duration: float
    beats: TrueBeats | None = None
    people: tuple[Annotation, ...] = ()


def labeled_songs(folder: Path, home: Path) -> Iterator[LabeledSong]:
    """Ingest a folder into a home, and yield its songs one at a time.

    Parameters
    ----------
    folder : Path
        Folder of songs and labels.
    home : Path
        Home for the tables.

    Raises
    ------
    SourceError
        If no song of the folder could be ingested.
    AnnotationError
        If a file of labels is damaged.
    """
    _ingest(folder, home)
    corpus, settings = Corpus(home), Settings()
    tracks = find_tracks(corpus, str(folder))
    stems = {audio.stem for _, audio in tracks if audio is not None}
    for record, audio in sorted(tracks, key=lambda track: str(track[1])):
        if audio is None or not has_features(corpus, record, settings):
            continue
        beats = audio.with_suffix(".beats")
        labels = [path for _, path in label_files(audio.parent, audio.stem, stems) if path.suffix == ".lab"]
        yield LabeledSong(
            name=audio.stem,
            features=read_features(corpus, record.key, settings),
            overview=read_overview(corpus, record.key, settings),
            spectrum=read_spectrum(corpus, record.key, settings),
            duration=record.duration or 0.0,
            beats=_true_beats(beats) if beats.is_file() else None,
            people=tuple(read_annotation(path) for path in labels),
        )


def split_by_composition(songs: Sequence[Song], every: int) -> tuple[list[Song], list[Song]]:
    """Return the songs to train on, and those of every N-th composition.

    Several recordings of a composition have the same name up to the first hyphen.
    """
    names = [song.name.split("-")[0] for song in songs]
    test = set(sorted(set(names))[::every])
    pairs = list(zip(songs, names, strict=True))
    return [song for song, name in pairs if name not in test], [song for song, name in pairs if name in test]


def _ingest(folder: Path, home: Path) -> None:
    command = [sys.executable, "-m", "flows.cli", "--home", str(home), "ingest", str(folder)]
    subprocess.run(command, check=False)  # exit code 3 if some songs cannot be decoded


def _true_beats(path: Path) -> TrueBeats:
    beats = read_beats(path)
    if beats.positions is None:
        return TrueBeats(beats.times, np.ones(len(beats), np.intp), has_accents=False)
    return TrueBeats(beats.times, beats.positions)

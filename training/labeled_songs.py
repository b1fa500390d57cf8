"""Labeled songs of folders and homes, with their tables.

A folder is ingested into a home first, so that a second training needs no second extraction. Next to each song are
its labels: ``SONG.beats`` has one line per beat, with its time in seconds and, if known, its position in the bar, and
``SONG.lab``, ``SONG.1.lab`` and so on have the sections that people heard. Of a home, those tracks are used that people
annotated.
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
from songform.annotation.beat_annotation import BeatAnnotation
from songform.annotation.formats import read_annotation, read_beats
from songform.features.overview import Overview
from songform.features.semitone_spectrum import SemitoneSpectrum
from tasks.annotate.annotations import annotations_of, label_files
from tasks.annotate.beat_annotations import beats_of
from tasks.ingest.sources.corpus_lookup import find_tracks
from tasks.settings import Settings
from tasks.store.corpus import Corpus
from tasks.store.tables import (
    has_features,
    has_spectrum,
    read_features,
    read_overview,
    read_spectrum,
    spectrum_config,
)
from tasks.store.tracks import TrackRecord

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
        Name of the audio file without its suffix; of a track of a home, its key without hyphens.
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


def labeled_songs(folders: Sequence[Path], home: Path) -> Iterator[LabeledSong]:
    """Yield the songs of some folders one at a time.

    Parameters
    ----------
    folders : sequence of Path
        Folders of songs and labels, which are ingested first, or homes whose tracks people annotated.
    home : Path
        Home for the tables of the songs that are ingested.

    Raises
    ------
    SourceError
        If no song of a folder could be ingested.
    AnnotationError
        If a file of labels is damaged.
    """
    for folder in folders:
        yield from _of_home(Corpus(folder)) if (folder / "data" / "tracks").is_dir() else _of_folder(folder, home)


def _of_home(corpus: Corpus) -> Iterator[LabeledSong]:
    """Yield the tracks of a home that people annotated and that have a semitone spectrum."""
    for key in sorted({*corpus.annotated(), *corpus.annotated_beats()}):
        record = corpus.record(key)
        if record is not None and _has_tables(corpus, record):
            problems: list[str] = []
            beats = [annotation for _, annotation in beats_of(corpus, key, problems).values()]
            people = tuple(annotation for _, annotation in annotations_of(corpus, key, problems).values())
            for problem in problems:
                print(problem)
            name = key.replace("-", "_")  # the first part of a key is the kind of its source, and no composition
            yield _song(corpus, record, name, _true_beats(beats[0]) if beats else None, people)


def _of_folder(folder: Path, home: Path) -> Iterator[LabeledSong]:
    _ingest(folder, home)
    corpus = Corpus(home)
    tracks = find_tracks(corpus, str(folder))
    stems = {audio.stem for _, audio in tracks if audio is not None}
    for record, audio in sorted(tracks, key=lambda track: str(track[1])):
        if audio is not None and _has_tables(corpus, record):
            beats = audio.with_suffix(".beats")
            labels = [path for _, path in label_files(audio.parent, audio.stem, stems) if path.suffix == ".lab"]
            known = _true_beats(read_beats(beats)) if beats.is_file() else None
            yield _song(corpus, record, audio.stem, known, tuple(read_annotation(path) for path in labels))


def _has_tables(corpus: Corpus, record: TrackRecord) -> bool:
    settings = Settings()
    return has_features(corpus, record, settings) and has_spectrum(corpus, record, spectrum_config(settings))


def _song(
    corpus: Corpus, record: TrackRecord, name: str, beats: TrueBeats | None, people: tuple[Annotation, ...]
) -> LabeledSong:
    settings = Settings()
    return LabeledSong(
        name=name,
        features=read_features(corpus, record.key, settings),
        overview=read_overview(corpus, record.key, settings),
        spectrum=read_spectrum(corpus, record.key, settings),
        duration=record.duration or 0.0,
        beats=beats,
        people=people,
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


def _true_beats(beats: BeatAnnotation) -> TrueBeats:
    if beats.positions is None:
        return TrueBeats(beats.times, np.ones(len(beats), np.intp), has_accents=False)
    return TrueBeats(beats.times, beats.positions)

"""Songs of the study, composed or read from files, with their features and their true or labeled form."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

import songform
from songform import synth
from songform.annotation.annotations import Annotation
from songform.annotation.beat_annotation import BeatAnnotation
from songform.annotation.formats import read_annotation, read_beats
from songform.bundle import Bundle
from songform.features.extraction import SongExtractor, describe_audio
from songform.features.frame_features import feature_table
from songform.features.overview import Overview
from songform.features.semitone_spectrum import SemitoneSpectrum
from songform.structure.states import StateModel, fit_states, unit_vectors
from tasks.annotate.annotations import label_files

__all__ = ["Described", "composed_songs", "fitted", "labelled_songs", "named_frames", "true_frames"]


@dataclass(frozen=True)
class Described:
    """Song with its tables, and its true sections or people's labels.

    The semitone spectrum and the true beats are None if unknown.
    """

    name: str
    features: pd.DataFrame
    overview: Overview
    duration: float
    sections: tuple[synth.Section, ...] = ()
    people: tuple[Annotation, ...] = ()
    spectrum: SemitoneSpectrum | None = None
    beats: BeatAnnotation | None = None

    def vectors(self) -> NDArray[np.float64]:
        """Return the unit vectors; they are not cached, because variants of the study change them."""
        return unit_vectors(self.features, self.overview)


def composed_songs(n_songs: int, seed: int, instruments: str) -> list[Described]:
    """Compose study songs and extract their features, on all cores."""
    seeds = np.random.SeedSequence(seed).generate_state(n_songs, np.uint64).tolist()
    return _on_all_cores(partial(_composed, instruments=instruments), seeds)


def labelled_songs(folder: Path) -> list[Described]:
    """Extract the songs of a folder that have label files: SONG.mp3, SONG.1.lab, SONG.2.lab, and perhaps SONG.beats."""
    audio = [path for path in sorted(folder.iterdir()) if path.suffix in {".mp3", ".ogg", ".flac", ".wav"}]
    stems = {path.stem for path in audio}
    labels = {
        path: [file for _, file in label_files(folder, path.stem, stems) if file.suffix == ".lab"] for path in audio
    }
    return _on_all_cores(_labelled, [(path, files) for path, files in labels.items() if files])


def fitted(songs: Sequence[Described]) -> StateModel:
    """Discover the states of some songs with default parameters."""
    return fit_states([song.vectors() for song in songs])


def named_frames(model: StateModel, song: Described) -> NDArray[np.str_]:
    """Return the state at the center of each frame, as a report would show it."""
    bundle = Bundle(model, None, 0.0, tuple(song.features.columns))
    segments = bundle.form(song.features, song.overview, song.duration).segments
    sections = [synth.Section(segment.start, segment.end, segment.state) for segment in segments]
    return synth.states_at(sections, song.features.index.to_numpy())


def true_frames(song: Described) -> NDArray[np.str_]:
    """Return the true state at the center of each frame of a composed song."""
    return synth.states_at(song.sections, song.features.index.to_numpy())


def _composed(seed: int, instruments: str) -> Described:
    song = synth.study_song(seed, instruments=instruments)
    with threadpool_limits(1):
        features, overview, n_samples = describe_audio([song.y], sr=song.sr)
    return Described(song.title, features, overview, n_samples / song.sr, song.sections)


def _labelled(song: tuple[Path, list[Path]]) -> Described:
    path, labels = song
    y, sr = songform.load(path)
    extractor = SongExtractor(sr)
    with threadpool_limits(1):
        features = feature_table([extractor.push(y), extractor.flush()], extractor.columns, sr=sr)
    beats = path.with_suffix(".beats")
    return Described(
        name=path.stem,
        features=features,
        overview=extractor.overview(),
        duration=extractor.n_samples / sr,
        people=tuple(read_annotation(file) for file in labels),
        spectrum=extractor.semitone_spectrum(),
        beats=read_beats(beats) if beats.is_file() else None,
    )


def _on_all_cores(work: Callable[..., Described], items: Sequence[object]) -> list[Described]:
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        return list(pool.map(work, items))

"""Composed songs with true states, in several families of sounds, for the model that is shipped with songform.

================  ===========================================================================================
`study`           the instrument set `study` of `songform.synth`
`unseen`          the instrument set `unseen`
`general-midi`    recorded instruments: the same scores, played by FluidSynth with several sound fonts
================  ===========================================================================================

The instrument set `reference` is not used here: it serves to compare the models of a home.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.generalmidi import general_midi_song
from songform.features.extraction import describe_audio
from songform.learning.sequence_inputs import SongTables, song_inputs
from songform.learning.sequences import WindowShape
from songform.structure.context import CONTEXT_COLUMNS, UNIT_SECONDS
from songform.structure.naming import STATES
from songform.structure.states import unit_vectors
from songform.synth import Song, states_at, study_song
from training.augmentation import augmented

__all__ = ["FAMILIES", "INPUTS", "SHAPE", "SOFT", "SOUNDFONTS", "StateSong", "state_songs"]

FAMILIES = ("study", "unseen", "general-midi")
SOUNDFONTS = (
    Path("/usr/share/sounds/sf2/FluidR3_GM.sf2"),
    Path("/usr/share/sounds/sf2/TimGM6mb.sf2"),
    Path("/usr/share/sounds/sf2/OPL-3_FM_128M.sf2"),
)
SOFT = 0.4  # contrast of soft songs
INPUTS = ("features", "normalized", "context")  # groups of inputs that are kept for each song
SHAPE = WindowShape(pool_seconds=UNIT_SECONDS, every_unit=True)


@dataclass(frozen=True)
class StateSong:
    """Song with its true states, one row per unit of 0.5 s.

    Attributes
    ----------
    name, family : str
        Name of the song, and its family in `FAMILIES`.
    contrast : float
        Contrast of the loudness; see `songform.synth.contrast`.
    inputs : dict of str to np.ndarray of float32, shape=(n_units, ...)
        Groups of inputs of the network; see `songform.learning.sequence_inputs`. The group `features` is not
        standardized.
    vectors : np.ndarray of float32, shape=(n_units, n_dimensions)
        Unit vectors; see `songform.structure.states.unit_vectors`.
    truth : np.ndarray of int, shape=(n_units,)
        True state of each unit, as an index into `songform.structure.naming.STATES`.
    """

    name: str
    family: str
    contrast: float
    inputs: dict[str, NDArray[np.float32]]
    vectors: NDArray[np.float32]
    truth: NDArray[np.intp]


def state_songs(
    family: str, n_songs: int, seed: int, *, contrast: float | None = None, is_augmented: bool = False
) -> Iterator[StateSong]:
    """Compose, play and describe songs of one family, on all cores.

    Parameters
    ----------
    family : str
        A name in `FAMILIES`, or another instrument set of `songform.synth`.
    n_songs, seed : int
        Number of songs, and random seed. The same seed gives the same scores in all families.
    contrast : float, optional
        Contrast of the loudness. By default half of the songs are as composed, and the others have a random contrast
        of at least 0.3.
    is_augmented : bool
        Whether to change the sound at random; see `training.augmentation`.
    """
    seeds = np.random.SeedSequence(seed).generate_state(n_songs, np.uint64).tolist()
    work = partial(_described, family=family, contrast=contrast, is_augmented=is_augmented)
    with ProcessPoolExecutor(_workers(), mp_context=get_context("spawn")) as pool:
        yield from pool.map(work, seeds, chunksize=4)


def _workers() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _described(seed: int, family: str, contrast: float | None, *, is_augmented: bool) -> StateSong:
    rng = np.random.default_rng([seed, len(family)])
    pressed = (1.0 if rng.random() < 0.5 else float(rng.uniform(0.3, 1.0))) if contrast is None else contrast
    song = _played(seed, family, pressed, rng)
    y, speed = augmented(song.y, song.sr, rng) if is_augmented else (song.y, 1.0)
    with threadpool_limits(1):
        features, overview, _ = describe_audio([y], sr=song.sr)
    vectors = unit_vectors(features, overview).astype(np.float32)
    tables = SongTables(features, vectors[:, -len(CONTEXT_COLUMNS) :].astype(np.float64))
    plain = {"center": np.zeros(features.shape[1]), "scale": np.ones(features.shape[1])}
    inputs = {name: song_inputs((name,), tables, SHAPE, **plain) for name in INPUTS}
    names = states_at(song.sections, (np.arange(len(vectors)) + 0.5) * UNIT_SECONDS * speed)
    truth = np.array([STATES.index(name) for name in names], np.intp)
    return StateSong(f"{family}-{seed}", family, pressed, inputs, vectors, truth)


def _played(seed: int, family: str, contrast: float, rng: np.random.Generator) -> Song:
    if family == "general-midi":
        soundfont = SOUNDFONTS[int(rng.integers(len(SOUNDFONTS)))]
        return general_midi_song(seed, contrast=contrast, soundfont=soundfont)
    return study_song(seed, instruments=family, contrast=contrast)

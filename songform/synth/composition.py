"""Compositions: everything about a song that its seed determines, before it is rendered as sound.

Form, notes, band, master and human timing use separate random streams. A change in one of them, such as another set of
instruments, therefore leaves the others unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from songform.synth.instruments import Band
from songform.synth.rendering.mastering import Master
from songform.synth.score.notes import Note
from songform.synth.score.plan import Levels
from songform.synth.score.step_times import Clock

__all__ = ["Composition", "Passage", "Players", "Streams", "Traits", "streams"]

Players = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Traits:
    """Properties of a whole song.

    Parameters
    ----------
    bpm : float
        Tempo in beats per minute.
    beats : int
        Number of beats per bar: 4 or 3.
    swing : float
        Delay of the second half of each beat, as a fraction of a beat.
    dynamics : str
        Dynamics profile: `wide`, `narrow`, `loud`, `soft` or `mastered` (`songform.synth.score.dynamics`).
    fade_in, fade_out : float
        Lengths of the fades in seconds.
    """

    bpm: float
    beats: int
    swing: float
    dynamics: str
    fade_in: float
    fade_out: float


@dataclass(frozen=True)
class Passage:
    """Notes of one section.

    Parameters
    ----------
    state : str
        State of the section.
    pattern : str
        Name of the pattern in `songform.synth.patterns` that wrote the notes.
    notes : list of Note
        Notes, with steps counted from the start of the section.
    clock : Clock
        Conversion of steps to samples.
    levels : tuple of float
        Level at the start and at the end of the section in dB; 0 dB is the level of the loudest sections.
    """

    state: str
    pattern: str
    notes: list[Note]
    clock: Clock
    levels: Levels


@dataclass(frozen=True)
class Composition:
    """A song as notes, with everything that is needed to render it.

    Parameters
    ----------
    title : str
        Title of the song.
    traits : Traits
        Properties of the whole song.
    passages : list of Passage
        Notes of each section.
    band : mapping of str to str
        Name of the instrument that plays each role.
    master : Master
        Parameters of the mastering.
    step : int
        Length of a sixteenth note in samples.
    seed : int
        Seed of all noise.
    """

    title: str
    traits: Traits
    passages: list[Passage]
    band: Band
    master: Master
    step: int
    seed: int


@dataclass(frozen=True)
class Streams:
    """Separate random number generators for form, notes, band, master and human timing."""

    form: np.random.Generator
    score: np.random.Generator
    band: np.random.Generator
    master: np.random.Generator
    touch: np.random.Generator


def streams(seed: int) -> Streams:
    """Create the random number generators of a song from its seed."""
    return Streams(*(np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(5)))

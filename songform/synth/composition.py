"""Compositions: all that a seed decides, before anything sounds.

Each thing that is decided is drawn from a stream of chance of its own: so other instruments play the same notes, and
another master finishes the same song.
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
    """What a song is like as a whole.

    Parameters
    ----------
    bpm : float
        Beats a minute.
    beats : int
        Beats of a bar: 4 or 3.
    swing : float
        How much later than its middle the second half of a beat begins, as a part of the beat.
    dynamics : str
        `wide`, `narrow`, `loud`, `soft` or `mastered`: see `songform.synth.score.dynamics`.
    fade_in, fade_out : float
        In seconds.
    """

    bpm: float
    beats: int
    swing: float
    dynamics: str
    fade_in: float
    fade_out: float


@dataclass(frozen=True)
class Passage:
    """A section in notes.

    Parameters
    ----------
    state : str
        Of the five.
    pattern : str
        In which of the ways of its state it is written.
    notes : list of Note
        Their steps count from the section's start.
    clock : Clock
        When the steps are.
    levels : tuple of float
        At the start and at the end, in dB, 0 being the loudest.
    """

    state: str
    pattern: str
    notes: list[Note]
    clock: Clock
    levels: Levels


@dataclass(frozen=True)
class Composition:
    """A song before anybody has played it.

    Parameters
    ----------
    title : str
        Made of words.
    traits : Traits
        What it is like as a whole.
    passages : list of Passage
        Its sections.
    band : mapping of str to str
        Who plays each role.
    master : Master
        How it is finished.
    step : int
        Samples in a sixteenth note.
    seed : int
        Of all noise.
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
    """A stream of chance for the form, the notes, the band, the master, and the players' touch."""

    form: np.random.Generator
    score: np.random.Generator
    band: np.random.Generator
    master: np.random.Generator
    touch: np.random.Generator


def streams(seed: int) -> Streams:
    """Make a song's streams of chance from its seed."""
    return Streams(*(np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(5)))

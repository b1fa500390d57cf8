"""Notes, and operations on them that do not depend on their musical meaning.

Conventions
-----------
Time is in steps (sixteenth notes) from the start of a section. A note has a *role* instead of an instrument; the band
of a song assigns an instrument to each role.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

__all__ = ["Note", "cropped", "humanised", "moved", "repeated", "stretched"]


class Note(NamedTuple):
    """Note or drum hit: start and length in steps, role, MIDI pitch, level (RMS), and brightness from 0 to 1."""

    step: float
    length: float
    role: str
    pitch: int
    level: float
    brightness: float = 0.5


def moved(note: Note, steps: float) -> Note:
    """Return a note that starts a number of steps later."""
    return note._replace(step=note.step + steps)


def repeated(notes: Iterable[Note], length: int, end: int) -> list[Note]:
    """Repeat a loop of `length` steps until step `end`."""
    loop = list(notes)
    return cropped([moved(note, start) for start in range(0, end, length) for note in loop], end)


def stretched(notes: Iterable[Note], factor: float) -> list[Note]:
    """Stretch notes in time by a factor; a factor greater than 1 makes them slower."""
    return [note._replace(step=factor * note.step, length=factor * note.length) for note in notes]


def cropped(notes: Iterable[Note], end: float) -> list[Note]:
    """Remove notes that start at step `end` or later, and shorten notes that last longer."""
    return [note._replace(length=min(note.length, end - note.step)) for note in notes if note.step < end]


def humanised(notes: Iterable[Note], rng: np.random.Generator, *, steps: float, decibels: float) -> list[Note]:
    """Add small random deviations of time and level, like those of human players.

    Parameters
    ----------
    notes : iterable of Note
        Notes.
    rng : numpy.random.Generator
        Random number generator.
    steps, decibels : float
        Standard deviations of time and level. Deviations are limited to twice this value.

    Returns
    -------
    list of Note
        Notes with deviations.
    """
    written = list(notes)
    late, louder = np.clip(rng.standard_normal((2, len(written))), -2.0, 2.0)
    return [
        note._replace(step=max(0.0, note.step + steps * delay), level=note.level * 10.0 ** (decibels * more / 20))
        for note, delay, more in zip(written, late.tolist(), louder.tolist(), strict=True)
    ]

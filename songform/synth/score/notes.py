"""Notes: what a score is made of, and what may be done to them without knowing what they play.

Conventions
-----------
Time is counted in steps, sixteenth notes, from the start of a section. A note names a *role*, not an instrument: the
band says who plays it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

__all__ = ["Note", "cropped", "humanised", "moved", "repeated", "stretched"]


class Note(NamedTuple):
    """One note or hit: when, how long (in steps), for which role, how high (MIDI), how loud (RMS), how bright."""

    step: float
    length: float
    role: str
    pitch: int
    level: float
    brightness: float = 0.5


def moved(note: Note, steps: float) -> Note:
    """Return the same note, some steps later."""
    return note._replace(step=note.step + steps)


def repeated(notes: Iterable[Note], length: int, end: int) -> list[Note]:
    """Play a loop of some steps again and again until a step."""
    loop = list(notes)
    return cropped([moved(note, start) for start in range(0, end, length) for note in loop], end)


def stretched(notes: Iterable[Note], factor: float) -> list[Note]:
    """Play slower (a factor over 1) or faster; drums keep their sound."""
    return [note._replace(step=factor * note.step, length=factor * note.length) for note in notes]


def cropped(notes: Iterable[Note], end: float) -> list[Note]:
    """Leave out what starts at a step or later, and end there what sounds on."""
    return [note._replace(length=min(note.length, end - note.step)) for note in notes if note.step < end]


def humanised(notes: Iterable[Note], rng: np.random.Generator, *, steps: float, decibels: float) -> list[Note]:
    """Play as people do: a little early or late, a little louder or softer.

    Parameters
    ----------
    notes : iterable of Note
        As written.
    rng : numpy.random.Generator
        Draws the deviations.
    steps, decibels : float
        Their standard deviations; none is more than twice that.
    """
    written = list(notes)
    late, louder = np.clip(rng.standard_normal((2, len(written))), -2.0, 2.0)
    return [
        note._replace(step=max(0.0, note.step + steps * delay), level=note.level * 10.0 ** (decibels * more / 20))
        for note, delay, more in zip(written, late.tolist(), louder.tolist(), strict=True)
    ]

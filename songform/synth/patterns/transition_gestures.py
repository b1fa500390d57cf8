"""The pattern `gestures` of a Transition: a sequence of short gestures.

A gesture lasts one to two beats. In the first half, the gestures are forceful and in the old key: fills, rolls, stabs,
booms, stops. In the second half, they are lighter and in the new key: swells, chimes, runs, plucked chords, stops. In
each half, the order is random, and no gesture is repeated before all others of that half have been played.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np

from songform.synth.score.notes import Note, moved
from songform.synth.score.themes import Theme, voicings

__all__ = ["gestures"]

Gesture = Callable[[Theme, int, np.random.Generator], list[Note]]


def gestures(before: Theme, after: Theme, n_bars: int, rng: np.random.Generator) -> list[Note]:
    """Write forceful gestures in the old key, then lighter ones in the new key."""
    end = before.metre * n_bars
    notes = _dealt(FORCEFUL, before, end // 2, rng)
    return notes + [moved(note, end // 2) for note in _dealt(LIGHT, after, end - end // 2, rng)]


def _dealt(deck: Sequence[Gesture], theme: Theme, end: int, rng: np.random.Generator) -> list[Note]:
    """Write gestures in random order, one to two beats each."""
    notes: list[Note] = []
    shuffled = itertools.cycle(rng.permutation(len(deck)))
    step = 0
    while step < end:
        length = min(int(rng.choice([4, 6, 8])), end - step)
        notes += [moved(note, step) for note in deck[next(shuffled)](theme, length, rng)]
        step += length
    return notes


# Gestures. Each of these functions writes one gesture of `length` steps.


def _fill(_theme: Theme, length: int, rng: np.random.Generator) -> list[Note]:
    high = int(rng.integers(50, 62))
    return [Note(step, 1, "tom", high - step, 0.8) for step in range(length)]


def _roll(_theme: Theme, length: int, _rng: np.random.Generator) -> list[Note]:
    return [Note(step / 2, 1, "snare", 0, 0.3 + 0.3 * step / length) for step in range(2 * length)]


def _stop(_theme: Theme, _length: int, rng: np.random.Generator) -> list[Note]:
    return [Note(0, 1, "kick", 0, 0.9), Note(0, 1, "crash", int(rng.integers(3)), 0.3)]


def _stabs(theme: Theme, length: int, rng: np.random.Generator) -> list[Note]:
    chord = voicings(theme, 4, lowest=54)[rng.integers(4)]
    hits = [(step, shift) for step, shift in ((0, 0), (3, 1), (6, -1)) if step < length]
    return [Note(step, 2, "lead", pitch + shift, 0.4, 0.9) for step, shift in hits for pitch in chord]


def _run(theme: Theme, length: int, rng: np.random.Generator) -> list[Note]:
    way = int(rng.choice([-1, 1]))
    return [Note(s, 1.5, "loop", theme.pitch((0 if way > 0 else 14) + way * s), 0.6, 0.8) for s in range(length)]


def _boom(theme: Theme, length: int, rng: np.random.Generator) -> list[Note]:
    low = theme.bass(int(rng.integers(8)))
    return [Note(0, 1, "boom", 0, 0.9), Note(0, length, "bass", low, 0.5, 0.9)]


def _swell(theme: Theme, length: int, rng: np.random.Generator) -> list[Note]:
    chord = voicings(theme, 8, lowest=58)[rng.integers(8)]
    return [Note(0, length, "reverse", 0, 0.4), *(Note(0, length, "pad", pitch, 0.3, 0.4) for pitch in chord)]


def _chimes(theme: Theme, length: int, rng: np.random.Generator) -> list[Note]:
    degrees = rng.permutation(12)[: length // 2]
    return [Note(2 * i, 4, "chime", theme.pitch(int(degree) + 7), 0.5, 0.6) for i, degree in enumerate(degrees)]


def _plucks(theme: Theme, length: int, rng: np.random.Generator) -> list[Note]:
    degrees = theme.chord(int(rng.integers(8)))
    climb = [degrees[i % 3] + 7 * (i // 3) for i in range(length // 2)]
    return [Note(2 * i, 3, "loop", theme.pitch(degree), 0.5, 0.7) for i, degree in enumerate(climb)]


FORCEFUL = (_fill, _roll, _stabs, _boom, _stop)
LIGHT = (_swell, _chimes, _run, _stop, _plucks)

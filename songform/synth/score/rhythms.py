"""Rhythms of drums and accompaniment, as the steps of a bar on which notes start.

All rhythms are defined for bars of 16 steps (4/4) and of 12 steps (3/4). A step is a sixteenth note.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

__all__ = ["BACKBEATS", "BASS_LINES", "COMPING", "HATS", "KICKS", "PULSES", "Steps", "drawn", "pulse"]

Steps = Sequence[int]


# Steps of a bar from the strongest to the weakest. The first k steps are a pulse of density k.
PULSES: dict[int, Steps] = {
    16: (0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15),
    12: (0, 8, 4, 2, 10, 6, 1, 9, 5, 3, 11, 7),
}

KICKS: dict[int, tuple[Steps, ...]] = {
    16: ((0, 4, 8, 12), (0, 6, 8), (0, 3, 8, 10), (0, 7, 10), (0, 10), (0, 2, 8, 11)),
    12: ((0,), (0, 6), (0, 10), (0, 3, 8)),
}
BACKBEATS: dict[int, Steps] = {16: (4, 12), 12: (4, 8)}
HATS: dict[int, tuple[Steps, ...]] = {
    16: (range(0, 16, 2), range(16), range(2, 16, 4), (0, 3, 4, 6, 8, 11, 12, 14), (0, 2, 3, 6, 8, 10, 11, 14)),
    12: (range(0, 12, 2), range(12), range(2, 12, 4), (0, 3, 4, 6, 8, 11), (0, 2, 3, 6, 8, 10)),
}
COMPING: dict[int, tuple[Steps, ...]] = {
    16: ((0, 3, 6, 10, 12), (0, 6, 12), (0, 4, 8, 12), (2, 6, 10, 14), (0, 3, 8, 11, 14)),
    12: ((4, 8), (0, 4, 8), (2, 6, 10), (0, 3, 6, 10)),
}
BASS_LINES: dict[int, tuple[Steps, ...]] = {
    16: ((0, 2, 4, 6, 8, 10, 12, 14), (0, 3, 6, 8, 11, 14), (0, 4, 7, 8, 12, 14), (0, 2, 6, 8, 10, 14)),
    12: ((0, 2, 4, 6, 8, 10), (0, 4, 8), (0, 3, 6, 8, 10), (0, 4, 6, 10)),
}


def pulse(metre: int, density: float) -> list[int]:
    """Return the steps of a pulse in order; `density` is the number of strokes per bar."""
    return sorted(PULSES[metre][: max(1, round(density))])


def drawn(rng: np.random.Generator, table: Mapping[int, Sequence[Steps]], metre: int) -> Steps:
    """Choose one of the rhythms for a meter at random."""
    return table[metre][int(rng.integers(len(table[metre])))]

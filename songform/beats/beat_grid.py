"""Beat grids: the beats of a song as few stretches of steady tempo, as DJ programs store them.

Each stretch has the time of its first beat, a tempo, a metre and the position of its first beat in the bar; its beats
follow at equal distances until the next stretch begins. A steady song needs one stretch. Where beats would be more than
`TOLERANCE_SECONDS` from the grid, or where the bars do not count on, another stretch begins. A stretch that ends
because the tempo changes reaches to the first beat of the next one, so that the grid has no other beats between them.

Conventions
-----------
Times are in seconds and rounded to milliseconds, and tempos are in beats per minute and rounded to hundredths, because
Rekordbox stores them so. The rounding is part of the tolerance: in a long song, another stretch begins before the error
of a rounded tempo has added up to more.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from songform.errors import ParameterError

__all__ = ["TOLERANCE_SECONDS", "GridStretch", "beat_grid", "grid_beats"]

TOLERANCE_SECONDS = 0.035
"""Maximum distance between a beat and the grid: half of the 0.07 s within which an estimated beat counts as correct."""

_TIME_DECIMALS, _TEMPO_DECIMALS = 3, 2

Times = NDArray[np.float64]
Positions = NDArray[np.intp]


class GridStretch(NamedTuple):
    """Stretch of steady tempo."""

    start: float
    """Time of the first beat in seconds."""
    tempo: float
    """Beats per minute."""
    metre: int
    """Beats per bar."""
    position: int
    """Position of the first beat in its bar, from 1."""

    def beats(self, n_beats: int) -> Times:
        """Return the times of its first beats in seconds."""
        times: Times = self.start + 60 / self.tempo * np.arange(n_beats, dtype=np.float64)
        return times


def beat_grid(times: Times, positions: Positions, metre: int) -> list[GridStretch]:
    """Return a grid whose beats are at most 0.035 s from given beats.

    Parameters
    ----------
    times : np.ndarray, shape=(n,)
        Times of at least two beats in seconds, increasing.
    positions : np.ndarray, shape=(n,)
        Position of each beat in its bar, from 1.
    metre : int >= 1
        Beats per bar. A bar that is longer has its own metre in the grid.

    Returns
    -------
    list of GridStretch
        Stretches in the order of time; each is as long as possible. A pause without beats belongs to the stretch before
        it, so that the grid has beats there.

    Raises
    ------
    ParameterError
        If there are fewer than two beats.

    Examples
    --------
    >>> times = np.array([0.51, 1.0, 1.49, 2.01, 2.5])
    >>> beat_grid(times, np.array([4, 1, 2, 3, 4]), 4)
    [GridStretch(start=0.502, tempo=120.24, metre=4, position=4)]
    """
    if len(times) < 2 or len(times) != len(positions):
        raise ParameterError(
            f"a beat grid needs at least two beats with their positions, but there are {len(times)} times and "
            f"{len(positions)} positions"
        )
    grid: list[GridStretch] = []
    first = 0
    while first < len(times):
        n_counting = _n_counting(positions[first:], max(metre, int(positions[first])))
        near = times[min(first, len(times) - 2) :][:2]  # for the tempo of a single beat
        stretch, n_beats = _longest(times[first : first + n_counting], near)
        grid.append(stretch._replace(metre=max(metre, int(positions[first])), position=int(positions[first])))
        first += n_beats if n_beats == n_counting else max(n_beats - 1, 1)
    return grid


def grid_beats(grid: Sequence[GridStretch], end: float) -> tuple[Times, Positions]:
    """Return the beats of a grid.

    Parameters
    ----------
    grid : sequence of GridStretch
        Stretches in the order of time. A stretch ends half a beat before the next one begins, in the faster of their
        tempos.
    end : float
        Time in seconds at which the last stretch ends, usually the end of the song.

    Returns
    -------
    times : np.ndarray, shape=(n,)
        Times of the beats in seconds.
    positions : np.ndarray, shape=(n,)
        Positions of the beats in their bars, from 1.
    """
    ends = [following.start - 30 / max(stretch.tempo, following.tempo) for stretch, following in pairwise(grid)]
    counts = [_n_beats_until(stretch, stop) for stretch, stop in zip(grid, [*ends, end], strict=True)]
    times = [stretch.beats(n_beats) for stretch, n_beats in zip(grid, counts, strict=True)]
    positions = [_positions(stretch, n_beats) for stretch, n_beats in zip(grid, counts, strict=True)]
    return np.concatenate([np.empty(0), *times]), np.concatenate([np.empty(0, np.intp), *positions])


def _longest(times: Times, near: Times) -> tuple[GridStretch, int]:
    """Return the longest stretch that begins with the first beat, and its number of beats.

    A single beat has the tempo of the two beats `near` it. The metre and the position of the stretch are not set.
    """
    best, low, high = _fit(times[:1], _tempo(near)), 1, 2
    while high <= len(times) and _is_fit(found := _fit(times[:high], _tempo(times[:high])), times[:high]):
        best, low, high = found, high, 2 * high
    high = min(high, len(times) + 1)
    while high - low > 1:
        middle = (low + high) // 2
        if _is_fit(found := _fit(times[:middle], _tempo(times[:middle])), times[:middle]):
            best, low = found, middle
        else:
            high = middle
    return best, low


def _n_counting(positions: Positions, metre: int) -> int:
    """Return the number of beats whose positions count on from the first one in bars of the same length."""
    expected = (positions[0] - 1 + np.arange(len(positions))) % metre + 1
    other = np.flatnonzero(positions != expected)
    return int(other[0]) if len(other) else len(positions)


def _fit(times: Times, tempo: float) -> GridStretch:
    """Return the stretch of a given tempo with the smallest maximum distance from beats."""
    offsets = times - 60 / tempo * np.arange(len(times))
    return GridStretch(max(round(float(offsets.min() + offsets.max()) / 2, _TIME_DECIMALS), 0.0), tempo, 1, 1)


def _is_fit(stretch: GridStretch, times: Times) -> bool:
    return bool(np.abs(times - stretch.beats(len(times))).max() <= TOLERANCE_SECONDS)


def _tempo(times: Times) -> float:
    """Return the tempo of beats: the slope of the line with the smallest squared distance from them."""
    number = np.arange(len(times)) - (len(times) - 1) / 2
    seconds = float(number @ times / (number @ number))
    return max(round(60 / seconds, _TEMPO_DECIMALS), 10.0**-_TEMPO_DECIMALS)


def _n_beats_until(stretch: GridStretch, end: float) -> int:
    """Return the number of beats until a time; a stretch has at least one."""
    return max(int(np.floor((end - stretch.start) * stretch.tempo / 60 + 1e-9)) + 1, 1)


def _positions(stretch: GridStretch, n_beats: int) -> Positions:
    positions: Positions = (stretch.position - 1 + np.arange(n_beats)) % stretch.metre + 1
    return positions

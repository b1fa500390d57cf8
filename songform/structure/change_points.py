"""Change points, and the stretches of a song between them.

A *stretch* is the part of a song between two change points. Within a stretch, timbre, harmony, loudness, onsets,
brightness and bass are constant or change linearly. Context descriptors are computed per stretch, because a window of
fixed length would mix the sound before a change with the sound after it.

Each stretch is modeled by one straight line per signal. The change points minimize the sum of the squared distances
from these lines plus a penalty for each stretch (optimal partitioning [1]_, [2]_). Because of the lines, a long
crescendo is one stretch instead of many.

Conventions
-----------
`bounds` has shape (n_stretches + 1,). Stretch `i` consists of the units `bounds[i]` to `bounds[i + 1]`, exclusive. The
first value is 0 and the last is the number of units.

References
----------
.. [1] Jackson et al., "An algorithm for optimal partitioning of data on an interval", IEEE Signal Processing Letters
       12(2), 2005.
.. [2] Bellman and Roth, "Curve fitting by segmented straight lines", Journal of the American Statistical Association
       64(327), 1969.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from songform.errors import ParameterError
from songform.structure.normalized_curves import Curves

__all__ = [
    "VERSION",
    "each_songs_stretches",
    "partition",
    "song_stretches",
    "spread_over",
    "stretch_climbs",
    "stretch_means",
    "stretch_signals",
]

VERSION = 1  # increase this when the stretches of the same curves change

PENALTY = 5.0
"""Penalty of a stretch, in squared distance; chosen on composed songs, see docs/states.md."""

LEAST_UNITS, MOST_UNITS = 4, 120  # 2 s, and 60 s

_CHROMA_WEIGHT = 0.25  # low, because chords also change within a section

Array = NDArray[np.float64]
Bounds = NDArray[np.intp]


def song_stretches(curves: Curves) -> Bounds:
    """Return the bounds of the stretches of a song."""
    return partition(stretch_signals(curves), penalty=PENALTY, least=LEAST_UNITS, most=MOST_UNITS)


def each_songs_stretches(several: Sequence[Curves]) -> list[Bounds]:
    """Return the result of `song_stretches` for each of several songs of at most 120 units, computed together."""
    signals = [stretch_signals(curves) for curves in several]
    together = np.zeros((len(signals), max(map(len, signals)), signals[0].shape[1]))
    for song, values in zip(together, signals, strict=True):
        song[: len(values)] = values  # the zeros after a song do not affect the change points within it
    starts = _best_starts(together, PENALTY, LEAST_UNITS, MOST_UNITS)
    return [_backtracked(song[: len(values) + 1]) for song, values in zip(starts, signals, strict=True)]


def stretch_signals(curves: Curves) -> Array:
    """Return the signals in which change points are detected, shape (n_units, n_mfcc + 12 + 4).

    There are three groups of signals: MFCCs, chroma, and four single curves. Each group is divided by the square root
    of its number of signals, and chroma has an additional weight of 0.25.
    """
    four = np.stack([curves.loudness, curves.onset, curves.brightness, curves.bass], axis=1)
    groups = (curves.mfcc, _CHROMA_WEIGHT * curves.chroma, four)
    return np.hstack([group / np.sqrt(group.shape[1]) for group in groups])


def partition(signals: Array, *, penalty: float, least: int, most: int) -> Bounds:
    """Return the optimal division of signals into stretches with straight lines [1]_.

    Memory is linear in the number of units, and time in the number of units times `most`.

    Parameters
    ----------
    signals : np.ndarray, shape=(n_units, n_signals)
        One row per unit; at least one.
    penalty : float > 0
        Penalty of each stretch, in squared units of the signals.
    least, most : int > 0
        Minimum and maximum number of units of a stretch. Fewer than `least` units are one stretch.

    Returns
    -------
    np.ndarray of int, shape=(n_stretches + 1,)
        Bounds of the stretches.

    Raises
    ------
    ParameterError
        If there are no units, if `penalty` or `least` is not positive, or if `most` is less than `2 * least - 1`.
    """
    if not len(signals):
        raise ParameterError("a song without units cannot be divided into stretches; pass at least one row of signals")
    if not (penalty > 0 and least > 0 and 2 * least <= most + 1):
        msg = (
            f"stretches of {least} to {most} units with a penalty of {penalty:g} are not possible; "
            "penalty and least must be positive, and most at least 2 * least - 1"
        )
        raise ParameterError(msg)
    return _backtracked(_best_starts(signals, penalty, least, most))


def _best_starts(signals: Array, penalty: float, least: int, most: int) -> Bounds:
    """Return for each end the start of the last stretch of the optimal division, shape (..., n_units + 1).

    `signals` may have further axes in front, for several songs, if there are at most `most` units.
    """
    n = signals.shape[-2]
    distances = _DistanceTable.of(signals) if n <= most else _Distances.of(signals)
    best = np.full((*signals.shape[:-2], n + 1), np.inf)
    came_from = np.zeros(best.shape, dtype=np.intp)
    best[..., 0] = 0.0
    for end in range(min(least, n), n + 1):
        first, stop = max(end - most, 0), max(end - least, 0) + 1
        costs = best[..., first:stop] + distances.between(first, stop, end)
        best[..., end] = costs.min(axis=-1) + penalty
        came_from[..., end] = first + costs.argmin(axis=-1)
    return came_from


def stretch_means(values: Array, bounds: Bounds) -> Array:
    """Return the mean of each stretch, shape (n_stretches, ...)."""
    lengths = np.diff(bounds).reshape(-1, *[1] * (values.ndim - 1))
    return np.asarray(np.add.reduceat(values, bounds[:-1], axis=0) / lengths)


def stretch_climbs(values: Array, bounds: Bounds) -> Array:
    """Return the increase of the least-squares line from the first to the last unit of each stretch.

    Parameters
    ----------
    values : np.ndarray, shape=(..., n_units)
        One or more quantities.
    bounds : np.ndarray of int, shape=(n_stretches + 1,)
        Bounds of the stretches.

    Returns
    -------
    np.ndarray, shape=(..., n_stretches)
        Increases in the unit of `values`; 0 for a stretch of one unit.
    """
    lengths = np.diff(bounds)
    time = np.arange(values.shape[-1]) - np.repeat(bounds[:-1] + (lengths - 1) / 2, lengths)
    moments = np.add.reduceat(time * values, bounds[:-1], axis=-1)
    spread = lengths * (lengths**2 - 1.0) / 12.0
    return np.asarray(moments / np.maximum(spread, 0.5) * (lengths - 1))


def spread_over(values: Array, bounds: Bounds) -> Array:
    """Return the value of each unit's stretch, shape (n_units, ...)."""
    of_unit = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
    spread: Array = values[of_unit]
    return spread


@dataclass(frozen=True)
class _Distances:
    """Squared distances from straight lines for any stretch, computed from cumulative sums."""

    sums: Array  # (n + 1, n_signals), cumulative sums of the values
    moments: Array  # (n + 1, n_signals), cumulative sums of time times the values
    squares: Array  # (n + 1,), cumulative sums of the squared values of all signals

    @classmethod
    def of(cls, signals: Array) -> _Distances:
        time = np.arange(len(signals), dtype=np.float64)[:, None]
        squares = (signals * signals).sum(axis=1)
        return cls(
            _cumulative_sums(signals), _cumulative_sums(time * signals), _cumulative_sums(squares[:, None])[:, 0]
        )

    def between(self, first: int, stop: int, end: int) -> Array:
        """Return the distances of the stretches that end at `end` and start at `first` to `stop`, exclusive."""
        starts = np.arange(first, stop)
        lengths = (end - starts).astype(np.float64)
        sums = self.sums[end] - self.sums[starts]
        # Time is measured from the middle of each stretch, where slope and mean are independent.
        moments = self.moments[end] - self.moments[starts] - ((starts + end - 1) / 2)[:, None] * sums
        spread = np.maximum(lengths * (lengths**2 - 1) / 12, 1e-9)
        explained = (sums * sums).sum(axis=1) / lengths + (moments * moments).sum(axis=1) / spread
        distances: Array = np.maximum(self.squares[end] - self.squares[starts] - explained, 0.0)
        return distances


@dataclass(frozen=True)
class _DistanceTable:
    """The same distances for all stretches in one table, for short signals.

    Squared differences are expanded, |a - b|^2 = a.a - 2 a.b + b.b, so that three matrix products replace a loop over
    all stretches. The rounding error increases with the length of the signals; for 120 units it is about 1e-9 of a
    distance.
    """

    table: Array  # (..., n + 1, n + 1), indexed by end and start; entries whose start is not before the end are unused

    @classmethod
    def of(cls, signals: Array) -> _DistanceTable:
        n = signals.shape[-2]
        # Centering time and values keeps the sums small and does not change the distances.
        time = np.arange(n) - (n - 1) / 2
        values = signals - signals.mean(axis=-2, keepdims=True)
        sums, moments = _cumulative_sums(values), _cumulative_sums(time[:, None] * values)
        squares = _cumulative_sums((values * values).sum(axis=-1)[..., None])
        weights = _table_weights(n)
        explained = weights[0] * _differences(sums, sums)
        explained += weights[1] * _differences(sums, moments)
        explained += weights[2] * _differences(moments, moments)
        return cls(np.maximum(squares - squares.swapaxes(-1, -2) - explained, 0.0))

    def between(self, first: int, stop: int, end: int) -> Array:
        """Return the distances of the stretches that end at `end` and start at `first` to `stop`, exclusive."""
        distances: Array = self.table[..., end, first:stop]
        return distances


@lru_cache(maxsize=2)
def _table_weights(n: int) -> Array:
    """Return the coefficients of a distance table, shape (3, n + 1, n + 1).

    For a stretch of L units with the middle m, the line explains sum(x)^2 / L + sum((t - m) x)^2 / spread. Expanded in
    sum(x) and sum(t x), this is a quadratic form. The coefficients belong to sum(x)^2, sum(x) sum(t x) and sum(t x)^2.
    """
    cuts = np.arange(n + 1)
    lengths = np.maximum(cuts[:, None] - cuts, 1).astype(np.float64)
    middles = (cuts[:, None] + cuts - n) / 2
    spread = np.maximum(lengths * (lengths**2 - 1) / 12, 1e-9)
    return np.stack([1 / lengths + middles**2 / spread, -2 * middles / spread, 1 / spread])


def _differences(one: Array, other: Array) -> Array:
    """Return (one[i] - one[j]) . (other[i] - other[j]) for all pairs of rows."""
    products = one @ other.swapaxes(-1, -2)
    own = products.diagonal(axis1=-2, axis2=-1)
    return np.asarray(own[..., :, None] + own[..., None, :] - products - products.swapaxes(-1, -2))


def _cumulative_sums(values: Array) -> Array:
    """Return the cumulative sums of the rows, starting with 0."""
    first = np.zeros((*values.shape[:-2], 1, values.shape[-1]))
    return np.concatenate([first, np.cumsum(values, axis=-2)], axis=-2)


def _backtracked(came_from: Bounds) -> Bounds:
    bounds = [len(came_from) - 1]
    while bounds[-1] > 0:
        bounds.append(int(came_from[bounds[-1]]))
    return np.array(bounds[::-1], dtype=np.intp)

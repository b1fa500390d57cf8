"""Change points: a song cut where it changes, so that each piece stays as it is or moves evenly.

A window of fixed length mixes what was before a change with what came after it. A stretch does not: what is averaged
over it, or how far a quantity climbs from its beginning to its end, is said of one thing. The cuts are those that
explain the song best: within a stretch each signal is a straight line, and the squared distances from these lines,
plus a penalty for each stretch, are least over all ways to cut (optimal partitioning [1]_, [2]_; the lines make a long
crescendo one stretch, not many).

Conventions
-----------
`bounds` has shape (n_stretches + 1,): stretch `i` is the units `bounds[i]` to `bounds[i + 1]`, exclusive; the first is
0, the last the number of units.

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

VERSION = 1  # increase this when the same curves give other stretches

PENALTY = 5.0
"""How much squared distance a further stretch must save; chosen on composed songs, see docs/states.md."""

LEAST_UNITS, MOST_UNITS = 4, 120  # 2 s, and 60 s

_CHROMA_WEIGHT = 0.25  # chords change within a section, too

Array = NDArray[np.float64]
Bounds = NDArray[np.intp]


def song_stretches(curves: Curves) -> Bounds:
    """Cut a song where timbre, harmony, loudness, onsets, brightness or bass change."""
    return partition(stretch_signals(curves), penalty=PENALTY, least=LEAST_UNITS, most=MOST_UNITS)


def each_songs_stretches(several: Sequence[Curves]) -> list[Bounds]:
    """Cut some songs of at most 120 units together, as `song_stretches` cuts each of them."""
    signals = [stretch_signals(curves) for curves in several]
    together = np.zeros((len(signals), max(map(len, signals)), signals[0].shape[1]))
    for song, values in zip(together, signals, strict=True):
        song[: len(values)] = values  # what follows a song moves no cut within it
    starts = _best_starts(together, PENALTY, LEAST_UNITS, MOST_UNITS)
    return [_walked_back(song[: len(values) + 1]) for song, values in zip(starts, signals, strict=True)]


def stretch_signals(curves: Curves) -> Array:
    """Return what a song is cut by, shape (n_units, n_mfcc + 12 + 4): three groups, each weighed as one quantity."""
    four = np.stack([curves.loudness, curves.onset, curves.brightness, curves.bass], axis=1)
    groups = (curves.mfcc, _CHROMA_WEIGHT * curves.chroma, four)
    return np.hstack([group / np.sqrt(group.shape[1]) for group in groups])


def partition(signals: Array, *, penalty: float, least: int, most: int) -> Bounds:
    """Return the best way to cut some signals into stretches of straight lines [1]_.

    Parameters
    ----------
    signals : np.ndarray, shape=(n_units, n_signals)
        A row a unit, at least one.
    penalty : float > 0
        Cost of a stretch, in the squared unit of the signals.
    least, most : int > 0
        Fewest and most units of a stretch; of fewer than `least` units, there is one stretch.

    Returns
    -------
    np.ndarray of int, shape=(n_stretches + 1,)
        Memory is linear in the number of units, time in that number times `most`.

    Raises
    ------
    ParameterError
        If there is no unit, or no stretch may exist.
    """
    if not len(signals):
        raise ParameterError("a song of no units cannot be cut into stretches; it has at least one")
    if not (penalty > 0 and least > 0 and 2 * least <= most + 1):
        msg = f"a stretch of {least} to {most} units at a penalty of {penalty:g} cannot be; most must be twice least"
        raise ParameterError(msg)
    return _walked_back(_best_starts(signals, penalty, least, most))


def _best_starts(signals: Array, penalty: float, least: int, most: int) -> Bounds:
    """Return where the last stretch starts in the best way to cut the units before each cut, shape (..., n_units + 1).

    There may be axes before those of the signals, if `most` is not exceeded.
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
    """Return how far the least-squares line of each stretch climbs; 0 for a single unit.

    Parameters
    ----------
    values : np.ndarray, shape=(..., n_units)
        One or several quantities.
    bounds : np.ndarray of int, shape=(n_stretches + 1,)
        The stretches.

    Returns
    -------
    np.ndarray, shape=(..., n_stretches)
    """
    lengths = np.diff(bounds)
    time = np.arange(values.shape[-1]) - np.repeat(bounds[:-1] + (lengths - 1) / 2, lengths)
    moments = np.add.reduceat(time * values, bounds[:-1], axis=-1)
    spread = lengths * (lengths**2 - 1.0) / 12.0
    return np.asarray(moments / np.maximum(spread, 0.5) * (lengths - 1))


def spread_over(values: Array, bounds: Bounds) -> Array:
    """Give each unit its stretch's value, shape (n_units, ...)."""
    of_unit = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
    spread: Array = values[of_unit]
    return spread


@dataclass(frozen=True)
class _Distances:
    """Squared distances from straight lines between any two cuts, from cumulative sums."""

    sums: Array  # (n + 1, n_signals), of the values
    moments: Array  # (n + 1, n_signals), of time times the values
    squares: Array  # (n + 1,), of all values' squares

    @classmethod
    def of(cls, signals: Array) -> _Distances:
        time = np.arange(len(signals), dtype=np.float64)[:, None]
        squares = (signals * signals).sum(axis=1)
        return cls(_summed(signals), _summed(time * signals), _summed(squares[:, None])[:, 0])

    def between(self, first: int, stop: int, end: int) -> Array:
        """Return the distance of each stretch that ends at `end` and starts at `first` up to `stop`, exclusive."""
        starts = np.arange(first, stop)
        lengths = (end - starts).astype(np.float64)
        sums = self.sums[end] - self.sums[starts]
        # Time is counted from the middle of each stretch, where slope and mean do not disturb each other.
        moments = self.moments[end] - self.moments[starts] - ((starts + end - 1) / 2)[:, None] * sums
        spread = np.maximum(lengths * (lengths**2 - 1) / 12, 1e-9)
        explained = (sums * sums).sum(axis=1) / lengths + (moments * moments).sum(axis=1) / spread
        distances: Array = np.maximum(self.squares[end] - self.squares[starts] - explained, 0.0)
        return distances


@dataclass(frozen=True)
class _DistanceTable:
    """The same distances between all pairs of cuts at once, where the signals are so short that a table holds them.

    The squared length of a difference is multiplied out, |a - b|^2 = a.a - 2 a.b + b.b: three products of matrices
    take the place of a loop over all pairs. What that costs in digits grows with the length: after 120 units of a
    song about 1e-9 of a distance is rounding.
    """

    table: Array  # (..., n + 1, n + 1), by end and start; without meaning where a start is not before its end

    @classmethod
    def of(cls, signals: Array) -> _DistanceTable:
        n = signals.shape[-2]
        # From the middle and around the mean, so that the sums stay small; neither moves a distance.
        time = np.arange(n) - (n - 1) / 2
        values = signals - signals.mean(axis=-2, keepdims=True)
        sums, moments = _summed(values), _summed(time[:, None] * values)
        squares = _summed((values * values).sum(axis=-1)[..., None])
        weights = _table_weights(n)
        explained = weights[0] * _differences(sums, sums)
        explained += weights[1] * _differences(sums, moments)
        explained += weights[2] * _differences(moments, moments)
        return cls(np.maximum(squares - squares.swapaxes(-1, -2) - explained, 0.0))

    def between(self, first: int, stop: int, end: int) -> Array:
        """Return the distance of each stretch that ends at `end` and starts at `first` up to `stop`, exclusive."""
        distances: Array = self.table[..., end, first:stop]
        return distances


@lru_cache(maxsize=2)
def _table_weights(n: int) -> Array:
    """Return what a distance table weighs sums by, sums with moments, and moments, shape (3, n + 1, n + 1).

    For a stretch of L units around the time m, sum(x)^2 / L + sum((t - m) x)^2 / spread, sorted by sum(x), sum(t x).
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


def _summed(values: Array) -> Array:
    """Return the cumulative sums of the rows, from 0 on."""
    first = np.zeros((*values.shape[:-2], 1, values.shape[-1]))
    return np.concatenate([first, np.cumsum(values, axis=-2)], axis=-2)


def _walked_back(came_from: Bounds) -> Bounds:
    bounds = [len(came_from) - 1]
    while bounds[-1] > 0:
        bounds.append(int(came_from[bounds[-1]]))
    return np.array(bounds[::-1], dtype=np.intp)

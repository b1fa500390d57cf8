"""Division of a song into segments of whole bars: dynamic programming over all possible boundaries.

The boundaries maximize the sum of their evidence minus a penalty for the length of each segment. Lengths of eight bars
and of about 16 s are preferred [1]_. The same model gives the probability of each boundary: the share of all divisions
that have it, each weighted by the exponential of its score.

Conventions
-----------
`evidence` has shape (n_bars + 1,): the log-odds that a bar line is a boundary, minus a threshold. A division is an
array of bar lines that begins with 0 and ends with n_bars.

References
----------
.. [1] Sargent, Bimbot and Vincent, "Estimating the structural segmentation of popular music pieces under regularity
       constraints", IEEE/ACM TASLP 25(2), 2017.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["LengthPrior", "best_division", "boundary_probabilities"]

Array = NDArray[np.float64]
Division = NDArray[np.intp]


@dataclass(frozen=True)
class LengthPrior:
    """Penalties for the length of a segment.

    Attributes
    ----------
    weight : float
        Weight of the penalties.
    seconds : float
        Preferred length, in seconds.
    length_weight : float
        Penalty of a length of half or double the preferred one.
    longest : float
        Longest segment, in seconds; a single bar may be longer.
    """

    weight: float = 0.5
    seconds: float = 16.0
    length_weight: float = 0.5
    longest: float = 60.0

    def penalties(self, n_bars: int, bar_seconds: float) -> tuple[Array, Array]:
        """Return the penalties of segments of 1 to n_bars bars, and those of the last segment of a song.

        Returns
        -------
        inner, last : np.ndarray, shape (n_bars + 1,)
            Index ``p`` is the penalty of ``p`` bars. The last segment may have any number of bars without a penalty,
            because the end of a recording is not always at a bar line.
        """
        bars = np.arange(1, n_bars + 1)
        seconds = bars * bar_seconds
        length = self.length_weight * np.abs(np.log2(seconds / self.seconds))
        length[(seconds > self.longest) & (bars > 1)] = np.inf
        regular = np.select([bars % 8 == 0, bars % 4 == 0, bars % 2 == 0], [0.0, 0.25, 0.5], 1.0)
        inner, last = self.weight * (length + regular), self.weight * length
        return np.append(np.inf, inner), np.append(np.inf, last)


def best_division(evidence: Array, bar_seconds: float, prior: LengthPrior) -> Division:
    """Return the division with the highest score.

    Parameters
    ----------
    evidence : np.ndarray, shape (n_bars + 1,)
        Evidence of each bar line; the first and the last one are ignored.
    bar_seconds : float
        Median length of a bar, in seconds.
    prior : LengthPrior
        Penalties of lengths.
    """
    n_bars = len(evidence) - 1
    inner, last = prior.penalties(n_bars, bar_seconds)
    score, before = np.full(n_bars + 1, -np.inf), np.zeros(n_bars + 1, np.intp)
    score[0] = 0
    for line in range(1, n_bars + 1):
        penalty = (last if line == n_bars else inner)[line - np.arange(line)]
        totals = score[:line] - penalty
        before[line] = totals.argmax()
        score[line] = totals[before[line]] + (evidence[line] if line < n_bars else 0)
    division = [n_bars]
    while division[-1] > 0:
        division.append(int(before[division[-1]]))
    return np.array(division[::-1])


def boundary_probabilities(evidence: Array, bar_seconds: float, prior: LengthPrior) -> Array:
    """Return the probability that each bar line is a boundary, of shape (n_bars + 1,); see `best_division`."""
    n_bars = len(evidence) - 1
    inner, last = prior.penalties(n_bars, bar_seconds)
    gain = np.append(np.append(0, evidence[1:-1]), 0)
    forward, backward = np.full(n_bars + 1, -np.inf), np.full(n_bars + 1, -np.inf)
    forward[0] = backward[n_bars] = 0
    for line in range(1, n_bars + 1):
        penalty = (last if line == n_bars else inner)[line - np.arange(line)]
        forward[line] = gain[line] + np.logaddexp.reduce(forward[:line] - penalty)
    for line in range(n_bars - 1, -1, -1):
        later = np.arange(line + 1, n_bars + 1)
        penalty = np.where(later == n_bars, last[later - line], inner[later - line])
        backward[line] = np.logaddexp.reduce(backward[later] + gain[later] - penalty)
    probability: Array = np.exp(forward + backward - forward[n_bars])
    return probability

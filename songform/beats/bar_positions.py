"""Beats, downbeats and metre of a song from the probabilities of its tatums: a hidden Markov model [1]_.

A state is a position in a bar, for each combination of one to four tatums per beat and three or four beats per bar.
Each tatum moves to the next position of its bar. A bar that begins too early or too late, a change of the metre and a
change of the number of tatums per beat have a cost. The Viterbi path has the highest probability.

References
----------
.. [1] Whiteley, Cemgil and Godsill, "Bayesian modelling of temporal structure in musical audio", ISMIR 2006, with
       tatums instead of frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["METRES", "BarPath", "bar_path"]

METRES = (3, 4)  # beats per bar
TATUMS_PER_BEAT = (1, 2, 3, 4)
SLOWEST_BEAT, FASTEST_BEAT = 50.0, 215.0  # per minute
# Costs in natural logarithms. A song that changes its metre is rare; one that doubles its beats for a while is rarer.
IRREGULAR_COST, METRE_COST, TEMPO_COST = 15.0, 40.0, 160.0

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BarPath:
    """Position of each tatum in its bar.

    Attributes
    ----------
    position : np.ndarray, shape (n_tatums,)
        Number of tatums since the start of the bar.
    tatums_per_beat, metre : np.ndarray, shape (n_tatums,)
        Number of tatums per beat, and of beats per bar, of the bar of each tatum.
    score : float
        Logarithm of the probability of the path, without a constant.
    """

    position: NDArray[np.intp]
    tatums_per_beat: NDArray[np.intp]
    metre: NDArray[np.intp]
    score: float


def bar_path(log_probability: NDArray[Any], tatum_rate: float, *, metres: Sequence[int] = METRES) -> BarPath:
    """Find the most probable positions in the bar.

    Parameters
    ----------
    log_probability : np.ndarray, shape (n_tatums, 3)
        Natural logarithm of the probability that a tatum is not a beat, a beat but no downbeat, and a downbeat.
    tatum_rate : float
        Tatums per minute.
    metres : sequence of int
        Numbers of beats per bar to choose from.
    """
    bars = [
        (n_tatums, metre)
        for n_tatums, metre in product(TATUMS_PER_BEAT, metres)
        if SLOWEST_BEAT <= tatum_rate / n_tatums <= FASTEST_BEAT
    ]
    position = np.concatenate([np.arange(n_tatums * metre) for n_tatums, metre in bars])
    lengths = [n_tatums * metre for n_tatums, metre in bars]
    tatums_per_beat, metre = np.repeat(bars, lengths, axis=0).T
    kind = np.where(position == 0, 2, np.where(position % tatums_per_beat == 0, 1, 0))
    path, score = _viterbi(
        np.asarray(log_probability, float)[:, kind], np.repeat(np.arange(len(bars)), lengths), tatums_per_beat
    )
    return BarPath(position[path], tatums_per_beat[path], metre[path], score)


def _viterbi(
    emission: Array, bar: NDArray[np.intp], tatums_per_beat: NDArray[np.intp]
) -> tuple[NDArray[np.intp], float]:
    """Return the best path through the positions of several bars, and its score.

    Parameters
    ----------
    emission : np.ndarray, shape (n_tatums, n_states)
        Logarithm of the probability of each tatum in each state.
    bar, tatums_per_beat : np.ndarray, shape (n_states,)
        Number of the bar of each state, which has one state per position, and its tatums per beat; both increase.
    """
    n_states = emission.shape[1]
    bounds, tempo_bounds = _bounds(bar), _bounds(tatums_per_beat)
    tempo = np.searchsorted(tempo_bounds, np.arange(n_states), side="right") - 1
    previous = np.arange(n_states) - 1
    previous[bounds[:-1]] = bounds[1:] - 1
    costs = np.array([[0.0], [IRREGULAR_COST], [METRE_COST], [TEMPO_COST]])
    before = np.zeros(emission.shape, np.int32)
    score = emission[0].copy()
    for tatum in range(1, len(emission)):
        best_of_bar, best_of_tempo = _last_maxima(score, bounds)[bar], _last_maxima(score, tempo_bounds)[tempo]
        origins = np.stack([previous, best_of_bar, best_of_tempo, np.full(n_states, score.argmax())])
        totals = score[origins] - costs
        choice = totals.argmax(axis=0)
        before[tatum] = origins[choice, np.arange(n_states)]
        score = totals[choice, np.arange(n_states)] + emission[tatum]
    return _traced_back(before, int(score.argmax())), float(score.max())


def _traced_back(before: NDArray[np.int32], last: int) -> NDArray[np.intp]:
    path = np.empty(len(before), np.intp)
    path[-1] = last
    for tatum in range(len(before) - 1, 0, -1):
        path[tatum - 1] = before[tatum, path[tatum]]
    return path


def _bounds(groups: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the index of the first state of each group, and at the end the number of states."""
    bounds: NDArray[np.intp] = np.concatenate([[0], np.flatnonzero(np.diff(groups)) + 1, [len(groups)]])
    return bounds


def _last_maxima(score: Array, bounds: NDArray[np.intp]) -> NDArray[np.intp]:
    return np.array([low + score[low:high].argmax() for low, high in pairwise(bounds)])

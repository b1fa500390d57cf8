"""Viterbi decoding of the most probable state sequence of a song.

The most probable state of single units often changes from unit to unit. The Viterbi path combines the probabilities of
the units with the prior knowledge that a state usually lasts for several seconds [1]_.

Conventions
-----------
- `posterior` has shape (n_units, n_states), and its rows sum to 1.
- `path` has shape (n_units,) and contains the index of the state of each unit.

References
----------
.. [1] Rabiner, "A tutorial on hidden Markov models and selected applications in speech recognition", Proc. IEEE 77(2),
       1989. `librosa.sequence.viterbi` is the same algorithm with other arguments.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["VERSION", "joint_posterior", "max_dwell_path", "state_path", "transition_matrix"]

VERSION = 1  # increase this when the path of the same probabilities changes

Array = NDArray[np.float64]


def joint_posterior(clusters: Array, sequence: Array, weight: float) -> Array:
    """Combine the probabilities of the clusters and of the sequence model.

    The result is proportional to ``clusters * sequence**weight``.

    Parameters
    ----------
    clusters, sequence : np.ndarray, shape=(n_units, n_states)
        Probability of each state in each unit, from the clusters and from the sequence model.
    weight : float >= 0
        Weight of the sequence model; 0 ignores it.

    Returns
    -------
    np.ndarray, shape=(n_units, n_states)
        Probabilities; rows sum to 1.
    """
    logits = np.log(np.maximum(clusters, 1e-12)) + weight * np.log(np.maximum(sequence, 1e-12))
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    joint: Array = odds / odds.sum(axis=1, keepdims=True)
    return joint


def transition_matrix(dwell: Array, *, unit_seconds: float) -> Array:
    """Return the transition probabilities between states with given expected durations.

    Parameters
    ----------
    dwell : np.ndarray, shape=(n_states,)
        Expected duration of each state in seconds: the mean of a geometric distribution.
    unit_seconds : float > 0
        Length of a unit in seconds.

    Returns
    -------
    np.ndarray, shape=(n_states, n_states)
        Transition matrix. Rows sum to 1, and transitions to all other states are equally likely. The probability of
        leaving a state is at most 0.5.
    """
    leave = np.minimum(unit_seconds / dwell, 0.5)
    matrix = np.repeat(leave[:, None] / max(len(dwell) - 1, 1), len(dwell), axis=1)
    np.fill_diagonal(matrix, 1 - leave if len(dwell) > 1 else 1.0)
    return matrix


def state_path(posterior: Array, transitions: Array) -> NDArray[np.intp]:
    """Return the most probable state sequence (Viterbi [1]_ with a uniform initial distribution).

    Parameters
    ----------
    posterior : np.ndarray, shape=(n_units, n_states)
        Probability of each state in each unit.
    transitions : np.ndarray, shape=(n_states, n_states)
        Transition matrix, from `transition_matrix`.

    Returns
    -------
    np.ndarray of int, shape=(n_units,)
        Index of the state of each unit.
    """
    return _viterbi(_logs(posterior), _logs(transitions))


def max_dwell_path(posterior: Array, transitions: Array, *, brief: int, most: int) -> NDArray[np.intp]:
    """Return a state sequence in which the duration of one state is limited.

    Where the most probable path stays in this state for too long, the state is excluded, and the path is computed
    again, until no stay is too long. A semi-Markov model would instead divide a long stay into two.

    Parameters
    ----------
    posterior, transitions
        As in `state_path`, with at least two states.
    brief : int
        Index of the state with limited duration.
    most : int > 0
        Maximum number of consecutive units in this state.

    Returns
    -------
    np.ndarray of int, shape=(n_units,)
        Index of the state of each unit.
    """
    emission, steps = _logs(posterior), _logs(transitions)
    while True:
        path = _viterbi(emission, steps)
        too_long = [(start, end) for start, end in _stays(path == brief) if end - start > most]
        if not too_long:
            return path
        for start, end in too_long:
            emission[start:end, brief] = -np.inf


def _viterbi(emission: Array, steps: Array) -> NDArray[np.intp]:
    best = emission[0]
    came_from = np.zeros(emission.shape, dtype=np.intp)
    for u in range(1, len(emission)):
        scores = best[:, None] + steps
        came_from[u] = scores.argmax(axis=0)
        best = scores.max(axis=0) + emission[u]
    path = np.empty(len(emission), dtype=np.intp)
    path[-1] = best.argmax()
    for u in range(len(emission) - 1, 0, -1):
        path[u - 1] = came_from[u, path[u]]
    return path


def _logs(probabilities: Array) -> Array:
    return np.asarray(np.log(np.maximum(probabilities, 1e-12)))


def _stays(is_there: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the start and end of each run of True, shape (n_runs, 2)."""
    return np.flatnonzero(np.diff(np.r_[False, is_there, False])).reshape(-1, 2)

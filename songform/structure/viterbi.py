"""Viterbi paths: the sequence of states that a song most probably takes.

Probabilities of single units flicker; a listener does not. The best path weighs what each unit says against the prior
that a state lasts several seconds [1]_.

Conventions
-----------
- `posterior` has shape (n_units, n_states), rows that sum to 1.
- `path` has shape (n_units,) and holds the index of each unit's state.

References
----------
.. [1] Rabiner, "A tutorial on hidden Markov models and selected applications in speech recognition", Proc. IEEE 77(2),
       1989: the Viterbi algorithm. `librosa.sequence.viterbi` is the same with other arguments.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["VERSION", "joint_posterior", "max_dwell_path", "state_path", "transition_matrix"]

VERSION = 1  # increase this when the same probabilities give another path

Array = NDArray[np.float64]


def joint_posterior(clusters: Array, sequence: Array, weight: float) -> Array:
    """Return the cluster posterior times the sequence model's probability to the power `weight`.

    Parameters
    ----------
    clusters, sequence : np.ndarray, shape=(n_units, n_states)
        What either says of each unit.
    weight : float >= 0
        How much the sequence model counts; 0: not at all.

    Returns
    -------
    np.ndarray, shape=(n_units, n_states)
        Rows sum to 1.
    """
    logits = np.log(np.maximum(clusters, 1e-12)) + weight * np.log(np.maximum(sequence, 1e-12))
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    joint: Array = odds / odds.sum(axis=1, keepdims=True)
    return joint


def transition_matrix(dwell: Array, *, unit_seconds: float) -> Array:
    """Return the probability of each state after each other, given the expected stays.

    Parameters
    ----------
    dwell : np.ndarray, shape=(n_states,)
        Expected stay in each state, in seconds: the mean of a geometric distribution.
    unit_seconds : float > 0
        Length of a unit in seconds.

    Returns
    -------
    np.ndarray, shape=(n_states, n_states)
        Rows sum to 1; all other states are equally likely next.
    """
    leave = np.minimum(unit_seconds / dwell, 0.5)
    matrix = np.repeat(leave[:, None] / max(len(dwell) - 1, 1), len(dwell), axis=1)
    np.fill_diagonal(matrix, 1 - leave if len(dwell) > 1 else 1.0)
    return matrix


def state_path(posterior: Array, transitions: Array) -> NDArray[np.intp]:
    """Return the most probable sequence of states (Viterbi [1]_, all states equally likely at first).

    Parameters
    ----------
    posterior : np.ndarray, shape=(n_units, n_states)
        The probability of each state in each unit.
    transitions : np.ndarray, shape=(n_states, n_states)
        From `transition_matrix`.

    Returns
    -------
    np.ndarray of int, shape=(n_units,)
    """
    return _viterbi(_logs(posterior), _logs(transitions))


def max_dwell_path(posterior: Array, transitions: Array, *, brief: int, most: int) -> NDArray[np.intp]:
    """Return the most probable path in which one state is always brief.

    What stays in that state for longer is not what it seems: the state is ruled out there, and the path is sought
    anew, until none of its stays is too long. A semi-Markov model would cut a long stay in two instead.

    Parameters
    ----------
    posterior, transitions
        As in `state_path`, of two states at least.
    brief : int
        The state.
    most : int > 0
        The most units that it stays.

    Returns
    -------
    np.ndarray of int, shape=(n_units,)
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
    """Return where each stay begins and ends, shape (n_stays, 2)."""
    return np.flatnonzero(np.diff(np.r_[False, is_there, False])).reshape(-1, 2)

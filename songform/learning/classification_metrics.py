"""Classification metrics: accuracy, macro-F1, log-loss, precision, recall and confusion matrix.

Conventions
-----------
`truth` has shape (n,) and holds indices of states. `probability` has shape (n, n_states); each row sums to 1, and its
largest entry is the predicted state. Macro-F1 averages over the states that occur in the truth.

See Also
--------
sklearn.metrics.f1_score, sklearn.metrics.log_loss
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from songform.errors import ParameterError

__all__ = ["VERSION", "confusion", "macro_f1", "precision", "recall", "scores", "soft_one_hot"]

VERSION = 1  # increase this when the same predictions get different scores

_FLOOR = 1e-6  # smallest probability in the logarithm, so that the log-loss stays finite

Index = NDArray[np.intp]
Array = NDArray[np.float64]


def scores(truth: Index, probability: Array) -> dict[str, float]:
    """Return accuracy, macro-F1 and log-loss.

    Parameters
    ----------
    truth : np.ndarray of int, shape=(n,)
        True states.
    probability : np.ndarray, shape=(n, n_states)
        Predicted probabilities.

    Returns
    -------
    dict
        `accuracy` and `macro_f1` (0 to 1, higher is better), and `log_loss` (nats, lower is better).

    Raises
    ------
    ParameterError
        If there is no row, or the numbers of rows differ.
    """
    if len(truth) == 0 or probability.shape[:1] != truth.shape:
        raise ParameterError(
            f"truth and probability must have the same number of rows, at least one, "
            f"but their shapes are {truth.shape} and {probability.shape}"
        )
    answer = probability.argmax(axis=1)
    likelihood = np.clip(probability[np.arange(len(truth)), truth], _FLOOR, 1.0)
    return {
        "accuracy": float((answer == truth).mean()),
        "macro_f1": macro_f1(truth, answer),
        "log_loss": float(-np.log(likelihood).mean()),
    }


def confusion(truth: Index, answer: Index, n_states: int) -> NDArray[np.intp]:
    """Return how often each true state (row) was predicted as each state (column)."""
    return np.asarray(_metrics().confusion_matrix(truth, answer, labels=np.arange(n_states)), np.intp)


def macro_f1(truth: Index, answer: Index) -> float:
    """Return the mean F1 of the states that occur in the truth."""
    return float(_metrics().f1_score(truth, answer, labels=np.unique(truth), average="macro", zero_division=0))


def recall(truth: Index, answer: Index, n_states: int) -> Array:
    """Return the recall of each state; NaN for a state that does not occur in the truth."""
    labels = np.arange(n_states)
    return np.asarray(_metrics().recall_score(truth, answer, labels=labels, average=None, zero_division=np.nan))


def precision(truth: Index, answer: Index, n_states: int) -> Array:
    """Return the precision of each state; 1 / n_states for a state that was never predicted."""
    labels = np.arange(n_states)
    predicted = _metrics().precision_score(truth, answer, labels=labels, average=None, zero_division=np.nan)
    return np.where(np.isnan(predicted), 1 / n_states, predicted)


def soft_one_hot(answer: Index, training_precision: Array) -> Array:
    """Convert predicted states to probabilities.

    The predicted state gets its precision in training as its probability. The other states share the rest equally.

    Parameters
    ----------
    answer : np.ndarray of int, shape=(n,)
        Predicted states.
    training_precision : np.ndarray, shape=(n_states,)
        Precision of each state in training, from `precision`.

    Returns
    -------
    np.ndarray, shape=(n, n_states)
        Probabilities; the predicted state always has the largest one.
    """
    n_states = len(training_precision)
    # Clip, so that the predicted state keeps the largest probability.
    trust = np.clip(training_precision, 1 / n_states + _FLOOR, 1 - _FLOOR)[answer]
    probability = np.repeat(((1 - trust) / max(n_states - 1, 1))[:, None], n_states, axis=1)
    probability[np.arange(len(answer)), answer] = trust
    return probability


def _metrics() -> Any:
    """Import `sklearn.metrics`, which takes half a second; reports need only the `VERSION` of this module."""
    from sklearn import metrics  # noqa: PLC0415

    return metrics

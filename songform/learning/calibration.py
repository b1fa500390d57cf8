"""Calibration of probabilities: of units with a confidence of 0.8, eight in ten should have the right state.

The probabilities of a network and of clusters are combined as if they were independent, so their product is usually
overconfident or underconfident. Temperature scaling [1]_ corrects this with one parameter, which is fitted on songs
that the models were not fitted on.

Conventions
-----------
`probabilities` has shape (n, n_states), and its rows sum to 1. `truth` has shape (n,) and contains the index of the
true state of each row.

References
----------
.. [1] Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", ICML 2017.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from songform.errors import ParameterError

__all__ = ["Calibration", "best_temperature", "expected_calibration_error", "reliability", "tempered"]

LARGEST = 20.0  # largest temperature that is tried; the smallest is its inverse
SMALLEST = 1e-12

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """Temperature of a model's probabilities, and the songs that it was fitted on.

    Attributes
    ----------
    temperature : float > 0
        Temperature; see `tempered`.
    truth : str
        Songs whose states were known: `composed` for composed songs, `people` for songs with people's labels.

    Raises
    ------
    ParameterError
        If the temperature is not positive.
    """

    temperature: float
    truth: Literal["composed", "people"]

    def __post_init__(self) -> None:
        """Check the temperature, which may come from a damaged file."""
        _check_temperature(self.temperature)


def tempered(probabilities: Array, temperature: float) -> Array:
    """Return the probabilities to the power of ``1 / temperature``, scaled to a sum of 1.

    Parameters
    ----------
    probabilities : np.ndarray, shape=(n, n_states)
        Probabilities.
    temperature : float > 0
        Values above 1 make the probabilities more equal; 1 changes nothing.

    Returns
    -------
    np.ndarray, shape=(n, n_states)
        Probabilities, in the same order within each row.

    Raises
    ------
    ParameterError
        If the temperature is not positive.
    """
    _check_temperature(temperature)
    logits = np.log(np.maximum(probabilities, SMALLEST)) / temperature
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    scaled: Array = odds / odds.sum(axis=1, keepdims=True)
    return scaled


def _check_temperature(temperature: float) -> None:
    if not temperature > 0:
        raise ParameterError(f"temperature must be positive, not {temperature}; 1 changes nothing")


def best_temperature(probabilities: Array, truth: NDArray[np.intp]) -> float:
    """Return the temperature with the smallest log-loss.

    Parameters
    ----------
    probabilities : np.ndarray, shape=(n, n_states)
        Probabilities of units of songs that the model was not fitted on.
    truth : np.ndarray of int, shape=(n,)
        True state of each unit.

    Returns
    -------
    float
        Temperature between 0.05 and 20; 1 if there are no units.
    """
    if not len(truth):
        return 1.0

    def loss(log_temperature: float) -> float:
        scaled = tempered(probabilities, float(np.exp(log_temperature)))
        return float(-np.log(np.maximum(scaled[np.arange(len(truth)), truth], SMALLEST)).mean())

    bound = float(np.log(LARGEST))
    found = minimize_scalar(loss, bounds=(-bound, bound), method="bounded")
    return float(np.exp(found.x))


def reliability(
    confidence: Array, is_right: NDArray[np.bool_], *, n_bins: int = 10
) -> tuple[Array, Array, NDArray[np.intp]]:
    """Return the points of a reliability diagram.

    Parameters
    ----------
    confidence : np.ndarray, shape=(n,)
        Confidence of each answer, 0 to 1.
    is_right : np.ndarray of bool, shape=(n,)
        Whether each answer is right.
    n_bins : int > 0
        Number of bins of equal width.

    Returns
    -------
    mean_confidence, accuracy : np.ndarray, shape=(n_bins,)
        Mean confidence, and share of right answers, in each bin; NaN in empty bins.
    counts : np.ndarray of int, shape=(n_bins,)
        Number of answers in each bin.
    """
    which = np.clip((confidence * n_bins).astype(np.intp), 0, n_bins - 1)
    counts = np.bincount(which, minlength=n_bins)
    with np.errstate(invalid="ignore"):
        mean_confidence = np.bincount(which, confidence, minlength=n_bins) / counts
        accuracy = np.bincount(which, is_right.astype(np.float64), minlength=n_bins) / counts
    return mean_confidence, accuracy, counts


def expected_calibration_error(confidence: Array, is_right: NDArray[np.bool_], *, n_bins: int = 10) -> float:
    """Return the mean distance between confidence and accuracy over the bins of `reliability`, weighted by their size.

    The parameters are those of `reliability`. The result is 0 for perfect calibration, and NaN without answers.
    """
    mean_confidence, accuracy, counts = reliability(confidence, is_right, n_bins=n_bins)
    if not counts.sum():
        return float("nan")
    filled = counts > 0
    return float(np.average(np.abs(mean_confidence - accuracy)[filled], weights=counts[filled]))

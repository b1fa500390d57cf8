"""Baseline classifiers that a network is compared with.

===================  ====================================================================================
majority             the most frequent state of the training windows, for every window
persistence          the state of the last unit that is known, assigned by the state model from the sound so far
persistence_oracle   the true state of the last frame that is known. True states are computed from whole songs,
                     so this baseline uses information about the future
logistic             logistic regression on the window's last unit
centroid             the state for which the mean of the last units of its training windows is nearest to the
                     window's last unit
===================  ====================================================================================

A baseline that predicts a state without a probability gets the precision of that state in training as its
probability, see `songform.learning.classification_metrics.soft_one_hot`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestCentroid

from songform.features.overview import Overview
from songform.learning.classification_metrics import precision, soft_one_hot
from songform.structure.pooling import CausalUnits
from songform.structure.states import StateModel, last_unit_vectors, state_posterior

__all__ = ["BASELINES", "VERSION", "causal_states", "centroid", "logistic", "majority", "named"]

VERSION = 1
BASELINES = ("majority", "persistence", "persistence_oracle", "logistic", "centroid")

Index = NDArray[np.intp]
Array = NDArray[np.float64]


def majority(targets: Index, n: int, n_states: int) -> Array:
    """Predict the most frequent state of the training windows for every window.

    Parameters
    ----------
    targets : np.ndarray of int
        States of the training windows.
    n, n_states : int
        Number of windows to predict, and number of states.

    Returns
    -------
    np.ndarray, shape=(n, n_states)
        Probabilities.
    """
    answer = int(np.bincount(targets, minlength=n_states).argmax())
    trained = precision(targets, np.full(len(targets), answer), n_states)
    return soft_one_hot(np.full(n, answer), trained)


def named(targets: Index, training_answers: Index, answers: Index, n_states: int) -> Array:
    """Return probabilities for predicted states, given the predictions for the training windows.

    Parameters
    ----------
    targets, training_answers : np.ndarray of int, shape=(n_training_windows,)
        True and predicted states of the training windows.
    answers : np.ndarray of int, shape=(n,)
        Predicted states of the windows to score.
    n_states : int
        Number of states.
    """
    return soft_one_hot(answers, precision(targets, training_answers, n_states))


def logistic(inputs: NDArray[np.float32], targets: Index, test: NDArray[np.float32], n_states: int) -> Array:
    """Predict states by logistic regression on the last unit.

    Parameters
    ----------
    inputs : np.ndarray of float32, shape=(n_training_windows, n_inputs)
        The last unit of each training window.
    targets : np.ndarray of int, shape=(n_training_windows,)
        States of the training windows.
    test : np.ndarray of float32, shape=(n, n_inputs)
        The last unit of each window to score.
    n_states : int
        Number of states. A state that does not occur in training gets probability 0.

    Returns
    -------
    np.ndarray, shape=(n, n_states)
        Probabilities.
    """
    probability = np.zeros((len(test), n_states))
    known = np.unique(targets)
    if len(known) == 1:
        probability[:, known] = 1.0
    else:
        model = LogisticRegression(max_iter=1000).fit(inputs, targets)
        probability[:, model.classes_] = model.predict_proba(test)
    return probability


def centroid(inputs: NDArray[np.float32], targets: Index, test: NDArray[np.float32], n_states: int) -> Array:
    """Predict the state with the nearest mean of `inputs`; the parameters are those of `logistic`."""
    if len(np.unique(targets)) == 1:
        return majority(targets, len(test), n_states)
    model = NearestCentroid().fit(inputs, targets)
    return named(targets, model.predict(inputs), model.predict(test), n_states)


def causal_states(model: StateModel, features: pd.DataFrame, overview: Overview, n_known: Index) -> Index:
    """Return the state that a state model assigns to the last known unit, using only the frames known so far.

    Parameters
    ----------
    model : StateModel
        The state model.
    features, overview : pd.DataFrame, Overview
        Frame features and overview of one song.
    n_known : np.ndarray of int > 0, shape=(n,)
        Number of frames known at each moment. The song is cut there, and its context is computed from the frames
        before the cut.

    Returns
    -------
    np.ndarray of int, shape=(n,)
    """
    song = CausalUnits(features, overview, sr=model.sr, hop_length=model.hop_length)
    distinct, which = np.unique(n_known, return_inverse=True)
    if not len(distinct):
        return np.zeros(0, np.intp)
    vectors = last_unit_vectors(song.beginnings(distinct))
    return np.asarray(state_posterior(model, vectors).argmax(axis=1)[which], np.intp)

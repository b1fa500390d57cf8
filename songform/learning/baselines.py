"""Baselines: what a model must beat to have learned anything.

===================  ====================================================================================
majority             always the most frequent state of the training windows
persistence          the state as the clusters give it from the sound up to that moment
persistence_oracle   the true state at that same moment, itself made with knowledge of the future: a ceiling
logistic             logistic regression on the window's last unit
centroid             the state whose mean last unit is nearest
===================  ====================================================================================

Those that only name a state get the precision of that name in training as their probability, see
`songform.learning.classification_metrics.soft_one_hot`.
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
    """Return `n` times the training windows' most frequent state.

    Parameters
    ----------
    targets : np.ndarray of int
        Of the training windows.
    n, n_states : int
        Answers wanted, and number of states.
    """
    answer = int(np.bincount(targets, minlength=n_states).argmax())
    trained = precision(targets, np.full(len(targets), answer), n_states)
    return soft_one_hot(np.full(n, answer), trained)


def named(targets: Index, training_answers: Index, answers: Index, n_states: int) -> Array:
    """Return the probabilities of a baseline that names states, given how well it did on training windows."""
    return soft_one_hot(answers, precision(targets, training_answers, n_states))


def logistic(inputs: NDArray[np.float32], targets: Index, test: NDArray[np.float32], n_states: int) -> Array:
    """Return what logistic regression on the last unit says.

    Parameters
    ----------
    inputs : np.ndarray of float32, shape=(n_training_windows, n_inputs)
        The last unit of each training window.
    targets : np.ndarray of int, shape=(n_training_windows,)
        Their states.
    test : np.ndarray of float32, shape=(n, n_inputs)
        The last unit of each window to judge.
    n_states : int
        Number of states; one that training lacks gets probability 0.
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
    """Return what the nearest mean of the last units says; parameters as in `logistic`."""
    if len(np.unique(targets)) == 1:
        return majority(targets, len(test), n_states)
    model = NearestCentroid().fit(inputs, targets)
    return named(targets, model.predict(inputs), model.predict(test), n_states)


def causal_states(model: StateModel, features: pd.DataFrame, overview: Overview, n_known: Index) -> Index:
    """Return the state of the last known unit as the clusters give it, without any knowledge of what follows.

    Parameters
    ----------
    model : StateModel
        The clusters.
    features, overview
        Of one song.
    n_known : np.ndarray of int > 0, shape=(n,)
        Frames known at each moment: the song is cut there, and its context made of what is left.

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

"""Baselines that are trained like a network: on the same inputs of the same songs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestCentroid

from songform.structure.naming import STATES
from training.pretrained_model import input_scaler, network_inputs
from training.state_songs import StateSong

__all__ = ["centroid", "logistic", "majority"]

Array = NDArray[np.float64]
MOST = 5.0  # standard deviations at which inputs are clipped


def majority(train: Sequence[StateSong], test: Sequence[StateSong]) -> Array:
    """Return the shares of the states in training for each unit, shape (n_units, n_states)."""
    counts = np.bincount(np.concatenate([song.truth for song in train]), minlength=len(STATES))
    return np.tile(counts / counts.sum(), (sum(len(song.truth) for song in test), 1))


def logistic(train: Sequence[StateSong], test: Sequence[StateSong], inputs: Sequence[str], *, ahead: int = 0) -> Array:
    """Return the probabilities of logistic regression for each unit, shape (n_units, n_states).

    With `ahead`, the state that many units later is predicted, and the last units of a song are left out.
    """
    scaler = input_scaler(train)
    model = LogisticRegression(max_iter=300)
    model.fit(_units(train, inputs, scaler, ahead), np.concatenate([song.truth[ahead:] for song in train]))
    found: Array = model.predict_proba(_units(test, inputs, scaler, ahead))
    return found


def centroid(train: Sequence[StateSong], test: Sequence[StateSong], inputs: Sequence[str]) -> Array:
    """Return the answers of the nearest centroid for each unit as probabilities of 0 and 1."""
    scaler = input_scaler(train)
    model = NearestCentroid().fit(_units(train, inputs, scaler), np.concatenate([song.truth for song in train]))
    answers: NDArray[np.intp] = model.predict(_units(test, inputs, scaler))
    return np.eye(len(STATES))[answers]


def _units(
    songs: Sequence[StateSong], inputs: Sequence[str], scaler: tuple[Array, Array], ahead: int = 0
) -> NDArray[np.float32]:
    rows = (network_inputs(song, inputs, scaler) for song in songs)
    return np.clip(np.concatenate([each[: len(each) - ahead] for each in rows]), -MOST, MOST)

"""States: how musical states are discovered and followed through a song.

Every unit of 0.5 s is a vector: the mean and the standard deviation of its frames' features, and its context. The
vectors of a corpus are standardised, weighed as two groups, and clustered by KMeans; `songform.naming` gives the
clusters their names. `songform.paths` then finds the sequence of states that a song most probably takes.

Conventions
-----------
- `units` is a table of unit vectors, shape (n_units, n_dimensions): first the features' means, then their standard
  deviations, both less their mean over the song, then the context descriptors.
- `posterior` has shape (n_units, n_states), rows that sum to 1, columns in the order of `StateModel.states`.

See Also
--------
sklearn.cluster.KMeans, sklearn.preprocessing.StandardScaler
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans
from sklearn.preprocessing import StandardScaler

from songform import naming
from songform.context import CONTEXT_COLUMNS, last_context, units_context
from songform.errors import ModelError, ParameterError
from songform.overview import Overview
from songform.selfsimilarity import DEFAULT_THRESHOLD
from songform.songunits import UNIT_SECONDS, SongUnits, song_units

__all__ = ["VERSION", "StateModel", "fit_states", "last_unit_vector", "state_posterior", "unit_vectors"]

VERSION = 1

Array = NDArray[np.float64]


@dataclass(frozen=True)
class StateModel:
    """Scaler, centroids and names: all that turns units into states.

    Attributes
    ----------
    states : tuple of str, length n_states
        The names, in the order Calm, BuildUp, Energetic, Transition, Repetitive, State 6, ...
    center, scale, weight : np.ndarray, shape=(n_dimensions,)
        A unit vector becomes `(x - center) / scale * weight`.
    centroids : np.ndarray, shape=(n_states, n_dimensions)
        In that weighed space.
    variance : float
        Mean squared distance of the fitted units from their own centroid.
    profile : np.ndarray, shape=(n_states, 6)
        Mean context of each state, standardised over all fitted units.
    scores, margins : np.ndarray, shape=(n_states,)
        How well each name fits, see `songform.naming`.
    weak : tuple of str
        Why each name is weak; empty where it is not.
    dwell : np.ndarray, shape=(n_states,)
        Expected stay in each state, in seconds.
    threshold : float
        Path similarity of the corpus, for the context descriptors.
    sr, hop_length : float, int
        The framing that the model belongs to.
    """

    states: tuple[str, ...]
    center: Array
    scale: Array
    weight: Array
    centroids: Array
    variance: float
    profile: Array
    scores: Array
    margins: Array
    weak: tuple[str, ...]
    dwell: Array
    threshold: float
    sr: float
    hop_length: int

    def save(self, path: Path) -> None:
        """Write the model as a `.npz` of plain arrays and JSON, without pickle."""
        arrays: dict[str, Any] = {name: value for name, value in vars(self).items() if isinstance(value, np.ndarray)}
        rest = {name: value for name, value in vars(self).items() if name not in arrays}
        with path.open("wb") as file:
            np.savez(file, **arrays, rest=np.array(json.dumps(rest)))

    @classmethod
    def load(cls, path: Path) -> StateModel:
        """Read a model that `save` wrote.

        Raises
        ------
        ModelError
            If the file is missing or is no state model.
        """
        try:
            # Opened here: of a file that is no archive, numpy would leave its own handle open.
            with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                fields: dict[str, Any] = {name: archive[name] for name in archive.files}
                rest = json.loads(str(fields.pop("rest")))
            return cls(**fields, **{**rest, "states": tuple(rest["states"]), "weak": tuple(rest["weak"])})
        except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            msg = f"{path} is no state model that this songform can read ({error}); train again"
            raise ModelError(msg) from error


def unit_vectors(
    features: pd.DataFrame,
    overview: Overview,
    *,
    sr: float = 22050,
    hop_length: int = 512,
    threshold: float = DEFAULT_THRESHOLD,
) -> Array:
    """Return the vectors of a song's units.

    Parameters
    ----------
    features, overview, sr, hop_length, threshold
        As in `songform.context.context_descriptors`.

    Returns
    -------
    np.ndarray of float64, shape=(n_units, 2 * n_columns + 6)
    """
    units = song_units(features, overview, sr=sr, hop_length=hop_length)
    # Against the song's own mean: otherwise recordings and instruments are clustered, and a song has one state.
    return np.hstack([units.described, units_context(units, threshold=threshold)])


def last_unit_vector(units: SongUnits, *, threshold: float = DEFAULT_THRESHOLD) -> Array:
    """Return the vector of the last unit alone: the last row of `unit_vectors`, shape (n_dimensions,).

    Parameters
    ----------
    units : SongUnits
        Of a song, or of its beginning: nothing else is known.
    threshold : float
        As in `unit_vectors`.
    """
    return np.concatenate([units.described[-1], last_context(units, threshold=threshold)])


def fit_states(
    songs: Sequence[Array],
    *,
    n_states: int = 5,
    context_weight: float = 1.0,
    dwell_seconds: float = 4.0,
    transition_dwell_seconds: float = 3.0,
    threshold: float = DEFAULT_THRESHOLD,
    seed: int = 0,
    sr: float = 22050,
    hop_length: int = 512,
) -> StateModel:
    """Discover the states of a corpus and name them.

    Parameters
    ----------
    songs : sequence of np.ndarray, shape=(n_units, n_dimensions) each
        From `unit_vectors`, a song each.
    n_states : int >= 2
        Number of clusters.
    context_weight : float >= 0
        Weight of the context as a group; the features have 1.
    dwell_seconds, transition_dwell_seconds : float > 0
        Expected stay in a state, and in Transition, in seconds.
    threshold, sr, hop_length
        Of the unit vectors; kept with the model.
    seed : int
        Of KMeans.

    Returns
    -------
    StateModel

    Raises
    ------
    ParameterError
        If there are fewer different units than states.
    """
    units = np.vstack(songs)
    if len(np.unique(units, axis=0)) < n_states:
        msg = (
            f"{len(units)} units of {UNIT_SECONDS} s cannot make {n_states} different states; "
            "the audio is too short or always the same: add songs, or lower states.n_states"
        )
        raise ParameterError(msg)
    scaler = StandardScaler().fit(units)
    n_features, n_context = units.shape[1] - len(CONTEXT_COLUMNS), len(CONTEXT_COLUMNS)
    weight = np.r_[np.full(n_features, n_features**-0.5), np.full(n_context, context_weight * n_context**-0.5)]
    standard = scaler.transform(units)
    kmeans = _clusters(standard * weight, standard[:, n_features:], n_states, seed)
    profile = np.stack([standard[kmeans.labels_ == k, n_features:].mean(axis=0) for k in range(n_states)])
    named = naming.name_clusters(profile)
    order = sorted(range(n_states), key=lambda k: _rank(named.names[k]))
    states = tuple(named.names[k] for k in order)
    dwell = [transition_dwell_seconds if state == "Transition" else dwell_seconds for state in states]
    return StateModel(
        states=states,
        center=np.asarray(scaler.mean_),
        scale=np.asarray(scaler.scale_),
        weight=weight,
        centroids=kmeans.cluster_centers_[order].astype(np.float64),
        variance=float(kmeans.inertia_) / len(units),
        profile=profile[order],
        scores=named.scores[order],
        margins=named.margins[order],
        weak=tuple(named.weak[k] for k in order),
        dwell=np.array(dwell),
        threshold=threshold,
        sr=sr,
        hop_length=hop_length,
    )


def state_posterior(model: StateModel, units: Array) -> Array:
    """Return the probability of each state in each unit, from its distance to the centroids.

    Parameters
    ----------
    model : StateModel
        From `fit_states`.
    units : np.ndarray, shape=(n_units, n_dimensions)
        From `unit_vectors`, with the model's threshold.

    Returns
    -------
    np.ndarray, shape=(n_units, n_states)
        softmax(-d^2 / 2 s^2), with the mean within-cluster variance for s^2.

    Raises
    ------
    ModelError
        If the units have another number of dimensions than the model.
    """
    if units.ndim != 2 or units.shape[1] != len(model.center):
        msg = (
            f"the model reads units of {len(model.center)} dimensions, not of shape {units.shape}; "
            "it was trained with other settings of frames or features: train again"
        )
        raise ModelError(msg)
    weighed = (units - model.center) / model.scale * model.weight
    logits = -cdist(weighed, model.centroids, "sqeuclidean") / max(2 * model.variance, 1e-12)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    posterior: Array = odds / odds.sum(axis=1, keepdims=True)
    return posterior


def _clusters(weighed: Array, context: Array, n_states: int, seed: int) -> KMeans:
    """Cluster the units, from centroids at the archetypes where there are five of each."""
    nearest = naming.archetype_scores(context).argmax(axis=1)
    members = [weighed[nearest == state] for state in range(len(naming.STATES))]
    if n_states == len(members) and all(len(member) for member in members):
        start = np.stack([member.mean(axis=0) for member in members])
        return KMeans(n_states, init=start, n_init=1, random_state=seed).fit(weighed)
    return KMeans(n_states, n_init=10, random_state=seed).fit(weighed)


def _rank(name: str) -> tuple[int, str]:
    return (naming.STATES.index(name), name) if name in naming.STATES else (len(naming.STATES), name.rjust(16))

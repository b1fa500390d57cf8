"""States: how musical states are discovered and followed through a song.

Every unit of 0.5 s is a vector: the mean and the standard deviation of its frames' features, and its context. The
vectors of a corpus are standardised, weighed as two groups, and clustered by KMeans; `songform.structure.naming` gives
the clusters their names. A cluster is then described by a mean and a variance of each dimension, since a state may be
narrow in one and wide in another (a build-up rises by much or by little, but it rises), and that says how probable each
state is in a unit. `songform.structure.viterbi` finds the sequence of states that a song most probably takes; a
Transition is a place, not a section, and never long.

Conventions
-----------
- `units` is a table of unit vectors, shape (n_units, n_dimensions): first the features' means, then their standard
  deviations, both measured against the song, then the context descriptors.
- `posterior` has shape (n_units, n_states), rows that sum to 1, columns in the order of `StateModel.states`.

See Also
--------
sklearn.cluster.KMeans, sklearn.preprocessing.StandardScaler
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.preprocessing import StandardScaler

from songform.errors import ModelError, ParameterError
from songform.features.overview import Overview
from songform.structure import naming
from songform.structure.change_points import (
    MOST_UNITS,
    each_songs_stretches,
    song_stretches,
    spread_over,
    stretch_means,
)
from songform.structure.context import (
    CONTEXT_COLUMNS,
    MomentContext,
    last_stretch_context,
    moment_context,
    stretch_context,
)
from songform.structure.normalized_curves import Curves, song_curves, stacked
from songform.structure.pooling import UNIT_SECONDS, SongUnits, song_units
from songform.structure.viterbi import max_dwell_path, state_path, transition_matrix

__all__ = [
    "VERSION",
    "StateModel",
    "fit_states",
    "last_unit_vector",
    "last_unit_vectors",
    "state_posterior",
    "state_sequence",
    "unit_vectors",
]

VERSION = 3

# How much is believed of each group of dimensions, as if it were so many independent ones: neighbouring features and
# the units of a stretch say much the same. Chosen on composed songs, see docs/states.md.
_FEATURE_EVIDENCE, _CONTEXT_EVIDENCE = 3.0, 1.0
_ANCHOR_SHARE = 1.0  # weight of the five anchors together, against all units
_MOST = 2.0  # standard deviations of the corpus: no unit, however odd, may draw a cluster to itself
_LEAST_VARIANCE = 0.01  # of a cluster, against the variance of all units

_SONGS_AT_ONCE = 8  # in `last_unit_vectors`: their tables of a minute stay within the processor's cache

_MOST_TURN_SECONDS = 8.0  # a turn that lasts longer is a section

_CONTEXT_WEIGHTS = np.array([1.0, 1.0, 1.0, 1.5, 1.0, 1.0])  # in the order of CONTEXT_COLUMNS

Array = NDArray[np.float64]


@dataclass(frozen=True)
class StateModel:
    """Scaler, centroids and names: all that turns units into states.

    Attributes
    ----------
    states : tuple of str, length n_states
        The names, in the order Calm, BuildUp, Energetic, Transition, Repetitive, State 6, ...
    center, scale, weight : np.ndarray, shape=(n_dimensions,)
        A unit vector becomes `clip((x - center) / scale, -2, 2) * weight`.
    centroids, variances : np.ndarray, shape=(n_states, n_dimensions)
        Mean and variance of each cluster's units, in that weighed space.
    shares : np.ndarray, shape=(n_states,)
        Share of the fitted units that each cluster holds.
    profile : np.ndarray, shape=(n_states, 6)
        Mean context of each state, standardised over all fitted units.
    scores, margins : np.ndarray, shape=(n_states,)
        How well each name fits, see `songform.structure.naming`.
    weak : tuple of str
        Why each name is weak; empty where it is not.
    dwell : np.ndarray, shape=(n_states,)
        Expected stay in each state, in seconds.
    sr, hop_length : float, int
        The framing that the model belongs to.
    """

    states: tuple[str, ...]
    center: Array
    scale: Array
    weight: Array
    centroids: Array
    variances: Array
    shares: Array
    profile: Array
    scores: Array
    margins: Array
    weak: tuple[str, ...]
    dwell: Array
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


def unit_vectors(features: pd.DataFrame, overview: Overview, *, sr: float = 22050, hop_length: int = 512) -> Array:
    """Return the vectors of a song's units.

    Parameters
    ----------
    features, overview, sr, hop_length
        As in `songform.structure.context.context_descriptors`.

    Returns
    -------
    np.ndarray of float64, shape=(n_units, 2 * n_columns + 6)
    """
    curves = song_curves(song_units(features, overview, sr=sr, hop_length=hop_length))
    return curves.whole(_vectors(curves))


def last_unit_vector(units: SongUnits) -> Array:
    """Return the vector of the last unit alone, shape (n_dimensions,): what is known of a moment when it is over.

    Parameters
    ----------
    units : SongUnits
        Of a song, or of its beginning: nothing else is known. Its stretch is found within the last minute.
    """
    vector: Array = last_unit_vectors([units])[0]
    return vector


def last_unit_vectors(songs: Iterable[SongUnits]) -> Array:
    """Return `last_unit_vector` of each of some songs, or of beginnings of one song, shape (n_songs, n_dimensions).

    Some songs are computed together, which takes half the time: best are songs of the same length that follow one
    another, as the moments of a song after its first minute do.
    """
    curves = (song_curves(units, n_last=MOST_UNITS) for units in songs)
    vectors: list[Array] = []
    while several := list(islice(curves, _SONGS_AT_ONCE)):
        vectors += _last_vectors(several)
    return np.stack(vectors)


def _last_vectors(several: Sequence[Curves]) -> list[Array]:
    """Return the vector of the last unit of each of some songs."""
    moments: list[MomentContext] = []
    for _, alike in groupby(several, key=len):
        together = list(alike)
        context = moment_context(stacked(together))
        moments += [context.song(i) for i in range(len(together))]
    vectors = []
    for curves, bounds, moment in zip(several, each_songs_stretches(several), moments, strict=True):
        features = (curves.columns[-1] + curves.columns[bounds[-2] :].mean(axis=0)) / 2
        vectors.append(np.concatenate([features, last_stretch_context(curves, bounds, moment)]))
    return vectors


def _vectors(curves: Curves) -> Array:
    """Join features and context. Half of the features' say is the stretch's: what a unit is, and what it is part of."""
    bounds = song_stretches(curves)
    features = (curves.columns + spread_over(stretch_means(curves.columns, bounds), bounds)) / 2
    return np.hstack([features, spread_over(stretch_context(curves, bounds), bounds)])


def fit_states(
    songs: Sequence[Array],
    *,
    n_states: int = 5,
    context_weight: float = 1.0,
    dwell_seconds: float = 4.0,
    transition_dwell_seconds: float = 3.0,
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
    seed : int
        Of KMeans.
    sr, hop_length : float, int
        Framing of the unit vectors; kept with the model.

    Returns
    -------
    StateModel

    Raises
    ------
    ParameterError
        If there are fewer different units than states.
    """
    units = np.vstack(songs)
    scaler = StandardScaler().fit(units)
    weight = _weights(units.shape[1], context_weight)
    standard = np.clip(scaler.transform(units), -_MOST, _MOST)
    weighed, context = standard * weight, standard[:, -len(CONTEXT_COLUMNS) :]
    if len(np.unique(weighed, axis=0)) < n_states:  # of the units as KMeans sees them: what is clipped may be alike
        msg = (
            f"{len(units)} units of {UNIT_SECONDS} s cannot make {n_states} different states; "
            "the audio is too short or always the same: add songs, or lower states.n_states"
        )
        raise ParameterError(msg)
    labels = _clusters(weighed, context, n_states, seed)
    profile = _cluster_means(context, labels, n_states)
    named = naming.name_clusters(profile)
    order = sorted(range(n_states), key=lambda k: _rank(named.names[k]))
    states = tuple(named.names[k] for k in order)
    dwell = [transition_dwell_seconds if state == "Transition" else dwell_seconds for state in states]
    centroids = _cluster_means(weighed, labels, n_states)
    variances = _cluster_means((weighed - centroids[labels]) ** 2, labels, n_states)
    return StateModel(
        states=states,
        center=np.asarray(scaler.mean_),
        scale=np.asarray(scaler.scale_),
        weight=weight,
        centroids=centroids[order],
        variances=(variances + _LEAST_VARIANCE * np.maximum(weighed.var(axis=0), 1e-12))[order],
        shares=np.bincount(labels, minlength=n_states)[order] / len(labels),
        profile=profile[order],
        scores=named.scores[order],
        margins=named.margins[order],
        weak=tuple(named.weak[k] for k in order),
        dwell=np.array(dwell),
        sr=sr,
        hop_length=hop_length,
    )


def state_posterior(model: StateModel, units: Array) -> Array:
    """Return the probability of each state in each unit.

    Parameters
    ----------
    model : StateModel
        From `fit_states`.
    units : np.ndarray, shape=(n_units, n_dimensions)
        From `unit_vectors`.

    Returns
    -------
    np.ndarray, shape=(n_units, n_states)
        By Bayes' rule: each cluster is a normal distribution in each dimension, its share the prior; the dimensions
        of a group count as if there were as many independent ones as its evidence says.

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
    weighed = np.clip((units - model.center) / model.scale, -_MOST, _MOST) * model.weight
    evidence = _evidence(len(model.center))
    precision = evidence / model.variances
    # The squared distances, multiplied out: one product of matrices for all units and states.
    squares = (weighed * weighed) @ precision.T - 2 * weighed @ (precision * model.centroids).T
    squares += (precision * model.centroids**2).sum(axis=1)
    logits = np.log(model.shares) - (squares + np.log(model.variances) @ evidence) / 2
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    posterior: Array = odds / odds.sum(axis=1, keepdims=True)
    return posterior


def state_sequence(model: StateModel, posterior: Array) -> NDArray[np.intp]:
    """Return the sequence of states that a song most probably takes, in which a Transition lasts 8 s at most.

    Parameters
    ----------
    model : StateModel
        From `fit_states`.
    posterior : np.ndarray, shape=(n_units, n_states)
        From `state_posterior`, or joined with what a network says (`songform.structure.viterbi.joint_posterior`).

    Returns
    -------
    np.ndarray of int, shape=(n_units,)
        Indices into `model.states`.
    """
    transitions = transition_matrix(model.dwell, unit_seconds=UNIT_SECONDS)
    if "Transition" not in model.states:
        return state_path(posterior, transitions)
    turn, most = model.states.index("Transition"), round(_MOST_TURN_SECONDS / UNIT_SECONDS)
    return max_dwell_path(posterior, transitions, brief=turn, most=most)


def _weights(n_dimensions: int, context_weight: float) -> Array:
    """Weigh two groups alike, whatever their number of columns, and then the context by its own."""
    n_context = len(CONTEXT_COLUMNS)
    n_features = n_dimensions - n_context
    weights: Array = np.r_[np.full(n_features, n_features**-0.5), context_weight * n_context**-0.5 * _CONTEXT_WEIGHTS]
    return weights


def _evidence(n_dimensions: int) -> Array:
    """Share each group's evidence among its dimensions."""
    n_context = len(CONTEXT_COLUMNS)
    n_features = n_dimensions - n_context
    shares = _FEATURE_EVIDENCE / n_features, _CONTEXT_EVIDENCE / n_context
    evidence: Array = np.r_[np.full(n_features, shares[0]), np.full(n_context, shares[1])]
    return evidence


def _clusters(weighed: Array, context: Array, n_states: int, seed: int) -> NDArray[np.intp]:
    """Cluster the units, anchored at the archetypes where there are five of each; return each unit's cluster.

    Where a corpus has no clear clusters, KMeans finds others in each half of it. The mean of the units that are most
    like an archetype is the same in both: it is where a cluster starts, and it stays as a unit of some weight.
    """
    nearest = naming.archetype_scores(context).argmax(axis=1)
    members = [weighed[nearest == state] for state in range(len(naming.STATES))]
    if n_states == len(members) and all(len(member) for member in members):
        anchors = np.stack([member.mean(axis=0) for member in members])
        weights = np.r_[np.ones(len(weighed)), np.full(n_states, _ANCHOR_SHARE * len(weighed) / n_states)]
        kmeans = KMeans(n_states, init=anchors, n_init=1, random_state=seed)
        kmeans.fit(np.vstack([weighed, anchors]), sample_weight=weights)
        labels: NDArray[np.intp] = kmeans.labels_[: len(weighed)].astype(np.intp)
        if len(np.unique(labels)) == n_states:  # an anchor that keeps no unit is no cluster
            return labels
    kmeans = KMeans(n_states, n_init=10, random_state=seed).fit(weighed)
    return np.asarray(kmeans.labels_, dtype=np.intp)


def _cluster_means(values: Array, labels: NDArray[np.intp], n_states: int) -> Array:
    return np.stack([values[labels == k].mean(axis=0) for k in range(n_states)])


def _rank(name: str) -> tuple[int, str]:
    return (naming.STATES.index(name), name) if name in naming.STATES else (len(naming.STATES), name.rjust(16))

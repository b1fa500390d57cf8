"""Discovery of musical states by clustering, and state sequences of songs.

Each unit of 0.5 s is described by a vector of the means and standard deviations of its features and its context
descriptors. The vectors of a corpus are standardized, weighted in two groups (features and context), and clustered by
KMeans. `songform.structure.naming` assigns the names of the states to the clusters. With another model as a prior
(`songform.structure.state_prior`), the clusters are adapted from it and keep its names. If the states are known, they
take the place of the clusters. Each cluster is then modeled by a normal distribution in each dimension, which gives the
probability of each state in a unit. Each dimension has its own variance, because a state can vary much in one dimension
and little in another. `songform.structure.viterbi` computes the most probable state sequence of a song. The duration of
a Transition is limited, because it is a short passage between two sections.

Conventions
-----------
- `units` is an array of unit vectors, shape (n_units, n_dimensions): the means of the features, their standard
  deviations, both normalized within the song, and the context descriptors.
- `posterior` has shape (n_units, n_states). Rows sum to 1, and columns are in the order of `StateModel.states`.

See Also
--------
sklearn.cluster.KMeans, sklearn.preprocessing.StandardScaler
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

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
from songform.structure.state_prior import (
    PRIOR_UNITS,
    combined_clusters,
    combined_scaling,
    prior_clusters,
    prior_labels,
)
from songform.structure.viterbi import max_dwell_path, state_path, transition_matrix

__all__ = [
    "VERSION",
    "StateModel",
    "fit_states",
    "labeled_states",
    "last_unit_vector",
    "last_unit_vectors",
    "state_posterior",
    "state_sequence",
    "unit_vectors",
]

VERSION = 3

# Effective number of independent dimensions of each group. It is much smaller than the number of columns, because
# features, and units of the same stretch, are correlated. Chosen on composed songs, see docs/states.md.
_FEATURE_EVIDENCE, _CONTEXT_EVIDENCE = 3.0, 1.0
_ANCHOR_SHARE = 1.0  # total weight of the five anchors, relative to all units
_MOST = 2.0  # standard deviations of the corpus; values are clipped, so that outliers do not attract a cluster
_LEAST_VARIANCE = 0.01  # added to the variance of a cluster, relative to the variance of all units

_SONGS_AT_ONCE = 8  # in `last_unit_vectors`; their distance tables fit into the cache of the processor

_MOST_TURN_SECONDS = 8.0  # maximum duration of a Transition; longer parts are sections

_CONTEXT_WEIGHTS = np.array([1.0, 1.0, 1.0, 1.5, 1.0, 1.0])  # in the order of CONTEXT_COLUMNS

Array = NDArray[np.float64]


@dataclass(frozen=True)
class StateModel:
    """Scaler, clusters and names, from which the state probabilities of units are computed.

    Attributes
    ----------
    states : tuple of str, length n_states
        Names of the states, in the order Calm, BuildUp, Energetic, Transition, Repetitive, State 6, ...
    center, scale, weight : np.ndarray, shape=(n_dimensions,)
        Scaling of unit vectors: `clip((x - center) / scale, -2, 2) * weight`.
    centroids, variances : np.ndarray, shape=(n_states, n_dimensions)
        Mean and variance of the scaled units of each cluster.
    shares : np.ndarray, shape=(n_states,)
        Fraction of the training units in each cluster.
    profile : np.ndarray, shape=(n_states, 6)
        Mean context descriptors of each state, standardized over all training units.
    scores, margins : np.ndarray, shape=(n_states,)
        Scores and margins of the names; see `songform.structure.naming.Naming`.
    weak : tuple of str
        Reasons why each name is weak; empty if it is not.
    dwell : np.ndarray, shape=(n_states,)
        Expected duration of each state in seconds.
    sr, hop_length : float, int
        Sampling rate in Hz, and hop length in samples, of the features.
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
        """Write the model to a `.npz` file of arrays and JSON, without pickle."""
        arrays: dict[str, Any] = {name: value for name, value in vars(self).items() if isinstance(value, np.ndarray)}
        rest = {name: value for name, value in vars(self).items() if name not in arrays}
        with path.open("wb") as file:
            np.savez(file, **arrays, rest=np.array(json.dumps(rest)))

    @classmethod
    def load(cls, path: Path) -> StateModel:
        """Read a model from a file written by `save`.

        Raises
        ------
        ModelError
            If the file is missing or is not a state model.
        """
        try:
            # The file is opened here, because np.load does not close a file that is not an archive.
            with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                fields: dict[str, Any] = {name: archive[name] for name in archive.files}
                rest = json.loads(str(fields.pop("rest")))
            return cls(**fields, **{**rest, "states": tuple(rest["states"]), "weak": tuple(rest["weak"])})
        except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error) as error:
            msg = f"{path} is not a state model that this version of songform can read ({error}); train again"
            raise ModelError(msg) from error


def unit_vectors(features: pd.DataFrame, overview: Overview, *, sr: float = 22050, hop_length: int = 512) -> Array:
    """Return the vectors of the units of a song.

    Parameters
    ----------
    features, overview, sr, hop_length
        As in `songform.structure.context.context_descriptors`.

    Returns
    -------
    np.ndarray of float64, shape=(n_units, 2 * n_columns + 6)
        Unit vectors: means and standard deviations of the features, and context descriptors.

    Examples
    --------
    >>> from songform import compose, describe_audio
    >>> song = compose(seed=3, duration=20.0)
    >>> features, overview, _ = describe_audio([song.y], sr=song.sr)
    >>> unit_vectors(features, overview).shape[1]
    82
    """
    curves = song_curves(song_units(features, overview, sr=sr, hop_length=hop_length))
    return curves.whole(_vectors(curves))


def last_unit_vector(units: SongUnits) -> Array:
    """Return the vector of the last unit, shape (n_dimensions,), which does not depend on any later unit.

    Parameters
    ----------
    units : SongUnits
        Units of a song or of its beginning. The stretch of the last unit is determined within the last minute.
    """
    vector: Array = last_unit_vectors([units])[0]
    return vector


def last_unit_vectors(songs: Iterable[SongUnits]) -> Array:
    """Return `last_unit_vector` of several songs, or of several beginnings of one song, shape (n_songs, n_dimensions).

    Several songs are computed together, which takes half the time. Adjacent songs of equal length are fastest, for
    example beginnings of one song that are longer than a minute, because only their last minute is used.
    """
    curves = (song_curves(units, n_last=MOST_UNITS) for units in songs)
    vectors: list[Array] = []
    while several := list(islice(curves, _SONGS_AT_ONCE)):
        vectors += _last_vectors(several)
    return np.stack(vectors)


def _last_vectors(several: Sequence[Curves]) -> list[Array]:
    """Return the vector of the last unit of each of several songs."""
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
    """Return features and context of the units; the features are averaged with the mean features of the stretch."""
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
    prior: StateModel | None = None,
    prior_songs: float = 100.0,
) -> StateModel:
    """Cluster the units of a corpus into states and name them.

    With a prior, its clusters are adapted to the corpus and keep their names; see `songform.structure.state_prior`.

    Parameters
    ----------
    songs : sequence of np.ndarray, shape=(n_units, n_dimensions) each
        Unit vectors of each song, from `unit_vectors`.
    n_states : int >= 2
        Number of clusters.
    context_weight : float >= 0
        Weight of the context descriptors as a group; the weight of the features is 1.
    dwell_seconds, transition_dwell_seconds : float > 0
        Expected duration of a state, and of Transition, in seconds.
    seed : int
        Random seed of KMeans.
    sr, hop_length : float, int
        Sampling rate in Hz, and hop length in samples, of the features; stored in the model.
    prior : StateModel, optional
        Model of other songs with the same frames and features, and with `n_states` states.
    prior_songs : float >= 0
        Number of songs of two minutes that the prior counts as. 0: the prior is not used.

    Returns
    -------
    StateModel

    Raises
    ------
    ParameterError
        If there are fewer distinct units than states and no prior is used, or if the prior has another number of
        states, other frames or other features.

    Examples
    --------
    >>> from songform import compose, describe_audio
    >>> songs = [compose(seed=seed) for seed in (1, 2)]
    >>> described = [describe_audio([song.y], sr=song.sr) for song in songs]
    >>> model = fit_states([unit_vectors(features, overview) for features, overview, _ in described])
    >>> model.states
    ('Calm', 'BuildUp', 'Energetic', 'Transition', 'Repetitive')
    """
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415  slow to import, and not needed to use a model

    units = np.vstack(songs)
    dwells = (dwell_seconds, transition_dwell_seconds)
    if prior is not None and prior_songs > 0:
        _check_prior(prior, n_states, units.shape[1], sr, hop_length)
        adapted = _adapted(prior, prior_songs, units, context_weight, seed)
        return replace(adapted, dwell=_dwell(prior.states, *dwells))
    scaler = StandardScaler().fit(units)
    weight = _weights(units.shape[1], context_weight)
    standard = np.clip(scaler.transform(units), -_MOST, _MOST)
    weighted, context = standard * weight, standard[:, -len(CONTEXT_COLUMNS) :]
    if len(np.unique(weighted, axis=0)) < n_states:  # distinct after clipping, as in KMeans
        msg = (
            f"{len(units)} unit{'' if len(units) == 1 else 's'} of {UNIT_SECONDS} s cannot be divided into {n_states} "
            "different states; the audio is too short or does not change; use longer audio or lower states.n_states"
        )
        raise ParameterError(msg)
    labels = _clusters(weighted, context, n_states, seed)
    profile = _cluster_means(context, labels, n_states)
    named = naming.name_clusters(profile)
    order = sorted(range(n_states), key=lambda k: _rank(named.names[k]))
    states = tuple(named.names[k] for k in order)
    centroids = _cluster_means(weighted, labels, n_states)
    variances = _cluster_means((weighted - centroids[labels]) ** 2, labels, n_states)
    return StateModel(
        states=states,
        center=np.asarray(scaler.mean_),
        scale=np.asarray(scaler.scale_),
        weight=weight,
        centroids=centroids[order],
        variances=(variances + _least_variance(weighted))[order],
        shares=np.bincount(labels, minlength=n_states)[order] / len(labels),
        profile=profile[order],
        scores=named.scores[order],
        margins=named.margins[order],
        weak=tuple(named.weak[k] for k in order),
        dwell=_dwell(states, *dwells),
        sr=sr,
        hop_length=hop_length,
    )


def labeled_states(
    songs: Sequence[Array],
    labels: Sequence[NDArray[np.integer]],
    names: Sequence[str],
    *,
    context_weight: float = 1.0,
    dwell_seconds: float = 4.0,
    transition_dwell_seconds: float = 3.0,
    sr: float = 22050,
    hop_length: int = 512,
) -> StateModel:
    """Fit a state model to units whose states are known, such as people's labels or the form of composed songs.

    Parameters
    ----------
    songs : sequence of np.ndarray, shape=(n_units, n_dimensions) each
        Unit vectors of each song, from `unit_vectors`.
    labels : sequence of np.ndarray of int, shape=(n_units,) each
        State of each unit of each song, as an index into `names`; -1 for a unit without a state, which only takes part
        in the scaling.
    names : sequence of str
        Names of at least two states, in the order that the model shall have.
    context_weight, dwell_seconds, transition_dwell_seconds, sr, hop_length
        As in `fit_states`.

    Returns
    -------
    StateModel
        The model; no name is weak.

    Raises
    ------
    ParameterError
        If the labels do not match the songs or the names, or if a state has no unit.

    Examples
    --------
    >>> import numpy as np
    >>> from songform import compose, describe_audio
    >>> song = compose(seed=3, duration=20.0)
    >>> features, overview, _ = describe_audio([song.y], sr=song.sr)
    >>> vectors = unit_vectors(features, overview)
    >>> labels = np.where(np.arange(len(vectors)) < 16, 0, 1)  # the first 8 s, and the rest
    >>> labeled_states([vectors], [labels], ["verse", "chorus"]).states
    ('verse', 'chorus')
    """
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415  as above

    _check_labels(songs, labels, names)
    units, known = np.vstack(songs), np.concatenate(labels)
    scaler = StandardScaler().fit(units)
    weight = _weights(units.shape[1], context_weight)
    standard = np.clip(scaler.transform(units), -_MOST, _MOST)[known >= 0]
    known = known[known >= 0].astype(np.intp)
    weighted, n_states = standard * weight, len(names)
    profile = _cluster_means(standard[:, -len(CONTEXT_COLUMNS) :], known, n_states)
    scored = naming.scored_names(profile, names)
    centroids = _cluster_means(weighted, known, n_states)
    variances = _cluster_means((weighted - centroids[known]) ** 2, known, n_states)
    return StateModel(
        states=tuple(names),
        center=np.asarray(scaler.mean_),
        scale=np.asarray(scaler.scale_),
        weight=weight,
        centroids=centroids,
        variances=variances + _least_variance(weighted),
        shares=np.bincount(known, minlength=n_states) / len(known),
        profile=profile,
        scores=scored.scores,
        margins=scored.margins,
        weak=("",) * n_states,
        dwell=_dwell(names, dwell_seconds, transition_dwell_seconds),
        sr=sr,
        hop_length=hop_length,
    )


def _adapted(prior: StateModel, prior_songs: float, units: Array, context_weight: float, seed: int) -> StateModel:
    """Return the states of a prior, adapted to the units of a corpus, with the durations of the prior."""
    n_prior = PRIOR_UNITS * prior_songs
    center, scale = combined_scaling(prior, n_prior, units)
    weight = _weights(units.shape[1], context_weight)
    standard = np.clip((units - center) / scale, -_MOST, _MOST)
    weighted, context = standard * weight, standard[:, -len(CONTEXT_COLUMNS) :]
    before = prior_clusters(prior, n_prior, center, scale, weight)
    labels = prior_labels(weighted, before, seed)
    clusters = combined_clusters(before, weighted, context, labels, _least_variance(weighted))
    named = naming.scored_names(clusters.profile, prior.states)
    return StateModel(
        states=prior.states,
        center=center,
        scale=scale,
        weight=weight,
        centroids=clusters.centroids,
        variances=clusters.variances,
        shares=clusters.counts / clusters.counts.sum(),
        profile=clusters.profile,
        scores=named.scores,
        margins=named.margins,
        weak=named.weak,
        dwell=prior.dwell,
        sr=prior.sr,
        hop_length=prior.hop_length,
    )


def state_posterior(model: StateModel, units: Array) -> Array:
    """Return the probability of each state in each unit.

    The probabilities are computed by Bayes' rule. Each cluster is a normal distribution in each dimension, and its
    share of the training units is the prior. The dimensions of a group are correlated. Their log-likelihoods are scaled
    as if there were only a few independent ones (three for the features, one for the context).

    Parameters
    ----------
    model : StateModel
        A model from `fit_states`.
    units : np.ndarray, shape=(n_units, n_dimensions)
        Unit vectors, from `unit_vectors`.

    Returns
    -------
    np.ndarray, shape=(n_units, n_states)
        Probabilities; rows sum to 1.

    Raises
    ------
    ModelError
        If the number of dimensions of the units differs from that of the model.
    """
    if units.ndim != 2 or units.shape[1] != len(model.center):
        msg = (
            f"units must have shape (n_units, {len(model.center)}), not {units.shape}; the model was probably trained "
            "with different settings of frames or features; train again"
        )
        raise ModelError(msg)
    weighted = np.clip((units - model.center) / model.scale, -_MOST, _MOST) * model.weight
    evidence = _evidence(len(model.center))
    precision = evidence / model.variances
    # The squared distances are expanded, so that matrix products cover all units and states.
    squares = (weighted * weighted) @ precision.T - 2 * weighted @ (precision * model.centroids).T
    squares += (precision * model.centroids**2).sum(axis=1)
    logits = np.log(model.shares) - (squares + np.log(model.variances) @ evidence) / 2
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    posterior: Array = odds / odds.sum(axis=1, keepdims=True)
    return posterior


def state_sequence(model: StateModel, posterior: Array) -> NDArray[np.intp]:
    """Return the most probable state sequence of a song, in which a Transition lasts at most 8 s.

    Parameters
    ----------
    model : StateModel
        A model from `fit_states`.
    posterior : np.ndarray, shape=(n_units, n_states)
        Probabilities from `state_posterior`, or from `songform.structure.viterbi.joint_posterior` with a network.

    Returns
    -------
    np.ndarray of int, shape=(n_units,)
        Index into `model.states` for each unit.
    """
    transitions = transition_matrix(model.dwell, unit_seconds=UNIT_SECONDS)
    if "Transition" not in model.states:
        return state_path(posterior, transitions)
    turn, most = model.states.index("Transition"), round(_MOST_TURN_SECONDS / UNIT_SECONDS)
    return max_dwell_path(posterior, transitions, brief=turn, most=most)


def _weights(n_dimensions: int, context_weight: float) -> Array:
    """Return the weights of the dimensions: equal for both groups, times the weights of the context descriptors."""
    n_context = len(CONTEXT_COLUMNS)
    n_features = n_dimensions - n_context
    weights: Array = np.r_[np.full(n_features, n_features**-0.5), context_weight * n_context**-0.5 * _CONTEXT_WEIGHTS]
    return weights


def _evidence(n_dimensions: int) -> Array:
    """Return the evidence of each dimension: the evidence of its group, divided by the size of the group."""
    n_context = len(CONTEXT_COLUMNS)
    n_features = n_dimensions - n_context
    shares = _FEATURE_EVIDENCE / n_features, _CONTEXT_EVIDENCE / n_context
    evidence: Array = np.r_[np.full(n_features, shares[0]), np.full(n_context, shares[1])]
    return evidence


def _clusters(weighted: Array, context: Array, n_states: int, seed: int) -> NDArray[np.intp]:
    """Return the cluster of each unit, with anchors if there are five clusters and all archetypes have units.

    In a corpus without distinct clusters, the result of KMeans depends on the sample. The mean of the units that are
    most similar to an archetype depends on it much less. These means are the initial centroids, and they are also added
    to the data as weighted points.
    """
    from sklearn.cluster import KMeans  # noqa: PLC0415  as above

    nearest = naming.archetype_scores(context).argmax(axis=1)
    members = [weighted[nearest == state] for state in range(len(naming.STATES))]
    if n_states == len(members) and all(len(member) for member in members):
        anchors = np.stack([member.mean(axis=0) for member in members])
        weights = np.r_[np.ones(len(weighted)), np.full(n_states, _ANCHOR_SHARE * len(weighted) / n_states)]
        kmeans = KMeans(n_states, init=anchors, n_init=1, random_state=seed)
        kmeans.fit(np.vstack([weighted, anchors]), sample_weight=weights)
        labels: NDArray[np.intp] = kmeans.labels_[: len(weighted)].astype(np.intp)
        if len(np.unique(labels)) == n_states:  # otherwise an anchor has a cluster without units
            return labels
    kmeans = KMeans(n_states, n_init=10, random_state=seed).fit(weighted)
    return np.asarray(kmeans.labels_, dtype=np.intp)


def _check_prior(prior: StateModel, n_states: int, n_dimensions: int, sr: float, hop_length: int) -> None:
    found = (len(prior.states), len(prior.center), prior.sr, prior.hop_length)
    if found != (n_states, n_dimensions, sr, hop_length):
        msg = (
            "a prior must have as many states and dimensions as the corpus, and the same sampling rate and hop length: "
            f"the prior has {found}, but the corpus has {(n_states, n_dimensions, sr, hop_length)}; "
            "use another prior, or prior_songs=0"
        )
        raise ParameterError(msg)


def _check_labels(songs: Sequence[Array], labels: Sequence[NDArray[np.integer]], names: Sequence[str]) -> None:
    if len(set(names)) != len(names) or len(names) < 2:
        raise ParameterError(f"names must contain at least two states, each once, not {', '.join(names) or 'none'}")
    if [len(song) for song in songs] != [len(known) for known in labels]:
        raise ParameterError("labels must contain one array per song, with one state per unit of the song")
    known = np.concatenate(labels) if labels else np.zeros(0, np.intp)
    if known.size and not -1 <= known.min() <= known.max() < len(names):
        raise ParameterError(f"labels must be between -1 and {len(names) - 1}, not {known.min()} to {known.max()}")
    if lacking := [name for number, name in enumerate(names) if not (known == number).any()]:
        raise ParameterError(f"no unit has the state {lacking[0]}; leave it out of names, or add a song that has it")


def _dwell(states: Sequence[str], dwell_seconds: float, transition_dwell_seconds: float) -> Array:
    return np.array([transition_dwell_seconds if state == "Transition" else dwell_seconds for state in states])


def _least_variance(weighted: Array) -> Array:
    """Return what is added to the variance of a cluster, so that it is not 0 in any dimension."""
    least: Array = _LEAST_VARIANCE * np.maximum(weighted.var(axis=0), 1e-12)
    return least


def _cluster_means(values: Array, labels: NDArray[np.intp], n_states: int) -> Array:
    return np.stack([values[labels == k].mean(axis=0) for k in range(n_states)])


def _rank(name: str) -> tuple[int, str]:
    return (naming.STATES.index(name), name) if name in naming.STATES else (len(naming.STATES), name.rjust(16))

"""Assignment of the names of the five states to clusters.

The profile of a cluster is the mean of the context descriptors of its units, standardized over all units of the corpus.
Each profile is compared by cosine similarity with a fixed table of archetypes, one per state. The names are assigned so
that the sum of the scores is maximal. A name is *weak* if its score or its margin is low, or if the cluster is not the
extreme one in the descriptor of the state, for example if Calm does not have the lowest energy. The reasons are stored
and shown to the user.

Conventions
-----------
`profile` has shape (n_clusters, 6): one row per cluster and one column per descriptor, in the order of
`songform.structure.context.CONTEXT_COLUMNS`, in standard deviations from the mean of all units.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from songform.errors import ParameterError
from songform.structure.context import CONTEXT_COLUMNS

__all__ = ["ARCHETYPES", "STATES", "VERSION", "Naming", "archetype_scores", "name_clusters", "scored_names"]

VERSION = 2
STATES = ("Calm", "BuildUp", "Energetic", "Transition", "Repetitive")

ARCHETYPES: NDArray[np.float64] = np.array(
    [  # energy  rise  novelty  recurrence  variance  abs_slope
        [-1.0, -0.3, -0.3, 0.0, -0.4, -0.4],  # Calm
        [-0.1, 1.0, 0.2, -0.2, 0.2, 0.5],  # BuildUp
        [1.0, -0.3, -0.2, 0.1, 0.0, -0.3],  # Energetic
        [0.0, 0.0, 1.0, -0.4, 0.5, 0.2],  # Transition
        [0.2, -0.4, -0.6, 1.0, -0.6, -0.4],  # Repetitive
    ]
)

# The descriptor of each state, and whether its value must be the lowest (-1) or the highest (1) of all clusters.
_ORDERINGS = {
    "Calm": ("energy", -1),
    "BuildUp": ("rise", 1),
    "Energetic": ("energy", 1),
    "Transition": ("novelty", 1),
    "Repetitive": ("recurrence", 1),
}
_LEAST_SCORE = 0.3
_LEAST_MARGIN = 0.1


@dataclass(frozen=True)
class Naming:
    """Names of clusters, with scores.

    Attributes
    ----------
    names : tuple of str, length n_clusters
        Names in the order of the clusters. With more than five clusters, the others are `State 6`, `State 7`, ...
    scores : np.ndarray, shape=(n_clusters,)
        Cosine similarity of each profile and its archetype, -1 to 1; 0 for a cluster without an archetype.
    margins : np.ndarray, shape=(n_clusters,)
        Difference between the sum of the scores and the best sum with another name for the cluster; 0 for a cluster
        without an archetype.
    weak : tuple of str
        Reasons why each name is weak; empty if it is not.
    """

    names: tuple[str, ...]
    scores: NDArray[np.float64]
    margins: NDArray[np.float64]
    weak: tuple[str, ...]


def archetype_scores(profile: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cosine similarity of each profile and each archetype.

    Parameters
    ----------
    profile : np.ndarray, shape=(n, 6)
        Standardized context descriptors of clusters or of single units.

    Returns
    -------
    np.ndarray, shape=(n, 5)
        Similarities from -1 to 1; 0 for a profile of zeros.
    """
    norms = np.linalg.norm(profile, axis=1, keepdims=True) * np.linalg.norm(ARCHETYPES, axis=1)
    scores: NDArray[np.float64] = profile @ ARCHETYPES.T / np.maximum(norms, 1e-12)
    return scores


def name_clusters(profile: NDArray[np.float64]) -> Naming:
    """Assign the names of the states to clusters.

    The result does not depend on the order of the clusters, which are sorted by energy before the assignment.

    Parameters
    ----------
    profile : np.ndarray, shape=(n_clusters, 6)
        Mean context descriptors of the clusters, standardized over all units.

    Returns
    -------
    Naming

    Raises
    ------
    ParameterError
        If the profile has another shape or contains values that are not finite.
    """
    _check_profile(profile)
    order = np.lexsort(profile.T[::-1])  # by energy first, so that ties have a reproducible result
    scores = archetype_scores(profile[order])
    clusters, states = _best_assignment(-scores)
    total = scores[clusters, states].sum()
    names = [""] * len(profile)
    own_scores, margins = np.zeros(len(profile)), np.zeros(len(profile))
    for cluster, state in zip(clusters, states, strict=True):
        place = order[cluster]
        names[place], own_scores[place] = STATES[state], scores[cluster, state]
        margins[place] = total - _best_without(scores, cluster, state)
    unnamed = [int(place) for place in order if not names[place]]
    for number, place in enumerate(unnamed, start=len(STATES) + 1):
        names[place] = f"State {number}"
    weak = tuple(
        _weakness(name, k, profile, own_scores[k], margins[k]) if name in STATES else "" for k, name in enumerate(names)
    )
    return Naming(tuple(names), own_scores, margins, weak)


def scored_names(profile: NDArray[np.float64], names: Sequence[str]) -> Naming:
    """Return the scores, margins and weaknesses of names that are already assigned to clusters.

    Parameters
    ----------
    profile : np.ndarray, shape=(n_clusters, 6)
        Mean context descriptors of the clusters, standardized over all units.
    names : sequence of str, length n_clusters
        Name of each cluster. A name that is not one of `STATES` has no archetype: its score and margin are 0, and it is
        never weak.

    Returns
    -------
    Naming
        The given names. A margin is negative if the maximum sum of the scores is greater with another name for the
        cluster, whatever the names of the other clusters.

    Raises
    ------
    ParameterError
        If the profile has another shape or contains values that are not finite.
    """
    _check_profile(profile)
    scores = archetype_scores(profile)
    pairs = [(cluster, STATES.index(name)) for cluster, name in enumerate(names) if name in STATES]
    own_scores, margins = np.zeros(len(profile)), np.zeros(len(profile))
    for pair in pairs:
        own_scores[pair[0]] = scores[pair]
        margins[pair[0]] = _best_with(scores, *pair) - _best_without(scores, *pair)
    weak = [""] * len(profile)
    for cluster, _ in pairs:
        weak[cluster] = _weakness(names[cluster], cluster, profile, own_scores[cluster], margins[cluster])
    return Naming(tuple(names), own_scores, margins, tuple(weak))


def _check_profile(profile: NDArray[np.float64]) -> None:
    if profile.ndim != 2 or profile.shape[1] != len(CONTEXT_COLUMNS) or not np.isfinite(profile).all():
        msg = f"profile must be finite and of shape (n_clusters, {len(CONTEXT_COLUMNS)}); its shape is {profile.shape}"
        raise ParameterError(msg)


def _best_with(scores: NDArray[np.float64], cluster: int, state: int) -> float:
    """Return the maximum sum of scores with one pair of cluster and state."""
    forced = scores.copy()
    forced[cluster, state] += 1e3
    rows, columns = _best_assignment(-forced)
    return float(scores[rows, columns].sum())


def _best_without(scores: NDArray[np.float64], cluster: int, state: int) -> float:
    """Return the maximum sum of scores without one pair of cluster and state."""
    forbidden = scores.copy()
    forbidden[cluster, state] = -1e3
    rows, columns = _best_assignment(-forbidden)
    return float(forbidden[rows, columns].sum())


def _weakness(name: str, cluster: int, profile: NDArray[np.float64], score: float, margin: float) -> str:
    """Return the reasons why a name is weak, or an empty string."""
    descriptor, sign = _ORDERINGS[name]
    column = sign * profile[:, CONTEXT_COLUMNS.index(descriptor)]
    reasons = []
    if column[cluster] < column.max():
        reasons.append(f"not the {'highest' if sign > 0 else 'lowest'} in {descriptor}")
    if score < _LEAST_SCORE:
        reasons.append(f"score {score:.2f} under {_LEAST_SCORE}")
    if margin < _LEAST_MARGIN:
        reasons.append(f"margin {margin:.2f} under {_LEAST_MARGIN}")
    return ", ".join(reasons)


def _best_assignment(costs: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the rows and columns of the assignment with the least sum of costs."""
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415  slow to import, and not needed to use a model

    rows, columns = linear_sum_assignment(costs)
    return rows, columns

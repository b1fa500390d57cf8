"""Names that are true: which cluster deserves which of the five states' names.

A cluster is only a number. It gets a name from what it measurably is: the mean of its units' context descriptors,
standardised over all units of the corpus, is compared with a fixed table of archetypes by cosine, and the names go to
the clusters so that the sum of all scores is largest. What speaks against a name is kept beside it: a low score, a
narrow margin, or an ordering that is false (a Calm that is not the quietest) makes the name *weak*, and the user is
told so.

Conventions
-----------
`profile` has shape (n_clusters, 6): a row a cluster, a column a descriptor in the order of
`songform.structure.context.CONTEXT_COLUMNS`, in standard deviations from the mean of all units.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from songform.errors import ParameterError
from songform.structure.context import CONTEXT_COLUMNS

__all__ = ["ARCHETYPES", "STATES", "VERSION", "Naming", "archetype_scores", "name_clusters"]

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

# Each state's own descriptor, and whether it must be the lowest or the highest of all clusters.
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
    """The names of all clusters, and how far to trust them.

    Attributes
    ----------
    names : tuple of str, length n_clusters
        In the order of the clusters; `State 6` and so on beyond five.
    scores : np.ndarray, shape=(n_clusters,)
        Cosine between a cluster's profile and its archetype, -1 to 1; 0 for a cluster without one.
    margins : np.ndarray, shape=(n_clusters,)
        How much worse the best assignment would be in which the cluster had another name; 0 without an archetype.
    weak : tuple of str
        Why each name is weak, in words; empty where it is not.
    """

    names: tuple[str, ...]
    scores: NDArray[np.float64]
    margins: NDArray[np.float64]
    weak: tuple[str, ...]


def archetype_scores(profile: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cosine of each profile with each archetype.

    Parameters
    ----------
    profile : np.ndarray, shape=(n, 6)
        Of clusters, or of single units.

    Returns
    -------
    np.ndarray, shape=(n, 5)
        -1 to 1; 0 for a profile of zeros.
    """
    norms = np.linalg.norm(profile, axis=1, keepdims=True) * np.linalg.norm(ARCHETYPES, axis=1)
    scores: NDArray[np.float64] = profile @ ARCHETYPES.T / np.maximum(norms, 1e-12)
    return scores


def name_clusters(profile: NDArray[np.float64]) -> Naming:
    """Assign the states' names to clusters.

    Parameters
    ----------
    profile : np.ndarray, shape=(n_clusters, 6)
        The clusters' mean descriptors, standardised over all units.

    Returns
    -------
    Naming
        The same for the same set of profiles in any order: clusters are sorted by energy before they are assigned.

    Raises
    ------
    ParameterError
        If the profile has another shape or holds values that are not finite.
    """
    if profile.ndim != 2 or profile.shape[1] != len(CONTEXT_COLUMNS) or not np.isfinite(profile).all():
        msg = f"profile must hold {len(CONTEXT_COLUMNS)} finite descriptors a cluster, not of shape {profile.shape}"
        raise ParameterError(msg)
    order = np.lexsort(profile.T[::-1])  # by energy first, so that ties fall the same way every time
    scores = archetype_scores(profile[order])
    clusters, states = linear_sum_assignment(-scores)
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


def _best_without(scores: NDArray[np.float64], cluster: int, state: int) -> float:
    """Return the best total in which one pair is forbidden."""
    forbidden = scores.copy()
    forbidden[cluster, state] = -1e3
    rows, columns = linear_sum_assignment(-forbidden)
    return float(forbidden[rows, columns].sum())


def _weakness(name: str, cluster: int, profile: NDArray[np.float64], score: float, margin: float) -> str:
    """Say in words why a name is weak."""
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

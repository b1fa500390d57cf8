"""A state model as a prior: units of earlier songs that are represented by the statistics of their clusters.

A prior is worth a number of units. They take part in the scaling as a mean and a variance per dimension, and in the
clustering as one weighted point per cluster, its centroid, which is also the initial center of the cluster. Clusters
therefore keep the names of the prior, and a small or uniform corpus moves them only a little. This is the use of
pseudo-counts for conjugate priors [1]_, and of labeled seeds in KMeans [2]_.

Conventions
-----------
Arrays of clusters have shape (n_states, n_dimensions), and weighted units have the scaling of
`songform.structure.states.StateModel`.

References
----------
.. [1] C. Bishop, "Pattern recognition and machine learning", 2006, sections 2.3.6 and 2.4.2.
.. [2] S. Basu, A. Banerjee and R. Mooney, "Semi-supervised clustering by seeding", ICML 2002.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "PRIOR_UNITS",
    "Clusters",
    "Prior",
    "combined_clusters",
    "combined_scaling",
    "prior_clusters",
    "prior_labels",
]

PRIOR_UNITS = 240
"""Number of units that one song of a prior counts as: two minutes of music."""

Array = NDArray[np.float64]


class Prior(Protocol):
    """Attributes of a state model that are used as a prior; see `songform.structure.states.StateModel`."""

    @property
    def center(self) -> Array:
        """Mean of each dimension."""

    @property
    def scale(self) -> Array:
        """Standard deviation of each dimension."""

    @property
    def weight(self) -> Array:
        """Weight of each dimension."""

    @property
    def centroids(self) -> Array:
        """Mean of the weighted units of each state."""

    @property
    def variances(self) -> Array:
        """Variance of the weighted units of each state."""

    @property
    def shares(self) -> Array:
        """Fraction of the units in each state."""

    @property
    def profile(self) -> Array:
        """Mean context descriptors of each state, standardized."""


@dataclass(frozen=True)
class Clusters:
    """Statistics of clusters.

    Attributes
    ----------
    counts : np.ndarray, shape=(n_states,)
        Number of units, which is not an integer for a prior.
    centroids, variances : np.ndarray, shape=(n_states, n_dimensions)
        Mean and variance of the weighted units.
    profile : np.ndarray, shape=(n_states, 6)
        Mean context descriptors, standardized.
    """

    counts: Array
    centroids: Array
    variances: Array
    profile: Array


def combined_scaling(prior: Prior, n_prior: float, units: Array) -> tuple[Array, Array]:
    """Return the mean and standard deviation of each dimension over the units of the prior and those of a corpus.

    Parameters
    ----------
    prior : Prior
        The prior.
    n_prior : float > 0
        Number of units that the prior counts as.
    units : np.ndarray, shape=(n_units, n_dimensions)
        Unit vectors of the corpus.
    """
    share = n_prior / (n_prior + len(units))
    means = units.mean(axis=0)
    center = share * prior.center + (1 - share) * means
    squares = share * (prior.scale**2 + (prior.center - center) ** 2)
    squares += (1 - share) * (units.var(axis=0) + (means - center) ** 2)
    return center, np.sqrt(squares)


def prior_clusters(prior: Prior, n_prior: float, center: Array, scale: Array, weight: Array) -> Clusters:
    """Return the clusters of a prior in another scaling.

    Parameters
    ----------
    prior : Prior
        The prior.
    n_prior : float > 0
        Number of units that the prior counts as.
    center, scale, weight : np.ndarray, shape=(n_dimensions,)
        The other scaling; see `songform.structure.states.StateModel`.
    """
    # Dimensions without weight in the prior have unknown statistics: those of all of its units are used.
    is_known = prior.weight > 0
    divisor = np.where(is_known, prior.weight, 1.0)
    means = np.where(is_known, prior.centroids / divisor, 0.0)
    variances = np.where(is_known, prior.variances / divisor**2, 1.0)
    n_context = prior.profile.shape[1]
    stretch, shift = prior.scale / scale, (prior.center - center) / scale
    profile = prior.profile * stretch[-n_context:] + shift[-n_context:]
    return Clusters(
        n_prior * prior.shares, (means * stretch + shift) * weight, variances * (stretch * weight) ** 2, profile
    )


def prior_labels(weighted: Array, prior: Clusters, seed: int) -> NDArray[np.intp]:
    """Return the cluster of each unit of a corpus, found by KMeans from the centroids of a prior.

    If a corpus is so large that the centroid of a prior cluster ends in another cluster, the clusters no longer are
    those of the prior. Each unit then belongs to the nearest centroid of the prior.

    Parameters
    ----------
    weighted : np.ndarray, shape=(n_units, n_dimensions)
        Scaled and weighted units of the corpus.
    prior : Clusters
        Clusters of the prior in the same scaling.
    seed : int
        Random seed of KMeans.
    """
    from sklearn.cluster import KMeans  # noqa: PLC0415  slow to import, and not needed to use a model

    n_states = len(prior.counts)
    weights = np.r_[np.ones(len(weighted)), prior.counts]
    kmeans = KMeans(n_states, init=prior.centroids, n_init=1, random_state=seed)
    labels = kmeans.fit(np.vstack([weighted, prior.centroids]), sample_weight=weights).labels_.astype(np.intp)
    if np.array_equal(labels[len(weighted) :], np.arange(n_states)):
        found: NDArray[np.intp] = labels[: len(weighted)]
        return found
    distances: Array = (prior.centroids**2).sum(axis=1) - 2 * weighted @ prior.centroids.T
    return np.asarray(distances.argmin(axis=1), dtype=np.intp)


def combined_clusters(
    prior: Clusters, weighted: Array, context: Array, labels: NDArray[np.intp], least_variance: Array
) -> Clusters:
    """Return the statistics of the units of the prior and those of a corpus together.

    Parameters
    ----------
    prior : Clusters
        Clusters of the prior.
    weighted : np.ndarray, shape=(n_units, n_dimensions)
        Scaled and weighted units of the corpus.
    context : np.ndarray, shape=(n_units, 6)
        Standardized context descriptors of the same units.
    labels : np.ndarray of int, shape=(n_units,)
        Cluster of each unit.
    least_variance : np.ndarray, shape=(n_dimensions,)
        Variance that is added to that of the corpus's units; the variances of the prior contain one already.
    """
    n_states = len(prior.counts)
    member = (labels[:, np.newaxis] == np.arange(n_states)).astype(np.float64)
    counts = member.sum(axis=0)
    total = (prior.counts + counts)[:, np.newaxis]
    before = prior.counts[:, np.newaxis]
    centroids = (before * prior.centroids + member.T @ weighted) / total
    within = member.T @ ((weighted - centroids[labels]) ** 2) + counts[:, np.newaxis] * least_variance
    variances = (before * (prior.variances + (prior.centroids - centroids) ** 2) + within) / total
    profile = (before * prior.profile + member.T @ context) / total
    return Clusters(total[:, 0], centroids, variances, profile)

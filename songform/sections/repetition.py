"""Probability that two segments of a song repeat each other, from the similarity of their bars.

Two segments are compared bar by bar from their beginnings, from their ends, and with a shift of one bar. What counts is
how unusually similar the bars are in this song. A small network combines these similarities with the lengths of the
segments. It was trained on pairs of segments to which people gave the same letter or different ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from songform.sections.bar_similarity import diagonal_sums, robust_z_scores

__all__ = ["N_FEATURES", "RepetitionModel", "pair_features", "repetition_model"]

N_FEATURES = 21
LIMIT = 5.0  # standard deviations
HIGHEST = 8.0  # robust z-score
LEAST_COSINE = 0.15
"""Mean similarity of two segments that repeat each other: in a song without repetition, unusual bars are not alike."""

EQUAL_COSINE, EQUAL_SCORE = 0.9, 3.0
"""Bars that are more similar than this have at least this score: in a loop, equal bars are not unusual."""

Array = NDArray[np.float64]
Division = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class RepetitionModel:
    """Network with rectified linear units.

    Attributes
    ----------
    center, scale : np.ndarray, shape (21,)
        Mean and standard deviation of the features.
    layers : tuple of (np.ndarray, np.ndarray)
        Weights, of shape (n_in, n_out), and biases of each layer.
    """

    center: NDArray[np.float32]
    scale: NDArray[np.float32]
    layers: tuple[tuple[NDArray[np.float32], NDArray[np.float32]], ...]

    def __call__(self, features: NDArray[np.float32]) -> Array:
        """Return the log-odds that segments repeat each other, of shape (n, n), for features of shape (n, n, 21)."""
        rows = [self._row(row) for row in features]  # one at a time, because a mix has a thousand segments
        log_odds = np.clip(np.stack(rows), -LIMIT, LIMIT).astype(np.float64)
        return np.where(features[..., -2:].mean(axis=-1) < LEAST_COSINE, -LIMIT, log_odds)

    def _row(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        x = np.clip((features - self.center) / self.scale, -LIMIT, LIMIT)
        for weights, bias in self.layers[:-1]:
            x = np.maximum(0, x @ weights + bias)
        weights, bias = self.layers[-1]
        row: NDArray[np.float32] = (x @ weights + bias)[:, 0]
        return row

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> RepetitionModel:
        """Return the model with the arrays ``center``, ``scale``, ``weights_0``, ``bias_0``, and so on."""
        n_layers = sum(name.startswith("weights_") for name in arrays)
        layers = tuple((arrays[f"weights_{number}"], arrays[f"bias_{number}"]) for number in range(n_layers))
        return cls(arrays["center"], arrays["scale"], layers)


@cache
def repetition_model() -> RepetitionModel:
    """Return the model that is part of the package."""
    with (files("songform.sections") / "repetition_network.npz").open("rb") as file, np.load(file) as stored:
        return RepetitionModel.from_arrays(dict(stored))


def pair_features(timbre: Array, harmony: Array, division: Division, bar_seconds: float) -> NDArray[np.float32]:
    """Return the features of each pair of segments.

    Parameters
    ----------
    timbre, harmony : np.ndarray, shape (n_bars, n_bars)
        Cosine similarities of the bars.
    division : np.ndarray, shape (n_segments + 1,)
        Bar lines of the boundaries.
    bar_seconds : float
        Median length of a bar, in seconds.

    Returns
    -------
    np.ndarray, shape (n_segments, n_segments, 21)
        Features, the same for (i, j) and (j, i).
    """
    is_equal = (timbre + harmony) / 2 > EQUAL_COSINE
    columns = []
    for similarity in (timbre, harmony):
        scores = np.clip(robust_z_scores(similarity), -HIGHEST, HIGHEST)
        columns += _comparisons(np.where(is_equal, np.maximum(scores, EQUAL_SCORE), scores), division)
    columns += _lengths(np.diff(division), bar_seconds)
    columns += [_from_starts(similarity, division) for similarity in (timbre, harmony)]
    symmetric = [((column + column.T) / 2).astype(np.float32) for column in columns]
    features: NDArray[np.float32] = np.stack(symmetric, axis=-1)
    return features


def _comparisons(scores: Array, division: Division) -> list[Array]:
    """Return seven matrices: how similar the segments are from several starts, and relative to other segments."""
    start, length = division[:-1], np.diff(division)
    one, other = start[:, None], start
    shorter = np.minimum(length[:, None], length)
    half = np.maximum(1, shorter // 2)
    rest = np.maximum(1, shorter - 1)
    sums = diagonal_sums(scores)
    whole = _means(sums, one, other, shorter)
    others = whole.copy()
    np.fill_diagonal(others, -HIGHEST)
    best = np.maximum(others.max(axis=1)[:, None], others.max(axis=0))
    return [
        whole,
        _means(sums, one, other, half),
        _means(sums, one + shorter - half, other + shorter - half, half),
        np.maximum(_means(sums, one + 1, other, rest), _means(sums, one, other + 1, rest)),
        _means(sums, one + length[:, None] - shorter, other + length - shorter, shorter),
        whole - best,
        np.full_like(whole, np.median(whole)),
    ]


def _from_starts(similarity: Array, division: Division) -> Array:
    """Return the mean cosine similarity of the bars of two segments, compared from their starts.

    In a song without repetition, all similarities are low, and none is a repetition, however unusual.
    """
    start, length = division[:-1], np.diff(division)
    return _means(diagonal_sums(similarity), start[:, None], start, np.minimum(length[:, None], length))


def _means(sums: Array, one: NDArray[Any], other: NDArray[Any], n_bars: NDArray[Any]) -> Array:
    """Return the mean scores of `n_bars` bars from two bars on; 0 where they would reach beyond the song."""
    last = len(sums) - 1 - n_bars
    inside = (one <= last) & (other <= last)
    one, other = np.minimum(one, last), np.minimum(other, last)
    means: Array = (sums[one + n_bars, other + n_bars] - sums[one, other]) / n_bars
    return np.where(inside, means, 0)


def _lengths(length: NDArray[np.intp], bar_seconds: float) -> list[Array]:
    """Return five matrices about the lengths of two segments, and whether they are neighbors."""
    shorter, longer = np.minimum(length[:, None], length), np.maximum(length[:, None], length)
    number = np.arange(len(length))
    return [
        shorter / longer,
        (shorter == longer).astype(float),
        np.log2(shorter),
        np.log2(shorter * bar_seconds),
        (np.abs(number[:, None] - number) == 1).astype(float),
    ]

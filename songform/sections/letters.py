"""Letters of segments: segments that repeat each other have the same letter.

Two segments are compared bar by bar from their beginnings. Average linkage [1]_ joins segments that are almost equal
or whose similarity is unusually high in this song. The first segment is A, the next one that differs from it is B, and
so on.

References
----------
.. [1] `scipy.cluster.hierarchy.linkage`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from string import ascii_uppercase

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from songform.sections.bar_similarity import diagonal_sums, robust_z_scores

__all__ = ["joined_pairs", "letters", "repetition_scores", "segment_groups", "segment_similarity"]

LEAST_SIMILARITY = 1.7  # robust z-score
LENGTH_PENALTY = 0.75  # of two segments of which one is infinitely longer than the other
EQUAL_COSINE, EQUAL_SCORE = 0.9, 3.0
"""Bars that are more similar than this have at least this score: in a loop, equal bars are not unusual."""

LONGEST_PAIR_SECONDS = 32.0

Array = NDArray[np.float64]
Division = NDArray[np.intp]


def repetition_scores(timbre: Array, harmony: Array) -> Array:
    """Return how unusually similar each pair of bars is in this song: the mean of two robust z-scores.

    Parameters
    ----------
    timbre, harmony : np.ndarray, shape (n_bars, n_bars)
        Cosine similarities of the bars. Bars with a mean similarity above 0.9 have a score of at least 3.
    """
    scores: Array = (robust_z_scores(timbre) + robust_z_scores(harmony)) / 2
    return np.where((timbre + harmony) / 2 > EQUAL_COSINE, np.maximum(scores, EQUAL_SCORE), scores)


def segment_similarity(scores: Array, division: Division) -> Array:
    """Return the similarity of each pair of segments, whose bars are compared from their beginnings.

    Parameters
    ----------
    scores : np.ndarray, shape (n_bars, n_bars)
        Return value of `repetition_scores`.
    division : np.ndarray, shape (n_segments + 1,)
        Bar lines of the boundaries.

    Returns
    -------
    np.ndarray, shape (n_segments, n_segments)
        Mean over the bars of the shorter segment, minus a penalty for different lengths.
    """
    first, length = division[:-1], np.diff(division)
    shorter, longer = np.minimum(length[:, None], length), np.maximum(length[:, None], length)
    sums = diagonal_sums(scores)
    i, j = first[:, None], first
    mean = (sums[i + shorter, j + shorter] - sums[i, j]) / shorter
    similarity: Array = mean - LENGTH_PENALTY * (1 - shorter / longer)
    return similarity


def segment_groups(similarity: Array) -> list[int]:
    """Return the number of the group of each segment; the groups are numbered from 0 in order of appearance."""
    if len(similarity) < 2:
        return [0] * len(similarity)
    top = max(float(similarity.max()), LEAST_SIMILARITY) + 1
    distance = top - similarity
    np.fill_diagonal(distance, 0)
    groups = fcluster(linkage(squareform(distance, checks=False), "average"), top - LEAST_SIMILARITY, "distance")
    return _in_order(groups.tolist())


def joined_pairs(division: Division, groups: Sequence[int], bar_seconds: float) -> tuple[Division, list[int]]:
    """Join two groups of segments if each segment of one is always followed by one of the other.

    The most frequent pair is joined first. A pair must occur at least twice and last at most 32 s.
    """
    lines, numbers = division.tolist(), list(groups)
    while first := _most_frequent_pair(lines, numbers, bar_seconds):
        for i in reversed(first):
            del lines[i + 1], numbers[i + 1]
    return np.array(lines), _in_order(numbers)


def letters(groups: Sequence[int]) -> list[str]:
    """Return the letter of each group number: A to Z, then A1, B1, and so on."""
    return [ascii_uppercase[group % 26] + (str(group // 26) if group >= 26 else "") for group in groups]


def _most_frequent_pair(lines: list[int], numbers: list[int], bar_seconds: float) -> list[int]:
    """Return the positions of the first segments of the most frequent pair that may be joined; empty if none."""
    found: list[int] = []
    for first in dict.fromkeys(numbers):
        places = [i for i, number in enumerate(numbers) if number == first]
        followers = {numbers[i + 1] if i + 1 < len(numbers) else None for i in places}
        second = followers.pop() if len(followers) == 1 else None
        if second in (None, first) or numbers.count(second) != len(places) or len(places) < 2:
            continue
        if max(lines[i + 2] - lines[i] for i in places) * bar_seconds <= LONGEST_PAIR_SECONDS:
            found = max(found, places, key=len)
    return found


def _in_order(numbers: Sequence[int]) -> list[int]:
    fresh = count()
    order: dict[int, int] = {}
    return [order[number] if number in order else order.setdefault(number, next(fresh)) for number in numbers]

"""Letters of segments: segments that repeat each other have the same letter.

Average linkage [1]_ joins segments that probably repeat each other (`songform.sections.repetition`). The first segment
is A, the next one that differs from it is B, and so on.

References
----------
.. [1] `scipy.cluster.hierarchy.linkage`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import count
from string import ascii_uppercase

import numpy as np
from numpy.typing import NDArray

__all__ = ["joined_pairs", "letter_number", "letters", "segment_groups"]

LEAST_LOG_ODDS = -0.2  # of segments with the same letter
LONGEST_PAIR_SECONDS = 32.0

_LETTER = re.compile("([A-Za-z])([0-9]{0,4})")

Array = NDArray[np.float64]
Division = NDArray[np.intp]


def segment_groups(log_odds: Array) -> list[int]:
    """Return the number of the group of each segment; the groups are numbered from 0 in order of appearance.

    Parameters
    ----------
    log_odds : np.ndarray, shape (n_segments, n_segments)
        Log-odds that two segments repeat each other; symmetric.
    """
    # Slow to import, and the colors of letters do not need them.
    from scipy.cluster.hierarchy import fcluster, linkage  # noqa: PLC0415
    from scipy.spatial.distance import squareform  # noqa: PLC0415

    if len(log_odds) < 2:
        return [0] * len(log_odds)
    top = max(float(log_odds.max()), LEAST_LOG_ODDS) + 1
    distance = top - log_odds
    np.fill_diagonal(distance, 0)
    groups = fcluster(linkage(squareform(distance, checks=False), "average"), top - LEAST_LOG_ODDS, "distance")
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


def letter_number(label: str) -> int | None:
    """Return the number of the group that has a letter, or None if the label is not a letter.

    Parameters
    ----------
    label : str
        Letter of a section (A to Z, A1 to Z1, and so on) or of a phrase (a to z, a1 to z1, and so on), which has the
        number of the section's letter.

    Examples
    --------
    >>> [letter_number(label) for label in ("A", "c", "Z", "A1", "verse")]
    [0, 2, 25, 26, None]
    """
    letter = _LETTER.fullmatch(label)
    return ord(letter[1].upper()) - ord("A") + 26 * int(letter[2] or 0) if letter else None


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

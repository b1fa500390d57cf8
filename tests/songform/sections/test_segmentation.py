"""Divisions of a song and probabilities of boundaries, compared with an enumeration of all divisions; letters."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest

from songform.sections.letters import joined_pairs, letter_number, letters, segment_groups
from songform.sections.segmentation import LengthPrior, best_division, boundary_probabilities

N_BARS, BAR_SECONDS = 11, 4.0
PRIOR = LengthPrior(longest=30.0)


def all_divisions(evidence):
    """Return all divisions with their scores."""
    inner, last = PRIOR.penalties(N_BARS, BAR_SECONDS)
    scored = []
    for n in range(N_BARS):
        for lines in combinations(range(1, N_BARS), n):
            division = (0, *lines, N_BARS)
            lengths = [stop - start for start, stop in pairwise(division)]
            penalty = sum(inner[length] for length in lengths[:-1]) + last[lengths[-1]]
            scored.append((division, sum(evidence[line] for line in lines) - penalty))
    return scored


@pytest.mark.parametrize("seed", range(4))
def test_best_division_has_the_highest_score_of_all(seed):
    evidence = np.random.default_rng(seed).normal(size=N_BARS + 1)
    best = max(all_divisions(evidence), key=lambda scored: scored[1])[0]
    np.testing.assert_array_equal(best_division(evidence, BAR_SECONDS, PRIOR), best)


@pytest.mark.parametrize("seed", range(4))
def test_probability_of_a_boundary_is_its_share_of_all_divisions(seed):
    evidence = np.random.default_rng(seed).normal(size=N_BARS + 1)
    divisions, scores = zip(*all_divisions(evidence), strict=True)
    weights = np.exp(scores) / np.exp(scores).sum()
    expected = [sum(w for d, w in zip(divisions, weights, strict=True) if line in d) for line in range(N_BARS + 1)]
    np.testing.assert_allclose(boundary_probabilities(evidence, BAR_SECONDS, PRIOR), expected, atol=1e-9)


def test_without_evidence_segments_have_eight_bars():
    division = best_division(np.full(41, 0.5), 2.0, LengthPrior())
    assert division.tolist() == [0, 8, 16, 24, 32, 40]


def test_no_segment_is_longer_than_a_minute():
    division = best_division(np.full(101, -5.0), 2.0, LengthPrior())
    assert 24 <= np.diff(division).max() <= 30


@pytest.mark.parametrize("form", ["ABAB", "AABA", "ABCABC", "A", "ABCD"])
def test_segments_that_repeat_each_other_have_the_same_letter(form):
    names = np.array(list(form))
    log_odds = np.where(names[:, None] == names, 2.0, -2.0)
    assert "".join(letters(segment_groups(log_odds))) == form


def test_a_pair_that_always_occurs_together_is_joined():
    division, groups = joined_pairs(np.arange(0, 25, 4), [0, 1, 2, 0, 1, 2], 3.0)
    assert division.tolist() == [0, 8, 12, 20, 24]
    assert letters(groups) == ["A", "B", "A", "B"]


@pytest.mark.parametrize(
    ("groups", "bar_seconds"),
    [([0, 1, 0, 2, 0, 1], 2.0), ([0, 1, 2, 3, 4, 5], 2.0), ([0, 1, 0, 1, 0, 1], 5.0)],
    ids=["another follower", "no repetition", "too long"],
)
def test_other_segments_are_not_joined(groups, bar_seconds):
    division, found = joined_pairs(np.arange(0, 25, 4), groups, bar_seconds)
    assert division.tolist() == list(range(0, 25, 4))
    assert found == groups


def test_letters_after_z_have_a_number():
    assert letters([0, 25, 26, 53]) == ["A", "Z", "A1", "B2"]


def test_number_of_a_letter_is_that_of_its_group():
    names = letters(range(200))
    assert [letter_number(name) for name in names] == list(range(200))
    assert [letter_number(name.lower()) for name in names] == list(range(200))
    assert [letter_number(name) for name in ("", "AB", "1", "A 1", "\N{LATIN CAPITAL LETTER A WITH DIAERESIS}")] == [
        None
    ] * 5

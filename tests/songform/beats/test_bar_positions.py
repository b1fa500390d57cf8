"""Bars from the probabilities of tatums: known metres, irregular bars, and a comparison with all possible paths."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from songform.beats.bar_positions import bar_path


def log_probability(kinds, certainty=0.9):
    """Return the logarithms of the probabilities of the kinds 0 (no beat), 1 (beat) and 2 (downbeat)."""
    probability = np.full((len(kinds), 3), (1 - certainty) / 2)
    probability[np.arange(len(kinds)), kinds] = certainty
    return np.log(probability)


def kinds_of(tatums_per_beat, metre, n_bars, first=0):
    bar = ([2] + [0] * (tatums_per_beat - 1)) + ([1] + [0] * (tatums_per_beat - 1)) * (metre - 1)
    return np.array((bar * n_bars)[first:])


@pytest.mark.parametrize("metre", [3, 4])
@pytest.mark.parametrize(("tatums_per_beat", "rate"), [(1, 150.0), (2, 240.0), (3, 270.0), (4, 280.0)])
@pytest.mark.parametrize("first", [0, 2])
def test_metre_and_beats_of_clear_probabilities_are_found(tatums_per_beat, metre, rate, first):
    kinds = kinds_of(tatums_per_beat, metre, 12, first)
    path = bar_path(log_probability(kinds, 0.7), rate)
    assert set(path.metre) == {metre}
    assert set(path.tatums_per_beat) == {tatums_per_beat}
    np.testing.assert_array_equal(np.flatnonzero(path.position == 0), np.flatnonzero(kinds == 2))


def test_a_bar_with_an_additional_beat_is_followed():
    kinds = np.concatenate([kinds_of(2, 4, 10), [1, 0], kinds_of(2, 4, 10)])
    path = bar_path(log_probability(kinds), 240.0)
    np.testing.assert_array_equal(np.flatnonzero(path.position == 0), np.flatnonzero(kinds == 2))


def test_a_change_of_metre_is_followed():
    kinds = np.concatenate([kinds_of(2, 4, 12), kinds_of(2, 3, 12)])
    path = bar_path(log_probability(kinds), 240.0)
    assert path.metre[10] == 4
    assert path.metre[-10] == 3


def test_beats_are_not_doubled_for_a_few_bars_only():
    once, twice = kinds_of(2, 4, 20), kinds_of(1, 4, 20)
    path = bar_path(log_probability(np.concatenate([once, twice, once])), 240.0)
    assert set(path.tatums_per_beat) == {2}
    path = bar_path(log_probability(np.concatenate([once, np.tile(twice, 4)])), 200.0)
    assert (path.tatums_per_beat[10], path.tatums_per_beat[-10]) == (2, 1)


def test_a_wrong_tatum_does_not_change_the_bars():
    kinds = kinds_of(2, 4, 12)
    wrong = kinds.copy()
    wrong[33] = 2
    np.testing.assert_array_equal(
        bar_path(log_probability(kinds), 240.0).position, bar_path(log_probability(wrong), 240.0).position
    )


def test_only_the_given_metres_are_considered():
    path = bar_path(log_probability(kinds_of(2, 4, 12)), 240.0, metres=[3])
    assert set(path.metre) == {3}


@pytest.mark.parametrize("seed", range(5))
def test_score_is_that_of_the_best_path_without_irregular_bars(seed):
    """All starts of all bars are compared; probabilities near 1/3 do not pay for an irregular bar."""
    probability = np.random.default_rng(seed).dirichlet([20, 20, 20], size=30)
    scores = []
    for tatums_per_beat, metre in product((2, 3, 4), (3, 4)):
        for first in range(tatums_per_beat * metre):
            kinds = kinds_of(tatums_per_beat, metre, 12, first)[:30]
            scores.append(np.log(probability)[np.arange(30), kinds].sum())
    assert bar_path(np.log(probability), 300.0).score == pytest.approx(max(scores))

"""Tests of Viterbi decoding, compared with librosa and with an exhaustive search."""

from __future__ import annotations

from itertools import groupby, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from songform.structure.viterbi import joint_posterior, max_dwell_path, state_path, transition_matrix


@pytest.mark.parametrize("n_states", [2, 5, 8])
def test_path_equals_that_of_librosa(rng, n_states):
    from librosa.sequence import viterbi

    for length in (1, 2, 300):
        posterior = rng.dirichlet(np.full(n_states, 0.3), length) * 0.99 + 0.01 / n_states
        transitions = transition_matrix(rng.uniform(1, 9, n_states), unit_seconds=0.5)
        start = np.full(n_states, 1 / n_states)
        assert_array_equal(state_path(posterior, transitions), viterbi(posterior.T, transitions, p_init=start))


def test_path_is_the_most_probable_of_all(rng):
    """Search all 3^7 paths, with one impossible transition and one impossible state."""
    posterior = rng.dirichlet([0.4] * 3, 7)
    posterior[3, 1] = 0
    transitions = np.array([[0.7, 0.3, 0.0], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]])

    def probability(path: tuple[int, ...]) -> float:
        steps = transitions[path[:-1], path[1:]].prod()
        return float(posterior[np.arange(7), path].prod() * steps)

    best = max(product(range(3), repeat=7), key=probability)
    assert_array_equal(state_path(posterior, transitions), best)


def test_single_wrong_units_are_removed_and_a_change_is_kept():
    truth = np.r_[np.zeros(20, int), np.ones(20, int)]
    posterior = np.where(truth[:, None] == [0, 1], 0.8, 0.2)
    posterior[[7, 31]] = posterior[[31, 7]]
    path = state_path(posterior, transition_matrix(np.array([4.0, 4.0]), unit_seconds=0.5))
    assert_array_equal(path, truth)


def test_state_with_a_short_expected_duration_is_left_sooner():
    """The same evidence ends a state of 2 s expected duration, but not one of 20 s."""
    posterior = np.array([[0.9, 0.1]] * 6 + [[0.2, 0.8]] * 2 + [[0.9, 0.1]] * 6)
    short, long = (transition_matrix(np.full(2, dwell), unit_seconds=0.5) for dwell in (2.0, 20.0))
    assert state_path(posterior, short).sum() == 2
    assert state_path(posterior, long).sum() == 0


def stays_in(path, state):
    """Return the length of each run of a state."""
    return [len(list(units)) for value, units in groupby(path) if value == state]


@given(
    posterior=arrays(float, st.tuples(st.integers(1, 40), st.integers(2, 4)), elements=st.floats(0, 1)),
    brief=st.integers(0, 1),
    most=st.integers(1, 9),
)
def test_limited_state_is_short_for_any_probabilities(posterior, brief, most):
    transitions = transition_matrix(np.full(posterior.shape[1], 4.0), unit_seconds=0.5)
    path = max_dwell_path(posterior, transitions, brief=brief, most=most)
    assert max(stays_in(path, brief), default=0) <= most
    free = state_path(posterior, transitions)
    if max(stays_in(free, brief), default=0) <= most:
        assert_array_equal(path, free)


def test_too_long_run_of_the_limited_state_is_replaced_and_a_short_one_is_kept():
    """A run of 3 s is kept. A run of 20 s is replaced completely."""
    truth = np.r_[[0] * 20, [1] * 6, [2] * 20, [1] * 40, [2] * 20]
    posterior = np.where(truth[:, None] == [0, 1, 2], 0.8, 0.1)
    posterior[46:86] = [0.1, 0.6, 0.3]
    transitions = transition_matrix(np.array([4.0, 3.0, 4.0]), unit_seconds=0.5)
    assert_array_equal(state_path(posterior, transitions), truth)
    path = max_dwell_path(posterior, transitions, brief=1, most=16)
    assert_array_equal(path, np.r_[truth[:46], [2] * 60])


@given(dwell=st.lists(st.floats(0.1, 60), min_size=1, max_size=8), unit_seconds=st.floats(0.05, 2))
def test_transition_matrix_has_the_expected_durations(dwell, unit_seconds):
    matrix = transition_matrix(np.array(dwell), unit_seconds=unit_seconds)
    assert_allclose(matrix.sum(axis=1), 1)
    assert np.all(matrix >= 0)
    if len(dwell) > 1:
        # The mean duration is 1 / (1 - p) units, where p is on the diagonal; p is at least 0.5.
        expected = np.maximum(dwell, 2 * unit_seconds)
        assert_allclose(unit_seconds / (1 - matrix.diagonal()), expected)
        assert all(len(set(np.delete(row, k))) == 1 for k, row in enumerate(matrix))


def test_single_state_is_never_left():
    matrix = transition_matrix(np.array([4.0]), unit_seconds=0.5)
    assert_array_equal(matrix, [[1.0]])
    assert_array_equal(state_path(np.ones((3, 1)), matrix), [0, 0, 0])


def test_joint_posterior_is_a_product_with_a_power(rng):
    clusters, sequence = rng.dirichlet([1, 1, 1], (2, 50))
    expected = clusters * sequence**0.4
    assert_allclose(joint_posterior(clusters, sequence, 0.4), expected / expected.sum(axis=1, keepdims=True))
    assert_allclose(joint_posterior(clusters, sequence, 0.0), clusters)


def test_joint_posterior_of_contradicting_certain_answers_is_finite():
    joint = joint_posterior(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]]), 1.0)
    assert_allclose(joint, [[0.5, 0.5]])

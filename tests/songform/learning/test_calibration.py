"""Calibration: known temperatures are found, and the calibration error has known values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from songform.errors import ParameterError
from songform.learning.calibration import best_temperature, expected_calibration_error, reliability, tempered


def drawn(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities, and states that are drawn with exactly these probabilities."""
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(5, 0.6), n)
    truth = np.array([rng.choice(5, p=row) for row in probabilities])
    return probabilities, truth


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_was_taken_away_is_found_again(temperature):
    probabilities, truth = drawn(20_000)
    assert best_temperature(tempered(probabilities, 1 / temperature), truth) == pytest.approx(temperature, rel=0.05)


def test_calibration_error_of_drawn_states_is_small_and_grows_with_a_wrong_temperature():
    probabilities, truth = drawn(20_000)

    def error(scaled: np.ndarray) -> float:
        return expected_calibration_error(scaled.max(axis=1), scaled.argmax(axis=1) == truth)

    assert error(probabilities) < 0.015
    assert error(tempered(probabilities, 0.4)) > 0.05
    assert error(tempered(probabilities, 2.5)) > 0.05


def test_calibration_error_of_known_answers():
    confidence, is_right = np.array([0.9, 0.9, 0.9, 0.9, 0.25]), np.array([True, True, True, False, False])
    assert expected_calibration_error(confidence, is_right) == pytest.approx((4 * 0.15 + 0.25) / 5)
    mean_confidence, accuracy, counts = reliability(confidence, is_right)
    assert counts.tolist() == [0, 0, 1, 0, 0, 0, 0, 0, 0, 4]
    assert (mean_confidence[9], accuracy[9]) == (pytest.approx(0.9), 0.75)
    assert np.isnan(accuracy[0])


def test_confidence_of_one_belongs_to_the_last_bin():
    assert reliability(np.array([1.0]), np.array([True]))[2][-1] == 1


def test_without_units_nothing_is_scaled_and_there_is_no_error():
    assert best_temperature(np.zeros((0, 5)), np.zeros(0, np.intp)) == 1.0
    assert np.isnan(expected_calibration_error(np.zeros(0), np.zeros(0, bool)))


@given(st.integers(0, 1000), st.floats(0.05, 20.0))
def test_scaling_keeps_the_order_of_the_states_and_the_sum(seed, temperature):
    probabilities = np.random.default_rng(seed).dirichlet(np.ones(5), 4)
    scaled = tempered(probabilities, temperature)
    np.testing.assert_allclose(scaled.sum(axis=1), 1)
    np.testing.assert_array_equal(scaled.argmax(axis=1), probabilities.argmax(axis=1))


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_temperature_must_be_positive(temperature):
    with pytest.raises(ParameterError, match="temperature must be positive"):
        tempered(np.full((1, 2), 0.5), temperature)

"""Decimation by two, compared with SciPy and with sines of known frequency."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal

from songform.features.decimation import PASS_BAND, HalfRate, half_rate_response


def halved(y):
    return HalfRate(len(y))(y.astype(np.float32)).copy()


@pytest.mark.parametrize("n_samples", [1, 2, 31, 4095, 4096, 4097, 20_000])
def test_output_equals_filtering_by_scipy(n_samples, rng):
    y = rng.standard_normal(n_samples)
    # Tap t is output 50 of an impulse at sample 100 + t.
    taps = np.array([halved(np.eye(1, 200, 100 + t)[0])[50] for t in range(-20, 21)])
    expected = scipy.signal.convolve(np.pad(y, 20), taps[::-1], mode="valid")[::2]
    np.testing.assert_allclose(halved(y), expected, atol=2e-6)


@pytest.mark.parametrize("frequency", [0.0, 0.01, 0.1, 0.15, PASS_BAND])
def test_sine_in_the_pass_band_has_the_gain_of_the_response(frequency):
    y = np.cos(2 * np.pi * frequency * np.arange(2000) + 0.4)
    expected = half_rate_response(np.array([frequency]))[0] * y[::2]
    np.testing.assert_allclose(halved(y)[20:-20], expected[20:-20], atol=2e-6)
    assert half_rate_response(np.array([frequency]))[0] > 0.5


@pytest.mark.parametrize("frequency", [0.3, 0.33, 0.41, 0.499])
def test_sine_in_the_stop_band_is_attenuated_by_80_decibels(frequency):
    y = np.cos(2 * np.pi * frequency * np.arange(2000) + 0.4)
    assert np.abs(halved(y)[20:-20]).max() < 1.2e-4


def test_second_signal_is_not_affected_by_the_first(rng):
    halve = HalfRate(10_000)
    halve(rng.standard_normal(10_000).astype(np.float32))
    y = rng.standard_normal(300).astype(np.float32)
    np.testing.assert_array_equal(halve(y), HalfRate(10_000)(y))

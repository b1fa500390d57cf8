"""Tests of the pooling of frames to units."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from songform.errors import ParameterError
from songform.structure.pooling import frame_units, n_units, pooled, smoothed, spread

framings = {"sr": st.sampled_from([8000, 22050, 44100]), "hop_length": st.sampled_from([256, 512, 1024])}


@given(n_frames=st.integers(1, 3000), unit_seconds=st.floats(0.13, 3), **framings)
def test_unit_contains_the_frames_with_their_centre_in_it(n_frames, unit_seconds, sr, hop_length):
    units = frame_units(n_frames, sr=sr, hop_length=hop_length, unit_seconds=unit_seconds)
    centres = np.arange(n_frames) * hop_length / sr
    assert units[0] == 0
    assert set(np.diff(units)) <= {0, 1}
    assert np.all(centres >= units * unit_seconds - 1e-9)
    assert np.all(centres < (units + 1) * unit_seconds + 1e-9)
    assert units[-1] + 1 == n_units(n_frames, sr=sr, hop_length=hop_length, unit_seconds=unit_seconds)


def test_units_are_exact_after_twelve_hours():
    """Half a second is 11,025 samples."""
    n_frames = 12 * 3600 * 22050 // 512 + 1
    units = frame_units(n_frames, unit_seconds=0.5)
    assert_array_equal(units, np.arange(n_frames) * 512 // 11025)
    assert units[-1] == 86_399


def test_every_frame_is_a_unit_if_the_length_is_zero():
    assert_array_equal(frame_units(4, unit_seconds=0), [0, 1, 2, 3])
    assert n_units(4, unit_seconds=0) == 4


@pytest.mark.parametrize(
    ("n_frames", "unit_seconds", "message"),
    [
        (0, 0.5, "at least one frame, not 0"),
        (9, 0.01, r"0\.01 s is shorter than the 0\.0232 s.*longer"),
        (9, -1, "-1 s is"),
    ],
)
def test_error_for_an_impossible_unit_contains_its_value(n_frames, unit_seconds, message):
    with pytest.raises(ParameterError, match=message):
        frame_units(n_frames, unit_seconds=unit_seconds)


@pytest.mark.parametrize("shape", [(200,), (200, 3)])
def test_pooled_values_equal_those_of_a_loop_over_units(rng, shape):
    values = rng.standard_normal(shape) + 5
    units = frame_units(200, unit_seconds=0.5)
    mean, std = pooled(values, units)
    assert_allclose(mean, [values[units == u].mean(axis=0) for u in range(units[-1] + 1)])
    assert_allclose(std, [values[units == u].std(axis=0) for u in range(units[-1] + 1)])


def test_small_deviation_from_a_large_mean_is_exact_for_float32(rng):
    """A difference of mean squares would be inexact, because 1e8 squared is much larger than 8 squared."""
    values = (1e8 + 8 * rng.integers(0, 2, 44)).astype(np.float32)
    std = pooled(values, np.zeros(44, dtype=np.intp))[1]
    assert_allclose(std, [values.astype(np.float64).std()], rtol=1e-9)


def test_standard_deviation_of_a_unit_of_one_frame_is_zero():
    mean, std = pooled(np.array([[3.0, 4.0]]), np.array([0]))
    assert_array_equal(mean, [[3, 4]])
    assert_array_equal(std, [[0, 0]])


def test_pooling_with_units_of_another_song_is_an_error():
    with pytest.raises(ParameterError, match=r"values has 3 frames.*units has 2.*same song"):
        pooled(np.ones(3), np.array([0, 0]))


def test_spread_interpolates_between_centres_and_is_constant_outside():
    values = np.array([[0.0, 5.0], [10.0, 3.0]])
    found = spread(values, np.array([0.25, 0.75]), np.array([0.0, 0.25, 0.35, 0.5, 0.75, 9.0]))
    assert_allclose(found, [[0, 5], [0, 5], [2, 4.6], [5, 4], [10, 3], [10, 3]])


@given(x=st.lists(st.floats(-100, 100), min_size=1, max_size=40), width=st.integers(1, 50))
def test_moving_average_equals_that_of_a_loop(x, width):
    expected = [np.mean(x[max(u - width // 2, 0) : u - width // 2 + width]) for u in range(len(x))]
    assert_allclose(smoothed(np.array(x), width), expected, atol=1e-10)


@given(lengths=st.lists(st.integers(1, 20), min_size=1, max_size=5), width=st.integers(1, 12))
def test_columns_of_different_lengths_are_smoothed_within_their_lengths(lengths, width):
    columns = [np.random.default_rng(n).standard_normal(n) for n in lengths]
    x = np.stack([np.pad(column, (0, 20 - len(column))) for column in columns], axis=1)
    for several in (x, x[:, None]):
        found = smoothed(several, width, lengths=np.array(lengths)).reshape(x.shape)
        for i, column in enumerate(columns):
            assert_allclose(found[: len(column), i], smoothed(column, width), atol=1e-12)


def test_moving_average_is_exact_after_twelve_hours(rng):
    x = rng.standard_normal(86_400) - 30
    assert_allclose(smoothed(x, 17)[-100:], smoothed(x[-200:], 17)[-100:], atol=1e-8)

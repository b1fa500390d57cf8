"""Tests of change points and stretches."""

from __future__ import annotations

import tracemalloc
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from songform.errors import ParameterError
from songform.features.extraction import describe_audio
from songform.structure.change_points import (
    LEAST_UNITS,
    MOST_UNITS,
    PENALTY,
    each_songs_stretches,
    partition,
    song_stretches,
    spread_over,
    stretch_climbs,
    stretch_means,
    stretch_signals,
)
from songform.structure.normalized_curves import Curves, song_curves
from songform.structure.pooling import song_units

# Multiples of 1/8, so that results differ from the expected ones only by rounding.
small_signals = st.tuples(st.integers(1, 11), st.integers(1, 3)).flatmap(
    lambda shape: arrays(float, shape, elements=st.integers(-40, 40).map(lambda i: i / 8))
)
lengths = st.integers(1, 4).flatmap(lambda least: st.tuples(st.just(least), st.integers(max(2 * least - 1, 1), 12)))


def line_distance(signals: np.ndarray) -> float:
    """Return the squared distance from the least-squares line of each signal, fitted by NumPy."""
    line = np.stack([np.ones(len(signals)), np.arange(len(signals))], axis=1)
    fitted = line @ np.linalg.lstsq(line, signals, rcond=None)[0]
    return float(((signals - fitted) ** 2).sum())


def cost(signals: np.ndarray, bounds: np.ndarray, penalty: float) -> float:
    return sum(line_distance(signals[a:b]) + penalty for a, b in pairwise(bounds))


def least_cost(signals: np.ndarray, penalty: float, least: int, most: int) -> float:
    """Return the minimum cost of all divisions into stretches, by exhaustive search."""
    n = len(signals)
    distance = cache(lambda a, b: line_distance(signals[a:b]))
    ways, whole = [(0,)], []
    while ways:
        way = ways.pop()
        for end in range(way[-1] + least, min(way[-1] + most, n) + 1):
            (whole if end == n else ways).append((*way, end))
    return min(sum(distance(a, b) + penalty for a, b in pairwise(way)) for way in whole)


@settings(max_examples=80)
@given(signals=small_signals, allowed=lengths, penalty=st.sampled_from([0.01, 0.5, 2.0, 30.0]))
def test_change_points_have_the_minimum_cost_of_all_divisions(signals, allowed, penalty):
    least, most = allowed
    bounds = partition(signals, penalty=penalty, least=least, most=most)
    assert (bounds[0], bounds[-1]) == (0, len(signals))
    if len(signals) < least:
        assert len(bounds) == 2
    else:
        assert least <= np.diff(bounds).min() <= np.diff(bounds).max() <= most
        assert cost(signals, bounds, penalty) == pytest.approx(least_cost(signals, penalty, least, most), abs=1e-6)


broken = st.lists(
    st.tuples(st.integers(4, 40), st.floats(-0.3, 0.3), st.floats(3, 6), st.booleans()), min_size=1, max_size=12
)


def broken_lines(pieces: list[tuple[int, float, float, bool]]) -> tuple[np.ndarray, np.ndarray]:
    """Return straight lines of the given lengths and slopes with jumps between them, and their bounds."""
    values, level = [], 0.0
    for n, slope, jump, is_up in pieces:
        level += jump if is_up else -jump
        values.append(level + slope * np.arange(n))
        level = values[-1][-1]
    return np.concatenate(values)[:, None], np.cumsum([0, *(piece[0] for piece in pieces)])


@settings(max_examples=60)
@given(pieces=broken)
def test_change_points_are_exactly_at_the_jumps_between_lines(pieces):
    signals, breaks = broken_lines(pieces)
    assert_array_equal(partition(signals, penalty=0.01, least=4, most=40), breaks)


def test_signal_has_a_change_point_where_its_slope_changes_sign():
    """The maximum is on both lines and can belong to either stretch."""
    top = np.r_[np.linspace(0, 5, 40), np.linspace(5, 0, 40)[1:]]
    bounds = partition(top[:, None], penalty=1.0, least=4, most=120)
    assert len(bounds) == 3
    assert bounds[1] in (39, 40)


@pytest.mark.parametrize("slope", [-0.05, 0.0, 0.002, 0.05])
def test_long_ramp_is_one_stretch(rng, slope):
    signals = slope * np.arange(120)[:, None] + 0.1 * rng.standard_normal((120, 5))
    assert_array_equal(partition(signals, penalty=5.0, least=4, most=120), [0, 120])


def test_ramp_longer_than_the_maximum_has_as_few_stretches_as_possible():
    bounds = partition(0.05 * np.arange(300)[:, None], penalty=5.0, least=4, most=120)
    assert len(bounds) == 4
    assert np.diff(bounds).max() <= 120


@pytest.mark.parametrize("seed", range(5))
def test_noise_with_distances_below_the_penalty_is_one_stretch(seed):
    """A change point in 29 signals of noise reduces the squared distance by about 0.6; the penalty is 5."""
    noise = 0.1 * np.random.default_rng(seed).standard_normal((120, 29))
    assert_array_equal(partition(noise, penalty=5.0, least=4, most=120), [0, 120])


signals_of_noise = st.integers(0, 2**32 - 1).map(lambda s: np.random.default_rng(s).standard_normal((60, 4)).cumsum(0))


@settings(max_examples=25)
@given(signals=signals_of_noise)
def test_change_points_do_not_depend_on_trends_order_mixture_or_direction(signals):
    """Add a straight line, reorder or rotate the signals, or reverse the song."""

    def cut(x):
        return partition(x, penalty=3.0, least=4, most=30).tolist()

    bounds = cut(signals)
    mixture = np.linalg.qr(np.random.default_rng(1).standard_normal((4, 4)))[0]
    assert cut(signals + np.outer(np.arange(60), [0.3, -1, 0, 2]) + 7) == bounds
    assert cut(signals[:, ::-1]) == cut(signals @ mixture) == bounds
    assert cut(signals[::-1]) == [60 - bound for bound in bounds[::-1]]


@settings(max_examples=25)
@given(signals=signals_of_noise)
def test_higher_penalty_does_not_increase_the_number_of_stretches(signals):
    counts = [len(partition(signals, penalty=penalty, least=4, most=30)) for penalty in (0.1, 1.0, 5.0, 25.0, 1e4)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[-1] == 3  # two stretches, because the maximum is 30 of 60 units


def test_change_points_are_exact_at_the_end_of_three_hours():
    """Cumulative sums over 20,000 units lose precision, but not enough to move a change point."""
    step = 2.0 * (np.arange(20_000) // 40 % 2)
    assert_array_equal(partition(step[:, None], penalty=1.0, least=4, most=120), np.arange(0, 20_001, 40))


def test_memory_is_linear_in_the_number_of_units(rng):
    """With four times the units, a table of all pairs would need sixteen times the memory."""
    peaks = []
    for n in (1_000, 4_000):
        signals = rng.standard_normal((n, 2))
        tracemalloc.start()
        try:
            partition(signals, penalty=5.0, least=4, most=40)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] < 5 * peaks[0]


def test_song_without_units_is_an_error():
    with pytest.raises(ParameterError, match=r"without units.*at least one row"):
        partition(np.zeros((0, 3)), penalty=1.0, least=4, most=120)


@pytest.mark.parametrize(
    ("penalty", "least", "most"),
    [(0.0, 4, 120), (-1.0, 4, 120), (np.nan, 4, 120), (1.0, 4, 6), (1.0, 1, 0), (1.0, 0, 5), (1.0, -3, 5)],
)
def test_error_for_impossible_stretches_contains_their_lengths_and_penalty(penalty, least, most):
    with pytest.raises(
        ParameterError, match=rf"stretches of {least} to {most} units .*penalty of {penalty:g} .*positive.*2 \* least"
    ):
        partition(np.zeros((9, 1)), penalty=penalty, least=least, most=most)


bounds_of_thirty = st.sets(st.integers(1, 29)).map(lambda cuts: np.array([0, *sorted(cuts), 30]))


@given(bounds=bounds_of_thirty)
def test_means_and_climbs_are_computed_per_stretch(bounds):
    values = np.random.default_rng(3).standard_normal((30, 2)).cumsum(axis=0)
    pieces = [values[a:b] for a, b in pairwise(bounds)]
    assert_allclose(stretch_means(values, bounds), [piece.mean(axis=0) for piece in pieces], atol=1e-12)
    assert_allclose(stretch_means(values[:, 0], bounds), [piece[:, 0].mean() for piece in pieces], atol=1e-12)
    lines = [np.polyfit(np.arange(len(p)), p[:, 0], 1) if len(p) > 1 else (0, 0) for p in pieces]
    climbs = [slope * (len(piece) - 1) for (slope, _), piece in zip(lines, pieces, strict=True)]
    assert_allclose(stretch_climbs(values[:, 0], bounds), climbs, atol=1e-9)


@given(bounds=bounds_of_thirty)
def test_spread_over_gives_each_unit_the_value_of_its_stretch(bounds):
    of_stretch = np.random.default_rng(4).standard_normal((len(bounds) - 1, 3))
    spread = spread_over(of_stretch, bounds)
    assert spread.shape == (30, 3)
    assert_allclose(stretch_means(spread, bounds), of_stretch, atol=1e-12)
    assert len(np.unique(spread[:, 0])) == len(of_stretch)
    assert_array_equal(spread_over(of_stretch[:, 1], bounds), spread[:, 1])


def test_signals_are_scaled_by_the_size_of_their_group(rng):
    """Chroma has an additional weight of a quarter."""
    curves = Curves(0, 0, *rng.standard_normal((5, 40)), *(rng.standard_normal((40, n)) for n in (20, 12, 76)))
    signals = stretch_signals(curves)
    four = np.stack([curves.loudness, curves.onset, curves.brightness, curves.bass], axis=1)
    assert_allclose(signals, np.hstack([curves.mfcc / 20**0.5, curves.chroma / 4 / 12**0.5, four / 2]))
    expected = partition(signals, penalty=PENALTY, least=LEAST_UNITS, most=MOST_UNITS)
    assert_array_equal(song_stretches(curves), expected)


STEP = np.repeat([0.0, 1.0], [50, 70])


@pytest.mark.parametrize(
    "what",
    [
        {"loudness_db": 10 * STEP - 30},
        {"onset": 1 + STEP},
        {"centroid_hz": 800 + 900 * STEP},
        {"low_share": 0.1 + 0.3 * STEP},
        {"mfcc": 20 * np.outer(STEP, np.arange(13) - 6)},
    ],
    ids=lambda what: next(iter(what)),
)
def test_change_of_a_single_quantity_is_a_change_point(units_of, what):
    curves = song_curves(units_of(**{"loudness_db": np.full(120, -20.0), **what}))
    assert_array_equal(song_stretches(curves), [0, 50, 120])


def test_stretches_of_several_songs_equal_those_of_each_song(rng, units_of):
    lengths = [1, 3, 4, 60, 120, 120, 7, 119]
    steps = [np.repeat(rng.uniform(-30, -10, n // 7 + 1), 7)[:n] for n in lengths]
    songs = [song_curves(units_of(x, mfcc=np.multiply.outer(x, rng.standard_normal(13)))) for x in steps]
    found = each_songs_stretches(songs)
    assert max(map(len, found)) > 5
    assert [bounds.tolist() for bounds in found] == [song_stretches(curves).tolist() for curves in songs]


def test_stretches_of_a_minute_are_the_same_within_a_longer_song(rng):
    """Distances are computed by a table for one minute, and by cumulative sums for the longer song."""
    for _ in range(5):
        minute = np.cumsum(rng.standard_normal((120, 5)), axis=0)
        longer = np.concatenate([np.zeros((120, 5)), 1e3 + minute])
        alone = partition(minute, penalty=5.0, least=4, most=120)
        assert_array_equal(partition(longer, penalty=5.0, least=4, most=120)[1:] - 120, alone)


def test_change_of_chord_alone_is_not_a_change_point(units_of):
    chords = np.eye(12)[np.repeat([0, 7, 9, 5] * 3, 10)]
    curves = song_curves(units_of(np.full(120, -20.0), chroma=chords))
    assert_array_equal(song_stretches(curves), [0, 120])


def test_song_that_hardly_changes_is_one_stretch(rng, units_of):
    """Changes that are hardly audible are not change points, even if there are no others."""
    small = 0.1 * rng.standard_normal((4, 120))
    units = units_of(-20 + small[0], centroid_hz=1000 * np.exp(0.02 * small[1]), mfcc=0.5 * small[2, :, None])
    assert_array_equal(song_stretches(song_curves(units)), [0, 120])


def test_noise_of_forty_seconds_is_one_stretch(rng):
    features, overview, _ = describe_audio([0.1 * rng.standard_normal(40 * 22050).astype(np.float32)])
    assert_array_equal(song_stretches(song_curves(song_units(features, overview))), [0, 80])

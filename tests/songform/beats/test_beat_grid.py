"""Beat grids: known grids, beats within the tolerance, and as few stretches as the tempo needs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from songform.beats.beat_grid import TOLERANCE_SECONDS, GridStretch, beat_grid, grid_beats
from songform.errors import ParameterError


def beats(*parts, first=0.5, metre=4):
    """Return beats of parts with a number of beats each, and the tempo before each of them."""
    periods = np.concatenate([np.full(n_beats, 60 / tempo) for n_beats, tempo in parts])
    times = first + np.concatenate(([0.0], np.cumsum(periods[1:])))
    return times, np.arange(len(times)) % metre + 1


def test_steady_song_is_one_stretch():
    times, positions = beats((500, 127.5))
    assert beat_grid(times, positions, 4) == [GridStretch(0.5, 127.5, 4, 1)]


def test_jitter_of_a_steady_song_does_not_add_stretches():
    times, positions = beats((500, 127.5))
    frames = np.round(times * 43.066) / 43.066  # the frames of features, 23 ms
    (stretch,) = beat_grid(frames, positions, 4)
    assert stretch.tempo == pytest.approx(127.5, abs=0.02)
    assert np.abs(stretch.beats(500) - times).max() < 0.02


@pytest.mark.parametrize("metre", [3, 4])
def test_tempo_change_begins_another_stretch(metre):
    times, positions = beats((40, 100), (60, 140), metre=metre)
    grid = beat_grid(times, positions, metre)
    assert [stretch.tempo for stretch in grid] == [pytest.approx(100, abs=0.3), pytest.approx(140, abs=0.3)]
    assert [stretch.metre for stretch in grid] == [metre, metre]
    assert 37 <= np.searchsorted(times, grid[1].start) <= 41


@pytest.mark.parametrize("gap", [31, 35, 61])
def test_grid_of_beats_with_a_pause_contains_them(gap):
    times = np.array([0.5, 1.0, 1.0 + gap, 1.5 + gap])
    found, _ = grid_beats(beat_grid(times, np.array([1, 2, 3, 4]), 4), times[-1] + 0.1)
    distances = np.abs(found[:, np.newaxis] - times).min(axis=0)
    assert distances.max() <= TOLERANCE_SECONDS + 1e-9


def test_bar_that_is_cut_short_begins_another_stretch():
    times, _ = beats((12, 120))
    positions = np.array([3, 4, 1, 2, 3, 4, 1, 2, 1, 2, 3, 4])
    grid = beat_grid(times, positions, 4)
    assert grid == [GridStretch(0.5, 120.0, 4, 3), GridStretch(4.5, 120.0, 4, 1)]


def test_bar_that_is_longer_has_its_own_metre():
    times, _ = beats((10, 120))
    positions = np.array([1, 2, 3, 4, 5, 1, 2, 3, 4, 1])
    found, counted = grid_beats(beat_grid(times, positions, 4), times[-1])
    assert found.tolist() == pytest.approx(times.tolist())
    assert counted.tolist() == positions.tolist()


def test_rounded_tempo_does_not_drift_in_a_long_mix():
    times, positions = beats((15_000, 124.0041))  # two hours; the rounded tempo is 0.24 s off at the end
    grid = beat_grid(times, positions, 4)
    found, counted = grid_beats(grid, times[-1] + 0.1)
    assert np.abs(found - times).max() <= TOLERANCE_SECONDS + 1e-9
    assert counted.tolist() == positions.tolist()
    assert 2 <= len(grid) <= 6


def test_grid_continues_to_the_end_of_the_song():
    found, positions = grid_beats([GridStretch(1.0, 120.0, 4, 4)], 3.1)
    assert found.tolist() == [1.0, 1.5, 2.0, 2.5, 3.0]
    assert positions.tolist() == [4, 1, 2, 3, 4]


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(2, 40), st.floats(40, 220)), min_size=1, max_size=5),
    st.integers(0, 2**32 - 1),
    st.sampled_from([3, 4]),
)
def test_beats_of_any_grid_are_within_the_tolerance(parts, seed, metre):
    times, positions = beats(*parts, metre=metre)
    times = times + np.random.default_rng(seed).uniform(-0.01, 0.01, len(times))
    grid = beat_grid(times, positions, metre)
    found, counted = grid_beats(grid, times[-1] + 0.05)
    assert len(found) == len(times)
    assert np.abs(found - times).max() <= TOLERANCE_SECONDS + 1e-9
    assert counted.tolist() == positions.tolist()


def test_single_beat_has_no_grid():
    with pytest.raises(ParameterError, match=r"at least two beats .* 1 times and 1 positions"):
        beat_grid(np.array([1.0]), np.array([1]), 4)

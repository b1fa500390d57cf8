"""Tests of the refinement of boundaries."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from songform.features.extraction import describe_audio
from songform.structure.boundaries import close_novelty, refined_segments, refined_times
from songform.structure.segments import Segment

SR = 22050


def tone(hz: float, seconds: float) -> np.ndarray:
    t = np.arange(round(seconds * SR)) / SR
    return 0.1 * sum(np.sin(2 * np.pi * k * hz * t) / k for k in range(1, 5))


def overview_of(y: np.ndarray):
    return describe_audio([y.astype(np.float32)])[1]


@pytest.fixture(scope="module")
def cut_overview():
    """Return the overview of a song that changes at 10.3 s and at 20.7 s."""
    rng = np.random.default_rng(3)
    return overview_of(np.r_[tone(110, 10.3), 0.1 * rng.standard_normal(round(10.4 * SR)), tone(220, 9.3)])


@pytest.mark.parametrize("off", [-0.7, -0.3, 0.0, 0.2, 0.6])
def test_boundary_moves_to_the_nearby_change(cut_overview, off):
    assert_allclose(refined_times(np.array([10.3, 20.7]) + off, cut_overview), [10.3, 20.7], atol=0.11)


@given(st.floats(1, 29))
def test_boundary_moves_to_a_peak_of_novelty_or_stays(cut_overview, time):
    novelty = close_novelty(cut_overview)
    (moved,) = refined_times(np.array([time]), cut_overview)
    row = round(moved * 10)
    assert moved == time or novelty[row] == novelty[row - 1 : row + 2].max() > 0


def test_boundary_far_from_any_change_moves_by_at_most_0_8_s(cut_overview):
    (moved,) = refined_times(np.array([15.0]), cut_overview)
    assert abs(moved - 15.0) <= 0.8


def test_novelty_is_maximal_where_the_sound_changes(cut_overview):
    novelty = close_novelty(cut_overview)
    assert novelty.shape == (len(cut_overview),)
    assert 100 <= novelty[:150].argmax() <= 104
    assert 204 <= 150 + novelty[150:].argmax() <= 208
    assert novelty[102:105].max() > 20 * np.median(novelty[30:80])


def test_boundaries_in_silence_do_not_move():
    overview = overview_of(np.zeros(5 * SR))
    assert_array_equal(refined_times(np.array([1.5, 3.0]), overview), [1.5, 3.0])


@given(st.lists(st.integers(1, 58), min_size=0, max_size=12, unique=True))
def test_boundaries_keep_their_order_and_move_by_at_most_0_8_s(cut_overview, halves):
    times = np.sort(np.array(halves, dtype=float)) / 2
    moved = refined_times(times, cut_overview)
    assert (np.diff(np.r_[0, moved, 30]) > 0).all()
    assert (np.abs(moved - times) <= 0.8).all()


def test_refined_segments_partition_the_song(cut_overview):
    segments = [
        Segment(0.0, 10.5, "Calm", 0.5),
        Segment(10.5, 21.0, "Energetic", 0.6),
        Segment(21.0, 30.0, "Calm", 0.7),
    ]
    refined = refined_segments(segments, cut_overview)
    assert [each[2:] for each in refined] == [each[2:] for each in segments]
    assert_allclose([each.start for each in refined], [0, 10.3, 20.7], atol=0.11)
    assert [each.end for each in refined] == [*(each.start for each in refined[1:]), 30.0]


def test_single_segment_is_not_changed(cut_overview):
    segments = [Segment(0.0, 30.0, "Calm", 0.5)]
    assert refined_segments(segments, cut_overview) == segments

"""Tests of the segments of state sequences."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from songform.errors import ParameterError
from songform.structure.segments import Segment, state_segments

STATES = ("Calm", "BuildUp", "Energetic")
paths = st.lists(st.integers(0, 2), min_size=1, max_size=60).map(np.array)


def uniform(path: np.ndarray) -> np.ndarray:
    return np.full((len(path), 3), 1 / 3)


@given(path=paths, unit_seconds=st.floats(0.02, 2), share=st.floats(0.05, 1.5))
def test_segments_partition_the_song_and_adjacent_ones_differ(path, unit_seconds, share):
    """The duration can be shorter or longer than the units."""
    duration = len(path) * unit_seconds * share
    segments = state_segments(path, uniform(path), STATES, unit_seconds=unit_seconds, duration=duration)
    assert segments[0].start == 0
    assert segments[-1].end == duration
    assert all(before.end == after.start and before.state != after.state for before, after in pairwise(segments))
    assert all(segment.start < segment.end for segment in segments)


@given(path=paths)
def test_every_unit_has_the_state_of_its_segment(path):
    segments = state_segments(path, uniform(path), STATES, unit_seconds=0.5, duration=len(path) * 0.5)
    for u, state in enumerate(path):
        centre = (u + 0.5) * 0.5
        assert [s.state for s in segments if s.start <= centre < s.end] == [STATES[state]]


def test_segments_of_a_known_song():
    path = np.array([0, 0, 2, 2, 2, 0])
    posterior = np.array([[0.9, 0, 0.1], [0.7, 0.2, 0.1], [0, 0.4, 0.6], [0, 0, 1], [0.1, 0.4, 0.5], [0.8, 0.1, 0.1]])
    assert state_segments(path, posterior, STATES, unit_seconds=0.5, duration=2.9) == [
        Segment(0.0, 1.0, "Calm", pytest.approx(0.8)),
        Segment(1.0, 2.5, "Energetic", pytest.approx(0.7)),
        Segment(2.5, 2.9, "Calm", pytest.approx(0.8)),
    ]


def test_units_after_the_end_of_the_song_are_ignored():
    """The center of the last frame can be at the end of the song and start another unit there."""
    path = np.array([0, 0, 1])
    posterior = np.array([[0.8, 0.2, 0], [0.8, 0.2, 0], [0.0, 1.0, 0]])
    segments = state_segments(path, posterior, STATES, unit_seconds=0.5, duration=1.0)
    assert segments == [Segment(0.0, 1.0, "Calm", pytest.approx(0.8))]


def test_song_of_one_unit_is_one_segment():
    segments = state_segments(np.array([1]), np.array([[0, 1.0, 0]]), STATES, unit_seconds=0.5, duration=0.02)
    assert segments == [Segment(0.0, 0.02, "BuildUp", 1.0)]


@pytest.mark.parametrize(
    ("path", "posterior"),
    [
        (np.zeros(0, int), np.zeros((0, 3))),  # no unit
        (np.zeros(2, int), np.zeros((3, 3))),  # of another song
        (np.zeros(2, int), np.zeros((2, 4))),  # of another model
        (np.zeros((2, 3), int), np.zeros((2, 3))),  # a posterior in place of the path
    ],
)
def test_shapes_that_do_not_match_are_an_error(path, posterior):
    shown = rf"\(n_units,\) and \(n_units, 3\).*{re.escape(f'{path.shape} and {posterior.shape}')}"
    with pytest.raises(ParameterError, match=shown):
        state_segments(path, posterior, STATES, unit_seconds=0.5, duration=1.0)


@pytest.mark.parametrize("duration", [0.0, -1.0, float("nan")])
def test_duration_that_is_not_positive_is_an_error(duration):
    with pytest.raises(ParameterError, match=rf"duration must be .*positive.*seconds, not {duration}"):
        state_segments(np.array([0]), np.ones((1, 3)), STATES, unit_seconds=0.5, duration=duration)

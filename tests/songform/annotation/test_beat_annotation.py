"""Beat annotations: downbeats, invalid beats, and the end of the track."""

from __future__ import annotations

import numpy as np
import pytest

from songform.annotation.beat_annotation import BeatAnnotation, fitted_beats
from songform.errors import AnnotationError, ParameterError


def test_downbeats_are_the_beats_at_position_1():
    beats = BeatAnnotation(np.array([0.5, 1.0, 1.5, 2.0]), np.array([3, 1, 2, 3]))
    assert beats.downbeats.tolist() == [1.0]
    assert BeatAnnotation(beats.times).downbeats is None


@pytest.mark.parametrize(
    ("times", "positions", "words"),
    [
        ([1.0, 1.0], None, "must increase, but 1.0 follows 1.0"),
        ([-0.5, 1.0], None, "seconds from 0"),
        ([0.5, np.nan], None, "seconds from 0"),
        ([[0.5, 1.0]], None, r"shape \(1, 2\)"),
        ([0.5, 1.0], [1], r"shape \(1,\)"),
        ([0.5, 1.0], [0, 1], "integers from 1"),
        ([0.5, 1.0], [1, 1.5], "integers from 1"),
    ],
)
def test_invalid_beats_are_refused(times, positions, words):
    with pytest.raises(ParameterError, match=words):
        BeatAnnotation(np.array(times), None if positions is None else np.array(positions))


def test_beats_just_after_the_end_of_the_track_are_left_out():
    fitted = fitted_beats(BeatAnnotation(np.array([9.0, 10.0, 10.4]), np.array([1, 2, 1]), "Ana"), 10.0)
    assert (fitted.times.tolist(), fitted.positions.tolist(), fitted.annotator) == ([9.0, 10.0], [1, 2], "Ana")


def test_margin_of_the_end_is_added_to_the_tolerance():
    times = np.array([9.0, 10.0, 11.4])
    assert fitted_beats(BeatAnnotation(times, end_margin=1.0), 10.0).times.tolist() == [9.0, 10.0]
    with pytest.raises(AnnotationError, match=r"extend to 11\.4 s"):
        fitted_beats(BeatAnnotation(times, end_margin=0.8), 10.0)


@pytest.mark.parametrize(
    ("times", "words"),
    [([9.0, 10.6], r"extend to 10\.6 s, but the track ends at 10\.0 s"), ([10.2], "none of its beats is within")],
)
def test_beats_of_another_song_are_refused(times, words):
    with pytest.raises(AnnotationError, match=words):
        fitted_beats(BeatAnnotation(np.array(times)), 10.0)

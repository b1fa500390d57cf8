"""Tests of errors and of the attributes that they keep between processes."""

from __future__ import annotations

import copy
import pickle

import pytest

from songform.errors import FAILURE_CLASSES, AudioError, SongformError, SourceError, TrackError


@pytest.mark.parametrize(
    "error",
    [
        TrackError("gone"),
        TrackError("busy", "throttled", retry_after=90.0, robot=True),
        TrackError("refused", "transient", repeated="needs-you"),
        AudioError("cut short", "transient", measured=9.5),
        SourceError("no list", "throttled"),
        SourceError("no list"),
    ],
)
@pytest.mark.parametrize("again", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy])
def test_pickled_or_copied_error_is_equal(error, again):
    found = again(error)
    assert (type(found), str(found), vars(found)) == (type(error), str(error), vars(error))
    assert isinstance(found, SongformError)


def test_failure_is_permanent_without_a_pause_by_default():
    error = TrackError("gone")
    assert (error.failure, error.retry_after, error.robot, error.repeated) == ("permanent", None, False, None)
    assert error.failure in FAILURE_CLASSES


def test_repeated_failure_with_a_measured_duration_is_permanent():
    assert AudioError("cut short", "transient", measured=0.0).repeated == "permanent"
    assert AudioError("no audio").repeated is None


def test_other_attributes_of_an_error_are_not_pickled():
    error = TrackError("refused", "permanent")
    error.connection = lambda: None  # which cannot be pickled
    assert not hasattr(pickle.loads(pickle.dumps(error)), "connection")

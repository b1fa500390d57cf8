"""Errors travel between processes with all that they know."""

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
def test_an_error_is_the_same_after_its_journey(error, again):
    found = again(error)
    assert (type(found), str(found), vars(found)) == (type(error), str(error), vars(error))
    assert isinstance(found, SongformError)


def test_a_failure_that_nobody_knows_more_of_is_permanent_and_asks_for_no_pause():
    error = TrackError("gone")
    assert (error.failure, error.retry_after, error.robot, error.repeated) == ("permanent", None, False, None)
    assert error.failure in FAILURE_CLASSES


def test_a_file_that_is_short_again_is_that_long():
    assert AudioError("cut short", "transient", measured=0.0).repeated == "permanent"
    assert AudioError("no audio").repeated is None


def test_what_was_tied_to_an_error_on_its_way_stays_behind():
    error = TrackError("refused", "permanent")
    error.connection = lambda: None  # which nobody can pickle
    assert not hasattr(pickle.loads(pickle.dumps(error)), "connection")

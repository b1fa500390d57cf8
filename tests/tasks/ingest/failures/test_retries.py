"""Retry times of failed tracks, also after the system clock was set back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from songform.errors import FAILURE_CLASSES, TrackError
from tasks.ingest.failures.retries import MANUAL_RETRY, is_due, needs_manual_retry, seconds_until_retry
from tasks.settings import DownloadSettings
from tasks.store.tracks import Failure, TrackRecord

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = 86_400.0


def waits(failure, attempts=1, **more):
    return seconds_until_retry(
        failure,
        TrackError("x", failure, **more),
        attempts=attempts,
        settings=DownloadSettings(retry_seconds=5.0, throttle_seconds=60.0, circuit_seconds=3600.0),
    )


def record(failure, next_retry_at, status="failed"):
    error = failure and Failure(failure=failure, message="x")
    return TrackRecord(
        key="web-0", title="x", source="y", status=status, error=error, next_retry_at=next_retry_at, updated_at="now"
    )


@pytest.mark.parametrize(
    ("failure", "more", "seconds"),
    [
        ("transient", {}, 10.0),
        ("transient", {"attempts": 3}, 40.0),
        ("transient", {"attempts": 12}, 20480.0),
        ("transient", {"attempts": 500}, DAY),
        ("transient", {"retry_after": 90.0}, 90.0),
        ("transient", {"retry_after": 3.0}, 10.0),
        ("throttled", {}, 60.0),
        ("throttled", {"robot": True}, 3600.0),
        ("throttled", {"retry_after": 0.0}, 0.0),
        ("throttled", {"retry_after": 1e9}, DAY),
        ("later", {}, 6 * 3600.0),
        ("later", {"retry_after": 600.0}, 600.0),
        ("later", {"retry_after": 21 * DAY}, DAY),
        ("environment", {}, 0.0),
        ("bug", {}, DAY),
        ("permanent", {}, None),
        ("needs-you", {}, None),
    ],
)
def test_class_determines_the_retry_delay(failure, more, seconds):
    assert waits(failure, **more) == seconds


@given(st.sampled_from(FAILURE_CLASSES), st.integers(0, 10**6), st.none() | st.floats(0, 1e300), st.booleans())
def test_no_retry_delay_exceeds_a_day_and_only_lasting_failures_have_none(failure, attempts, retry_after, robot):
    seconds = waits(failure, attempts, retry_after=retry_after, robot=robot)
    assert (seconds is None) == (failure in MANUAL_RETRY)
    assert seconds is None or 0 <= seconds <= DAY


@pytest.mark.parametrize(
    ("away", "due"),
    [
        (timedelta(0), True),
        (timedelta(seconds=-1), True),
        (timedelta(days=-400), True),
        (timedelta(seconds=1), False),
        (timedelta(days=1), False),
        (timedelta(days=1, minutes=61), True),  # longer than any delay: the clock was set back
        (timedelta(days=3650), True),
    ],
)
@pytest.mark.parametrize("status", ["failed", "skipped", "done"])
def test_track_is_due_after_its_retry_time_or_if_that_time_is_implausible(away, due, status):
    assert is_due(record("transient", (NOW + away).isoformat(), status), NOW) == due


@pytest.mark.parametrize("time", [None, "", "soon", "2026-11-22T11:00:00", "2026-11-22T13:30:00+02:00"])
def test_missing_invalid_and_foreign_zone_retry_times_are_due(time):
    assert is_due(record("transient", time), NOW)


@pytest.mark.parametrize("failure", FAILURE_CLASSES)
def test_only_permanent_and_needs_you_failures_are_never_due(failure):
    lasts = failure in {"permanent", "needs-you"}
    assert needs_manual_retry(record(failure, None)) == lasts
    assert is_due(record(failure, NOW.isoformat()), NOW) != lasts


def test_done_track_needs_no_manual_retry():
    assert not needs_manual_retry(record(None, None, "done"))

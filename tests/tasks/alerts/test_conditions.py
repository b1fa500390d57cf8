"""Conditions that need attention."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.alerts.conditions import (
    Condition,
    circuit_condition,
    disk_condition,
    playlist_condition,
    success_conditions,
    version_condition,
)
from tasks.settings import NotifySettings

NOTIFY = NotifySettings()
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
HOSTILE = "\x1b[31m<script>\u202eevil\n\x00 \ud800" + "x" * 5000


def test_nothing_is_wrong_with_a_playlist_that_can_be_listed():
    assert not playlist_condition("https://a.org/feed", None, NOTIFY).holds


def test_playlist_must_fail_for_some_days_before_a_notification():
    condition = playlist_condition("https://a.org/feed", "a.org answered 404", NotifySettings(failing_days=5))
    assert condition.message == "https://a.org/feed cannot be listed: a.org answered 404"
    assert condition.patience == timedelta(days=5)
    assert (condition.event, condition.subject) == ("playlist-failing", "https://a.org/feed")


def test_playlist_that_fails_without_a_message_still_fails():
    assert playlist_condition("https://a.org/feed", "", NOTIFY).holds


@pytest.mark.parametrize(
    ("since", "until", "holds"),
    [
        (0, 3600, True),
        (0, 3599, False),
        (-1800, 1800, True),
        (-7200, -1, False),
        (-3600, 0, False),
        (0, 86_400, True),
    ],
)
def test_a_circuit_is_open_while_a_pause_of_an_hour_or_more_lasts(since, until, holds):
    seconds = NOW.timestamp()
    condition = circuit_condition("a.org", seconds + since, seconds + until, "a robot?", NOW)
    assert condition.holds is holds


def test_message_of_an_open_circuit_has_host_reason_and_end():
    seconds = NOW.timestamp()
    message = circuit_condition("youtube", seconds, seconds + 7200, "it asks for a human", NOW).message
    assert re.search(r"youtube .*paused .*2026-11-22 14:00 UTC \(it asks for a human\); .*download\.cookies", message)


@pytest.mark.parametrize(
    ("n_done", "n_tried", "holds"), [(8, 10, False), (7, 10, True), (0, 1, True), (1, 1, False), (4, 5, False)]
)
def test_few_successes_holds_below_least_success(n_done, n_tried, holds):
    [condition] = success_conditions("https://a.org/feed", n_done, n_tried, NOTIFY)
    assert condition.holds is holds


def test_ingest_without_attempts_has_no_success_condition():
    assert success_conditions("https://a.org/feed", 0, 0, NOTIFY) == []


@given(st.integers(1, 5000), st.floats(0, 1))
def test_few_successes_holds_without_successes_but_not_without_failures(n_tried, least):
    notify = NotifySettings(least_success=least)
    assert not success_conditions("a", n_tried, n_tried, notify)[0].holds
    assert success_conditions("a", 0, n_tried, notify)[0].holds is (least > 0)


@pytest.mark.parametrize(
    ("version", "days"),
    [
        ("2026.09.23", None),  # sixty days
        ("2026.09.22", 61),
        ("2026.9.22", 61),
        ("2025.11.22.232819", 365),
        ("2027.01.01", None),  # the clock was set back
        ("2026.13.41", None),
        ("unknown", None),
        ("20260101", None),
        ("", None),
    ],
)
def test_yt_dlp_is_old_after_sixty_days(version, days):
    condition = version_condition(version, NOTIFY, NOW)
    assert condition.holds is (days is not None)
    assert not condition.holds or f"yt-dlp {version} is {days} days old" in condition.message
    assert not condition.holds or "pip install --upgrade yt-dlp" in condition.message


def test_disk_is_nearly_full_below_disk_gigabytes():
    home = Path("/music")
    assert not disk_condition(home, 5e9, NOTIFY).holds
    condition = disk_condition(home, 4.94e9, NOTIFY)
    assert re.search(r"4\.9 GB .*free in /music; .*disk", condition.message)
    assert not disk_condition(home, 0, NotifySettings(disk_gigabytes=0)).holds


def hostile_conditions() -> list[Condition]:
    seconds = NOW.timestamp()
    return [
        playlist_condition(HOSTILE, HOSTILE, NOTIFY),
        circuit_condition(HOSTILE, seconds, seconds + 1e4, HOSTILE, NOW),
        *success_conditions(HOSTILE, 0, 1, NOTIFY),
        disk_condition(Path(HOSTILE.replace("\x00", "")), 0, NOTIFY),
    ]


@pytest.mark.parametrize("condition", hostile_conditions(), ids=lambda condition: condition.event)
def test_untrusted_text_becomes_one_short_printable_line(condition):
    for text in (condition.subject, condition.message):
        assert text.isprintable()
        assert len(text) < 2000
        assert "\u202e" not in text
        text.encode()


def test_a_condition_has_the_same_subject_whether_it_holds_or_not():
    """Otherwise, a condition that held would be reported as holding forever."""
    seconds = NOW.timestamp()
    pairs = [
        (playlist_condition(HOSTILE, None, NOTIFY), playlist_condition(HOSTILE, "x", NOTIFY)),
        (circuit_condition(HOSTILE, 0, 0, "", NOW), circuit_condition(HOSTILE, seconds, seconds + 1e4, "", NOW)),
        (success_conditions(HOSTILE, 1, 1, NOTIFY)[0], success_conditions(HOSTILE, 0, 1, NOTIFY)[0]),
        (version_condition("2026.11.11", NOTIFY, NOW), version_condition("2020.01.01", NOTIFY, NOW)),
        (disk_condition(Path("/a"), 1e12, NOTIFY), disk_condition(Path("/a"), 0, NOTIFY)),
    ]
    assert [(well.holds, ill.holds) for well, ill in pairs] == [(False, True)] * 5
    assert [(well.event, well.subject) for well, _ in pairs] == [(ill.event, ill.subject) for _, ill in pairs]

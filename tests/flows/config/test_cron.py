"""Tests that Prefect accepts every cron expression and time zone that songform accepts."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from flows.config.cron import cron_problem, timezone_problem

GOOD = [
    *("* * * * *", "0 6 * * *", "*/15 * * * *", "0 6 * * MON", "0 6 * * mon-fri", "0 6 * jan,JUL *", "30 4 1 * *"),
    *("0 6 1-7 * 1", "5/15 * * * *", "0 6 * * 7", "0 0 29 2 *", "  0   6 * * *  ", "0 6 * * 2#3", "0,30 6 * * *"),
]
BAD = [
    *("", "*", "daily", "@daily", "0 6 * *", "0 6 * * * *", "60 * * * *", "* 24 * * *", "* * 32 * *", "* * 0 * *"),
    *("* * * 13 *", "* * * * 8", "*/0 * * * *", "5-1 * * * *", "0 6 31 2 *", "R R * * *", "H 6 * * *", "0 6 ? * *"),
    *("0 6 L * *", "0 6 LW * *", "0 6 * * 5L", "0 6 * * L5", "- * * * *", "1, * * * *", "\u0663 * * * *"),
    *("9" * 5000 + " * * * *", "every day at six o'clock", "0 6 * * *\x00", "0 6 * * monday"),
]


@pytest.mark.parametrize("expression", GOOD)
def test_valid_expression_has_no_problem_and_is_accepted_by_prefect(expression):
    from prefect.client.schemas.schedules import CronSchedule

    assert cron_problem(expression) is None
    assert CronSchedule(cron=expression, timezone="Europe/Berlin").cron == expression


@pytest.mark.parametrize("expression", BAD, ids=lambda expression: repr(expression[:30]))
def test_invalid_expression_is_reported_in_one_sentence_with_an_example(expression):
    problem = cron_problem(expression)
    assert problem is not None
    assert "; give minute, hour, day, month and weekday, " in problem
    assert "0 6 * * * " in problem
    assert "\n" not in problem


FIELD = st.one_of(
    st.just("*"),
    st.integers(0, 31).map(str),
    st.tuples(st.integers(0, 31), st.sampled_from("-/,#"), st.integers(0, 31)).map(
        lambda parts: "{}{}{}".format(*parts)
    ),
    st.sampled_from(["*/2", "MON", "sat-sun", "fri", "DEC", "1-5/2", "L", "LW", "?", "R"]),
)


def usual(least, most, *names):
    """Return a strategy for common values of a field, so that many expressions are valid."""
    number = st.integers(least, most).map(str)
    return st.one_of(
        st.just("*"), number, st.integers(1, 9).map("*/{}".format), *([st.sampled_from(names)] if names else [])
    )


USUAL = (usual(0, 59), usual(0, 23), usual(1, 28), usual(1, 12, "JAN", "dec"), usual(0, 6, "MON", "sat-sun", "fri"))
EXPRESSIONS = st.tuples(*(st.one_of(field, field, field, FIELD) for field in USUAL)).map(" ".join)


@given(EXPRESSIONS)
def test_every_expression_without_a_problem_is_accepted_by_prefect(expression):
    from prefect.client.schemas.schedules import CronSchedule

    assume(cron_problem(expression) is None)
    assert CronSchedule(cron=expression).cron == expression


@given(st.text())
def test_any_text_gives_at_most_a_problem(text):
    assert cron_problem(text) is None or ";" in cron_problem(text)


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Asia/Kolkata"])
def test_known_time_zone_has_no_problem_and_is_accepted_by_prefect(name):
    from prefect.client.schemas.schedules import CronSchedule

    assert timezone_problem(name) is None
    assert ZoneInfo(name).key == CronSchedule(cron="0 6 * * *", timezone=name).timezone


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Europe/Berlln", "did you mean Europe/Berlin?"),
        ("europe/berlin", "did you mean Europe/Berlin?"),
        ("Europe", "did you mean "),
        ("../etc/passwd", "give a name such as Europe/Berlin."),
        ("", "give a name such as Europe/Berlin."),
        ("+02:00", "give a name such as Europe/Berlin."),
        ("a\0b", "give a name such as Europe/Berlin."),
    ],
)
def test_unknown_time_zone_is_reported_with_a_known_one(name, hint):
    problem = timezone_problem(name)
    assert problem is not None
    assert problem.startswith(f"unknown time zone; {hint}")

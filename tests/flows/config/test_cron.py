"""What a schedule is taken to mean before Prefect is asked, Prefect takes as well."""

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
def test_a_good_expression_has_no_problem_and_prefect_takes_it(expression):
    from prefect.client.schemas.schedules import CronSchedule

    assert cron_problem(expression) is None
    assert CronSchedule(cron=expression, timezone="Europe/Berlin").cron == expression


@pytest.mark.parametrize("expression", BAD, ids=lambda expression: repr(expression[:30]))
def test_a_bad_expression_is_told_in_one_sentence(expression):
    problem = cron_problem(expression)
    assert problem is not None
    assert problem.endswith("; write minute, hour, day, month and weekday: 0 6 * * * is every day at six")
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
    """Draw what mostly stands in a field, so that many expressions have no problem."""
    number = st.integers(least, most).map(str)
    return st.one_of(
        st.just("*"), number, st.integers(1, 9).map("*/{}".format), *([st.sampled_from(names)] if names else [])
    )


USUAL = (usual(0, 59), usual(0, 23), usual(1, 28), usual(1, 12, "JAN", "dec"), usual(0, 6, "MON", "sat-sun", "fri"))
EXPRESSIONS = st.tuples(*(st.one_of(field, field, field, FIELD) for field in USUAL)).map(" ".join)


@given(EXPRESSIONS)
def test_whatever_has_no_problem_prefect_takes(expression):
    from prefect.client.schemas.schedules import CronSchedule

    assume(cron_problem(expression) is None)
    assert CronSchedule(cron=expression).cron == expression


@given(st.text())
def test_no_text_is_more_than_a_problem(text):
    assert cron_problem(text) is None or ";" in cron_problem(text)


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Asia/Kolkata"])
def test_a_time_zone_that_is_known_has_no_problem_and_prefect_takes_it(name):
    from prefect.client.schemas.schedules import CronSchedule

    assert timezone_problem(name) is None
    assert ZoneInfo(name).key == CronSchedule(cron="0 6 * * *", timezone=name).timezone


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Europe/Berlln", "did you mean Europe/Berlin?"),
        ("europe/berlin", "did you mean Europe/Berlin?"),
        ("Europe", "did you mean "),
        ("../etc/passwd", "write one such as Europe/Berlin."),
        ("", "write one such as Europe/Berlin."),
        ("+02:00", "write one such as Europe/Berlin."),
        ("a\0b", "write one such as Europe/Berlin."),
    ],
)
def test_a_time_zone_that_is_not_known_is_told_of_with_one_that_is(name, hint):
    problem = timezone_problem(name)
    assert problem is not None
    assert problem.startswith(f"there is no such time zone; {hint}")

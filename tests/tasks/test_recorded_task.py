"""Tests of tasks outside of a flow run; `tests/flows/execution/test_task_runners.py` has those within one."""

from __future__ import annotations

import logging

import pytest

from tasks.recorded_task import in_flow_run, run_logger, task


@task(task_run_name="half of {number}", retries=5)
def half(number: int) -> int:
    """Return half of an even number."""
    calls.append(number)
    if number % 2:
        raise ValueError(number)
    return number // 2


calls: list[int] = []


def test_call_outside_of_a_flow_run_is_a_call_of_the_function():
    calls.clear()
    assert not in_flow_run()
    assert (half(8), half.fn(4), half.with_options(retries=2)(2)) == (4, 2, 1)
    with pytest.raises(ValueError, match="5"):
        half(5)
    assert calls == [8, 4, 2, 5]
    assert (half.__name__, half.__doc__) == ("half", "Return half of an even number.")


def test_prefect_task_has_the_options_and_no_cache_of_results():
    from prefect.cache_policies import NO_CACHE

    made = half.with_options(retries=2).prefect_task
    assert (made.name, made.fn, made.retries, made.task_run_name) == ("half", half.fn, 2, "half of {number}")
    assert made.cache_policy == NO_CACHE
    assert half.prefect_task.retries == 5


def test_messages_outside_of_a_flow_run_go_to_the_named_logger():
    assert run_logger("songform.test") is logging.getLogger("songform.test")

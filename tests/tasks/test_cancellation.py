"""Tasks in other threads end when their flow is interrupted."""

from __future__ import annotations

import threading
from contextvars import Context, copy_context

import pytest

from tasks.cancellation import StopTask, raise_if_stopped, stoppable
from tasks.ingest.fetch.host_rate_limiter import HostRateLimiter
from tasks.settings import DownloadSettings


def test_only_tasks_started_in_an_interrupted_block_are_stopped() -> None:
    """A task outside of the block is not stopped, neither before nor after the block was interrupted."""
    raise_if_stopped()
    within: list[Context] = []

    def interrupted_flow() -> None:
        with stoppable():
            raise_if_stopped()
            within.append(copy_context())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted_flow()
    raise_if_stopped()
    with pytest.raises(StopTask):
        within[0].run(raise_if_stopped)


def test_task_waiting_for_a_host_ends_when_the_flow_is_interrupted(tmp_path) -> None:
    ended, settings = [], DownloadSettings(host_workers=1, host_seconds=0.0)
    waiting: list[threading.Thread] = []

    def wait_for_a_slot() -> None:
        with pytest.raises(StopTask), HostRateLimiter(tmp_path, "a.example", settings).slot():
            pytest.fail("the only slot was taken")
        ended.append(True)

    def interrupted_flow() -> None:
        with stoppable():
            waiting.append(threading.Thread(target=copy_context().run, args=(wait_for_a_slot,)))
            waiting[0].start()
            raise KeyboardInterrupt

    with HostRateLimiter(tmp_path, "a.example", settings).slot():
        with pytest.raises(KeyboardInterrupt):
            interrupted_flow()
        waiting[0].join(30)
    assert ended == [True]

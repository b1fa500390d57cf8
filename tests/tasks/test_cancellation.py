"""Tasks in other threads end when their flow is interrupted."""

from __future__ import annotations

import threading
from contextvars import Context, copy_context

import pytest

from tasks.cancellation import StopTask, raise_if_stopped, stoppable
from tasks.ingest.fetch.host_rate_limiter import HostRateLimiter
from tasks.settings import DownloadSettings


def test_nothing_ends_where_nothing_is_stopped() -> None:
    """Nor after a flow that was: only what began within it ends."""
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


def test_who_waits_before_a_host_ends_when_the_flow_is_interrupted(tmp_path) -> None:
    ended, settings = [], DownloadSettings(host_workers=1, host_seconds=0.0)
    waiting: list[threading.Thread] = []

    def wait_for_a_place() -> None:
        with pytest.raises(StopTask), HostRateLimiter(tmp_path, "a.example", settings).slot():
            pytest.fail("there was no place")
        ended.append(True)

    def interrupted_flow() -> None:
        with stoppable():
            waiting.append(threading.Thread(target=copy_context().run, args=(wait_for_a_place,)))
            waiting[0].start()
            raise KeyboardInterrupt

    with HostRateLimiter(tmp_path, "a.example", settings).slot():
        with pytest.raises(KeyboardInterrupt):
            interrupted_flow()
        waiting[0].join(30)
    assert ended == [True]

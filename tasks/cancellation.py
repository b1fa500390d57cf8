"""Stopping: how a task that waits learns that its flow is being stopped.

Ctrl-C reaches the main thread alone. What runs in other threads looks here, between two naps and between two blocks
of a download, and ends; the same command goes on from there. The sign travels in the context, so no task has to pass
it on.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Event

__all__ = ["StopTask", "raise_if_stopped", "stoppable"]

_stopped: ContextVar[Event | None] = ContextVar("stopped", default=None)


class StopTask(BaseException):
    """The flow is being stopped. No failure of the task, so nothing that handles failures may handle this."""


@contextmanager
def stoppable() -> Iterator[None]:
    """Stop the tasks that are begun within the block if the block is interrupted."""
    stopped = Event()
    token = _stopped.set(stopped)
    try:
        yield
    except BaseException:
        stopped.set()
        raise
    finally:
        _stopped.reset(token)


def raise_if_stopped() -> None:
    """End the task if its flow is being stopped.

    Raises
    ------
    StopTask
        Then.
    """
    stopped = _stopped.get()
    if stopped is not None and stopped.is_set():
        raise StopTask

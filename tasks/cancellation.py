"""Cancellation of tasks in other threads when their flow is interrupted.

Ctrl-C reaches only the main thread. Tasks in other threads check here between two sleeps and between two blocks of a
download, and end if the flow was interrupted; the same command later continues from there. The flag is a context
variable, so tasks do not have to pass it on.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Event

__all__ = ["StopTask", "raise_if_stopped", "stoppable"]

_stopped: ContextVar[Event | None] = ContextVar("stopped", default=None)


class StopTask(BaseException):
    """Raised in a task when its flow is being stopped.

    It derives from `BaseException`, so that code that handles failures does not catch it.
    """


@contextmanager
def stoppable() -> Iterator[None]:
    """Stop the tasks that were started within the `with` block if the block raises."""
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
    """Raise `StopTask` if the flow of this task is being stopped.

    Raises
    ------
    StopTask
        If the flow is being stopped.
    """
    stopped = _stopped.get()
    if stopped is not None and stopped.is_set():
        raise StopTask

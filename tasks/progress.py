"""Progress: how a task tells whoever listens what it is doing.

The command line listens and draws bars; a worker on another machine has no listener, and its words go nowhere. The
listener travels in the context, so no task has to pass it on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

__all__ = ["ProgressEvent", "announce", "listening"]


@dataclass(frozen=True)
class ProgressEvent:
    """Something that a task has to say.

    Parameters
    ----------
    stage : str
        What is done: `download`, `features`, `training`, ...
    done : float
        How much of it is done.
    total : float, optional
        How much there is to do.
    detail : str
        A few words on the newest part: a title, a loss.
    """

    stage: str
    done: float
    total: float | None = None
    detail: str = ""


Listener = Callable[[ProgressEvent], None]

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Give all events that are announced within the block to a listener."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def announce(stage: str, done: float, total: float | None = None, detail: str = "") -> None:
    """Tell the listener, if there is one."""
    listener = _listener.get()
    if listener is not None:
        listener(ProgressEvent(stage, done, total, detail))

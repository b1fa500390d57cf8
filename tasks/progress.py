"""Progress events of running tasks.

The command line listens to them and draws progress bars. A worker on another machine has no listener, so its events are
dropped. The listener is a context variable, so tasks do not have to pass it on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

__all__ = ["ProgressEvent", "announce", "listening"]


@dataclass(frozen=True)
class ProgressEvent:
    """Progress of one stage of a task.

    Parameters
    ----------
    stage : str
        Name of the stage: `download`, `features`, `training`, ...
    done : float
        Amount of work done.
    total : float, optional
        Total amount of work, if it is known.
    detail : str
        Short text about the latest step, such as a title or a loss.
    """

    stage: str
    done: float
    total: float | None = None
    detail: str = ""


Listener = Callable[[ProgressEvent], None]

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Pass all events that are announced within the `with` block to a listener."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def announce(stage: str, done: float, total: float | None = None, detail: str = "") -> None:
    """Pass an event to the listener, if there is one; the parameters are those of `ProgressEvent`."""
    listener = _listener.get()
    if listener is not None:
        listener(ProgressEvent(stage, done, total, detail))

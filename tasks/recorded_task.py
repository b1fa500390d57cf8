"""Tasks that Prefect records as task runs when a flow run calls them.

Importing Prefect takes as long as extracting the features of a song, and a server longer than all of songform's work on
it. Therefore `task` does not import Prefect. Within a flow run, a call is one of Prefect's task. Outside, it is a call
of the function, without retries.
"""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

if TYPE_CHECKING:
    from prefect import Task

__all__ = ["RecordedTask", "in_flow_run", "run_logger", "task"]

P = ParamSpec("P")
R = TypeVar("R")


def in_flow_run() -> bool:
    """Return whether the caller is part of a flow run of Prefect."""
    context = sys.modules.get("prefect.context")  # without this module, there is no flow run
    return context is not None and context.FlowRunContext.get() is not None


def run_logger(name: str) -> Any:
    """Return the logger of the flow run, whose messages Prefect's UI shows; outside of a flow run, the named logger."""
    if not in_flow_run():
        return logging.getLogger(name)
    from prefect.logging import get_run_logger

    return get_run_logger()


class RecordedTask(Generic[P, R]):
    """Function whose calls Prefect records within a flow run.

    Parameters
    ----------
    fn : callable
        The function.
    options : dict
        Options of `prefect.task`.
    """

    def __init__(self, fn: Callable[P, R], options: dict[str, Any]) -> None:
        functools.update_wrapper(self, fn)
        self.fn, self._options = fn, options

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call Prefect's task within a flow run, and the function elsewhere."""
        return self.prefect_task(*args, **kwargs) if in_flow_run() else self.fn(*args, **kwargs)

    @functools.cached_property
    def prefect_task(self) -> Task[P, R]:
        """Prefect's task. Prefect does not cache its results, because the files in the home are the cache."""
        import prefect
        from prefect.cache_policies import NO_CACHE

        made: Task[P, R] = prefect.task(cache_policy=NO_CACHE, **self._options)(self.fn)
        return made

    def with_options(self, **options: Any) -> RecordedTask[P, R]:
        """Return the same task with some options replaced."""
        return RecordedTask(self.fn, {**self._options, **options})


def task(**options: Any) -> Callable[[Callable[P, R]], RecordedTask[P, R]]:
    """Return a decorator that turns a function into a task.

    Parameters
    ----------
    **options
        Options of `prefect.task`, such as `task_run_name`.
    """
    return lambda fn: RecordedTask(fn, options)

"""Execution of a flow's tasks by the task runner of the settings: threads or a Dask cluster.

Outside of a flow run, a task runs as a plain function (`tasks.recorded_task`), one call after the other. This module
does not import Prefect when it is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from flows.execution.dask_cluster import cluster_address, dask_runner, outcomes_on, record_crash
from songform.errors import SongformError
from tasks.cancellation import stoppable
from tasks.process_pool import WorkerLostError
from tasks.recorded_task import RecordedTask, in_flow_run
from tasks.settings import Settings

if TYPE_CHECKING:
    from prefect import Task
    from prefect.client.schemas.objects import State

__all__ = ["cluster_settings", "jobs_per_task", "results"]

Job = TypeVar("Job")


@contextmanager
def cluster_settings(settings: Settings) -> Iterator[Settings]:
    """Yield the settings with the address of the Dask cluster, which is started on this machine if none is set.

    With the task runner `threads`, the settings are not changed.

    Raises
    ------
    SettingsError
        If Dask is not installed, or no scheduler answers at the address.
    """
    if settings.run.task_runner == "threads":
        yield settings
        return
    with cluster_address(settings.run) as address:
        run = settings.run.model_copy(update={"dask_address": address})
        yield settings.model_copy(update={"run": run})


def jobs_per_task(jobs: list[Job], settings: Settings) -> list[list[Job]]:
    """Divide the jobs of a batch into tasks, and return one list of jobs per task.

    On one machine, a single task distributes all jobs to worker processes. On a Dask cluster, the workers are such
    processes themselves, so each job is a task.
    """
    if settings.run.task_runner == "dask":
        return [[job] for job in jobs]
    return [jobs] if jobs else []


def results(
    task: RecordedTask[..., Any] | Task[..., Any], calls: Sequence[dict[str, Any]], settings: Settings
) -> list[Any]:
    """Run a task in parallel with several sets of parameters, wait for all runs, and return their results.

    Prefect's futures and states are released when the runs have finished.

    Parameters
    ----------
    task : Task
        Task with its options.
    calls : sequence of dict
        Parameters of each run.
    settings : Settings
        All settings; `run.task_runner` determines where the task runs.

    Returns
    -------
    list
        For each run its result, its exception, or a `WorkerLostError` if it crashed its workers.

    Raises
    ------
    SongformError
        If the Dask cluster is lost or cannot run the task.
    """
    if not calls:
        return []
    if settings.run.task_runner == "threads" and not in_flow_run():
        return [_result_or_error(task.fn, call) for call in calls]
    recorded = task.prefect_task if isinstance(task, RecordedTask) else task
    found = _run_once(recorded, calls, settings)
    suspects = [number for number, result in enumerate(found) if isinstance(result, WorkerLostError)]
    if len(suspects) > 1:
        # These runs shared workers. Run each one alone: the one that crashes its worker again is the cause.
        for number in suspects:
            found[number] = _run_once(recorded, [calls[number]], settings)[0]
    return found


def _result_or_error(function: Callable[..., Any], call: dict[str, Any]) -> Any:
    """Call a function, and return its result or its exception."""
    try:
        return function(**call)
    except Exception as error:  # noqa: BLE001  the caller decides which exceptions are defects
        return error


def _run_once(task: Task[..., Any], calls: Sequence[dict[str, Any]], settings: Settings) -> list[Any]:
    if settings.run.task_runner == "dask":
        with dask_runner(settings.run.dask_address) as cluster:
            submitted = [cluster.submit(task, call) for call in calls]
            states = outcomes_on(cluster.client, [future.wrapped_future for future in submitted])
            for call, future, state in zip(calls, submitted, states, strict=True):
                if state.is_crashed():
                    record_crash(task, call, future.task_run_id, state)
    elif len(calls) == 1:
        states = [task(**_quoted(calls[0]), return_state=True)]  # in this thread, where Ctrl-C reaches it
    else:
        from prefect.task_runners import ThreadPoolTaskRunner

        threads = ThreadPoolTaskRunner[Any](max_workers=settings.download.workers)
        with threads as runner, stoppable():
            futures = [runner.submit(task, _quoted(call)) for call in calls]
            states = [future.wrapped_future.result() for future in futures]
    if settings.run.task_runner == "threads" and (crashed := [state for state in states if state.is_crashed()]):
        raise SongformError(
            f"Prefect reported a crashed task ({crashed[0].message}); run the same command again to continue"
        )
    return [_result(state) for state in states]


def _quoted(call: dict[str, Any]) -> dict[str, Any]:
    """Return parameters that Prefect does not search for futures, which can take longer than the task itself.

    This does not work with Dask, which treats the quotes as tuples.
    """
    from prefect.utilities.annotations import quote

    return {name: quote(value) for name, value in call.items()}


def _result(state: State[Any]) -> Any:
    """Return the result or the exception of a task, or a `WorkerLostError` if it crashed."""
    read: Any = state.result  # the argument `_sync` is missing in Prefect's type hints
    return WorkerLostError() if state.is_crashed() else read(raise_on_failure=False, _sync=True)

"""Task runners: where a flow's tasks run, on threads of this machine or on a Dask cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from prefect import Task
from prefect.client.schemas.objects import State
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.utilities.annotations import quote

from flows.execution.dask_cluster import cluster_address, dask_runner, outcomes_on
from songform.errors import SongformError
from tasks.cancellation import stoppable
from tasks.ingest.process_pool import WorkerLostError
from tasks.settings import Settings

__all__ = ["cluster_settings", "jobs_per_task", "results"]

Job = TypeVar("Job")


@contextmanager
def cluster_settings(settings: Settings) -> Iterator[Settings]:
    """Give the settings with the address of a Dask cluster, which is started here if none is named.

    Raises
    ------
    SettingsError
        If Dask is not installed, or nobody answers at the address.
    """
    if settings.run.task_runner == "threads":
        yield settings
        return
    with cluster_address(settings.run) as address:
        run = settings.run.model_copy(update={"dask_address": address})
        yield settings.model_copy(update={"run": run})


def jobs_per_task(jobs: list[Job], settings: Settings) -> list[list[Job]]:
    """Return the jobs of a batch, one list per task.

    On one machine a single task keeps all cores busy with processes that die alone. On a cluster the workers are such
    processes themselves, so each job is a task.
    """
    if settings.run.task_runner == "dask":
        return [[job] for job in jobs]
    return [jobs] if jobs else []


def results(task: Task[..., Any], calls: Sequence[dict[str, Any]], settings: Settings) -> list[Any]:
    """Run a task with many sets of parameters at once, and wait for all.

    Nothing of Prefect's is left when they are done: neither futures nor states.

    Parameters
    ----------
    task : Task
        With its options.
    calls : sequence of dict
        The parameters of each run.
    settings : Settings
        Where to run them.

    Returns
    -------
    list
        The result of each; or its exception; or a `WorkerLostError`, if it took down the workers that had it.

    Raises
    ------
    SongformError
        If the cluster is gone or cannot do this.
    """
    if not calls:
        return []
    found = _run_once(task, calls, settings)
    suspects = [number for number, result in enumerate(found) if isinstance(result, WorkerLostError)]
    if len(suspects) > 1:
        # They shared their workers. Who is alone with one, and loses it, is to blame.
        for number in suspects:
            found[number] = _run_once(task, [calls[number]], settings)[0]
    return found


def _run_once(task: Task[..., Any], calls: Sequence[dict[str, Any]], settings: Settings) -> list[Any]:
    if settings.run.task_runner == "dask":
        with dask_runner(settings.run.dask_address) as cluster:
            submitted = [cluster.submit(task, call) for call in calls]
            states = outcomes_on(cluster.client, [future.wrapped_future for future in submitted])
    elif len(calls) == 1:
        states = [task(**_quoted(calls[0]), return_state=True)]  # in this thread, where Ctrl-C reaches it
    else:
        threads = ThreadPoolTaskRunner[Any](max_workers=settings.download.workers)
        with threads as runner, stoppable():
            futures = [runner.submit(task, _quoted(call)) for call in calls]
            states = [future.wrapped_future.result() for future in futures]
    if settings.run.task_runner == "threads" and (crashed := [state for state in states if state.is_crashed()]):
        raise SongformError(f"Prefect gave up a task ({crashed[0].message}); the same command goes on from there")
    return [_result(state) for state in states]


def _quoted(call: dict[str, Any]) -> dict[str, Any]:
    """Return parameters through which Prefect does not walk in search of futures, for longer than the task takes.

    Not for Dask, which takes the quotes for tuples.
    """
    return {name: quote(value) for name, value in call.items()}


def _result(state: State[Any]) -> Any:
    """Return what a task returned or raised; if it crashed, it did neither."""
    read: Any = state.result  # Prefect's types do not know its argument `_sync`
    return WorkerLostError() if state.is_crashed() else read(raise_on_failure=False, _sync=True)

"""Execution of a flow's tasks on the workers of a Dask cluster.

The workers may run on other machines if the path of the home is the same folder on each, the same version of songform
is installed, and the Prefect server can be reached. The flow itself and the locks of the tracks stay in the process of
the flow.

A worker may crash because of a defect in a decoder or because it runs out of memory. Dask then gives its tasks to other
workers, and gives up a task after four workers have died with it. All tasks that were assigned to these workers are
affected, not only the task that crashed them, so `flows.execution.task_runners` runs each of them once more, alone. If
the whole cluster is lost, the flow ends with an error; finished tracks are kept.

References
----------
https://distributed.dask.org/en/stable/killed.html
https://docs.prefect.io/integrations/prefect-dask
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID, uuid4

from songform.errors import SettingsError, SongformError
from tasks.settings import RunSettings

if TYPE_CHECKING:
    from distributed import Client
    from prefect import Task
    from prefect.client.schemas.objects import State


__all__ = ["cluster_address", "dask_runner", "outcomes_on", "record_crash"]

_ANSWER_SECONDS = 15.0  # timeout of the connection to the scheduler
_WORKER_SECONDS = 300.0  # maximum time without any worker; a cluster that scales automatically takes minutes
_POLL_SECONDS = 5.0
_FLUSH_SECONDS = 20.0


class TaskFuture(Protocol):
    """Dask future of a Prefect task."""

    task_run_id: UUID

    def done(self) -> bool:
        """Return whether the task has ended."""

    def result(self) -> Any:
        """Return the state in which the task ended."""

    def release(self) -> None:
        """Release the result on the cluster."""


@contextmanager
def cluster_address(run: RunSettings) -> Iterator[str]:
    """Yield the address of a Dask scheduler within a `with` block.

    This is `run.dask_address`, or the address of a cluster that is started on this machine. At the end of the block,
    the workers send their remaining logs and events to the Prefect server.

    Raises
    ------
    SettingsError
        If Dask is not installed, or no scheduler answers at the address.
    """
    _prefect_dask()
    from distributed import LocalCluster

    with ExitStack() as stack:
        address = run.dask_address
        if address is None:
            local = LocalCluster(
                n_workers=run.workers or None,
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
                worker_dashboard_address="127.0.0.1:0",
                silence_logs=logging.CRITICAL,  # keep Dask's logs out of the terminal
            )
            address = stack.enter_context(local).scheduler_address
        client = stack.enter_context(_client(address))
        _flush_workers(client, 0.0)  # an earlier flow may have used another Prefect server, which has ended
        stack.callback(_flush_workers, client, _FLUSH_SECONDS)
        yield address


def dask_runner(address: str | None) -> Any:
    """Return a Prefect task runner for a Dask cluster."""
    return _prefect_dask().DaskTaskRunner(address=address)


def outcomes_on(client: Client, futures: list[TaskFuture]) -> list[State[Any]]:
    """Wait for tasks and return their final states.

    Each result is fetched as soon as it is available. If it stayed on its worker and the worker died, Dask would run
    the task again.

    Returns
    -------
    list
        One Prefect state per future; Crashed if Dask gave up the task.

    Raises
    ------
    SongformError
        If the cluster is lost, has had no worker for minutes, or cannot run songform's tasks.
    """
    from distributed import CancelledError, wait

    left = dict(enumerate(futures))
    found: dict[int, State[Any]] = {}
    worked = time.monotonic()
    while left:
        with client.as_current(), suppress(TimeoutError, CancelledError):
            wait(list(left.values()), timeout=_POLL_SECONDS, return_when="FIRST_COMPLETED")
        for number in [number for number, future in left.items() if future.done()]:
            future = left.pop(number)
            found[number] = _outcome(future)
            future.release()
        if client.scheduler_info()["workers"]:
            worked = time.monotonic()
        elif left and time.monotonic() - worked > _WORKER_SECONDS:
            minutes = f"{_WORKER_SECONDS / 60:.0f} minutes"
            raise SongformError(
                f"the Dask cluster has had no worker for {minutes}; start workers, and run the same command again"
            )
    return [found[number] for number in range(len(futures))]


def _outcome(future: TaskFuture) -> State[Any]:
    from distributed import CancelledError
    from distributed.scheduler import KilledWorker
    from prefect.states import Crashed

    state: State[Any]
    try:
        state = future.result()
    except KilledWorker as error:
        state = Crashed(message=str(error))
    except (CancelledError, OSError) as error:
        cause = _first_line(error)
        msg = (
            f"the connection to the Dask cluster was lost ({cause}); start the cluster again, and run the same command "
            "again to continue"
        )
        raise SongformError(msg) from error
    except Exception as error:
        # An exception that the task raises is in its state, so this one was raised before the task began.
        msg = (
            f"the Dask workers cannot run songform's tasks ({type(error).__name__}: {_first_line(error)}); "
            "install the same versions of Python and songform on the workers, and make sure that they can reach the "
            "Prefect server"
        )
        raise SongformError(msg) from error
    return state


def record_crash(task: Task[..., Any], call: dict[str, Any], task_run_id: UUID, state: State[Any]) -> None:
    """Record at the Prefect server that a task run crashed, because its workers are dead.

    The server may not know the task run, because the events of the task run were lost with its workers or are recorded
    later. Therefore the task run is created if necessary. Events that are older than the crash do not change its state.

    Parameters
    ----------
    task : Task
        Task with its options.
    call : dict
        Parameters of the run.
    task_run_id : UUID
        ID of the task run.
    state : State
        Final state.
    """
    from prefect.client.orchestration import get_client
    from prefect.exceptions import PrefectHTTPStatusError
    from prefect.runtime import flow_run

    parent = UUID(flow_run.id) if flow_run.id else None
    name, key = _run_name(task, call), uuid4().hex
    with get_client(sync_client=True) as client:
        try:
            client.create_task_run(task, parent, dynamic_key=key, id=task_run_id, name=name, state=state)
        except PrefectHTTPStatusError as error:
            if error.response.status_code != HTTPStatus.CONFLICT:  # the server does not know the task run
                raise
            client.set_task_run_state(task_run_id, state, force=True)


def _run_name(task: Task[..., Any], call: dict[str, Any]) -> str:
    """Return the name that Prefect gives to a run of a task."""
    name = task.task_run_name or task.name
    # Prefect's type for callable run names lacks the parameters, which Prefect passes.
    return name.format(**call) if isinstance(name, str) else name(parameters=call)  # type: ignore[call-arg]


def _first_line(error: BaseException) -> str:
    """Return the first line of an error message, which is usually enough for messages of Dask."""
    return next(iter(str(error).splitlines()), "").rstrip(".")


def _client(address: str) -> Client:
    from distributed import Client

    try:
        return Client(address, timeout=_ANSWER_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        msg = (
            f"no Dask scheduler answers at run.dask_address = {address}; start one there with `dask scheduler`, "
            "or remove the setting to use a cluster on this machine"
        )
        raise SettingsError(msg) from error


def _flush_workers(client: Client, seconds: float) -> None:
    """Let the workers send Prefect's buffered logs and events, and close their connections to the Prefect server."""
    with suppress(Exception):  # a worker may have died
        client.run(_flush_worker, seconds, on_error="ignore")


async def _flush_worker(seconds: float) -> None:
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    for sender in (APILogWorker, EventsWorker):
        # In another thread, so that the event loop of the worker is not blocked.
        await asyncio.to_thread(sender.drain_all, timeout=seconds)


def _prefect_dask() -> Any:
    try:
        import prefect_dask
    except ImportError as error:
        msg = 'run.task_runner = "dask" needs the extra dask; install it with `pip install "songform[dask]"`'
        raise SettingsError(msg) from error
    return prefect_dask

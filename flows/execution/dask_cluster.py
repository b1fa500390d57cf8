"""A flow's tasks on the workers of a Dask cluster.

The workers may run on other machines, if the home's path leads to the same folder everywhere, the same songform is
installed there, and Prefect's server can be reached from there. The locks of the tracks and the flow itself stay in the
flow's process.

A worker may die, by a decoder's defect or because memory ran out. Dask then gives its tasks to others; but a task with
which four workers died it gives up. All that lay on those workers is under suspicion, not only what ran: so
`flows.execution.task_runners` tries the suspects once more, one at a time. A cluster that vanishes, on the other hand,
is no track's fault, and ends the flow; nothing is lost that was done.

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
from typing import TYPE_CHECKING, Any, Protocol

from songform.errors import SettingsError, SongformError
from tasks.settings import RunSettings

if TYPE_CHECKING:
    from uuid import UUID

    from distributed import Client
    from prefect.client.schemas.objects import State


__all__ = ["cluster_address", "dask_runner", "outcomes_on"]

_ANSWER_SECONDS = 15.0  # most time for a scheduler to answer
_WORKER_SECONDS = 300.0  # most time without a single worker: a cluster that grows by itself takes minutes
_POLL_SECONDS = 5.0
_FLUSH_SECONDS = 20.0


class TaskFuture(Protocol):
    """A future of Dask's, as Prefect's client returns it for a task."""

    task_run_id: UUID

    def done(self) -> bool:
        """Return whether the task has ended."""

    def result(self) -> Any:
        """Return the state in which the task ended."""

    def release(self) -> None:
        """Let the cluster forget the result."""


@contextmanager
def cluster_address(run: RunSettings) -> Iterator[str]:
    """Give the address of a cluster's scheduler for the length of a `with` block.

    It is the one that is named, if it answers; without a name, a cluster is started on this machine. When the block
    ends, the workers have told Prefect's server all that they had to tell.

    Raises
    ------
    SettingsError
        If Dask is not installed, or nobody answers at the address.
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
                silence_logs=logging.CRITICAL,  # the terminal is songform's
            )
            address = stack.enter_context(local).scheduler_address
        client = stack.enter_context(_client(address))
        _flush_workers(client, 0.0)  # an earlier flow may have had another server, which is no more
        stack.callback(_flush_workers, client, _FLUSH_SECONDS)
        yield address


def dask_runner(address: str | None) -> Any:
    """Return Prefect's runner of tasks on a cluster."""
    return _prefect_dask().DaskTaskRunner(address=address)


def outcomes_on(client: Client, futures: list[TaskFuture]) -> list[State[Any]]:
    """Wait for tasks, and return what each ended with; a result is taken home as soon as there is one.

    Left with its worker it would go with it, and the task would be done again.

    Returns
    -------
    list
        A state of Prefect's for each future: Crashed where Dask gave the task up.

    Raises
    ------
    SongformError
        If the cluster is gone, has had no worker for minutes, or cannot run songform's tasks.
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
            raise SongformError(f"the Dask cluster has had no worker for {minutes}; start some, and ingest again")
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
        _record_crash(future, state)
    except (CancelledError, OSError) as error:
        cause = _first_line(error)
        msg = f"the Dask cluster is gone ({cause}); start it again, and ingest again: what is done stays done"
        raise SongformError(msg) from error
    except Exception as error:
        # Whatever a task itself raises is in its state: this one never began.
        msg = (
            f"the Dask workers cannot do songform's tasks ({type(error).__name__}: {_first_line(error)}); "
            "they need the same Python, the same songform and a way to Prefect's server"
        )
        raise SongformError(msg) from error
    return state


def _first_line(error: BaseException) -> str:
    """Return the first line of what Dask says, which as a rule says it all."""
    return next(iter(str(error).splitlines()), "").rstrip(".")


def _record_crash(future: TaskFuture, state: State[Any]) -> None:
    """Tell Prefect how a task ended whose workers can tell it nothing any more."""
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound

    with suppress(ObjectNotFound), get_client(sync_client=True) as client:  # it may not even know that it began
        client.set_task_run_state(future.task_run_id, state, force=True)


def _client(address: str) -> Client:
    from distributed import Client

    try:
        return Client(address, timeout=_ANSWER_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        msg = (
            f"no Dask scheduler answers at run.dask_address = {address}; start one there with `dask scheduler`, "
            "or leave the setting out for a cluster on this machine"
        )
        raise SettingsError(msg) from error


def _flush_workers(client: Client, seconds: float) -> None:
    """Let the workers send what Prefect holds back of events and logs, and forget where they sent it."""
    with suppress(Exception):  # a worker that is gone has nothing to tell
        client.run(_flush_worker, seconds, on_error="ignore")


async def _flush_worker(seconds: float) -> None:
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    for sender in (APILogWorker, EventsWorker):
        # Not in the thread in which a worker hears its scheduler.
        await asyncio.to_thread(sender.drain_all, timeout=seconds)


def _prefect_dask() -> Any:
    try:
        import prefect_dask
    except ImportError as error:
        msg = 'run.task_runner = "dask" needs the extra dask; install it with `pip install "songform[dask]"`'
        raise SettingsError(msg) from error
    return prefect_dask

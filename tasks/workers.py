"""Workers: a pool of processes that outlives its dead.

A decoder in C can take its whole process with it, and so can the kernel when memory runs out. Each job therefore runs
in a process that may die: its own job is lost, a new process takes its place, and the other jobs do not notice.
Processes and not threads, because what a job does between its C calls holds Python's lock (docs/performance.md).

The processes are spawned, not forked: they inherit no lock, no connection and no thread. They import the module of the
function that they are given, and nothing else of the program; that module should be quick to import.

A process that is daemonic may have no children. Dask's workers are, so they do the jobs themselves: each of them is a
process that may die already, and Dask starts another.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

from pebble import ProcessExpired, ProcessPool
from threadpoolctl import threadpool_limits

__all__ = ["WorkerLostError", "outcomes", "usable_cores", "worker_pool"]

Job = TypeVar("Job")
Result = TypeVar("Result")


class WorkerLostError(Exception):
    """The process that did a job ended before the job did.

    Attributes
    ----------
    signal : int
        The signal that killed it: 9 as a rule when memory ran out, 6 or 11 from a defect in C; 0 if it left by itself.
    status : int
        The exit status with which it left by itself; 0 also where nobody knows how it ended.
    """

    def __init__(self, exitcode: int = 0) -> None:
        super().__init__(exitcode)
        self.signal, self.status = max(-exitcode, 0), max(exitcode, 0)

    def __str__(self) -> str:
        return f"signal {self.signal}" if self.signal else f"exit status {self.status}"


def usable_cores() -> int:
    """Return on how many cores this process may run, by its affinity and the limits of its container."""
    from joblib import cpu_count

    return int(cpu_count())


def outcomes(
    function: Callable[[Job], Result], jobs: Sequence[Job], *, workers: int
) -> Generator[tuple[int, Result | Exception], None, None]:
    """Do jobs in processes of their own, and yield what became of each as soon as it is known.

    When the caller stops listening, or is interrupted, all processes are ended.

    Parameters
    ----------
    function : callable
        Of a module; it, the jobs, the results and its exceptions travel between processes.
    jobs : sequence
        The jobs.
    workers : int
        Jobs at the same time.

    Yields
    ------
    int
        The number of a job.
    object
        The function's result, the exception that it raised, or a `WorkerLostError`.

    Raises
    ------
    RuntimeError
        If no process lives long enough to begin a job.
    """
    if multiprocessing.current_process().daemon:
        yield from _done_here(function, jobs)
        return
    left = list(range(len(jobs)))
    while left:
        n_left = len(left)
        with worker_pool(function, workers=min(workers, n_left)) as pool:
            numbers: dict[Future[Result], int] = {}
            for number in left:
                numbers[pool.schedule(function, args=(jobs[number],))] = number
            for future in as_completed(numbers):
                # A process that dies between two jobs may break the pool; what it left over is begun anew.
                if not isinstance(future.exception(), BrokenProcessPool):
                    left.remove(numbers[future])
                    yield numbers[future], _outcome(future)
        if len(left) == n_left:
            msg = (
                "the worker processes end before they begin; a script that starts them must do so "
                'under `if __name__ == "__main__":`, because each of them imports it'
            )
            raise RuntimeError(msg)


@contextmanager
def worker_pool(function: Callable[..., object], *, workers: int) -> Iterator[ProcessPool]:
    """Start processes that know a function; end them with the `with` block, whatever they are doing."""
    # The function comes along so that its libraries are there before they are limited.
    spawn = multiprocessing.get_context("spawn")
    pool = ProcessPool(workers, initializer=_settle_in, initargs=(function,), context=spawn)
    try:
        yield pool
    finally:
        pool.stop()
        pool.join()


def _done_here(
    function: Callable[[Job], Result], jobs: Sequence[Job]
) -> Generator[tuple[int, Result | Exception], None, None]:
    """Do jobs in this very process, one after the other."""
    for number, job in enumerate(jobs):
        try:
            outcome: Result | Exception = function(job)
        except Exception as error:  # noqa: BLE001  whatever it is, it is this job's alone
            outcome = error
        yield number, outcome


def _settle_in(_function: Callable[..., object]) -> None:
    """Prepare a fresh process; Ctrl-C is the parent's business, of which pebble takes care."""
    threadpool_limits(1)  # a process a core is enough: BLAS would start as many threads in each
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 2)  # libmpg123 prints its notes on damaged files
    os.close(silence)


def _outcome(future: Future[Result]) -> Result | Exception:
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, ProcessExpired):
        return WorkerLostError(error.exitcode)
    return error if isinstance(error, Exception) else WorkerLostError(1)  # sys.exit, of which pebble makes an answer

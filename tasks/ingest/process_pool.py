"""A process pool that survives crashed workers.

A decoder in C can take its whole process with it, and so can the kernel when memory runs out. Each job therefore runs
in a process that may die: its own job is lost, a new process takes its place, and the other jobs are not affected.
Processes and not threads, because what a job does between its C calls holds Python's lock (docs/performance.md).

A decoder may also never come back. A job that takes too long is ended with its process: politely at first, so that a
program which the job has started ends with it and no half file stays, then by SIGKILL. The time is not read from the
wall clock, which may be set. In the same way a process ends whose parent was killed: nobody waits for its job any more.

The processes are spawned, not forked: they inherit no lock, no connection and no thread. They import the module of the
function that they are given, and nothing else of the program; that module should be quick to import.

A process that is daemonic may have no children. Dask's workers are, so they do the jobs themselves: each of them is a
process that may die already, and Dask starts another. One whose job takes too long ends itself.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import TypeVar

from pebble import ProcessExpired, ProcessPool
from threadpoolctl import threadpool_limits

__all__ = ["WorkerLostError", "WorkerTimeoutError", "run_jobs", "usable_cores", "worker_pool"]

_POLL_SECONDS = 1.0  # how often the jobs' time is looked at
_GRACE_SECONDS = 3.0  # for an orphan to leave in good order
_TERMINATED = 128 + signal.SIGTERM  # the exit status of a process that was told to end, as shells give it

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


class WorkerTimeoutError(Exception):
    """A job took longer than it may; its process was ended."""


class _SigintIgnoringProcess(SpawnProcess):
    """A process that never hears Ctrl-C, which the terminal tells all: not even while it imports its libraries."""

    def start(self) -> None:
        heard = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # what is blocked here is blocked there
        try:
            super().start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, heard)


class _SigintIgnoringContext(SpawnContext):
    Process = _SigintIgnoringProcess


class _TerminatedError(BaseException):
    """Whatever the process does is given up; what it has begun is put in order on the way out."""


def usable_cores() -> int:
    """Return on how many cores this process may run, by its affinity and the limits of its container."""
    from joblib import cpu_count

    return int(cpu_count())


def run_jobs(
    function: Callable[[Job], Result], jobs: Sequence[Job], *, workers: int, seconds: float = math.inf
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
    seconds : float > 0
        Most time for a job, from its beginning.

    Yields
    ------
    int
        The number of a job.
    object
        The function's result, the exception that it raised, a `WorkerLostError` or a `WorkerTimeoutError`.

    Raises
    ------
    RuntimeError
        If no process lives long enough to begin a job.
    """
    if multiprocessing.current_process().daemon:
        yield from _run_jobs_here(function, jobs, seconds)
        return
    left = list(range(len(jobs)))
    while left:
        n_left = len(left)
        with worker_pool(function, workers=min(workers, n_left)) as pool:
            numbers: dict[Future[Result], int] = {}
            for number in left:
                numbers[pool.schedule(_run_job, args=(function, jobs[number]))] = number
            for future in _finished_or_cancelled(numbers, seconds):
                # A process that dies between two jobs may break the pool; what it left over is begun anew.
                if future.cancelled() or not isinstance(future.exception(), BrokenProcessPool):
                    left.remove(numbers[future])
                    outcome = _outcome(future)
                    yield numbers[future], outcome
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
    pool = ProcessPool(workers, initializer=_initialize_worker, initargs=(function,), context=_SigintIgnoringContext())
    try:
        yield pool
    finally:
        pool.stop()  # type: ignore[no-untyped-call]  # Pebble annotates it halfway
        pool.join()


def _finished_or_cancelled(futures: Collection[Future[Result]], seconds: float) -> Iterator[Future[Result]]:
    """Yield jobs as they end; those that take too long are cancelled, which ends their processes."""
    begun: dict[Future[Result], float] = {}
    left = set(futures)
    while left:
        done, left = wait(left, _POLL_SECONDS, FIRST_COMPLETED)
        yield from done
        now = time.monotonic()
        for future in left:
            if future.running() and now - begun.setdefault(future, now) > seconds:
                future.cancel()


def _run_job(function: Callable[[Job], Result], job: Job) -> Result:
    """Do a job in a process of its own; one that is told to end meanwhile does so when the job has left in good order.

    Before and after, the pool's own answer is right: it ends at once.
    """
    try:
        before = signal.signal(signal.SIGTERM, _raise_terminated)
        try:
            return function(job)
        finally:
            signal.signal(signal.SIGTERM, before)
    except _TerminatedError:
        os._exit(_TERMINATED)


def _run_jobs_here(
    function: Callable[[Job], Result], jobs: Sequence[Job], seconds: float
) -> Generator[tuple[int, Result | Exception], None, None]:
    """Do jobs in this very process, one after the other."""
    for number, job in enumerate(jobs):
        watchdog = threading.Timer(min(seconds, threading.TIMEOUT_MAX), os._exit, (_TERMINATED,))
        watchdog.daemon = True
        watchdog.start()
        try:
            outcome: Result | Exception = function(job)
        except Exception as error:  # noqa: BLE001  whatever it is, it is this job's alone
            outcome = error
        finally:
            watchdog.cancel()
        yield number, outcome


def _initialize_worker(_function: Callable[..., object]) -> None:
    """Prepare a fresh process; Ctrl-C is the parent's business."""
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    threadpool_limits(1)  # a process a core is enough: BLAS would start as many threads in each
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 2)  # libmpg123 prints its notes on damaged files
    os.close(silence)


def _exit_with_parent() -> None:
    """Wait for the end of the process that started this one, and follow it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_GRACE_SECONDS)
        os._exit(_TERMINATED)


def _raise_terminated(*_: object) -> None:
    raise _TerminatedError


def _outcome(future: Future[Result]) -> Result | Exception:
    if future.cancelled():
        return WorkerTimeoutError()
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, ProcessExpired):
        return WorkerLostError(error.exitcode)
    return error if isinstance(error, Exception) else WorkerLostError(1)  # sys.exit, of which pebble makes an answer

"""A process pool that survives crashed workers.

A C decoder may crash its whole process, and the kernel may kill a process when memory runs out. Therefore jobs run in
worker processes. If one dies, only its job is lost: a new process replaces it, and the other jobs are not affected.
Threads would not run in parallel, because jobs hold the global interpreter lock between calls of C functions
(docs/performance.md).

A decoder may also hang. The process of a job that takes too long is terminated: first by SIGTERM, so that a program
that the job has started ends and partial files are removed, then by SIGKILL. Times are measured by the monotonic clock,
because the wall clock may be set. A process whose parent was killed ends in the same way.

The processes are spawned, not forked, so they inherit no locks, connections or threads. They import the module of the
given function and nothing else of the program; that module should be quick to import.

Daemonic processes cannot have children. The workers of Dask are daemonic, so they run the jobs themselves: Dask starts
a new worker when one dies. A Dask worker whose job takes too long exits.
"""

from __future__ import annotations

import gc
import math
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from itertools import islice
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import TypeVar, cast

from pebble import ProcessExpired, ProcessPool
from threadpoolctl import threadpool_limits

from songform.errors import SongformError

__all__ = ["WorkerLostError", "WorkerTimeoutError", "run_jobs", "usable_cores", "worker_pool"]

_POLL_SECONDS = 1.0  # interval at which the time limit of jobs is checked
_MAX_RESTARTS = 2  # how often in succession processes that ended before they started a job are started again
_GRACE_SECONDS = 3.0  # time for an orphaned process to clean up
_TERMINATED = 128 + signal.SIGTERM  # exit status of a process that was terminated, as in shells

Job = TypeVar("Job")
Result = TypeVar("Result")


class WorkerLostError(Exception):
    """A worker process ended before its job was done.

    Attributes
    ----------
    signal : int
        Signal that killed the process: usually 9 if memory ran out, 6 or 11 for a defect in C code; 0 if it exited.
    status : int
        Exit status of the process; 0 if it was killed, and if it is not known how it ended.
    """

    def __init__(self, exitcode: int = 0) -> None:
        super().__init__(exitcode)
        self.signal, self.status = max(-exitcode, 0), max(exitcode, 0)

    def __str__(self) -> str:
        return f"signal {self.signal}" if self.signal else f"exit status {self.status}"


class WorkerTimeoutError(Exception):
    """A job exceeded its time limit, and its process was terminated."""


class _SigintIgnoringProcess(SpawnProcess):
    """Process that ignores Ctrl-C, which the terminal sends to all processes, even while it imports its libraries."""

    def start(self) -> None:
        previous = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # the child inherits the signal mask
        try:
            super().start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, previous)


class _SigintIgnoringContext(SpawnContext):
    Process = _SigintIgnoringProcess


class _TerminatedError(BaseException):
    """The process was terminated; raised within the job so that it cleans up."""


def usable_cores() -> int:
    """Return the number of cores that this process may use, given its CPU affinity and its container's limits."""
    from joblib import cpu_count

    return int(cpu_count())


def run_jobs(
    function: Callable[[Job], Result], jobs: Sequence[Job], *, workers: int, seconds: float = math.inf
) -> Generator[tuple[int, Result | Exception], None, None]:
    """Run jobs in worker processes, and yield the outcome of each as soon as it is known.

    When the generator is closed or interrupted, all processes are terminated.

    Parameters
    ----------
    function : callable
        Function of a module that runs one job. The function, the jobs, the results and the exceptions must be
        picklable.
    jobs : sequence
        Arguments of the function. Each is read shortly before it runs, so a sequence may make its jobs when they are
        needed: at most two per worker are in memory at a time. An exception raised meanwhile is the outcome of the job.
    workers : int
        Number of jobs that run at the same time.
    seconds : float > 0
        Maximum duration of a job, in seconds.

    Yields
    ------
    int
        Index of the job.
    object
        Result of the function, an exception that it raised, a `WorkerLostError` or a `WorkerTimeoutError`.

    Raises
    ------
    SongformError
        If the processes ended before they started a job, and again after they were started anew.
    """
    if multiprocessing.current_process().daemon:
        yield from _run_jobs_here(function, jobs, seconds)
        return
    left, restarts = set(range(len(jobs))), 0
    while left:
        n_left, n_workers = len(left), min(workers, len(left))
        with worker_pool(function, workers=n_workers) as pool:
            schedule: Callable[[int], Future[Result] | None] = partial(_schedule, pool, function, jobs)
            for number, future in _ended_jobs(schedule, sorted(left), at_once=2 * n_workers, seconds=seconds):
                left.remove(number)
                outcome = _outcome(future)
                yield number, outcome
        restarts = restarts + 1 if len(left) == n_left else 0  # a process that dies while it starts breaks the pool
        if restarts > _MAX_RESTARTS:
            raise SongformError(_no_start(n_workers))


def _no_start(workers: int) -> str:
    """Return why the worker processes ended before they started a job, and how to fix it."""
    advice = "use fewer of them: --set run.workers=1" if workers > 1 else "free some memory, then try again"
    killed = f"the worker processes were killed or ran out of memory before they began; {advice}"
    main = sys.modules["__main__"]
    # The command songform is a module or a file without a suffix, and worker processes import no interactive session.
    is_script = getattr(main, "__spec__", None) is None and str(getattr(main, "__file__", "")).endswith(".py")
    guard = ', and in a script, start them under `if __name__ == "__main__":`, because each of them imports the script'
    return killed + guard if is_script else killed


@contextmanager
def worker_pool(function: Callable[..., object], *, workers: int) -> Iterator[ProcessPool]:
    """Start processes for a function, and terminate them at the end of the `with` block."""
    # Passing the function imports its libraries before the number of their threads is limited.
    pool = ProcessPool(workers, initializer=_initialize_worker, initargs=(function,), context=_SigintIgnoringContext())
    try:
        _ = pool.active  # starts the processes, which import their libraries while the first job is made
        yield pool
    finally:
        pool.stop()  # type: ignore[no-untyped-call]  # Pebble annotates it only partly
        pool.join()


def _schedule(
    pool: ProcessPool, function: Callable[[Job], Result], jobs: Sequence[Job], number: int
) -> Future[Result] | None:
    """Schedule a job; return None if the pool is broken."""
    try:
        job = jobs[number]
    except Exception as error:  # noqa: BLE001  it is the outcome of this job
        failed: Future[Result] = Future()
        failed.set_exception(error)
        return failed
    try:
        return cast("Future[Result]", pool.schedule(_run_job, args=(function, job)))
    except RuntimeError:
        return None


def _ended_jobs(
    schedule: Callable[[int], Future[Result] | None], numbers: Iterable[int], *, at_once: int, seconds: float
) -> Iterator[tuple[int, Future[Result]]]:
    """Schedule jobs, a few at a time, and yield each as it ends, until all have ended or the pool is broken.

    Jobs that take too long are cancelled, which terminates their processes. A process that dies between two jobs may
    break the pool. The remaining jobs are not yielded then.
    """
    coming, pending, begun = iter(numbers), dict[Future[Result], int](), dict[Future[Result], float]()
    while True:
        for number in islice(coming, at_once - len(pending)):
            future = schedule(number)
            if future is None:
                coming = iter(())
                break
            pending[future] = number
        if not pending:
            return
        done, _ = wait(pending, _POLL_SECONDS, FIRST_COMPLETED)
        for future in done:
            number = pending.pop(future)
            begun.pop(future, None)
            if _is_broken(future):
                coming = iter(())
            else:
                yield number, future
        _cancel_late(pending, begun, seconds)


def _is_broken(future: Future[Result]) -> bool:
    """Return whether a job did not run because the pool was broken."""
    return not future.cancelled() and isinstance(future.exception(), BrokenProcessPool)


def _cancel_late(pending: Iterable[Future[Result]], begun: dict[Future[Result], float], seconds: float) -> None:
    """Cancel the jobs that have been running for too long; `begun` has the times at which they were first seen."""
    now = time.monotonic()
    for future in pending:
        if future.running() and now - begun.setdefault(future, now) > seconds:
            future.cancel()


def _run_job(function: Callable[[Job], Result], job: Job) -> Result:
    """Run a job in a worker process; on SIGTERM, let the job clean up and then exit.

    Before and after the job, the signal ends the process at once.
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
    """Run jobs in this process, one after the other."""
    for number in range(len(jobs)):
        watchdog = threading.Timer(min(seconds, threading.TIMEOUT_MAX), os._exit, (_TERMINATED,))
        watchdog.daemon = True
        watchdog.start()
        try:
            outcome: Result | Exception = function(jobs[number])
        except Exception as error:  # noqa: BLE001  an unexpected error must not affect other jobs
            outcome = error
        finally:
            watchdog.cancel()
        yield number, outcome


def _initialize_worker(_function: Callable[..., object]) -> None:
    """Prepare a new worker process."""
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    threadpool_limits(1)  # one process per core: BLAS would start one thread per core in each process
    gc.freeze()  # the garbage collector need not search the imported libraries
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 2)  # libmpg123 prints warnings about damaged files
    os.close(silence)


def _exit_with_parent() -> None:
    """Wait until the parent process ends, then end this process."""
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
    return error if isinstance(error, Exception) else WorkerLostError(1)  # SystemExit, which Pebble returns as a result

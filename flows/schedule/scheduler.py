"""Scheduler of a home, which serves its deployments until it is stopped.

Each run is a separate process that reads `songform.toml` when it starts. Playlists and times are read only once, when
the scheduler starts. A run ends when the scheduler ends or is killed (`flows.prefect_server.child_processes`). Prefect
is imported only after the address of its server is known.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from flows.config.library_environment import environment_variable, imports_without_gc
from flows.prefect_server.child_processes import PARENT_PID
from flows.prefect_server.connect import API_URL, shared_server
from flows.prefect_server.health import is_healthy
from songform.errors import SettingsError, SongformError
from tasks.settings import Settings
from tasks.store.corpus import Corpus

if TYPE_CHECKING:
    from prefect.deployments.runner import RunnerDeployment

__all__ = ["is_scheduler_running", "run_scheduler"]

_CHECK_SECONDS = 10.0
_MAX_FAILURES = 6  # failed health checks in a row; fewer failures may mean that the machine is busy


def run_scheduler(home: Path, settings: Settings, *, prefect_port: int, say: Callable[[str], None]) -> str | None:
    """Serve the deployments of a home until Ctrl-C or SIGTERM.

    Parameters
    ----------
    home : Path
        Home of the corpus.
    settings : Settings
        All settings, with the playlists and their times.
    prefect_port : int
        Port of a new Prefect server, if the home has none yet; 0 for any free port.
    say : callable
        Function that prints a line to the user.

    Returns
    -------
    str or None
        Address of Prefect's web pages; None if the scheduler was stopped before the server answered.

    Raises
    ------
    SettingsError
        If there are no playlists.
    SongformError
        If the home already has a scheduler, or the server does not start or stops answering.
    """
    if not settings.playlists:
        file = home / "songform.toml"
        problem = "lists no playlists" if file.is_file() else "does not exist, so there are no playlists"
        raise SettingsError(
            f'{file} {problem}; add a heading [[playlists]] and below it a line such as url = "https://..."'
        )
    Corpus(home).prepare()
    pages = None
    with _scheduler_lock(home):
        try:
            with _server(home, prefect_port, say) as api:
                pages = api.removesuffix("/api")
                _serve(home, settings, api, say)
        except KeyboardInterrupt:
            pass
    say("Stopped.")
    return pages


def is_scheduler_running(home: Path) -> bool:
    """Return whether a process runs the scheduler of a home."""
    lock = _lock(home)
    try:
        with lock if Path(lock.lock_file).exists() else nullcontext():
            return False
    except Timeout:
        return True


def _lock(home: Path) -> FileLock:
    return FileLock(home / ".prefect" / "schedule.lock", timeout=0)


@contextmanager
def _scheduler_lock(home: Path) -> Iterator[None]:
    """Prevent a second scheduler of the home, which would pause the schedules of the first one when it stops."""
    (home / ".prefect").mkdir(parents=True, exist_ok=True)
    try:
        with _lock(home):
            yield
    except Timeout as error:
        raise SongformError(f"another songform schedule is already running for {home}; stop it first") from error


@contextmanager
def _server(home: Path, port: int, say: Callable[[str], None]) -> Iterator[str]:
    """Find or start a server, and set `PREFECT_API_URL`, which Prefect and the runs read."""
    if url := os.environ.get(API_URL):
        if not is_healthy(f"{url}/health"):
            raise SongformError(
                f"the Prefect server {url} in PREFECT_API_URL does not answer; start it, or unset the variable"
            )
        yield url
        return
    with shared_server(home, port) as server:
        for problem in server.problems:
            say(f"Note: {problem}")
        say("Starting; this takes up to a minute.")
        with environment_variable(API_URL, server.api):
            with imports_without_gc():
                import flows.schedule.scheduled_flows  # noqa: F401  while the server starts
            server.wait()
            say(f"Prefect: {server.pages}  (flow runs, schedules, logs)")
            yield server.api


def _serve(home: Path, settings: Settings, api: str, say: Callable[[str], None]) -> None:
    """Serve the deployments until interrupted or until the server stops answering."""
    from flows.schedule.scheduled_flows import deployments, schedule_lines
    from flows.schedule.stale_runs import clean_up_stale

    served = deployments(home, settings)
    clean_up_stale(home, {deployment.name for deployment in served})
    for line in schedule_lines(settings):
        say(line)
    say(
        "Ctrl-C stops the schedule. Each run reads songform.toml; restart songform schedule after changing playlists "
        "or times."
    )
    monitor = _ServerMonitor(api)
    with monitor, environment_variable(PARENT_PID, str(os.getpid())):  # for the runs, which inherit it
        asyncio.run(_run(served, say, catch_up=settings.schedule.catch_up))
    if monitor.is_lost:
        raise SongformError(f"the Prefect server {api} no longer answers; start songform schedule again")


async def _run(served: list[RunnerDeployment], say: Callable[[str], None], *, catch_up: bool) -> None:
    """Let Prefect start each run as a process until this process is stopped, and then stop the runs."""
    from prefect.runner import Runner

    from flows.schedule.missed_runs import start_missed
    from flows.schedule.scheduled_flows import subject

    class Stoppable(Runner):
        def handle_sigterm(self, *_: object, **__: object) -> None:
            # Prefect's own handlers exit immediately on SIGTERM, and wait for the runs, possibly hours, on Ctrl-C.
            loop.call_soon_threadsafe(lambda: ending.append(loop.create_task(self.astop())))

    loop, ending = asyncio.get_running_loop(), list[asyncio.Task[None]]()
    runner = Stoppable()  # pauses the schedules when it ends, and resumes them when it starts
    registered = {await runner.aadd_deployment(deployment): subject(deployment) for deployment in served}
    # Only now, because Prefect schedules no time before a deployment is registered.
    for line in start_missed(registered, datetime.now(UTC)) if catch_up else ():
        say(line)
    signal.signal(signal.SIGINT, runner.handle_sigterm)
    await runner.start()
    for task in ending:
        await task


class _ServerMonitor:
    """Monitor that checks a server within a `with` block, and interrupts this process if the server stops answering."""

    def __init__(self, api: str) -> None:
        self.api, self.is_lost = api, False
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._check, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._is_over.set()
        self._thread.join(_CHECK_SECONDS)

    def _check(self) -> None:
        failures = 0
        while not self._is_over.wait(_CHECK_SECONDS):
            failures = 0 if is_healthy(f"{self.api}/health") else failures + 1
            if failures == _MAX_FAILURES:
                self.is_lost = True
                os.kill(os.getpid(), signal.SIGINT)
                return

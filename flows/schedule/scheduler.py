"""Keeper: the process behind `songform schedule`, which serves a home's deployments until it is stopped.

Each run is a process of its own, which reads `songform.toml` anew; when it runs was read at the start. It ends with
this process, even if that is killed (`flows.prefect_server.exit_with_parent`). Prefect is imported here only after its
server is known.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from flows.config.environment import unwatched_imports
from flows.prefect_server.exit_with_parent import KEEPER
from flows.prefect_server.shared_server import standing_server
from songform.errors import SettingsError, SongformError
from tasks.settings import Settings
from tasks.store.corpus import Corpus

if TYPE_CHECKING:
    from prefect.deployments.runner import RunnerDeployment

__all__ = ["is_kept", "keep_schedule"]

_ASK_SECONDS = 10.0
_MISSES = 6  # answers of the server that may fail in a row: a busy machine is no dead one


def keep_schedule(home: Path, settings: Settings, *, prefect_port: int, say: Callable[[str], None]) -> None:
    """Serve the deployments of a home until Ctrl-C or SIGTERM.

    Parameters
    ----------
    home : Path
        The corpus's home.
    settings : Settings
        Its playlists and its schedule.
    prefect_port : int
        Where Prefect's pages are served, if this home has no server yet; 0 for any port.
    say : callable
        Tells a line to the user.

    Raises
    ------
    SettingsError
        If there is no playlist.
    SongformError
        If this home's schedule is kept already, no server can be had, or it is lost.
    """
    if not settings.playlists:
        file = home / "songform.toml"
        raise SettingsError(f'{file} lists no playlist; add one: [[playlists]], and below it url = "https://..."')
    Corpus(home).prepare()
    with _alone(home):
        try:
            with _server(home, prefect_port, say) as api:
                _serve(home, settings, api, say)
        except KeyboardInterrupt:
            pass
    say("Stopped.")


def is_kept(home: Path) -> bool:
    """Return whether some process keeps the schedule of a home."""
    lock = _lock(home)
    try:
        with lock if Path(lock.lock_file).exists() else nullcontext():
            return False
    except Timeout:
        return True


def _lock(home: Path) -> FileLock:
    return FileLock(home / ".prefect" / "schedule.lock", timeout=0)


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Refuse a second keeper: when it stops it would pause the first one's schedules."""
    (home / ".prefect").mkdir(parents=True, exist_ok=True)
    try:
        with _lock(home):
            yield
    except Timeout as error:
        raise SongformError(f"the schedule of {home} is kept by another songform schedule; stop that first") from error


@contextmanager
def _server(home: Path, port: int, say: Callable[[str], None]) -> Iterator[str]:
    """Find or start a server, and tell Prefect of it by the environment, as the runs are told."""
    if url := os.environ.get("PREFECT_API_URL"):
        if not _answers(url):
            raise SongformError(f"the Prefect server {url} of PREFECT_API_URL does not answer; start it, or unset that")
        yield url
        return
    with standing_server(home, port) as server:
        say("Starting; this takes up to a minute.")
        os.environ["PREFECT_API_URL"] = server.api
        try:
            with unwatched_imports():
                import flows.schedule.scheduled_flows  # noqa: F401  while the server starts
            server.wait()
            say(f"Prefect: {server.pages}  (flow runs, schedules, logs)")
            yield server.api
        finally:
            del os.environ["PREFECT_API_URL"]


def _serve(home: Path, settings: Settings, api: str, say: Callable[[str], None]) -> None:
    """Serve until interrupted, or until there is no server any more."""
    from flows.schedule.scheduled_flows import deployments, plan
    from flows.schedule.stale_runs import clear_leftovers

    served = deployments(home, settings)
    clear_leftovers(home, {deployment.name for deployment in served})
    for line in plan(settings):
        say(line)
    say("Ctrl-C stops. Each run reads songform.toml anew; for other times or playlists, start this again.")
    watch = _Watch(api)
    with watch:
        asyncio.run(_run(served))
    if watch.is_lost:
        raise SongformError(f"the Prefect server {api} no longer answers; start songform schedule again")


async def _run(served: list[RunnerDeployment]) -> None:
    """Have Prefect start the runs, each as a process, until this process is told to stop; then stop them, too."""
    from prefect.runner import Runner

    class Stoppable(Runner):
        def handle_sigterm(self, *_: object, **__: object) -> None:
            # Prefect's own answer to SIGTERM ends at once; that to Ctrl-C waits for the runs, which may take hours.
            loop.call_soon_threadsafe(lambda: ending.append(loop.create_task(self.astop())))

    loop, ending = asyncio.get_running_loop(), list[asyncio.Task[None]]()
    os.environ[KEEPER] = str(os.getpid())  # for the runs, which inherit it
    runner = Stoppable()  # it pauses the schedules when it ends, and goes on with them when it starts
    for deployment in served:
        await runner.aadd_deployment(deployment)
    signal.signal(signal.SIGINT, runner.handle_sigterm)
    await runner.start()
    for task in ending:
        await task


class _Watch:
    """Asks a server whether it is there, and ends this process politely when it is gone."""

    def __init__(self, api: str) -> None:
        self.api, self.is_lost = api, False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join(_ASK_SECONDS)

    def _watch(self) -> None:
        misses = 0
        while not self._over.wait(_ASK_SECONDS):
            misses = 0 if _answers(self.api) else misses + 1
            if misses == _MISSES:
                self.is_lost = True
                os.kill(os.getpid(), signal.SIGINT)
                return


def _answers(api: str) -> bool:
    import requests

    session = requests.Session()
    try:
        return session.get(f"{api}/health", timeout=5).ok
    except requests.RequestException:
        return False

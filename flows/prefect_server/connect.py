"""Connection of a command to a Prefect server: the user's server, the shared server of the home, or a new one.

`songform ui` and `songform schedule` use a shared server with web pages. The first of them starts and registers it; the
other commands of the same home find it.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from flows.config.library_environment import environment_variable, imports_without_gc, signals_deferred
from flows.prefect_server.health import is_healthy
from flows.prefect_server.launch import PrefectServer, available_port, free_port, launched_server, server_log
from songform.errors import SongformError
from tasks.store.atomic_files import machine

if TYPE_CHECKING:
    from tasks.settings import Settings

__all__ = ["API_URL", "needs_server", "prefect_server", "register_server", "running_server", "shared_server"]


@contextmanager
def shared_server(home: Path, port: int) -> Iterator[PrefectServer]:
    """Find or start a server with web pages for a `with` block; `PrefectServer.wait` waits until it answers.

    Parameters
    ----------
    home : Path
        Home whose runs the server shows.
    port : int
        Port on 127.0.0.1; 0 for any free port. Ignored if another command runs a server for this home.

    Raises
    ------
    SongformError
        If the port is in use.
    """
    with ExitStack() as stack:
        if url := running_server(home):
            yield PrefectServer(url)
            return
        server = stack.enter_context(launched_server(home, available_port(port, "--prefect-port"), ui=True))
        stack.callback(register_server(home, server.api).unlink, missing_ok=True)
        yield server


def register_server(home: Path, url: str) -> Path:
    """Write the file by which other songform processes of this home find a server.

    Returns
    -------
    Path
        The file, which must be removed when the server ends.
    """
    from tasks.store.atomic_files import write_json

    path = _registration(home)
    write_json(path, {"url": url, "pid": os.getpid(), "machine": machine()})
    return path


def running_server(home: Path) -> str | None:
    """Return the address of the server that another songform process runs for this home, or None.

    The process must be alive and the server must answer. The server of a killed process still answers for some seconds,
    while it writes its last records, but must not be used.
    """
    try:
        known = json.loads(_registration(home).read_text())
        url = str(known["url"])
        if known.get("machine", machine()) != machine():  # the server listens only on the loopback of its machine
            return None
        os.kill(int(known["pid"]), 0)  # raises OSError if there is no such process; no signal is sent
    except (OSError, OverflowError, ValueError, KeyError, TypeError):
        return None
    return url if is_healthy(f"{url}/health", seconds=2.0) else None


def _registration(home: Path) -> Path:
    return home / ".prefect" / "songform-server.json"


API_URL = "PREFECT_API_URL"

_MIN_FREE = 2**20  # bytes; with less free space, the database cannot be written
_FLUSH_SECONDS = 30.0
# Modules that Prefect would otherwise import when the first flow starts.
_FIRST_FLOW_MODULES = ("prefect.flow_engine", "prefect.task_engine", "prefect.artifacts", "fastapi.encoders")


def needs_server(home: Path, sources: Sequence[str], settings: Settings) -> bool:
    """Return whether an ingest or an analysis needs a Prefect server.

    Files on this machine need neither downloads nor retries. A server would only record the run, and starting it takes
    longer than the analysis of a song. It is used if it is running anyway.

    Parameters
    ----------
    home : Path
        Home of the command.
    sources : sequence of str
        Sources of the command.
    settings : Settings
        All settings; tasks on a Dask cluster need a server.
    """
    from tasks.ingest.sources.resolve_source import is_local_file

    if not sources or not all(map(is_local_file, sources)) or settings.run.task_runner != "threads":
        return True
    return bool(os.environ.get(API_URL)) or running_server(home) is not None


@contextmanager
def prefect_server(home: Path, *modules: str, report: Callable[[str], None] | None = None) -> Iterator[str]:
    """Yield the address of a Prefect API and set `PREFECT_API_URL` to it within a `with` block.

    If `PREFECT_API_URL` is already set, that server is used; otherwise the shared server of the home, if it is running;
    otherwise a new server is started. Prefect must not have been imported before.

    Parameters
    ----------
    home : Path
        Home of the command.
    *modules : str
        Modules that the block will import. They are imported while a new server starts, because both take seconds.
    report : callable, optional
        Function that is called with one sentence if the database of the home was damaged.

    Raises
    ------
    SongformError
        If the server does not start, or fails within the block.
    """
    if url := os.environ.get(API_URL):
        _import(modules)
        with _explained_failures(home, url):
            yield url
    elif url := running_server(home):
        with environment_variable(API_URL, url):
            _import(modules)
            with _without_heartbeats(), _explained_failures(home, url):
                yield url
    else:
        with _own_server(home, modules, report) as url, _without_heartbeats():
            try:
                with _explained_failures(home, url):
                    yield url
            finally:
                _flush_logs_and_events()


@contextmanager
def _own_server(home: Path, modules: tuple[str, ...], report: Callable[[str], None] | None) -> Iterator[str]:
    """Start a server for a `with` block, and import modules while it starts."""
    with launched_server(home, free_port()) as server, environment_variable(API_URL, server.api):
        if report is not None:
            for problem in server.problems:
                report(problem)
        _import(modules)
        server.wait()
        yield server.api


@contextmanager
def _explained_failures(home: Path, url: str) -> Iterator[None]:
    """Turn HTTP errors of the block into one sentence; a full disk is a common cause, as records cannot be written."""
    import httpx

    try:
        yield
    except httpx.HTTPError as error:  # also the base class of Prefect's HTTP errors
        answer = f"HTTP status {error.response.status_code}" if isinstance(error, httpx.HTTPStatusError) else str(error)
        is_full = shutil.disk_usage(home).free < _MIN_FREE
        cause = f"the disk of {home} is full; free some disk space" if is_full else f"check {server_log(home)}"
        reason = answer or type(error).__name__
        msg = f"the Prefect server {url} failed ({reason}); {cause}, then run the same command again"
        raise SongformError(msg) from error


def _flush_logs_and_events() -> None:
    """Send the logs and events that Prefect still buffers, because the server stops before the program exits."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogHandler

    APILogHandler().flush()
    EventsWorker.drain_all(timeout=_FLUSH_SECONDS)


def _import(modules: tuple[str, ...]) -> None:
    with imports_without_gc(), signals_deferred():
        for module in ("prefect", *modules, *_FIRST_FLOW_MODULES):
            import_module(module)


@contextmanager
def _without_heartbeats() -> Iterator[None]:
    """Disable the heartbeats of flows, so that flows end without a delay.

    Otherwise each flow waits up to a second for its heartbeat thread. The environment variable cannot disable the
    heartbeats, because it accepts only a number of seconds. If the user has set it, heartbeats stay enabled.
    """
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    if "PREFECT_FLOWS_HEARTBEAT_FREQUENCY" in os.environ:
        yield
        return
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        yield

"""The Prefect server behind a run: the user's, the one that this home shares, or one of its own.

`songform ui` and `songform schedule` each have a shared server with pages. Whichever starts first launches and
registers it; all other commands of the same home find it.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path

from flows.config.library_environment import environment_variable, imports_without_gc
from flows.prefect_server.health import is_healthy
from flows.prefect_server.launch import PrefectServer, available_port, free_port, launched_server, server_log
from songform.errors import SongformError
from tasks.store.atomic_files import machine

__all__ = ["API_URL", "prefect_server", "register_server", "running_server", "shared_server"]


@contextmanager
def shared_server(home: Path, port: int) -> Iterator[PrefectServer]:
    """Have a server with pages for the length of a `with` block; `PrefectServer.wait` waits until it answers.

    Parameters
    ----------
    home : Path
        Whose runs it shows.
    port : int
        Of 127.0.0.1; 0 for any free one. Ignored if another command runs a server for this home.

    Raises
    ------
    SongformError
        If the port is taken.
    """
    with ExitStack() as stack:
        if url := running_server(home):
            yield PrefectServer(url)
            return
        server = stack.enter_context(launched_server(home, available_port(port, "--prefect-port"), ui=True))
        stack.callback(register_server(home, server.api).unlink, missing_ok=True)
        yield server


def register_server(home: Path, url: str) -> Path:
    """Let other songform processes of this home find a server; return the file to remove when it ends."""
    from tasks.store.atomic_files import write_json

    path = _registration(home)
    write_json(path, {"url": url, "pid": os.getpid(), "machine": machine()})
    return path


def running_server(home: Path) -> str | None:
    """Return the address of the server that another songform process runs for this home, if it answers.

    The server of a process that was killed goes on answering for some seconds, while it writes its last records.
    """
    try:
        known = json.loads(_registration(home).read_text())
        url = str(known["url"])
        if known.get("machine", machine()) != machine():  # it listens on the loopback of that machine only
            return None
        os.kill(int(known["pid"]), 0)  # whether there is such a process: no signal is sent
    except (OSError, OverflowError, ValueError, KeyError, TypeError):
        return None
    return url if is_healthy(f"{url}/health", seconds=2.0) else None


def _registration(home: Path) -> Path:
    return home / ".prefect" / "songform-server.json"


API_URL = "PREFECT_API_URL"

_LEAST_FREE = 2**20  # bytes; a database that grows by a page at a time has none with less
_FLUSH_SECONDS = 30.0
# What Prefect itself imports only when a first flow runs, and the flow would wait for.
_OF_A_FIRST_FLOW = ("prefect.flow_engine", "prefect.task_engine", "prefect.artifacts", "fastapi.encoders")


@contextmanager
def prefect_server(home: Path, *modules: str) -> Iterator[str]:
    """Give the address of a Prefect API for the length of a `with` block, in which `PREFECT_API_URL` names it.

    `PREFECT_API_URL` wins; then the server that `songform ui` runs for this home; else one is started. Prefect must
    not have been imported before.

    Parameters
    ----------
    home : Path
        Whose server.
    *modules : str
        What the block will import: it is imported while a server of our own starts, for both take seconds.

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
        with _own_server(home, modules) as url, _without_heartbeats():
            try:
                with _explained_failures(home, url):
                    yield url
            finally:
                _flush_logs_and_events()


@contextmanager
def _own_server(home: Path, modules: tuple[str, ...]) -> Iterator[str]:
    """Start a server for the length of a `with` block, and import modules meanwhile."""
    with launched_server(home, free_port()) as server, environment_variable(API_URL, server.api):
        _import(modules)
        server.wait()
        yield server.api


@contextmanager
def _explained_failures(home: Path, url: str) -> Iterator[None]:
    """Say in a sentence that the server failed, or is gone: on a full disk it cannot write down what it is told."""
    import httpx

    try:
        yield
    except httpx.HTTPError as error:  # Prefect's own errors of this kind are such, too
        answer = f"it answers {error.response.status_code}" if isinstance(error, httpx.HTTPStatusError) else str(error)
        is_full = shutil.disk_usage(home).free < _LEAST_FREE
        cause = f"the disk of {home} is full: make room" if is_full else f"{server_log(home)} may say why"
        msg = f"the Prefect server {url} fails ({answer or type(error).__name__}); {cause}, then give the command again"
        raise SongformError(msg) from error


def _flush_logs_and_events() -> None:
    """Send the logs and events that Prefect still buffers: when the program ends, the server is gone."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogHandler

    APILogHandler().flush()
    EventsWorker.drain_all(timeout=_FLUSH_SECONDS)


def _import(modules: tuple[str, ...]) -> None:
    with imports_without_gc():
        for module in ("prefect", *modules, *_OF_A_FIRST_FLOW):
            import_module(module)


@contextmanager
def _without_heartbeats() -> Iterator[None]:
    """Let flows end at once: the thread that sends a flow's heartbeats sleeps a second at a time, and none are needed.

    The environment cannot switch them off, since it takes only numbers of seconds. A number that is set there wins.
    """
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    if "PREFECT_FLOWS_HEARTBEAT_FREQUENCY" in os.environ:
        yield
        return
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        yield

"""The Prefect server behind a run: the user's, this home's, or one of our own.

Prefect's ephemeral server drops the records of quick tasks when a program ends, so songform starts a server process
itself (`flows.prefect_server.server_process`), which stops only after it has recorded every task run that it was told
of.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib import import_module
from pathlib import Path

from flows.config.environment import unwatched_imports
from flows.prefect_server.server_process import ONE_RUN, STANDING
from songform.errors import SongformError
from tasks.store.temp_files import machine

__all__ = [
    "free_port",
    "is_taken",
    "prefect_server",
    "register_server",
    "running_server",
    "start_server",
    "stop_server",
    "wait_until_healthy",
]

_START_SECONDS = 180.0  # a first start under load was seen to take 40 s
_LEAST_FREE = 2**20  # bytes; a database that grows by a page at a time has none with less
_STOP_SECONDS = 30.0  # what a server may take to write down its last records, and to close
# What Prefect itself imports only when a first flow runs, and the flow would wait for.
_OF_A_FIRST_FLOW = ("prefect.flow_engine", "prefect.task_engine", "prefect.artifacts", "fastapi.encoders")


@contextmanager
def prefect_server(home: Path, *modules: str) -> Iterator[str]:
    """Give the address of a Prefect API for the length of a `with` block, and set `PREFECT_API_URL` to it.

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
    if url := os.environ.get("PREFECT_API_URL"):
        _import(modules)
        with _explained(home, url):
            yield url
    elif url := running_server(home):
        os.environ["PREFECT_API_URL"] = url
        _import(modules)
        with _without_heartbeats(), _explained(home, url):
            yield url
    else:
        with _own_server(home, modules) as url, _without_heartbeats():
            try:
                with _explained(home, url):
                    yield url
            finally:
                _say_all()


@contextmanager
def _own_server(home: Path, modules: tuple[str, ...]) -> Iterator[str]:
    """Have a server of our own; one starts at a time in a home, since each makes or migrates the same database."""
    from filelock import FileLock

    folder, port = home / ".prefect", free_port()
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        with FileLock(folder / ".lock"):
            stack.callback(stop_server, process := start_server(home, port))
            url = os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
            stack.callback(os.environ.pop, "PREFECT_API_URL", None)
            _import(modules)
            wait_until_healthy(f"{url}/health", process, log=folder / "server.log")
        yield url


@contextmanager
def _explained(home: Path, url: str) -> Iterator[None]:
    """Say in a sentence that the server failed, or is gone: on a full disk it cannot write down what it is told."""
    import httpx

    try:
        yield
    except httpx.HTTPError as error:  # Prefect's own errors of this kind are such, too
        answer = f"it answers {error.response.status_code}" if isinstance(error, httpx.HTTPStatusError) else str(error)
        is_full = shutil.disk_usage(home).free < _LEAST_FREE
        log = home / ".prefect" / "server.log"
        cause = f"the disk of {home} is full: make room" if is_full else f"{log} may say why"
        msg = f"the Prefect server {url} fails ({answer or type(error).__name__}); {cause}, then give the command again"
        raise SongformError(msg) from error


def _say_all() -> None:
    """Send what Prefect still holds back of logs and events; when the program ends they would find no server."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogHandler

    APILogHandler().flush()
    EventsWorker.drain_all(timeout=_STOP_SECONDS)


def _import(modules: tuple[str, ...]) -> None:
    with unwatched_imports():
        for module in ("prefect", *modules, *_OF_A_FIRST_FLOW):
            import_module(module)


@contextmanager
def _without_heartbeats() -> Iterator[None]:
    """Let flows end at once: the thread that beats for a flow sleeps a second at a time, and nothing listens to it.

    The environment cannot say so: it takes only numbers of seconds. Who set one there keeps it.
    """
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    if "PREFECT_FLOWS_HEARTBEAT_FREQUENCY" in os.environ:
        yield
        return
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        yield


def start_server(home: Path, port: int, *, ui: bool = False) -> subprocess.Popen[bytes]:
    """Start a server process for this home; it ends with this process."""
    folder = home / ".prefect"
    folder.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        "PREFECT_HOME": os.environ.get("PREFECT_HOME", str(folder)),
        **(STANDING if ui else ONE_RUN),
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "WARNING",  # its console is the log that a failure names
        "PREFECT_UI_API_URL": f"http://127.0.0.1:{port}/api",
    }
    command = [sys.executable, "-m", "flows.prefect_server.server_process", str(port)]
    with (folder / "server.log").open("ab") as log:
        return subprocess.Popen(  # noqa: S603  our own interpreter, no shell
            command,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,  # Ctrl-C is for this process, which stops the server after the last record
        )


def stop_server(process: subprocess.Popen[bytes]) -> None:
    """Stop a server that waits for the end of its standard input."""
    if process.stdin:
        process.stdin.close()  # its end is what the server waits for
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)


def wait_until_healthy(url: str, process: subprocess.Popen[bytes], *, log: Path) -> None:
    """Wait until a server answers 200.

    Raises
    ------
    SongformError
        If the process ends first, or three minutes pass.
    """
    import requests

    session = requests.Session()
    session.trust_env = False  # a proxy has no business on loopback
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(requests.RequestException):
            if session.get(url, timeout=5).ok:
                return
        time.sleep(0.05)
    ended = f"ended with code {process.returncode}" if process.poll() is not None else "did not answer in time"
    raise SongformError(f"the server behind {url} {ended}; {log} says why (is another program using its files?)")


def register_server(home: Path, url: str) -> Path:
    """Let other songform processes of this home find a server; return the file to remove when it ends."""
    from tasks.store.atomic_files import write_json

    path = home / ".prefect" / "songform-server.json"
    write_json(path, {"url": url, "pid": os.getpid(), "machine": machine()})
    return path


def running_server(home: Path) -> str | None:
    """Return the address of the server that another songform process runs for this home, if it answers.

    The server of a process that was killed answers for some seconds still, while it writes down its last records.
    """
    import requests

    try:
        known = json.loads((home / ".prefect" / "songform-server.json").read_text())
        url = str(known["url"])
        if known.get("machine", machine()) != machine():  # it listens on that machine's loopback alone
            return None
        os.kill(int(known["pid"]), 0)  # whether there is such a process: nothing is sent
        session = requests.Session()
        session.trust_env = False
        return url if session.get(f"{url}/health", timeout=2).ok else None
    except (OSError, OverflowError, ValueError, KeyError, TypeError, requests.RequestException):
        return None


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_taken(port: int) -> bool:
    """Return whether another program listens on a port of 127.0.0.1."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0

"""The Prefect server behind a run: the user's, this home's, or one of our own.

Prefect's ephemeral server drops the records of quick tasks when a program ends, so songform starts a server process
itself. It serves 127.0.0.1 alone, ends when the process that started it ends, however that happens, and is stopped
only after every task run has reached its final state.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from songform.corpus import write_json
from songform.errors import SongformError

__all__ = [
    "free_port",
    "is_taken",
    "prefect_server",
    "register_server",
    "running_server",
    "serve",
    "start_server",
    "wait_until_healthy",
]

_START_SECONDS = 180.0  # a first start under load was seen to take 40 s
_DRAIN_SECONDS = 20.0
_QUIET_SECONDS = 1.5


@contextmanager
def prefect_server(home: Path) -> Iterator[str]:
    """Give the address of a Prefect API for the length of a `with` block, and set `PREFECT_API_URL` to it.

    `PREFECT_API_URL` wins; then the server that `songform ui` runs for this home; else one is started. Prefect must
    not have been imported before.

    Raises
    ------
    SongformError
        If the server does not start.
    """
    known = os.environ.get("PREFECT_API_URL") or running_server(home)
    if known:
        os.environ["PREFECT_API_URL"] = known
        yield known
        return
    process, url = _own_server(home)
    began = datetime.now(UTC)
    try:
        yield url
    finally:
        _send_logs()
        _drain(url, since=began)
        os.environ.pop("PREFECT_API_URL", None)
        stop_server(process)


def _own_server(home: Path) -> tuple[subprocess.Popen[bytes], str]:
    """Start a server and wait for it; one at a time in a home, since each makes or migrates the same database."""
    from filelock import FileLock

    port = free_port()
    (home / ".prefect").mkdir(parents=True, exist_ok=True)
    with FileLock(home / ".prefect" / ".lock"):
        process = start_server(home, port)
        url = os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
        try:
            import prefect  # noqa: F401  imported while the server starts: both take seconds

            wait_until_healthy(f"{url}/health", process, log=home / ".prefect" / "server.log")
        except BaseException:
            os.environ.pop("PREFECT_API_URL", None)
            stop_server(process)
            raise
    return process, url


def start_server(home: Path, port: int, *, ui: bool = False) -> subprocess.Popen[bytes]:
    """Start a server process for this home; it ends with this process."""
    folder = home / ".prefect"
    folder.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        "PREFECT_HOME": os.environ.get("PREFECT_HOME", str(folder)),
        "PREFECT_UI_ENABLED": str(ui).lower(),
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "WARNING",  # its console is the log that a failure names
        "PREFECT_UI_API_URL": f"http://127.0.0.1:{port}/api",
    }
    command = [sys.executable, "-m", "flows.server", str(port)]
    with (folder / "server.log").open("ab") as log:
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=environment)  # noqa: S603


def stop_server(process: subprocess.Popen[bytes]) -> None:
    """Stop a server that `start_server` started."""
    if process.stdin:
        process.stdin.close()  # its end is what the server waits for
    try:
        process.wait(10)
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
        time.sleep(0.2)
    ended = f"ended with code {process.returncode}" if process.poll() is not None else "did not answer in time"
    raise SongformError(f"the server behind {url} {ended}; {log} says why (is another program using its files?)")


def register_server(home: Path, url: str) -> Path:
    """Let other songform processes of this home find a server; return the file to remove when it ends."""
    path = home / ".prefect" / "songform-server.json"
    write_json(path, {"url": url, "pid": os.getpid()})
    return path


def running_server(home: Path) -> str | None:
    """Return the address of the server that another songform process runs for this home, if it answers."""
    import requests

    try:
        url = str(json.loads((home / ".prefect" / "songform-server.json").read_text())["url"])
        session = requests.Session()
        session.trust_env = False
        return url if session.get(f"{url}/health", timeout=2).ok else None
    except (OSError, ValueError, KeyError, TypeError, requests.RequestException):
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


def serve(port: int) -> None:
    """Run the server in this process until standard input ends."""
    import uvicorn

    config = uvicorn.Config(
        "prefect.server.api.server:create_app", factory=True, host="127.0.0.1", port=port, log_level="warning"
    )
    server = uvicorn.Server(config)

    def stop_with_parent() -> None:
        while os.read(0, 1024):  # not sys.stdin: its lock, held by this thread, would break a server that cannot start
            pass
        server.should_exit = True
        # A shutdown that hangs must not outlive the program that wanted it.
        threading.Timer(8.0, os._exit, (0,)).start()

    threading.Thread(target=stop_with_parent, daemon=True).start()
    server.run()
    os._exit(0)


def _send_logs() -> None:
    """Send what Prefect's log handler still holds; when the program ends it would find no server."""
    from prefect.logging.handlers import APILogHandler

    APILogHandler().flush()


def _drain(url: str, *, since: datetime) -> None:
    """Wait until the server has recorded the final state of every task run that began since.

    Task runs are recorded from a stream of events, after the fact: all is said when none is unfinished and nothing
    new has come for a while.
    """
    import requests

    session = requests.Session()
    session.trust_env = False
    deadline, quiet_since, seen = time.monotonic() + _DRAIN_SECONDS, time.monotonic(), -1
    while time.monotonic() < deadline:
        with suppress(requests.RequestException):
            total = _count(session, url, since, {})
            final = _count(session, url, since, {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED", "CANCELLED"]}})
            if total != seen or final != total:
                seen, quiet_since = total, time.monotonic()
            elif time.monotonic() - quiet_since > _QUIET_SECONDS:
                return
        time.sleep(0.25)


def _count(session: Any, url: str, since: datetime, state: dict[str, Any]) -> int:
    body = {"task_runs": {"expected_start_time": {"after_": since.isoformat()}, **({"state": state} if state else {})}}
    return int(session.post(f"{url}/task_runs/count", json=body, timeout=5).json())


if __name__ == "__main__":
    serve(int(sys.argv[1]))

"""The server that the commands of a home share: Prefect's API and its pages, for as long as one command runs.

`songform ui` and `songform schedule` each have one. Whichever starts first launches and registers it; all other
commands of the same home find it (`flows.prefect_server.connect`).
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from flows.prefect_server.health import is_healthy
from flows.prefect_server.launch import PrefectServer, available_port, launched_server
from tasks.store.temp_files import machine

__all__ = ["register_server", "running_server", "shared_server"]


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
        stack.enter_context(_sigterm_interrupts())
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


@contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """Let SIGTERM, as sent by a service manager, have the effect of Ctrl-C."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)

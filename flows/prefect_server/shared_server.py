"""Standing servers: a Prefect server with its pages that lives as long as a command does, and that others find.

`songform ui` and `songform schedule` have one. Whichever comes first starts it; all other commands of the same home
use it (`flows.prefect_server.connect.prefect_server`).
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock

from flows.prefect_server.connect import (
    free_port,
    is_taken,
    register_server,
    running_server,
    start_server,
    stop_server,
    wait_until_healthy,
)
from songform.errors import SongformError

__all__ = ["StandingServer", "standing_server", "wanted_port"]


@dataclass(frozen=True)
class StandingServer:
    """A Prefect server of this home.

    Parameters
    ----------
    api : str
        The address of its API.
    process : Popen, optional
        Its process; None if another command started it.
    log : Path
        Where it says what is wrong.
    starting : ExitStack
        Is closed when the server is up.
    """

    api: str
    process: subprocess.Popen[bytes] | None = None
    log: Path = Path()
    starting: ExitStack = field(default_factory=ExitStack)

    @property
    def pages(self) -> str:
        """The address of its pages."""
        return self.api.removesuffix("/api")

    @property
    def is_up(self) -> bool:
        """Whether the process is still there; of another command's server nothing is known."""
        return self.process is None or self.process.poll() is None

    def wait(self) -> None:
        """Wait until it answers.

        Raises
        ------
        SongformError
            If it does not start.
        """
        if self.process is not None:
            wait_until_healthy(f"{self.api}/health", self.process, log=self.log)
        self.starting.close()


@contextmanager
def standing_server(home: Path, port: int) -> Iterator[StandingServer]:
    """Have a server with pages for the length of a `with` block, which need not be up when the block begins.

    Parameters
    ----------
    home : Path
        Whose runs it shows.
    port : int
        Of 127.0.0.1; 0 for any that is free. Without meaning if the home has a standing server already.

    Raises
    ------
    SongformError
        If the port is taken.
    """
    # A polite end by another program, such as a service manager, is as good as Ctrl-C.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ExitStack() as stack:
        stack.callback(signal.signal, signal.SIGTERM, before)
        if url := running_server(home):
            yield StandingServer(url)
            return
        port = wanted_port(port, "--prefect-port")
        log = home / ".prefect" / "server.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        starting = stack.enter_context(ExitStack())
        starting.enter_context(FileLock(log.with_name(".lock")))  # one at a time makes or migrates the database
        process, api = start_server(home, port, ui=True), f"http://127.0.0.1:{port}/api"
        stack.callback(stop_server, process)
        stack.callback(register_server(home, api).unlink, missing_ok=True)
        yield StandingServer(api, process, log, starting)


def wanted_port(port: int, option: str) -> int:
    """Return a port that nobody listens on, else whoever answers there would be taken for this home's server.

    Parameters
    ----------
    port : int
        The one that is asked for; 0 for any.
    option : str
        How the user would ask for another.

    Raises
    ------
    SongformError
        If it is taken.
    """
    if port and is_taken(port):
        raise SongformError(f"port {port} is taken by another program; choose another with {option}, or 0 for any")
    return port or free_port()

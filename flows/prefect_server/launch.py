"""Starting a Prefect server for a home: its settings, its port, its process.

Prefect's ephemeral server drops the records of quick tasks when a program ends, so songform starts a server process
itself (`flows.prefect_server.server_process`), which exits only after it has recorded every task run that it was told
of.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from flows.prefect_server.child_processes import start_child, stop_child
from flows.prefect_server.health import wait_until_healthy
from songform.errors import SongformError

__all__ = [
    "SHARED_SETTINGS",
    "SINGLE_RUN_SETTINGS",
    "PrefectServer",
    "api_url",
    "available_port",
    "free_port",
    "launched_server",
    "server_log",
    "start_server",
]

# Events of task runs are written to the database in batches: one by one, each in a transaction of its own, they cost
# more than everything that songform itself does for a track.
_EVENT_BATCHES = {
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
}

# A server that serves a single command needs no loops for schedules, late runs, work pools and pauses. It neither
# registers the types of blocks nor notes them as registered: a shared server registers them when it first starts.
SINGLE_RUN_SETTINGS = _EVENT_BATCHES | {
    **{
        f"PREFECT_SERVER_SERVICES_{service}_ENABLED": "false"
        for service in (
            *("CANCELLATION_CLEANUP", "CLEANUP_RECONCILER", "FOREMAN", "LATE_RUNS"),
            *("PAUSE_EXPIRATIONS", "REPOSSESSOR", "SCHEDULER"),
        )
    },
    "PREFECT_SERVER_REGISTER_BLOCKS_ON_START": "false",
    "PREFECT_SERVER_MEMOIZE_BLOCK_AUTO_REGISTRATION": "false",
    "PREFECT_SERVER_UI_ENABLED": "false",
}

# A server that runs for long and serves several commands. The concurrency slots of deployments are leased: leases that
# are kept in memory only are lost with the server, and their slots are never released.
SHARED_SETTINGS = _EVENT_BATCHES | {
    # Runs older than three months (Prefect's default) are deleted: an hourly retry makes nine thousand a year.
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
    "PREFECT_SERVER_UI_ENABLED": "true",
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
}


@dataclass(frozen=True)
class PrefectServer:
    """A Prefect server of a home.

    Parameters
    ----------
    api : str
        The address of its API.
    process : Popen, optional
        Its process; None if another command started it.
    log : Path
        Where the process writes its errors.
    starting : ExitStack
        Closed as soon as the server has started.
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
        """Whether its process is running; True for a server that another command started."""
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
def launched_server(home: Path, port: int, *, ui: bool = False) -> Iterator[PrefectServer]:
    """Start a server for the length of a `with` block; `PrefectServer.wait` waits until it answers.

    Servers of a home start one at a time, since each creates or migrates the same database.

    Parameters
    ----------
    home : Path
        Whose runs it records.
    port : int
        Of 127.0.0.1.
    ui : bool
        Whether it serves Prefect's pages and runs for long.
    """
    from filelock import FileLock

    log = server_log(home)
    log.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as starting:
        starting.enter_context(FileLock(log.with_name(".lock")))
        process = start_server(home, port, ui=ui)
        try:
            yield PrefectServer(api_url(port), process, log, starting)
        finally:
            stop_child(process)


def start_server(home: Path, port: int, *, ui: bool = False) -> subprocess.Popen[bytes]:
    """Start a server process for a home; see `launched_server`. It ends with this process."""
    log = server_log(home)
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        "PREFECT_HOME": os.environ.get("PREFECT_HOME", str(log.parent)),
        **(SHARED_SETTINGS if ui else SINGLE_RUN_SETTINGS),
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "WARNING",  # its console is the log that error messages name
        "PREFECT_UI_API_URL": api_url(port),
    }
    command = [sys.executable, "-m", "flows.prefect_server.server_process", str(port)]
    return start_child(command, log=log, environment=environment)


def server_log(home: Path) -> Path:
    """Return the file to which the server of a home writes its errors."""
    return home / ".prefect" / "server.log"


def api_url(port: int) -> str:
    """Return the address of the API of a server on this machine."""
    return f"http://127.0.0.1:{port}/api"


def available_port(port: int, option: str) -> int:
    """Return a port on which no program listens: its answers would be taken for those of this home's server.

    Parameters
    ----------
    port : int
        The one that the user wants; 0 for any.
    option : str
        The command's option for another one.

    Raises
    ------
    SongformError
        If another program listens on it.
    """
    if port and _is_taken(port):
        raise SongformError(f"port {port} is taken by another program; choose another with {option}, or 0 for any")
    return port or free_port()


def free_port() -> int:
    """Return a port of 127.0.0.1 on which no program listens at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0

"""Start of a Prefect server for a home: its settings, its port and its process.

Prefect's ephemeral server loses records of quick tasks when the program exits. Therefore songform starts its own server
process (`flows.prefect_server.server_process`), which records all received task runs before it exits.
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
from tasks.store.databases import database_fault, set_aside_database

__all__ = [
    "DATABASE_TABLE",
    "SHARED_SETTINGS",
    "SINGLE_RUN_SETTINGS",
    "PrefectServer",
    "api_url",
    "available_port",
    "free_port",
    "launched_server",
    "repair_database",
    "server_database",
    "server_log",
    "start_server",
]

# Events of task runs are written to the database in batches. One transaction per event would take longer than all of
# songform's own work on a track.
_EVENT_BATCHES = {
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
}

# A server for a single command needs no services for schedules, late runs, work pools and pauses. It does not register
# block types and does not mark them as registered, so that a shared server registers them at its first start.
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

# A shared server runs for a long time and serves several commands. Concurrency slots of deployments are leased. Leases
# that are stored only in memory would be lost with the server, and their slots would never be released.
SHARED_SETTINGS = _EVENT_BATCHES | {
    # Runs older than three months (Prefect's default) are deleted, because an hourly retry adds 9,000 runs per year.
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
    "PREFECT_SERVER_UI_ENABLED": "true",
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
}


DATABASE_TABLE = "flow_run"
_OTHER_DATABASES = ("PREFECT_API_DATABASE_CONNECTION_URL", "PREFECT_SERVER_DATABASE_CONNECTION_URL")


@dataclass(frozen=True)
class PrefectServer:
    """Prefect server of a home.

    Parameters
    ----------
    api : str
        Address of the API.
    process : Popen, optional
        Process of the server; None if another command started it.
    log : Path
        Log file of the process.
    starting : ExitStack
        Resources that are released as soon as the server has started.
    problems : tuple of str
        One sentence if the database of the home was damaged.
    """

    api: str
    process: subprocess.Popen[bytes] | None = None
    log: Path = Path()
    starting: ExitStack = field(default_factory=ExitStack)
    problems: tuple[str, ...] = ()

    @property
    def pages(self) -> str:
        """Address of the web pages."""
        return self.api.removesuffix("/api")

    @property
    def is_up(self) -> bool:
        """Whether the process is running; True for a server that another command started."""
        return self.process is None or self.process.poll() is None

    def wait(self) -> None:
        """Wait until the server answers.

        Raises
        ------
        SongformError
            If the server does not start.
        """
        if self.process is not None:
            wait_until_healthy(f"{self.api}/health", self.process, log=self.log)
        self.starting.close()


@contextmanager
def launched_server(home: Path, port: int, *, ui: bool = False) -> Iterator[PrefectServer]:
    """Start a server for a `with` block; `PrefectServer.wait` waits until it answers.

    Servers of a home start one at a time, because each creates or migrates the same database.

    Parameters
    ----------
    home : Path
        Home whose runs the server records.
    port : int
        Port on 127.0.0.1.
    ui : bool
        Whether to start a shared server with Prefect's web pages.
    """
    from filelock import FileLock

    log = server_log(home)
    log.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as starting:
        starting.enter_context(FileLock(log.with_name(".lock")))
        problems = repair_database(home)
        process = start_server(home, port, ui=ui)
        try:
            yield PrefectServer(api_url(port), process, log, starting, tuple(problems))
        finally:
            stop_child(process)


def start_server(home: Path, port: int, *, ui: bool = False) -> subprocess.Popen[bytes]:
    """Start a server process for a home, which ends with this process; see `launched_server`."""
    log = server_log(home)
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        "PREFECT_HOME": os.environ.get("PREFECT_HOME", str(log.parent)),
        **(SHARED_SETTINGS if ui else SINGLE_RUN_SETTINGS),
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "WARNING",  # written to the log file that error messages name
        "PREFECT_UI_API_URL": api_url(port),
    }
    command = [sys.executable, "-m", "flows.prefect_server.server_process", str(port)]
    return start_child(command, log=log, environment=environment)


def repair_database(home: Path) -> list[str]:
    """Rename the home's database if it is damaged; return one sentence about it, or nothing.

    No server of the home may be starting.
    """
    database = server_database(home)
    if database is None or (fault := database_fault(database, DATABASE_TABLE)) is None:
        return []
    aside = set_aside_database(database)
    msg = (
        f"Prefect's database {database} is damaged ({fault}); it was renamed to {aside.name}, and earlier runs are no "
        "longer shown in Prefect's UI"
    )
    return [msg]


def server_database(home: Path) -> Path | None:
    """Return the database of the home's servers; None if the user has chosen another one."""
    own = str(home / ".prefect")
    is_other = any(os.environ.get(name) for name in _OTHER_DATABASES)
    return None if is_other or os.environ.get("PREFECT_HOME", own) != own else home / ".prefect" / "prefect.db"


def server_log(home: Path) -> Path:
    """Return the log file of the server of a home."""
    return home / ".prefect" / "server.log"


def api_url(port: int) -> str:
    """Return the API address of a server on this machine."""
    return f"http://127.0.0.1:{port}/api"


def available_port(port: int, option: str) -> int:
    """Return the given port if no program listens on it, or any free port for 0.

    Parameters
    ----------
    port : int
        Requested port; 0 for any free port.
    option : str
        Command-line option that sets the port, for the error message.

    Raises
    ------
    SongformError
        If another program listens on the port; its answers could be mistaken for those of this home's server.
    """
    if port and _is_taken(port):
        raise SongformError(
            f"port {port} is in use by another program; choose another port with {option}, or 0 for any free port"
        )
    return port or free_port()


def free_port() -> int:
    """Return a port on 127.0.0.1 that is currently free."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0

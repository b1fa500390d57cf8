"""Child processes that end when their parent ends, even if the parent is killed.

A parent that is stopped also stops its children (`stop_child`). A parent that is killed cannot do this, so each child
monitors its parent in one of two ways:

- A process that songform starts has a pipe as its standard input (`start_child`). The pipe closes when the parent
  exits, and a thread of the child waits for that (`on_parent_exit`). A program without such a thread is started by a
  supervising process (`supervised_child`):

      python -m flows.prefect_server.child_processes COMMAND...

- A run that Prefect starts for `songform schedule` has no such pipe. It reads the process ID of its parent from the
  environment variable `PARENT_PID` and compares it with its actual parent (`exit_with_parent`).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

__all__ = [
    "PARENT_PID",
    "exit_with_parent",
    "on_parent_exit",
    "start_child",
    "stop_child",
    "supervise",
    "supervised_child",
]

PARENT_PID = "SONGFORM_PARENT_PID"  # environment variable that `exit_with_parent` reads

_STOP_SECONDS = 30.0  # maximum time for a child to write its last records and exit
_TERMINATE_SECONDS = 15.0  # maximum time for a supervised command to exit after SIGTERM; less than _STOP_SECONDS
_POLL_SECONDS = 0.5
_INTERRUPT_SECONDS = 10.0  # maximum time to exit after SIGINT; the server can take as long to write its last records


def start_child(command: Sequence[str], *, log: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a process whose standard input closes when this process exits; its output is appended to a log."""
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603  songform's own interpreter, no shell
            command,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            env=environment,
            start_new_session=True,  # so that Ctrl-C reaches only this process, which then calls `stop_child`
        )


def supervised_child(command: Sequence[str], *, log: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a command below a supervising process, so that it ends when this process exits; see `start_child`."""
    supervisor = [sys.executable, "-m", "flows.prefect_server.child_processes"]
    return start_child([*supervisor, *command], log=log, environment=environment)


def stop_child(process: subprocess.Popen[bytes]) -> None:
    """Stop a process that `start_child` or `supervised_child` started; kill it if it does not exit in time."""
    if process.stdin:
        process.stdin.close()  # the child waits for this
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)


def on_parent_exit(stop: Callable[[], object]) -> None:
    """Call a function in another thread as soon as the standard input of this process closes."""

    def wait() -> None:
        while os.read(0, 1024):  # not sys.stdin, because this thread would hold its lock while the process exits
            pass
        stop()

    threading.Thread(target=wait, daemon=True).start()


def supervise(command: Sequence[str]) -> int:
    """Run a command until it exits or the standard input of this process closes; return its exit code."""
    # In a new session, so that Ctrl-C does not reach the command, and all processes that it starts can be killed.
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)  # noqa: S603  songform's own

    def stop() -> None:
        child.terminate()
        try:
            child.wait(_TERMINATE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)

    on_parent_exit(stop)
    return child.wait()


def exit_with_parent() -> None:
    """Make this process exit when its parent is no longer the process with the ID in `PARENT_PID`.

    Without that variable, this function does nothing, because Prefect's own workers monitor their runs themselves. The
    process is first interrupted as by Ctrl-C, so that it ends workers and downloads, leaves no partial files, and
    reports its end to the server. After `_INTERRUPT_SECONDS`, the process and all processes that it started are killed.
    """
    parent = os.environ.get(PARENT_PID, "")
    if not parent.isdigit():
        return
    with suppress(PermissionError):  # the leader of a session is already the leader of a process group
        os.setpgid(0, 0)  # so that this process and the processes that it starts can be killed, but no others
    threading.Thread(target=_exit_after, args=(int(parent),), daemon=True).start()


def _exit_after(parent: int) -> None:
    while os.getppid() == parent:  # the parent ID of an orphan changes immediately
        time.sleep(_POLL_SECONDS)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(_INTERRUPT_SECONDS)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(supervise(sys.argv[1:]))

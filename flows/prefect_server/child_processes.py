"""Child processes that end when their parent ends, even if the parent is killed.

A parent that is told to stop also stops its children (`stop_child`). One that is killed cannot, so each child watches
its parent in one of two ways:

- A process that songform starts has a pipe on its standard input (`start_child`). The pipe reaches its end when the
  parent exits, and a thread of the child waits for that (`on_parent_exit`). A program that does not wait for it itself
  runs below one that does (`supervised_child`):

      python -m flows.prefect_server.child_processes COMMAND...

- A run that Prefect starts for `songform schedule` has no such pipe. It finds the process id of its parent in the
  environment (`PARENT_PID`) and compares it with its actual parent (`exit_with_parent`).
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

PARENT_PID = "SONGFORM_PARENT_PID"  # the environment variable that `exit_with_parent` reads

_STOP_SECONDS = 30.0  # for a child to write its last records and exit
_TERMINATE_SECONDS = 15.0  # for a supervised command to exit after SIGTERM; less than _STOP_SECONDS
_POLL_SECONDS = 0.5
_INTERRUPT_SECONDS = 10.0  # to exit after an interrupt; the server also takes that long to write its last records


def start_child(command: Sequence[str], *, log: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a process whose standard input ends when this process does; what it prints is appended to a log."""
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603  our own interpreter, no shell
            command,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            env=environment,
            start_new_session=True,  # Ctrl-C is for this process, which then calls `stop_child`
        )


def supervised_child(command: Sequence[str], *, log: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start another program's server so that it ends with this process; see `start_child`."""
    supervisor = [sys.executable, "-m", "flows.prefect_server.child_processes"]
    return start_child([*supervisor, *command], log=log, environment=environment)


def stop_child(process: subprocess.Popen[bytes]) -> None:
    """Stop a process that `start_child` or `supervised_child` started; kill it if it does not exit in time."""
    if process.stdin:
        process.stdin.close()  # the end that the child waits for
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)


def on_parent_exit(stop: Callable[[], object]) -> None:
    """Call a function in another thread as soon as the standard input of this process ends."""

    def wait() -> None:
        while os.read(0, 1024):  # not sys.stdin: its lock, held by this thread, would break a process that fails early
            pass
        stop()

    threading.Thread(target=wait, daemon=True).start()


def supervise(command: Sequence[str]) -> int:
    """Run a command until it exits or the standard input of this process ends; return its exit code."""
    # In a session of its own: Ctrl-C is for songform, and everything that the command started can be killed with it.
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
    """Let this process exit when the one that `PARENT_PID` names is no longer its parent.

    Nothing happens without that variable: one of Prefect's own workers looks after its runs itself. The process is
    interrupted as by Ctrl-C, so that workers and downloads end, no file is left half written, and the server is told.
    Whatever has not exited after that is killed.
    """
    parent = os.environ.get(PARENT_PID, "")
    if not parent.isdigit():
        return
    with suppress(PermissionError):  # the leader of a session already leads a group
        os.setpgid(0, 0)  # so that everything this process started can be killed with it, and nothing else
    threading.Thread(target=_exit_after, args=(int(parent),), daemon=True).start()


def _exit_after(parent: int) -> None:
    while os.getppid() == parent:  # an orphan is adopted by another process at once
        time.sleep(_POLL_SECONDS)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(_INTERRUPT_SECONDS)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(supervise(sys.argv[1:]))

"""Functions that start songform's command line in a separate session, kill it, and find remaining processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

__all__ = ["kill", "marked", "started"]

MARK = "SONGFORM_SOAK_MARK"  # environment variable that identifies all processes of a home, including orphans


@contextmanager
def started(home: Path, words: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run songform's command line during a `with` block; its standard error is appended to `soak.log` in the home.

    Parameters
    ----------
    home : Path
        Home of the program. Its processes are marked with this path.
    words : sequence of str
        The command and its options.
    """
    foreign = ("PREFECT_", "SONGFORM_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    with (home / "soak.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "flows.cli", "--home", str(home), "--json", *words],
            env={**environment, MARK: str(home)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def kill(process: subprocess.Popen[bytes], home: Path, *, alone: bool) -> str:
    """Kill the program, alone or with all processes that it started; return which of the two, in words."""
    for other in [] if alone else marked(home):
        if other.pid != process.pid:
            other.send_signal(signal.SIGKILL)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return "killed alone" if alone else "killed with its workers and its server"


def marked(home: Path) -> list[psutil.Process]:
    """Return the running processes that are marked with this home."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and process.environ().get(MARK) == str(home):
                found.append(process)
        except psutil.Error:
            continue
    return found

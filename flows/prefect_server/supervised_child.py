"""Wards: another program's server that ends with songform, however songform ends.

It runs below this process, whose standard input ends when the program that started it does.
`flows.prefect_server.server_process` does the same for Prefect's server from within; MLflow's has no such place.

    python -m flows.prefect_server.supervised_child COMMAND...
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

__all__ = ["keep"]

_STOP_SECONDS = 15.0  # what the server may take to close


def keep(command: list[str]) -> int:
    """Run a command until it ends or standard input does; return its exit code."""
    # A session of its own: Ctrl-C is for songform, and all that the server has started can be ended with it.
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)  # noqa: S603  songform's own

    def stop_with_parent() -> None:
        while os.read(0, 1024):
            pass
        child.terminate()
        try:
            child.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)

    threading.Thread(target=stop_with_parent, daemon=True).start()
    return child.wait()


if __name__ == "__main__":
    sys.exit(keep(sys.argv[1:]))

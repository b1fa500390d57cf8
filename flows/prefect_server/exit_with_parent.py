"""Orphans: a run that `songform schedule` has started ends soon after it, however that ended.

A schedule that is told to stop stops its runs. One that is killed cannot: its runs would go on for hours, would hold
what they have claimed, and would talk to a Prefect server that ends, too. So each run looks whether its parent is still
the schedule that started it. If not, it is interrupted as by Ctrl-C: workers and downloads end, nothing is half there,
and the server, which waits a little for its last records, is told. What has not ended by then is killed.

The schedule leaves its number in the environment. A run of one of Prefect's own workers finds none there, and is
looked after by that worker.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress

__all__ = ["KEEPER", "end_with_keeper"]

KEEPER = "SONGFORM_KEEPER"  # the variable: the number of the process that keeps the schedule

_LOOK_SECONDS = 0.5
_GRACE_SECONDS = 10.0  # to end in good order; the server takes as long to write down its last records


def end_with_keeper() -> None:
    """Let this process end when the schedule that started it is gone; without one, nothing is done."""
    keeper = os.environ.get(KEEPER, "")
    if not keeper.isdigit():
        return
    with suppress(PermissionError):  # the leader of a session is that of a group already
        os.setpgid(0, 0)  # so that all that this run has started can be ended with it, and nothing else
    threading.Thread(target=_watch, args=(int(keeper),), daemon=True).start()


def _watch(keeper: int) -> None:
    while os.getppid() == keeper:  # an orphan has another parent at once
        time.sleep(_LOOK_SECONDS)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(_GRACE_SECONDS)
    os.killpg(0, signal.SIGKILL)

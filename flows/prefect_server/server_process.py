"""Serving: the process in which a Prefect server of songform runs.

It serves 127.0.0.1 alone, and ends when its standard input does: that is, when the program that started it ends,
however that happens. First it writes down what it was told (`flows.prefect_server.event_drain`).

    python -m flows.prefect_server.server_process PORT
"""

from __future__ import annotations

import os
import sys
import threading
from typing import Any

from flows.config.environment import unwatched_imports
from flows.prefect_server.event_drain import Ledger
from flows.prefect_server.gc_thread import collect_in_a_thread
from flows.prefect_server.retry_middleware import Patient

__all__ = ["ONE_RUN", "STANDING", "serve"]

# Events of task runs are written down many at a time: one by one, each in a transaction of its own, they cost more than
# all that songform does itself for a track.
_TOGETHER = {
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
}

# What a server leaves out that lives as long as one command: the loops that look after schedules, late runs, work
# pools and pauses have nobody to look after, and `songform ui` registers the types of blocks when it first starts.
# Without the memo it would never know that nobody has done so.
ONE_RUN = _TOGETHER | {
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

# What a server needs that lives as long as it can. The places of deployments are leased; a lease that is kept in memory
# alone is lost with the server, and its place is never free again.
STANDING = _TOGETHER | {
    # Runs older than three months (Prefect's default) go: an hourly retry is nine thousand a year.
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
    "PREFECT_SERVER_UI_ENABLED": "true",
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
}


def serve(port: int) -> None:
    """Run the server in this process until standard input ends."""
    import uvicorn

    ledger = Ledger(Patient(_prefect_app()))
    collect_in_a_thread()
    # Nothing is compressed: what would be saved on the way through loopback costs more at its ends.
    config = uvicorn.Config(
        ledger, host="127.0.0.1", port=port, log_level="warning", access_log=False, ws_per_message_deflate=False
    )
    server = uvicorn.Server(config)

    def stop_with_parent() -> None:
        while os.read(0, 1024):  # not sys.stdin: its lock, held by this thread, would break a server that cannot start
            pass
        ledger.wait_until_written(f"http://127.0.0.1:{port}/api")
        server.should_exit = True
        # A shutdown that hangs must not outlive the program that wanted it.
        threading.Timer(8.0, os._exit, (0,)).start()

    threading.Thread(target=stop_with_parent, daemon=True).start()
    server.run()
    os._exit(0)


def _prefect_app() -> Any:
    """Import Prefect's server and make its application."""
    with unwatched_imports():
        from prefect.server.api.server import create_app

        return create_app()


if __name__ == "__main__":
    serve(int(sys.argv[1]))

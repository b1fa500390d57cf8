"""Process of a Prefect server that songform starts.

The server listens only on 127.0.0.1 and exits when the program that started it exits or is killed
(`flows.prefect_server.child_processes`). Before it exits, it records all received task runs
(`flows.prefect_server.event_drain`).

    python -m flows.prefect_server.server_process PORT
"""

from __future__ import annotations

import os
import sys
import threading
from typing import Any

from flows.config.library_environment import imports_without_gc
from flows.prefect_server.child_processes import on_parent_exit
from flows.prefect_server.event_drain import EventDrain
from flows.prefect_server.gc_thread import collect_in_a_thread
from flows.prefect_server.launch import api_url
from flows.prefect_server.retry_middleware import RetryMiddleware

__all__ = ["serve"]

_SHUTDOWN_SECONDS = 8.0  # maximum time of a shutdown, so that the server does not outlive its parent for long


def serve(port: int) -> None:
    """Run the server until the parent process exits."""
    import uvicorn

    app = EventDrain(RetryMiddleware(_prefect_app()))
    collect_in_a_thread()
    # Without compression, which takes more time than it saves on loopback.
    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, log_level="warning", access_log=False, ws_per_message_deflate=False
    )
    server = uvicorn.Server(config)

    def shut_down() -> None:
        app.wait_until_written(api_url(port))
        server.should_exit = True
        threading.Timer(_SHUTDOWN_SECONDS, os._exit, (0,)).start()

    on_parent_exit(shut_down)
    server.run()
    os._exit(0)


def _prefect_app() -> Any:
    """Import the Prefect server and return its ASGI application."""
    with imports_without_gc():
        from prefect.server.api.server import create_app

        return create_app()


if __name__ == "__main__":
    serve(int(sys.argv[1]))

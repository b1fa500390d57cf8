"""A server that is up, without Prefect."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest


class Healthy(http.server.BaseHTTPRequestHandler):
    """Answers 200 to every health check, as a server that is up does, and 500 to anything else."""

    def do_GET(self):
        """Answer."""
        self.send_response(200 if self.path.endswith("/health") else 500)
        self.end_headers()

    def log_message(self, format, *args):  # noqa: A002  the base class's name
        """Say nothing."""


@pytest.fixture
def healthy() -> Iterator[str]:
    """Serve health checks; give the address of the API to which they belong."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Healthy)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/api"
    server.shutdown()
    server.server_close()

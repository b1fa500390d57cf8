"""Fixture of an HTTP server that answers health checks like a Prefect server."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest


class Healthy(http.server.BaseHTTPRequestHandler):
    """Request handler that answers health checks with status 200 and all other requests with 500."""

    def do_GET(self):
        """Answer a request."""
        self.send_response(200 if self.path.endswith("/health") else 500)
        self.end_headers()

    def log_message(self, format, *args):  # noqa: A002  the name in the base class
        """Do nothing."""


@pytest.fixture
def healthy() -> Iterator[str]:
    """Start a server that answers health checks, and yield the address of its API."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Healthy)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/api"
    server.shutdown()
    server.server_close()

"""ASGI middleware that lets a Prefect server record all received task runs before it stops.

Prefect's client reports task runs by events through a websocket and does not wait for an answer. The server records the
events later, so a server that stops immediately loses most records of a burst of quick tasks. Therefore `EventDrain`
keeps the IDs of the task runs whose end it receives through the websocket, and before the server stops, it queries the
server's API until all of them are recorded. Flow runs and logs are sent by HTTP requests that are answered, so they are
not lost. The format of the events is that of Prefect's public API.
"""

from __future__ import annotations

import json
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from flows.prefect_server.health import http_session

if TYPE_CHECKING:
    import requests
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["EventDrain"]

_SECONDS = 20.0  # maximum time to wait for the last records; 200 task runs take about six seconds
_MAX_TASK_RUNS = 10_000  # maximum number of IDs that are kept, the same as the size of Prefect's event queue
_PER_REQUEST = 500  # task runs per request
_TASK_RUN = "prefect.task-run."
_FINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


class EventDrain:
    """Middleware that collects the IDs of the task runs whose end a server receives.

    Parameters
    ----------
    app : ASGI application
        The Prefect server.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._ended: deque[str] = deque(maxlen=_MAX_TASK_RUNS)
        self._open = 0  # number of open websockets that may still receive events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request to the server, and read the events that clients send through a websocket."""
        if scope["type"] != "websocket" or not scope["path"].endswith("/events/in"):
            await self._app(scope, receive, send)
            return

        async def receive_and_note() -> Message:
            message = await receive()
            if message.get("text"):
                self.note(message["text"])
            return message

        self._open += 1
        try:
            await self._app(scope, receive_and_note, send)
        finally:
            self._open -= 1

    def note(self, text: str) -> None:
        """Store the ID of a task run if the text is an event about its end."""
        with suppress(ValueError, TypeError, KeyError, AttributeError):  # other messages are ignored
            event = json.loads(text)
            if event["event"].startswith(_TASK_RUN) and event["payload"]["intended"]["to"] in _FINAL:
                self._ended.append(event["resource"]["prefect.resource.id"].removeprefix(_TASK_RUN))

    def wait_until_written(self, url: str) -> None:
        """Wait until the server has recorded the final states of all collected task runs, for `_SECONDS` at most.

        Parameters
        ----------
        url : str
            Address of the server's API.
        """
        session = http_session(url)
        deadline = time.monotonic() + _SECONDS
        while self._open and time.monotonic() < deadline:
            time.sleep(0.02)
        ended = sorted(set(self._ended))
        for first in range(0, len(ended), _PER_REQUEST):
            some = ended[first : first + _PER_REQUEST]
            while time.monotonic() < deadline and _count_recorded(session, url, some) < len(some):
                time.sleep(0.05)


def _count_recorded(session: requests.Session, url: str, ids: list[str]) -> int:
    """Return how many of the given task runs are recorded in a final state; 0 if the server does not answer."""
    import requests

    wanted: dict[str, dict[str, Any]] = {"id": {"any_": ids}, "state": {"type": {"any_": _FINAL}}}
    try:
        answer = session.post(f"{url}/task_runs/count", json={"task_runs": wanted}, timeout=5)
        answer.raise_for_status()
        return int(answer.json())
    except (requests.RequestException, ValueError):
        return 0

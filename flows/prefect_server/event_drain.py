"""A server that exits must have recorded what it was told.

Prefect's client does not tell the server of a task run and wait; it sends events through a websocket and goes on, and
the server writes them down after the fact: one that stops at once loses most of a burst of quick tasks. So what comes
in through that socket is noted here, and before the server stops it is asked, as anybody may ask it, until it knows all
of it. Flow runs and logs come by requests that are answered; they need no such care.

`EventDrain` is an ASGI middleware; the events' form is that of Prefect's public API.
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

_SECONDS = 20.0  # most time for the last records; two hundred task runs take six
_MOST = 10_000  # task runs kept in mind: Prefect's own queue of events holds no more
_AT_ONCE = 500  # task runs asked for in one request
_TASK_RUN = "prefect.task-run."
_FINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


class EventDrain:
    """Notes the task runs of whose end a server hears.

    Parameters
    ----------
    app : ASGI application
        Prefect's server.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._ended: deque[str] = deque(maxlen=_MOST)
        self._open = 0  # websockets through which events may still come

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request; of the websocket through which clients send events, note what comes."""
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
        """Note an event, if it is the end of a task run."""
        with suppress(ValueError, TypeError, KeyError, AttributeError):  # whatever it is, it is none of ours
            event = json.loads(text)
            if event["event"].startswith(_TASK_RUN) and event["payload"]["intended"]["to"] in _FINAL:
                self._ended.append(event["resource"]["prefect.resource.id"].removeprefix(_TASK_RUN))

    def wait_until_written(self, url: str) -> None:
        """Wait until the server knows the final state of every task run of which it heard, or for long enough.

        Parameters
        ----------
        url : str
            The address of the server's API.
        """
        session = http_session(url)
        deadline = time.monotonic() + _SECONDS
        while self._open and time.monotonic() < deadline:
            time.sleep(0.02)
        ended = sorted(set(self._ended))
        for first in range(0, len(ended), _AT_ONCE):
            some = ended[first : first + _AT_ONCE]
            while time.monotonic() < deadline and _count_recorded(session, url, some) < len(some):
                time.sleep(0.05)


def _count_recorded(session: requests.Session, url: str, ids: list[str]) -> int:
    """Return how many of some task runs a server has recorded as ended; 0 if it does not answer."""
    import requests

    wanted: dict[str, dict[str, Any]] = {"id": {"any_": ids}, "state": {"type": {"any_": _FINAL}}}
    try:
        answer = session.post(f"{url}/task_runs/count", json={"task_runs": wanted}, timeout=5)
        answer.raise_for_status()
        return int(answer.json())
    except (requests.RequestException, ValueError):
        return 0

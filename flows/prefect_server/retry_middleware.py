"""ASGI middleware that repeats requests while the database of the Prefect server is locked.

If a transaction has read data before another transaction writes, SQLite does not let it write and reports "database is
locked". The Prefect server then answers with status 503, and its client waits about two seconds before it retries, and
longer each time. While a hundred task runs were being recorded, nine in ten starts of a sub-flow were delayed by this.
The failed transaction has been rolled back, so the same request can be repeated. `RetryMiddleware` does this within the
server after a few hundredths of a second. If the database stays locked for some seconds, the client receives the 503.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["RetryMiddleware"]

_SECONDS = 5.0  # maximum time to repeat a request
_PAUSE = 0.03  # seconds between attempts
_BUSY = 503


class RetryMiddleware:
    """Middleware that repeats write requests while the server answers with status 503.

    Parameters
    ----------
    app : ASGI application
        The Prefect server.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request to the server, repeatedly if needed."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        came, deadline = await _whole_request(receive), time.monotonic() + _SECONDS
        while refusal := await self._refusal(scope, _replay(came, receive), send):
            if time.monotonic() >= deadline:
                for message in refusal:
                    await send(message)
                return
            await asyncio.sleep(_PAUSE)

    async def _refusal(self, scope: Scope, receive: Receive, send: Send) -> list[Message]:
        """Pass a request to the server once; return an answer with status 503, and send any other answer."""
        refusal: list[Message] = []

        async def sending(message: Message) -> None:
            if refusal or message.get("status") == _BUSY:
                refusal.append(message)
            else:
                await send(message)

        try:
            await self._app(dict(scope), receive, sending)  # a copy, because the application changes the scope
        except Exception:
            if not refusal:  # Starlette raises an exception again, for the log, after it has answered with 503
                raise
        return refusal


async def _whole_request(receive: Receive) -> list[Message]:
    """Return all messages of a request, up to the last part of its body or the disconnection of the client."""
    came = [await receive()]
    while came[-1].get("more_body"):
        came.append(await receive())
    return came


def _replay(came: list[Message], receive: Receive) -> Receive:
    """Return a `receive` function that yields the stored messages first, and then new ones."""
    ahead = iter(came)

    async def replaying() -> Message:
        message = next(ahead, None)
        return await receive() if message is None else message

    return replaying

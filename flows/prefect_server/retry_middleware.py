"""A request that met a locked database is repeated by the server, not by its client seconds later.

SQLite refuses to let a transaction write that has read before another one wrote: "database is locked". Prefect's server
answers 503 then, and its client sleeps for two seconds, give or take, before it asks again, and for longer each time.
While a hundred task runs were written down, nine in ten beginnings of a sub-flow met that, and nothing went on
meanwhile. The transaction is rolled back by then, so the request can be repeated as it came. What the client would
do is done here a few hundredths of a second later. If it is of no use for some seconds, the client gets its 503.

`RetryMiddleware` is an ASGI middleware, and knows nothing of Prefect but that status.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["RetryMiddleware"]

_SECONDS = 5.0  # for how long a request is repeated
_PAUSE = 0.03  # seconds in between
_BUSY = 503


class RetryMiddleware:
    """Repeats a request that would change something while the answer is 503.

    Parameters
    ----------
    app : ASGI application
        Prefect's server.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
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
        """Serve a request once, and return the answer if it is 503; any other is sent."""
        refusal: list[Message] = []

        async def sending(message: Message) -> None:
            if refusal or message.get("status") == _BUSY:
                refusal.append(message)
            else:
                await send(message)

        try:
            await self._app(dict(scope), receive, sending)  # the application writes into its scope
        except Exception:
            if not refusal:  # Starlette raises what it has answered with 503 once more, for a log
                raise
        return refusal


async def _whole_request(receive: Receive) -> list[Message]:
    """Return the messages of a request, to the last part of its body or to its client's end."""
    came = [await receive()]
    while came[-1].get("more_body"):
        came.append(await receive())
    return came


def _replay(came: list[Message], receive: Receive) -> Receive:
    """Return what gives the messages that came, and then those that come."""
    ahead = iter(came)

    async def replaying() -> Message:
        message = next(ahead, None)
        return await receive() if message is None else message

    return replaying

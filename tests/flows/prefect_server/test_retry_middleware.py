"""Tests that a request is repeated while the database is locked, and that its client receives one answer."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

import flows.prefect_server.retry_middleware
from flows.prefect_server.retry_middleware import RetryMiddleware

END = {"type": "http.disconnect"}


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    monkeypatch.setattr(flows.prefect_server.retry_middleware, "_PAUSE", 0.0)


class Application:
    """ASGI application that answers with the given statuses, repeating the last one, and records the requests."""

    def __init__(self, *statuses, raises=None):
        self.statuses, self.raises, self.bodies, self.scopes = list(statuses), raises, [], []

    async def __call__(self, scope, receive, send):
        """Read the complete request, and answer."""
        self.scopes.append(dict(scope))
        scope["path_params"] = {"id": "1"}  # as Starlette does
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        self.bodies.append(body)
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        await send({"type": "http.response.start", "status": status, "headers": [(b"a", b"b")]})
        await send({"type": "http.response.body", "body": b"%d " % status, "more_body": True})
        await send({"type": "http.response.body", "body": b"end"})
        if self.raises and status == 503:
            raise self.raises  # as Starlette does, for the log


def answers(application, method="POST", parts=(b"body",), kind="http"):
    """Send one request through the middleware; return the messages that the client receives."""
    sent = []
    ahead = [{"type": "http.request", "body": part, "more_body": True} for part in parts[:-1]]
    coming = iter([*ahead, {"type": "http.request", "body": parts[-1]}, END])

    async def receive():
        return next(coming)

    async def send(message):
        sent.append(message)

    asyncio.run(RetryMiddleware(application)({"type": kind, "method": method, "path": "/a"}, receive, send))
    return sent


def statuses(sent):
    return [message["status"] for message in sent if message["type"] == "http.response.start"]


@given(st.lists(st.binary(max_size=9), min_size=1, max_size=4), st.integers(0, 5))
def test_request_is_repeated_until_the_database_is_free(parts, n_busy):
    application = Application(*[503] * n_busy, 201)
    sent = answers(application, parts=parts)
    assert statuses(sent) == [201]
    assert b"".join(message.get("body", b"") for message in sent) == b"201 end"
    assert application.bodies == [b"".join(parts)] * (n_busy + 1)


def test_each_attempt_has_the_original_scope():
    application = Application(503, 200)
    answers(application)
    assert application.scopes == [{"type": "http", "method": "POST", "path": "/a"}] * 2


def test_exception_after_a_503_is_suppressed():
    application = Application(503, 503, 200, raises=RuntimeError("database is locked"))
    assert statuses(answers(application)) == [200]


def test_client_receives_the_complete_503_after_the_timeout(monkeypatch):
    monkeypatch.setattr(flows.prefect_server.retry_middleware, "_SECONDS", 0.0)
    application = Application(503)
    sent = answers(application)
    assert statuses(sent) == [503]
    assert b"".join(message.get("body", b"") for message in sent) == b"503 end"
    assert len(application.bodies) == 1


@pytest.mark.parametrize("status", [200, 204, 400, 404, 409, 422, 429, 500, 502])
def test_other_answers_are_not_repeated(status):
    application = Application(status, 200)
    assert statuses(answers(application)) == [status]
    assert len(application.bodies) == 1


def test_exception_without_a_503_is_raised():
    async def broken(scope, receive, send):
        raise RuntimeError("a defect")

    with pytest.raises(RuntimeError, match="a defect"):
        answers(broken)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_read_requests_are_not_repeated(method):
    """A locked database does not affect them, and a stream of events must not be delayed."""
    application = Application(503, 200)
    assert statuses(answers(application, method)) == [503]


def test_websockets_and_lifespan_events_are_passed_on_unchanged():
    seen = []

    async def application(*given):
        seen.append(given)

    asyncio.run(RetryMiddleware(application)({"type": "lifespan"}, "receive", "send"))
    asyncio.run(RetryMiddleware(application)({"type": "websocket"}, "receive", "send"))
    assert [(receive, send) for _, receive, send in seen] == [("receive", "send")] * 2


def test_disconnection_of_the_client_reaches_the_application():
    """Messages after the request are passed on as they arrive."""
    heard = []

    async def application(scope, receive, send):
        heard.extend([await receive(), await receive()])
        await send({"type": "http.response.start", "status": 200})

    answers(application)
    assert heard[1] == END

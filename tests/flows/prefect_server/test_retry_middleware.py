"""A request that met a locked database is played again as it came, and its client sees one answer."""

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
    """Answers with one status after the other, the last for ever; notes what it was asked."""

    def __init__(self, *statuses, raises=None):
        self.statuses, self.raises, self.bodies, self.scopes = list(statuses), raises, [], []

    async def __call__(self, scope, receive, send):
        """Read the whole request, and answer."""
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
            raise self.raises  # as Starlette does, for a log


def answers(application, method="POST", parts=(b"body",), kind="http"):
    """Ask once; return what the client is sent."""
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
def test_whatever_came_is_played_again_until_the_database_is_free(parts, n_busy):
    application = Application(*[503] * n_busy, 201)
    sent = answers(application, parts=parts)
    assert statuses(sent) == [201]
    assert b"".join(message.get("body", b"") for message in sent) == b"201 end"
    assert application.bodies == [b"".join(parts)] * (n_busy + 1)


def test_each_time_it_is_asked_as_if_it_were_the_first():
    application = Application(503, 200)
    answers(application)
    assert application.scopes == [{"type": "http", "method": "POST", "path": "/a"}] * 2


def test_what_the_application_raises_beside_its_503_is_forgotten_with_it():
    application = Application(503, 503, 200, raises=RuntimeError("database is locked"))
    assert statuses(answers(application)) == [200]


def test_after_some_time_the_client_gets_the_whole_503(monkeypatch):
    monkeypatch.setattr(flows.prefect_server.retry_middleware, "_SECONDS", 0.0)
    application = Application(503)
    sent = answers(application)
    assert statuses(sent) == [503]
    assert b"".join(message.get("body", b"") for message in sent) == b"503 end"
    assert len(application.bodies) == 1


@pytest.mark.parametrize("status", [200, 204, 400, 404, 409, 422, 429, 500, 502])
def test_any_other_answer_is_given_at_once(status):
    application = Application(status, 200)
    assert statuses(answers(application)) == [status]
    assert len(application.bodies) == 1


def test_a_defect_stays_one():
    async def broken(scope, receive, send):
        raise RuntimeError("a defect")

    with pytest.raises(RuntimeError, match="a defect"):
        answers(broken)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_who_only_reads_is_answered_as_it_is(method):
    """Nothing that only reads is refused so; and a stream of events must not be held back."""
    application = Application(503, 200)
    assert statuses(answers(application, method)) == [503]


def test_websockets_and_the_servers_own_life_are_none_of_its_business():
    seen = []

    async def application(*given):
        seen.append(given)

    asyncio.run(RetryMiddleware(application)({"type": "lifespan"}, "receive", "send"))
    asyncio.run(RetryMiddleware(application)({"type": "websocket"}, "receive", "send"))
    assert [(receive, send) for _, receive, send in seen] == [("receive", "send")] * 2


def test_a_client_that_hangs_up_is_heard_of():
    """What comes after the request is given to the application as it comes."""
    heard = []

    async def application(scope, receive, send):
        heard.extend([await receive(), await receive()])
        await send({"type": "http.response.start", "status": 200})

    answers(application)
    assert heard[1] == END

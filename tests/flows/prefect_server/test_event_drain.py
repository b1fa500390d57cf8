"""What a server was told of task runs, and that it waits until it has written it down."""

from __future__ import annotations

import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st

import flows.prefect_server.event_drain
from flows.prefect_server.event_drain import EventDrain


def event(number, state="COMPLETED", name="Completed"):
    return json.dumps(
        {
            "event": f"prefect.task-run.{name}",
            "resource": {"prefect.resource.id": f"prefect.task-run.{number}"},
            "payload": {"intended": {"from": "RUNNING", "to": state}},
        }
    )


OTHERS = [
    event(1, "RUNNING", "Running"),
    event(1, "SCHEDULED", "AwaitingRetry"),
    event(1).replace("task-run", "flow-run"),
    '{"type": "auth", "token": null}',
    '{"event": 3}',
    '{"event": "prefect.task-run.Completed", "payload": null}',
    "[]",
    "{",
]


class Server(ThreadingHTTPServer):
    """Knows, of the task runs that it is asked for, one more each time it is asked."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Counter)
        self.asked, self.known = [], 0
        self.url = f"http://127.0.0.1:{self.server_port}/api"


class Counter(BaseHTTPRequestHandler):
    """Answers as Prefect's API does."""

    def do_POST(self):
        """Count; the second time, fail."""
        wanted = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["task_runs"]
        assert (self.path, "CRASHED" in wanted["state"]["type"]["any_"]) == ("/api/task_runs/count", True)
        self.server.asked.append(wanted["id"]["any_"])
        self.server.known += 1
        if self.server.known == 2:
            self.send_error(503)
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(str(min(self.server.known, len(wanted["id"]["any_"]))).encode())

    def log_message(self, format, *args):  # noqa: A002  the base class's name
        """Say nothing."""


@pytest.fixture
def server():
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def test_the_end_of_each_task_run_is_waited_for_and_nothing_else(server):
    async def no_app(scope, receive, send):
        raise AssertionError

    drain = EventDrain(no_app)
    for text in OTHERS:
        drain.note(text)
    drain.wait_until_written(server.url)
    assert server.asked == []
    for text in (event(3), event(1), event(2, "FAILED", "TimedOut"), event(1)):
        drain.note(text)
    drain.wait_until_written(server.url)
    assert server.asked == [["1", "2", "3"]] * 3


def test_many_task_runs_are_asked_for_in_portions(server, monkeypatch):
    monkeypatch.setattr(flows.prefect_server.event_drain, "_AT_ONCE", 2)
    drain = EventDrain(None)
    for number in range(5):
        drain.note(event(number))
    drain.wait_until_written(server.url)
    assert [asked for asked in server.asked if asked not in server.asked[:-1]] == [["4"]]
    assert {tuple(asked) for asked in server.asked} == {("0", "1"), ("2", "3"), ("4",)}


def test_a_server_that_never_knows_is_asked_and_not_waited_for_for_ever(server, monkeypatch):
    monkeypatch.setattr(flows.prefect_server.event_drain, "_SECONDS", 0.5)
    server.known = -(10**9)
    drain = EventDrain(None)
    drain.note(event(1))
    drain.wait_until_written(server.url)
    assert server.asked
    assert {tuple(asked) for asked in server.asked} == {("1",)}


def test_who_only_listens_to_events_holds_nothing_up(server):
    """The pages of Prefect keep a websocket open for as long as they are looked at."""
    drain = EventDrain(None)

    async def page(scope, receive, send):
        drain.wait_until_written(server.url)  # while this websocket is open

    drain._app = page
    asyncio.run(drain({"type": "websocket", "path": "/api/events/out"}, None, None))
    assert server.asked == []


@given(st.text())
def test_no_text_breaks_the_websocket_that_it_came_through(text):
    drain = EventDrain(None)
    drain.note(text)
    drain.note(event(1))
    assert list(drain._ended) == ["1"]  # the text was none, and the next is noted all the same


def test_what_comes_through_a_websocket_is_noted_and_passed_on_and_waited_for(server):
    """The server is asked only when the socket is closed: until then there may be more."""
    passed = []

    async def app(scope, receive, send):
        while (message := await receive())["type"] != "websocket.disconnect":
            passed.append(message)
        threading.Thread(target=waiting.start).start()
        await asyncio.sleep(0.1)
        assert server.asked == []

    messages = [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": event(1)}]
    ahead = iter([*messages, {"type": "websocket.disconnect"}])

    async def receive():
        return next(ahead)

    drain = EventDrain(app)
    waiting = threading.Thread(target=drain.wait_until_written, args=(server.url,))
    asyncio.run(drain({"type": "websocket", "path": "/api/events/in"}, receive, None))
    waiting.join()
    assert passed == messages
    assert server.asked[0] == ["1"]


def test_requests_go_to_the_server_as_they_are():
    seen = []

    async def app(*given):
        seen.append(given)

    asyncio.run(EventDrain(app)({"type": "http"}, "receive", "send"))
    assert seen == [({"type": "http"}, "receive", "send")]

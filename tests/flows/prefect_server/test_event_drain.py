"""Tests that a server waits until the task runs that it received are recorded."""

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
    """Server that has recorded one more task run at each request."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Counter)
        self.asked, self.known = [], 0
        self.url = f"http://127.0.0.1:{self.server_port}/api"


class Counter(BaseHTTPRequestHandler):
    """Request handler that imitates Prefect's API."""

    def do_POST(self):
        """Answer with a count; the second request fails."""
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

    def log_message(self, format, *args):  # noqa: A002  the name in the base class
        """Do nothing."""


@pytest.fixture
def server():
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def test_drain_waits_only_for_ended_task_runs(server):
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


def test_many_task_runs_are_queried_in_several_requests(server, monkeypatch):
    monkeypatch.setattr(flows.prefect_server.event_drain, "_PER_REQUEST", 2)
    drain = EventDrain(None)
    for number in range(5):
        drain.note(event(number))
    drain.wait_until_written(server.url)
    assert [asked for asked in server.asked if asked not in server.asked[:-1]] == [["4"]]
    assert {tuple(asked) for asked in server.asked} == {("0", "1"), ("2", "3"), ("4",)}


def test_waiting_for_missing_records_has_a_timeout(server, monkeypatch):
    monkeypatch.setattr(flows.prefect_server.event_drain, "_SECONDS", 0.5)
    server.known = -(10**9)
    drain = EventDrain(None)
    drain.note(event(1))
    drain.wait_until_written(server.url)
    assert server.asked
    assert {tuple(asked) for asked in server.asked} == {("1",)}


def test_websocket_that_only_receives_events_does_not_delay_the_end(server):
    """Prefect's pages keep such a websocket open while they are displayed."""
    drain = EventDrain(None)

    async def page(scope, receive, send):
        drain.wait_until_written(server.url)  # while this websocket is open

    drain._app = page
    asyncio.run(drain({"type": "websocket", "path": "/api/events/out"}, None, None))
    assert server.asked == []


@given(st.text())
def test_any_text_through_the_websocket_is_accepted(text):
    drain = EventDrain(None)
    drain.note(text)
    drain.note(event(1))
    assert list(drain._ended) == ["1"]  # the text is ignored, and the next event is stored


def test_events_through_a_websocket_are_passed_on_and_waited_for(server):
    """The server is queried only after the websocket is closed, because more events may come until then."""
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


def test_http_requests_are_passed_on_unchanged():
    seen = []

    async def app(*given):
        seen.append(given)

    asyncio.run(EventDrain(app)({"type": "http"}, "receive", "send"))
    assert seen == [({"type": "http"}, "receive", "send")]

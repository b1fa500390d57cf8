"""Delivery of events to a program and a webhook, and the errors if it fails."""

from __future__ import annotations

import json
import re
import socket
import sys
import threading
import traceback
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tasks.alerts.delivery import DeliveryError, Event, channels, post_webhook, run_command
from tasks.settings import NotifySettings

EVENT = Event("circuit-open", "músic.org", "músic.org wants “rest” $(touch x); `id`", "2026-11-22T12:00:00+00:00", "/h")


@dataclass
class Receiver:
    """A webhook on the loopback interface: its response, and the requests that it received."""

    url: str
    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    told: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    hangs: threading.Event | None = None


class _Hook(BaseHTTPRequestHandler):
    receiver: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.receiver.told.append((self.path, self.headers["Content-Type"], json.loads(body)))
        if self.receiver.hangs:
            self.receiver.hangs.wait(30)
        self.send_response(self.receiver.status)
        for name, value in self.receiver.headers.items():
            self.send_header(name, value)
        self.end_headers()

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002  the base class's name


@pytest.fixture
def receiver():
    """Serve a webhook with a secret path."""
    handler = type("Hook", (_Hook,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None
    handler.receiver = Receiver(f"http://127.0.0.1:{server.server_address[1]}/hooks/s3cret")
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield handler.receiver
    if handler.receiver.hangs:
        handler.receiver.hangs.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def program(tmp_path):
    """Return a function that writes a Python program and returns the command that runs it in its own folder."""

    def write(text: str, *arguments: str) -> tuple[str, ...]:
        path = tmp_path / "tell.py"
        path.write_text(f"import json, os, sys, time\nos.chdir({str(tmp_path)!r})\n{text}\n", encoding="utf-8")
        return (sys.executable, str(path), *arguments)

    return write


def test_program_gets_the_event_on_its_input_and_the_message_in_its_environment(program, tmp_path):
    text = """
with open("told.json", "w") as file:
    json.dump([json.load(sys.stdin.buffer), os.environ["SONGFORM_MESSAGE"], sys.argv[1:]], file)
"""
    run_command(program(text, "$HOME", "; touch x", "*"), EVENT)
    told = json.loads((tmp_path / "told.json").read_text())
    assert told == [asdict(EVENT), EVENT.message, ["$HOME", "; touch x", "*"]]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tell.py", "told.json"]


def test_a_program_need_not_read_its_input(program, tmp_path):
    run_command(program("sys.stdin.close(); open('told', 'w').close()"), EVENT)
    assert (tmp_path / "told").is_file()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("sys.exit(3)", "code 3: .*printed no message"),
        ("print('first'); sys.exit('no \\x1b[31mroute')", "code 1: no route"),
        ("os.write(2, b'\\xff'); sys.exit(1)", "code 1: \ufffd"),
        ("os.kill(os.getpid(), 9)", "code -9: .*printed no message"),
    ],
)
def test_failed_program_is_reported_with_its_code_and_last_line(program, text, reason):
    with pytest.raises(DeliveryError) as undelivered:
        run_command(program(text), EVENT)
    expected = rf"notify\.command \({re.escape(sys.executable)}\) [a-z ]*{reason}"
    assert re.fullmatch(expected, str(undelivered.value))


def test_program_that_hangs_is_stopped_even_if_its_child_keeps_the_output_open(program):
    text = "import subprocess; subprocess.Popen([sys.executable, '-c', 'input()'], stdin=os.pipe()[0]); time.sleep(30)"
    with pytest.raises(DeliveryError, match=r"took longer than 0\.2 s and was stopped"):
        run_command(program(text), EVENT, seconds=0.2)


@pytest.mark.parametrize("command", ["/nowhere/tell", "", "a\0b"])
def test_missing_program_is_reported_with_its_path(command):
    with pytest.raises(
        DeliveryError, match=r"notify\.command .* cannot be started \(.*check its path in songform\.toml"
    ):
        run_command((command,), EVENT)


def test_file_that_is_not_executable_is_reported(tmp_path):
    path = tmp_path / "tell"
    path.write_text("x")
    with pytest.raises(DeliveryError, match="Permission denied"):
        run_command((str(path),), EVENT)


def test_a_webhook_gets_the_event_as_json(receiver):
    post_webhook(receiver.url, EVENT)
    assert receiver.told == [("/hooks/s3cret", "application/json", asdict(EVENT))]


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
def test_webhook_that_answers_an_error_is_a_failed_delivery(receiver, status):
    receiver.status = status
    with pytest.raises(
        DeliveryError, match=rf"^notify\.webhook at 127\.0\.0\.1 answered with status {status}; check its server$"
    ):
        post_webhook(receiver.url, EVENT)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_of_a_webhook_are_not_followed(receiver, status):
    receiver.status, receiver.headers = status, {"Location": receiver.url.replace("hooks", "elsewhere")}
    with pytest.raises(DeliveryError, match=rf"127\.0\.0\.1 redirects \({status}\); set it"):
        post_webhook(receiver.url, EVENT)
    assert [path for path, _, _ in receiver.told] == ["/hooks/s3cret"]


def test_webhook_that_hangs_times_out_without_revealing_its_address(receiver):
    receiver.hangs = threading.Event()
    with pytest.raises(DeliveryError, match="cannot be reached \\(ReadTimeout") as undelivered:
        post_webhook(receiver.url, EVENT, seconds=0.2)
    assert "s3cret" not in str(undelivered.value)


def test_unreachable_webhook_is_reported_without_its_address():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://user:pa55@127.0.0.1:{taken.getsockname()[1]}/s3cret?key=s3cret"
        with pytest.raises(DeliveryError, match=r"127\.0\.0\.1 cannot be reached \(ConnectionError") as undelivered:
            post_webhook(url, EVENT)
    shown = "".join(traceback.format_exception(undelivered.value))
    assert "s3cret" not in shown
    assert "pa55" not in shown


@pytest.mark.parametrize("url", ["ftp://a/s3cret", "file:///s3cret", "s3cret", "http://", "http://[::/s3cret", ""])
def test_invalid_address_is_rejected_before_anything_is_sent(url):
    with pytest.raises(DeliveryError, match=r"^notify\.webhook is not an http.* address; .*songform\.toml"):
        post_webhook(url, EVENT)


@pytest.mark.parametrize("url", ["http://127.0.0.1:x/", "http://127.0.0.1:99999/", "http://.a./", "http://a b/"])
def test_impossible_address_raises_one_sentence(url):
    with pytest.raises(DeliveryError, match=r"^notify\.webhook at .* cannot be reached"):
        post_webhook(url, EVENT)


def test_each_setting_has_a_channel(receiver, program, tmp_path):
    command = program("open('told', 'w').close()")
    assert channels(NotifySettings()) == {}
    ways = channels(NotifySettings(command=command, webhook=receiver.url))
    assert list(ways) == ["command", "webhook"]
    for way in ways.values():
        way(EVENT)
    assert (tmp_path / "told").exists()
    assert len(receiver.told) == 1

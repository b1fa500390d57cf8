"""Fixtures for a simulated web: servers on the loopback interface with scripted responses, and fake sites."""

from __future__ import annotations

import gc
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import urllib3.util.connection

import tasks.ingest.fetch.ytdlp
from tasks.ingest.ffmpeg import find_ffmpeg
from tasks.settings import DownloadSettings

SECONDS = 3.0


@dataclass
class Answer:
    """Response of the server at one path."""

    body: bytes = b""
    content_type: str = "audio/ogg"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    announced: int | None = None  # a wrong Content-Length; -1: no such header
    pause: float = 0.0  # before the second half of the body, in seconds


@dataclass
class Site:
    """A server on the loopback interface: its address, its responses by path, and the requests that it received."""

    url: str
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def put(self, path: str, body: bytes | str = b"", content_type: str = "audio/ogg", **more: Any) -> str:
        """Add a response at a path, and return its address. Several responses are sent in turn, the last one always."""
        content = body.encode() if isinstance(body, str) else body
        self.answers.setdefault(path, []).append(Answer(content, content_type, **more))
        return self.url + path

    def put_feed(self, path: str, title: str, *items: dict[str, str]) -> str:
        """Add a podcast feed at a path; its items have a title, a url, and optionally a guid and a duration."""
        body = "".join(_feed_item(**item) for item in items)
        namespace = 'xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"'
        head = f'<?xml version="1.0"?><rss version="2.0" {namespace}><channel><title>{title}</title>'
        return self.put(path, f"{head}{body}</channel></rss>", "application/rss+xml")

    def next_answer(self, path: str) -> Answer:
        """Return the next response at a path."""
        self.asked.append(path)
        waiting = self.answers.get(path, [Answer(b"no", "text/plain", 404)])
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]


def _feed_item(title: str, url: str, guid: str = "", duration: str = "") -> str:
    parts = [f"<title>{title}</title>", f'<enclosure url="{url}" type="audio/ogg" length="1"/>']
    parts += [f"<guid>{guid}</guid>"] if guid else []
    parts += [f"<itunes:duration>{duration}</itunes:duration>"] if duration else []
    return f"<item>{''.join(parts)}</item>"


class _Handler(BaseHTTPRequestHandler):
    site: Site

    def do_GET(self) -> None:
        self.site.headers.append(dict(self.headers.items()))
        answer = self.site.next_answer(self.path)
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        if answer.announced != -1:
            self.send_header("Content-Length", str(len(answer.body) if answer.announced is None else answer.announced))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        half = len(answer.body) // 2
        self.wfile.write(answer.body[:half])
        time.sleep(answer.pause)
        self.wfile.write(answer.body[half:])

    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002  the base class's name


@pytest.fixture(autouse=True)
def nothing_but_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Disable proxies, name resolution and pauses before retries."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    resolve = socket.getaddrinfo

    def getaddrinfo(host: str, *more: Any, **options: Any) -> Any:
        if host not in {"127.0.0.1", "::1", "localhost", None}:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve(host, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(tasks.ingest.fetch.ytdlp, "backoff", lambda n: 0.0)


@pytest.fixture(autouse=True, scope="module")
def swept() -> Iterator[None]:
    """Collect the connections that yt-dlp left open now, so that they do not warn during later tests."""
    yield
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        gc.collect()


@pytest.fixture
def new_site() -> Iterator[Callable[[], Site]]:
    """Return a function that starts a server on its own port."""
    servers = []

    def start() -> Site:
        handler = type("Handler", (_Handler,), {})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        server.handle_error = lambda *_: None  # yt-dlp closes the connection once it has recognized a file
        handler.site = Site(f"http://127.0.0.1:{server.server_address[1]}")
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return handler.site

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def site(new_site: Callable[[], Site]) -> Site:
    """Return a server without responses, which answers 404."""
    return new_site()


@pytest.fixture(scope="session")
def public() -> str:
    """Return an address that the address check takes for public; `internet` redirects it to this machine."""
    return "93.184.215.14"


@pytest.fixture
def internet(monkeypatch: pytest.MonkeyPatch, public: str) -> Callable[..., list[str]]:
    """Simulate the internet: resolve names to given addresses, and connect the public address to the loopback."""
    connect = urllib3.util.connection.create_connection

    def create_connection(address: tuple[str, int], *more: Any, **options: Any) -> Any:
        host, port = address
        return connect(("127.0.0.1" if host == public else host, port), *more, **options)

    def play(**names: list[list[str]]) -> list[str]:
        looked_up: list[str] = []

        def getaddrinfo(host: str, port: int, *_: Any, **__: Any) -> Any:
            looked_up.append(host)
            answers = names.get(host.partition(".")[0], [[host]])
            found = answers.pop(0) if len(answers) > 1 else answers[0]
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        monkeypatch.setattr(urllib3.util.connection, "create_connection", create_connection)
        return looked_up

    return play


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that makes yt-dlp try some extractors first."""
    plain = tasks.ingest.fetch.ytdlp.youtube_dl

    def start(*extractors: type) -> None:
        def youtube_dl(params, **options):
            return plain(params, extractors, **options)

        monkeypatch.setattr(tasks.ingest.fetch.ytdlp, "youtube_dl", youtube_dl)

    return start


@pytest.fixture
def patience() -> DownloadSettings:
    """Return settings for a local server that answers at once or never."""
    return DownloadSettings(timeout_seconds=1.0, allow_private=True)


@pytest.fixture(scope="session")
def ogg() -> bytes:
    """Return three seconds of a tone as Ogg Vorbis."""
    return _sound("OGG", 440.0)


@pytest.fixture(scope="session")
def flac() -> bytes:
    """Return three seconds of another tone as FLAC."""
    return _sound("FLAC", 660.0)


@pytest.fixture(scope="session")
def ffmpeg() -> str:
    """Return the ffmpeg of this machine, or of the Python package."""
    return find_ffmpeg()


@pytest.fixture(scope="session")
def sound() -> Callable[..., bytes]:
    """Return a function that makes a tone, given the container, the frequency in Hz and the duration in seconds."""
    return _sound


@pytest.fixture
def song(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes an audio file."""

    def write(name: str, frequency: float = 440.0) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_sound("FLAC", frequency))
        return path

    return write


def _sound(container: str, frequency: float, seconds: float = SECONDS) -> bytes:
    """Return the bytes of an audio file with a tone."""
    file = BytesIO()
    y = 0.3 * np.sin(2 * np.pi * frequency * np.arange(round(22050 * seconds)) / 22050)
    soundfile.write(file, y, 22050, format=container)
    return file.getvalue()

"""Host on the loopback interface that serves audio files, or fails in one of several ways.

``EXPECTED`` maps each kind of failure to the expected outcomes of its tracks: a failure class, or `done`. All seven
failure classes occur. Most failures are caused by the host. Those in ``AT_HOME`` are caused by the local file system:
the host serves the audio, but a folder blocks the path of a file.
"""

from __future__ import annotations

import io
import random
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

import numpy as np
import soundfile

from songform.synth import compose

__all__ = ["AT_HOME", "EXPECTED", "MISHAPS", "Host", "Sound", "drawn_kinds", "sounds"]

SR = 22050
LIVE = b"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n1.ts\n"  # no end marker
WITHOUT_LENGTH = b"<SmoothStreamingMedia/>"
WITHOUT_MEDIA = b'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><AdaptationSet/></Period></MPD>'

EXPECTED: dict[str, tuple[str, ...]] = {
    "": ("done",),
    "404": ("permanent",),
    "410": ("permanent",),
    "401": ("needs-you",),
    "402": ("needs-you",),
    "451": ("needs-you",),
    "403": ("needs-you",),  # retried once, because the address may have expired
    "429 once": ("done",),
    "429 always": ("throttled",),
    "503 once": ("done",),
    "503 always": ("transient",),
    "503 for the media": ("done",),  # every second request fails; yt-dlp retries within one attempt
    "reset": ("transient",),
    "reset once": ("done",),
    "stall": ("transient",),
    "byte by byte": ("permanent",),  # download.max_minutes
    "truncated with a length": ("transient",),
    # A second ingest that downloads the same length makes the failure permanent.
    "truncated without a length": ("permanent",),
    "web page": ("permanent",),
    "web page as audio": ("transient",),
    "random bytes": ("permanent",),  # bytes that no decoder reads, in two downloads
    "empty": ("transient",),
    "live stream": ("later",),
    # Invalid manifests that make yt-dlp crash.
    "manifest without a length": ("bug",),
    "manifest without media": ("bug",),
    "download path blocked": ("environment",),
    "table path blocked": ("environment",),
}
MISHAPS = tuple(kind for kind in EXPECTED if kind)
AT_HOME = frozenset(kind for kind, classes in EXPECTED.items() if classes == ("environment",))


@dataclass(frozen=True)
class Sound:
    """Audio file of some seconds, and how requests for it fail.

    Parameters
    ----------
    body : bytes
        Content of the audio file.
    content_type : str
        Content type that the host sends.
    seconds : float
        Length in seconds.
    kind : str
        Kind of failure; empty if nothing fails.
    """

    body: bytes
    content_type: str
    seconds: float
    kind: str = ""

    @property
    def is_good(self) -> bool:
        """Whether nothing fails."""
        return not self.kind

    @property
    def is_given(self) -> bool:
        """Whether the host serves the complete file at the first request."""
        return self.is_good or self.kind in AT_HOME


@dataclass
class Host:
    """Host that serves sounds by key, and records which keys were requested and which were served completely."""

    sounds: dict[str, Sound] = field(default_factory=dict)
    document: bytes = b""
    asked: list[str] = field(default_factory=list)
    given: list[str] = field(default_factory=list)
    failed: set[str] = field(default_factory=set)

    def put(self, key: str, sound: Sound, kind: str) -> Sound:
        """Add a sound that fails in the given way, and return it."""
        self.sounds[key] = Sound(sound.body, sound.content_type, sound.seconds, kind)
        return self.sounds[key]

    def forget(self) -> None:
        """Clear the lists of requested and served keys."""
        self.asked, self.given = [], []

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer a request."""
        key = request.path.lstrip("/")
        if key == "feed.rss":
            _send(request, self.document, "application/rss+xml")
            return
        self.asked.append(key)
        sound = self.sounds[key]
        once = sound.kind.endswith(" once")
        if not sound.is_given and not (once and key in self.failed):
            self.failed.add(key)
            _fail(request, sound)
        elif _send(request, sound.body, sound.content_type):
            self.given.append(key)


def drawn_kinds(n: int, n_failing: int, rng: random.Random) -> list[str]:
    """Draw a kind of failure for `n_failing` of `n` tracks, and the empty kind for the others.

    Every kind occurs at least once if `n_failing` is large enough.
    """
    kinds = [*rng.sample(MISHAPS, min(len(MISHAPS), n_failing)), *rng.choices(MISHAPS, k=n_failing)][:n_failing]
    kinds += [""] * (n - n_failing)
    rng.shuffle(kinds)
    return kinds


def sounds(n: int, rng: random.Random) -> list[Sound]:
    """Return different excerpts of composed songs, 5 to 7 s long, alternately as FLAC and as Ogg Vorbis."""
    songs = [compose(rng.randrange(1000), sr=SR, duration=60.0).y for _ in range(3)]
    made = []
    for number in range(n):
        y, seconds = rng.choice(songs), rng.uniform(5.0, 7.0)
        start = rng.randrange(len(y) - round(7.0 * SR))
        container, content_type = (("FLAC", "audio/flac"), ("OGG", "audio/ogg"))[number % 2]
        file = io.BytesIO()
        part = np.asarray(y[start : start + round(seconds * SR)])
        soundfile.write(file, part * rng.uniform(0.5, 0.9), SR, format=container)
        made.append(Sound(file.getvalue(), content_type, seconds))
    return made


def _fail(request: BaseHTTPRequestHandler, sound: Sound) -> None:
    word = sound.kind.removesuffix(" once").removesuffix(" always")
    if word.isdigit():
        headers = {"Retry-After": "1"} if word == "429" else {}
        _send(request, b"no", "text/plain", status=int(word), headers=headers)
    else:
        _FAILURES[word](request, sound)


def _send(
    request: BaseHTTPRequestHandler,
    body: bytes,
    content_type: str,
    *,
    status: int = 200,
    length: int | None = None,
    headers: dict[str, str] | None = None,
) -> bool:
    """Send an answer, and return whether the client read all of it.

    The header Content-Length is `length` if given, absent if it is -1, and the length of `body` otherwise.
    """
    try:
        request.send_response(status)
        request.send_header("Content-Type", content_type)
        if length != -1:
            request.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in (headers or {}).items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)
        return _is_read(request)
    except OSError:
        return False


def _is_read(request: BaseHTTPRequestHandler) -> bool:
    """Close the sending side, and return whether the client closes the connection without unread bytes."""
    request.connection.shutdown(socket.SHUT_WR)
    request.connection.settimeout(5.0)
    return request.connection.recv(1) == b""


def _reset(request: BaseHTTPRequestHandler, _sound: Sound) -> None:
    request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.connection.close()


def _stall(request: BaseHTTPRequestHandler, sound: Sound) -> None:
    _send_head(request, sound)
    request.wfile.write(sound.body[: len(sound.body) // 2])
    request.connection.settimeout(60.0)
    request.connection.recv(1)  # waits until the client gives up


def _drip(request: BaseHTTPRequestHandler, sound: Sound) -> None:
    _send_head(request, sound)
    request.wfile.write(sound.body[:2000])
    gone = threading.Event()
    for byte in sound.body[2000:]:
        request.wfile.write(bytes([byte]))
        if gone.wait(0.5):
            return


def _media_fails(request: BaseHTTPRequestHandler, sound: Sound) -> None:
    """Answer alternately with the sound and with status 503.

    The first request succeeds: yt-dlp sends it to detect the type of the file.
    """
    looked = request.server.__dict__.setdefault("looked", set())
    if request.path in looked:
        looked.discard(request.path)
        _send(request, b"no", "text/plain", status=503)
    else:
        looked.add(request.path)
        _send(request, sound.body, sound.content_type)


def _send_head(request: BaseHTTPRequestHandler, sound: Sound) -> None:
    request.send_response(200)
    request.send_header("Content-Type", sound.content_type)
    request.send_header("Content-Length", str(len(sound.body)))
    request.end_headers()


def _cut(request: BaseHTTPRequestHandler, sound: Sound, *, with_length: bool) -> None:
    part = sound.body[: len(sound.body) * 2 // 5]
    _send(request, part, sound.content_type, length=len(sound.body) if with_length else -1)


_FAILURES: dict[str, Callable[[BaseHTTPRequestHandler, Sound], object]] = {
    "503 for the media": _media_fails,
    "reset": _reset,
    "stall": _stall,
    "byte by byte": _drip,
    "truncated with a length": lambda request, sound: _cut(request, sound, with_length=True),
    "truncated without a length": lambda request, sound: _cut(request, sound, with_length=False),
    "web page": lambda request, _: _send(request, b"<html><title>Gone</title>It was here.</html>", "text/html"),
    "web page as audio": lambda request, sound: _send(request, b"<html>Are you human?</html>", sound.content_type),
    "random bytes": lambda request, sound: _send(request, random.Random(7).randbytes(20_000), sound.content_type),
    "empty": lambda request, sound: _send(request, b"", sound.content_type),
    "live stream": lambda request, _: _send(request, LIVE, "application/vnd.apple.mpegurl"),
    "manifest without a length": lambda request, _: _send(request, WITHOUT_LENGTH, "text/xml"),
    "manifest without media": lambda request, _: _send(request, WITHOUT_MEDIA, "application/dash+xml"),
}

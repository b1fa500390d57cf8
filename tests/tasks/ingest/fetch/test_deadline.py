"""Time limit of download attempts.

The limits are short and the interrupted operations would never end, so no test depends on the speed of the machine.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from songform.errors import SourceError, TrackError
from tasks.ingest.fetch.deadline import Deadline, Stopwatch
from tasks.ingest.fetch.download import download_track
from tasks.ingest.fetch.ytdlp import youtube_dl
from tasks.ingest.sources.resolve_source import list_tracks
from tasks.settings import AudioSettings, DownloadSettings
from tasks.store.tracks import Track

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

SHORT = DownloadSettings(timeout_seconds=1.0, max_minutes=0.01, allow_private=True)
SAID = r"the download takes longer than download\.max_minutes = 0\.01; .*endless.*; raise this limit"


@pytest.fixture(autouse=True, scope="module")
def warm():
    """Create a first YoutubeDL, which is slow, so that short time limits do not expire before the first request."""
    youtube_dl({}).close()


@pytest.fixture
def connection():
    """Return a pair of connected sockets."""
    ends = socket.socketpair()
    yield ends
    for end in ends:
        end.close()


def test_waiting_read_ends_at_the_deadline(connection):
    here, _ = connection
    with Deadline(0.001) as deadline:
        deadline.watch(here)
        assert here.recv(1) == b""
    assert deadline.is_over
    assert deadline.left == 0.0


def test_socket_opened_after_the_deadline_is_shut_at_once(connection):
    here, _ = connection
    deadline = Deadline(1e-9)
    assert deadline.is_over
    deadline.watch(here)
    assert here.recv(1) == b""


def test_cancelled_deadline_shuts_no_socket(connection):
    here, there = connection
    with Deadline(10_000.0) as deadline:
        deadline.watch(here)
        assert not deadline.is_over
    there.send(b"x")
    assert here.recv(1) == b"x"


def test_time_spent_before_counts():
    with Deadline(1.0, spent=59.0) as deadline:
        assert 0.0 < deadline.left <= 1.0
    assert Deadline(1.0, spent=61.0).is_over
    assert Deadline(1e300, spent=1e6).left > 1e6


def test_stopwatch_does_not_count_pauses(monkeypatch):
    now = iter([10.0, 12.0, 20.0, 25.0, 26.0])
    monkeypatch.setattr("tasks.ingest.fetch.deadline.time.monotonic", lambda: next(now))
    watch = Stopwatch(1.0)
    assert watch.seconds == 1.0
    with watch:
        assert watch.seconds == 1.0 + 2.0
    assert watch.seconds == 1.0 + 10.0
    with watch:
        pass
    assert watch.seconds == 1.0 + 10.0 + 1.0


def test_huge_time_limit_is_allowed():
    with Deadline(1e300) as deadline:
        assert deadline.left > 1e6


def test_closed_socket_is_ignored(connection):
    deadline = Deadline(1e-9)
    connection[0].close()
    deadline.watch(connection[0])
    deadline.watch(connection[1])  # the other sockets are still shut
    with pytest.raises(BrokenPipeError):
        connection[1].send(b"x")


@pytest.fixture
def drip():
    """Return a function that starts a server which sends some data, and then single bytes forever."""
    over, threads = threading.Event(), []

    def answer(peer, beginning):
        with contextlib.suppress(OSError), peer:  # the client closes the connection
            peer.recv(65536)
            peer.sendall(beginning)
            while not over.wait(0.05):
                peer.sendall(b"x")

    def serve(server, beginning, tls):
        with server:
            while not over.is_set():
                with contextlib.suppress(OSError):  # no client has connected
                    peer, _ = server.accept()
                    answer(tls.wrap_socket(peer, server_side=True) if tls else peer, beginning)

    def start(beginning=b"", tls=None):
        server = socket.create_server(("127.0.0.1", 0))
        server.settimeout(0.05)
        threads.append(threading.Thread(target=serve, args=(server, beginning, tls)))
        threads[-1].start()
        return f"127.0.0.1:{server.getsockname()[1]}"

    yield start
    over.set()
    for thread in threads:
        thread.join()


@pytest.fixture
def certified(tmp_path):
    """Return a TLS context for a server with a self-signed certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "radio")])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(start).not_valid_after(start.replace(year=2126))
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = tmp_path / "radio.pem"
    path.write_bytes(private + made.sign(key, hashes.SHA256()).public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def head(content_type, *lines):
    return "\r\n".join(["HTTP/1.1 200 OK", f"Content-Type: {content_type}", *lines, "", ""]).encode()


DRIPS = {
    "a body without a length": ("http", head("audio/ogg")),
    "a body with a length": ("http", head("audio/ogg", "Content-Length: 1000000")),
    "a body in chunks": ("http", head("audio/ogg", "Transfer-Encoding: chunked") + b"FFFFF\r\n"),
    "a page": ("http", head("text/html")),
    "headers": ("http", b"HTTP/1.1 200 OK\r\nX-Long: "),
    "a handshake": ("https", b"\x16\x03\x03\x40\x00"),
}


@pytest.mark.parametrize("what", DRIPS)
def test_slow_server_is_abandoned_at_the_deadline(what, drip, tmp_path, ffmpeg):
    """The timeout of the socket does not expire, because bytes keep arriving."""
    scheme, beginning = DRIPS[what]
    url = f"{scheme}://{drip(beginning)}/a.ogg"
    track = Track(key="web-0", title="Song", source=url, entry={"_type": "url", "url": url})
    with pytest.raises(TrackError, match=rf"^Song \(http.*\) cannot be downloaded: {SAID}") as caught:
        download_track(track, tmp_path, audio=AudioSettings(), download=SHORT, ffmpeg=ffmpeg)
    assert caught.value.failure == "permanent"
    assert list(tmp_path.iterdir()) == []


def test_slow_feed_is_abandoned_at_the_deadline(drip):
    url = f"http://{drip(head('application/rss+xml'))}/feed.xml"
    with pytest.raises(SourceError, match=rf"^http://.*/feed.xml timed out: {SAID}"):
        list_tracks(url, settings=SHORT)


def test_slow_tls_server_is_abandoned_at_the_deadline(drip, certified):
    url = f"https://{drip(head('text/html'), certified)}/"
    with youtube_dl({"nocheckcertificate": True}, settings=SHORT) as ydl, pytest.raises(TrackError, match=SAID):
        ydl.urlopen(url).read()


def test_slow_proxy_is_abandoned_at_the_deadline(drip, monkeypatch):
    monkeypatch.setenv("http_proxy", f"http://{drip(head('text/html'))}")
    with youtube_dl({}, settings=SHORT) as ydl, pytest.raises(TrackError, match=SAID):
        ydl.urlopen("http://radio.example/").read()


def test_no_request_is_sent_after_the_deadline(site):
    late = Deadline(1e-9)
    with (
        youtube_dl({}, settings=SHORT, deadline=late) as ydl,
        pytest.raises(TrackError, match="timed out: the download takes"),
    ):
        ydl.urlopen(site.url)
    assert site.asked == []


def test_ffmpeg_ends_with_the_attempt(site, ogg, tmp_path):
    endless = tmp_path / "ffmpeg"
    endless.write_text("#!/bin/sh\nexec sleep 1000\n")
    endless.chmod(0o755)
    url = site.put("/a.ogg", ogg)
    track = Track(key="web-0", title="Song", source=url, entry={"_type": "url", "url": url})
    with pytest.raises(TrackError, match=SAID):
        download_track(track, tmp_path / "room", audio=AudioSettings(), download=SHORT, ffmpeg=str(endless))
    assert list((tmp_path / "room").iterdir()) == []

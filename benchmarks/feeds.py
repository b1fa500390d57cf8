"""Podcast feeds and HTTP servers on the loopback interface, for benchmarks that need a network."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from xml.etree import ElementTree as ET

__all__ = ["Answer", "Item", "feed", "served"]

_ITUNES = "http://www.itunes.com/dtds/podcast-1.0.dtd"

Answer = Callable[[BaseHTTPRequestHandler], None]
"""Function that answers a GET request. It is called in a separate thread per request."""


@dataclass(frozen=True)
class Item:
    """Item of a feed.

    Parameters
    ----------
    title, url : str
        Title of the item, and address of its audio.
    guid : str
        Permanent identifier of the item.
    seconds : float, optional
        Length that the feed states, in seconds. Feeds round it to whole seconds.
    """

    title: str
    url: str
    guid: str
    seconds: float | None = None


def feed(title: str, items: Sequence[Item]) -> bytes:
    """Return a podcast feed: RSS 2.0 with enclosures."""
    ET.register_namespace("itunes", _ITUNES)
    rss = ET.Element("rss", version="2.0")
    channel = ET.SubElement(rss, "channel")
    ET.SubElement(channel, "title").text = title
    for item in items:
        element = ET.SubElement(channel, "item")
        ET.SubElement(element, "title").text = item.title
        ET.SubElement(element, "guid", isPermaLink="false").text = item.guid
        if item.seconds is not None:
            ET.SubElement(element, f"{{{_ITUNES}}}duration").text = str(round(item.seconds))
        ET.SubElement(element, "enclosure", url=item.url, type="audio/mpeg", length="1")
    return ET.tostring(rss, encoding="utf-8", xml_declaration=True)


@contextmanager
def served(answer: Answer) -> Iterator[str]:
    """Serve a free port of 127.0.0.1 during a `with` block, and yield the address."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 60.0  # so that the thread ends after a client was killed

        def do_GET(self) -> None:
            answer(self)

        def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002  the base class's name

    server = _QuietServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _QuietServer(ThreadingHTTPServer):
    """HTTP server that ignores clients that hang up, as yt-dlp does once it has detected the type of a file."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Print nothing."""

"""Feeds: podcasts that are played on loopback, for what is measured of the network's side."""

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
"""Answers a GET request, in a thread of its own."""


@dataclass(frozen=True)
class Item:
    """An item of a feed.

    Parameters
    ----------
    title, url : str
        Its title, and the address of its sound.
    guid : str
        What identifies it for ever.
    seconds : float, optional
        Its length as announced; feeds know whole seconds.
    """

    title: str
    url: str
    guid: str
    seconds: float | None = None


def feed(title: str, items: Sequence[Item]) -> bytes:
    """Return a podcast's feed: RSS 2.0 with enclosures."""
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
    """Serve 127.0.0.1 for the length of a `with` block, and give the address, which has a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 60.0  # a client that is killed leaves no thread behind

        def do_GET(self) -> None:
            answer(self)

        def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002  the base class's name

    server = _PatientServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _PatientServer(ThreadingHTTPServer):
    """Bears clients that hang up, as yt-dlp does once it knows what a file is."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing."""

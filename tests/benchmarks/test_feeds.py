"""Feeds that are played on loopback: what is written in them comes out again, and no client breaks the server."""

from __future__ import annotations

import socket
import struct
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from yt_dlp.utils import parse_duration

from benchmarks.feeds import Item, feed, served

DURATION = "{http://www.itunes.com/dtds/podcast-1.0.dtd}duration"
WORDS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=20)
ITEMS = st.builds(Item, WORDS, WORDS, WORDS, st.none() | st.floats(0.0, 1e5))


@given(WORDS, st.lists(ITEMS, max_size=4))
def test_what_is_written_in_a_feed_comes_out_again_whatever_strangers_call_it(title, items):
    channel = ET.fromstring(feed(title, items)).find("channel")
    assert channel.findtext("title") == title
    read = [
        Item(
            element.findtext("title"),
            element.find("enclosure").get("url"),
            element.findtext("guid"),
            parse_duration(element.findtext(DURATION)),
        )
        for element in channel.iter("item")
    ]
    rounded = [Item(i.title, i.url, i.guid, None if i.seconds is None else round(i.seconds)) for i in items]
    assert read == rounded


def test_a_guid_is_never_taken_for_an_address():
    """A reader that took it for one would fetch the wrong thing."""
    (guid,) = ET.fromstring(feed("a", [Item("b", "http://a.example/b", "b")])).iter("guid")
    assert guid.get("isPermaLink") == "false"


def shout(request):
    request.send_response(200)
    request.end_headers()
    request.wfile.write(request.path.upper().encode())


def test_each_server_has_a_port_of_its_own_and_is_gone_afterwards():
    with served(shout) as url, served(shout) as other:
        assert url != other
        assert [requests.get(f"{each}/a", timeout=5).text for each in (url, other)] == ["/A", "/A"]
    for each in (url, other):
        with pytest.raises(requests.ConnectionError):
            requests.get(each, timeout=5)


def test_a_client_that_hangs_up_leaves_the_others_alone_and_says_nothing_in_the_terminal(capfd):
    with served(shout) as url:
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", urlsplit(url).port)) as rude:
                rude.sendall(b"GET /a HTTP/1.0\r\n\r\n")
                rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert requests.get(f"{url}/b", timeout=5).text == "/B"
    assert capfd.readouterr() == ("", "")

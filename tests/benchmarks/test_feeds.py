"""Tests of the podcast feeds and HTTP servers of the benchmarks."""

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
def test_items_of_a_feed_round_trip_for_any_text(title, items):
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


def test_guid_is_not_marked_as_an_address():
    """A reader would otherwise download from the guid instead of the enclosure."""
    (guid,) = ET.fromstring(feed("a", [Item("b", "http://a.example/b", "b")])).iter("guid")
    assert guid.get("isPermaLink") == "false"


def answer_upper(request):
    request.send_response(200)
    request.end_headers()
    request.wfile.write(request.path.upper().encode())


def test_each_server_has_its_own_port_and_stops_after_its_block():
    with served(answer_upper) as url, served(answer_upper) as other:
        assert url != other
        assert [requests.get(f"{each}/a", timeout=5).text for each in (url, other)] == ["/A", "/A"]
    for each in (url, other):
        with pytest.raises(requests.ConnectionError):
            requests.get(each, timeout=5)


def test_client_that_hangs_up_affects_no_other_client_and_prints_nothing(capfd):
    with served(answer_upper) as url:
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", urlsplit(url).port)) as rude:
                rude.sendall(b"GET /a HTTP/1.0\r\n\r\n")
                rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert requests.get(f"{url}/b", timeout=5).text == "/B"
    assert capfd.readouterr() == ("", "")

"""Feeds: yt-dlp's reader of feeds and of pages that have no extractor of their own, made to bear what feeds hold.

Feeds are written by many programs and by some hands. One item of a thousand that is wrong must not cost the others,
and a feed that cannot be read at all must be told from a page without sound:

* an address may pretend to carry a note of yt-dlp's own to itself (`#__youtubedl_smuggle`). Such notes are dropped:
  one that cannot be read would end the whole feed, and one that can would speak to yt-dlp in a stranger's name;
* XML that is broken is told with its line. A feed that merely ends too early was probably cut short, which another
  attempt may mend; else its publisher has to.

What is taken apart costs a multiple of its size: an element of XML some 500 bytes of memory, a page two hundred looks
for players that it may hold. So there is a bound to the elements of a feed, and another to the size of a page.

The manifests of streams, which this reader reads as well, are looked at before yt-dlp writes out all they describe
(`tasks.fetching.manifests`).

An item whose address is none is kept: its download says so. `tasks.fetching.embedded` lets those of feeds through;
those of other pages are written so that yt-dlp does not stumble over them.

References
----------
XML 1.0, 2.1 (well-formedness); expat's error codes, as Python's `xml.parsers.expat.errors` names them.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element, ParseError
from xml.parsers.expat import ErrorString, errors

from yt_dlp.compat import compat_etree_fromstring
from yt_dlp.extractor.generic import GenericIE as _GenericIE
from yt_dlp.utils import UnsupportedError

from songform.errors import TrackError
from tasks.fetching.manifests import refuse_long_dash, refuse_long_hls, refuse_long_smooth
from tasks.strangers import plain_text

__all__ = ["GenericIE"]

MOST_MARKS = 1_000_000  # of markup in a feed: ten thousand episodes with fifty elements each
MOST_LETTERS = 2**23  # of a page that is no feed
_MARK = "#__youtubedl_smuggle"
# What stands before the root of a document: a byte order mark, its declaration, comments, a document type.
_ROOT = re.compile(r"(?>[\s\ufeff]+|<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>\[]*>)*+<(?:rss|feed|rdf:RDF)\b", re.DOTALL)
_OPEN_BRACKET = re.compile(r"://\[[^\s\"'<>]*")
_TOO_EARLY = frozenset(
    errors.codes[name]
    for name in (
        *(errors.XML_ERROR_NO_ELEMENTS, errors.XML_ERROR_UNCLOSED_TOKEN),
        *(errors.XML_ERROR_UNCLOSED_CDATA_SECTION, errors.XML_ERROR_PARTIAL_CHAR),
    )
)


class GenericIE(_GenericIE):  # type: ignore[misc]  # yt-dlp has no types
    """yt-dlp's extractor of this name; the name is part of what it answers to."""

    _page = ""

    def _real_extract(self, url: str) -> Any:
        try:
            return super()._real_extract(url)
        except UnsupportedError:
            failure = _trouble(url, self._page)
            if failure is None:
                raise
        raise failure

    def _webpage_read_content(self, answer: Any, *args: Any, **options: Any) -> Any:
        self._page = super()._webpage_read_content(answer, *args, **options)
        _refuse_large(answer.url, self._page)
        return self._page if _ROOT.match(self._page) else _OPEN_BRACKET.sub(_closed, self._page)

    def _parse_mpd_periods(self, mpd_doc: Element, *args: Any, **options: Any) -> Any:
        refuse_long_dash(mpd_doc)
        return super()._parse_mpd_periods(mpd_doc, *args, **options)

    def _parse_ism_formats_and_subtitles(self, ism_doc: Element, *args: Any, **options: Any) -> Any:
        refuse_long_smooth(ism_doc)
        return super()._parse_ism_formats_and_subtitles(ism_doc, *args, **options)

    def _parse_m3u8_formats_and_subtitles(self, m3u8_doc: str, *args: Any, **options: Any) -> Any:
        refuse_long_hls(m3u8_doc)
        return super()._parse_m3u8_formats_and_subtitles(m3u8_doc, *args, **options)

    def _extract_rss(self, url: str, video_id: str, doc: Element) -> Any:
        for item in doc.iterfind("./channel/item"):
            for enclosure in item.iterfind("./enclosure"):
                enclosure.set("url", _unmarked(enclosure.get("url")))
            for link in item.iterfind("./link"):
                link.text = _unmarked(link.text)
        return super()._extract_rss(url, video_id, doc)


def _refuse_large(url: str, page: str) -> None:
    """Refuse what would cost too much to take apart; playlists of streams have a bound of their own."""
    if page.count("<") > MOST_MARKS or (len(page) > MOST_LETTERS and not _ROOT.match(page) and page[:7] != "#EXTM3U"):
        raise TrackError(f"{plain_text(url, 400)} is too large for a page; check the address in a browser", "permanent")


def _closed(address: re.Match[str]) -> str:
    """Write a bracket that is never closed so that yt-dlp can take the address apart; nobody can fetch it anyway."""
    try:
        urlsplit(f"http{address[0]}")
    except ValueError:
        return address[0].replace("[", "%5B")
    return address[0]


def _unmarked(address: str | None) -> str:
    return (address or "").partition(_MARK)[0]


def _trouble(url: str, page: str) -> TrackError | None:
    """Return why a page that begins like a feed is none; None if it does not, or is one of a kind nobody reads."""
    if not _ROOT.match(page):
        return None
    try:
        compat_etree_fromstring(page.encode())
    except ParseError as error:
        line, column = error.position
        place = f"at line {line}, column {column + 1}: {ErrorString(error.code)}"
        what = f"{plain_text(url, 400)} is a feed whose XML"
        if error.code in _TOO_EARLY:
            return TrackError(
                f"{what} ends too early, {place}; it was probably cut short, try again later", "transient"
            )
        mend = "tell its publisher, or find another address of it"
        return TrackError(f"{what} is broken {place}; {mend}", "permanent")
    return None

"""Detection and repair of broken podcast feeds.

A broken feed is distinguished from a page without audio, so that the error message names the defect. One bad item must
not affect the other items of the feed.

References
----------
XML 1.0, 2.1 (well-formedness); expat's error codes, as Python's `xml.parsers.expat.errors` names them.
"""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, ParseError, fromstring
from xml.parsers.expat import ErrorString, errors

from songform.errors import TrackError
from songform.plain_text import plain_text

__all__ = ["feed_error", "is_feed", "remove_smuggled_data"]

_MARK = "#__youtubedl_smuggle"
# What may precede the root element: a byte order mark, the XML declaration, comments, a document type.
_ROOT = re.compile(r"(?>[\s\ufeff]+|<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>\[]*>)*+<(?:rss|feed|rdf:RDF)\b", re.DOTALL)
_TOO_EARLY = frozenset(
    errors.codes[name]
    for name in (
        *(errors.XML_ERROR_NO_ELEMENTS, errors.XML_ERROR_UNCLOSED_TOKEN),
        *(errors.XML_ERROR_UNCLOSED_CDATA_SECTION, errors.XML_ERROR_PARTIAL_CHAR),
    )
)


def is_feed(page: str) -> bool:
    """Return whether a page begins like a feed; the rest of it may be broken."""
    return _ROOT.match(page) is not None


def feed_error(url: str, page: str) -> TrackError | None:
    """Return the error for a feed with invalid XML; None if the XML is valid or the page is not a feed.

    The failure is temporary if the XML ends too early, because the feed was probably truncated in transit. Otherwise
    the publisher has to fix it.

    Parameters
    ----------
    url : str
        Address of the page.
    page : str
        Content of the page.
    """
    if not is_feed(page):
        return None
    try:
        fromstring(page)  # noqa: S314  expat limits the expansion of entities, and yt-dlp has parsed it before
    except ParseError as error:
        line, column = error.position
        place = f"at line {line}, column {column + 1}: {ErrorString(error.code)}"
        what = f"{plain_text(url, 400)} is a feed whose XML"
        if error.code in _TOO_EARLY:
            said = f"{what} ends too early, {place}; it was probably truncated; try again later"
            return TrackError(said, "transient")
        return TrackError(
            f"{what} is invalid, {place}; report this to its publisher, or use another address of the feed", "permanent"
        )
    return None


def remove_smuggled_data(feed: Element) -> None:
    """Remove data from the addresses in a feed that yt-dlp would mistake for its own internal data.

    yt-dlp appends internal data to addresses ("smuggling"). If a feed contained such data, it could control yt-dlp, and
    invalid data would make the whole feed fail.
    """
    for item in feed.iterfind("./channel/item"):
        for enclosure in item.iterfind("./enclosure"):
            enclosure.set("url", (enclosure.get("url") or "").partition(_MARK)[0])
        for link in item.iterfind("./link"):
            link.text = (link.text or "").partition(_MARK)[0]

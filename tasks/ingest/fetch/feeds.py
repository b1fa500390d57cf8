"""Feeds: what podcasts' feeds are like, which are written by many programs and by some hands.

A feed that cannot be read at all must be told from a page without sound, and one item of a thousand that is wrong must
not cost the others.

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
# What stands before the root of a document: a byte order mark, its declaration, comments, a document type.
_ROOT = re.compile(r"(?>[\s\ufeff]+|<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>\[]*>)*+<(?:rss|feed|rdf:RDF)\b", re.DOTALL)
_TOO_EARLY = frozenset(
    errors.codes[name]
    for name in (
        *(errors.XML_ERROR_NO_ELEMENTS, errors.XML_ERROR_UNCLOSED_TOKEN),
        *(errors.XML_ERROR_UNCLOSED_CDATA_SECTION, errors.XML_ERROR_PARTIAL_CHAR),
    )
)


def is_feed(page: str) -> bool:
    """Return whether a page begins as feeds do; it may be broken further down."""
    return _ROOT.match(page) is not None


def feed_error(url: str, page: str) -> TrackError | None:
    """Return what is wrong with a feed's XML, and in which line; None if nothing is, or the page begins as no feed.

    Where it merely ends too early it was probably cut short, which another attempt may mend; else its publisher has to.

    Parameters
    ----------
    url : str
        Where the page comes from.
    page : str
        All of it.
    """
    if not is_feed(page):
        return None
    try:
        fromstring(page)  # noqa: S314  expat bounds what entities grow to, and yt-dlp has read it before
    except ParseError as error:
        line, column = error.position
        place = f"at line {line}, column {column + 1}: {ErrorString(error.code)}"
        what = f"{plain_text(url, 400)} is a feed whose XML"
        if error.code in _TOO_EARLY:
            said = f"{what} ends too early, {place}; it was probably cut short, try again later"
            return TrackError(said, "transient")
        return TrackError(f"{what} is broken {place}; tell its publisher, or find another address of it", "permanent")
    return None


def remove_smuggled_data(feed: Element) -> None:
    """Take from the addresses of a feed's items what pretends to be a note of yt-dlp's own to itself.

    One that cannot be read would end the whole feed, and one that can would speak to yt-dlp in a stranger's name.
    """
    for item in feed.iterfind("./channel/item"):
        for enclosure in item.iterfind("./enclosure"):
            enclosure.set("url", (enclosure.get("url") or "").partition(_MARK)[0])
        for link in item.iterfind("./link"):
            link.text = (link.text or "").partition(_MARK)[0]

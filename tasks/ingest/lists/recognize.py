"""Recognition of lists and feeds by their content, and by their suffix or media type where the content does not tell.

Every list is recognized from its first bytes or from its name, so that nothing else is read completely.
"""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree.ElementTree import ParseError, fromstring

from songform.errors import TrackError
from songform.plain_text import plain_text
from tasks.ingest.lists.addresses import suffix
from tasks.ingest.lists.documents import ListDocument, without_shared_guids
from tasks.ingest.lists.encoding import charset_of_type, decoded, yt_dlp_encoding
from tasks.ingest.lists.json_feed import is_json_feed, read_json_feed
from tasks.ingest.lists.syndication import read_feed
from tasks.ingest.lists.text_playlists import is_hls, is_pls, read_m3u, read_pls
from tasks.ingest.lists.xml_lists import read_opml, read_xspf
from tasks.ingest.lists.xml_repair import is_xml_list, parse_xml_list

__all__ = ["LIST_SUFFIXES", "MAX_FEED_TAGS", "START_BYTES", "may_be_list", "read_list"]

START_BYTES = 2048  # enough to recognize a list
MAX_FEED_TAGS = 1_000_000  # start and end tags: ten thousand episodes with fifty elements each
MAX_PLAYLIST_LINES = 500_000

# Suffixes of local lists. A suffix only makes a file a candidate; its content decides which kind of list it is.
LIST_SUFFIXES = frozenset({".m3u", ".m3u8", ".pls", ".xspf", ".opml", ".rss", ".atom", ".rdf", ".xml", ".json"})

_M3U_TYPE = re.compile(r"(audio|application)/(vnd\.apple\.|x-)?mpegurl\b", re.IGNORECASE)
_LIST_TYPE = re.compile(r"[a-z]+/(feed\+json|json|xspf\+xml|rss\+xml|atom\+xml|x-scpls|pls\+xml)\b", re.IGNORECASE)
_MARKUP = re.compile(rb"(\xef\xbb\xbf|\xff\xfe|\xfe\xff)?\s*\0?<")
_DECLARATION = re.compile(rb"<(\?xml|rss|opml|feed)[\s>]")


def may_be_list(start: bytes, *, name: str, content_type: str = "") -> bool:
    """Return whether the first bytes may be those of a list, so that the rest should be read.

    Parameters
    ----------
    start : bytes
        First `START_BYTES` bytes.
    name : str
        Address or name of the file.
    content_type : str
        Media type that the server declares.
    """
    is_text = b"\0" not in start and bool(start.strip())
    if _MARKUP.match(start) or (is_text and _DECLARATION.search(start)):
        return True
    text = decoded(start)
    if is_pls(text) or is_json_feed(text) or text.lstrip("\ufeff \t\r\n")[:7] == "#EXTM3U":
        return True
    return is_text and (_is_m3u(name, content_type) or _LIST_TYPE.match(content_type) is not None)


def read_list(content: bytes, *, name: str, base: str | None = None, content_type: str = "") -> ListDocument | None:
    """Read a list or feed.

    Parameters
    ----------
    content : bytes
        The list.
    name : str
        Address or path, for messages and for its suffix.
    base : str, optional
        Address that relative addresses refer to; with None, the list is a local file, and they stay relative.
    content_type : str
        Media type that the server declares.

    Returns
    -------
    ListDocument or None
        The list; None if the content is anything else, such as a web page or a manifest of HLS.

    Raises
    ------
    TrackError
        If a list is recognized, but is too large or too broken to be read.
    """
    document = _read(content, name=name, base=base, content_type=content_type)
    return None if document is None else without_shared_guids(document, plain_text(name, 400))


def _read(content: bytes, *, name: str, base: str | None, content_type: str) -> ListDocument | None:
    text, source = decoded(content, charset_of_type(content_type)), plain_text(name, 400)
    start = text[: 2 * START_BYTES]
    if is_xml_list(text):
        return _with_old_identity(_xml_document(text, base, source), text, content, content_type)
    if is_json_feed(start) or ("feed+json" in content_type.lower() and start.lstrip().startswith("{")):
        return read_json_feed(text, base, source)
    if is_pls(start):
        return read_pls(_limited(text, source), base)
    is_m3u = start.lstrip("\ufeff \t\r\n")[:7] == "#EXTM3U" or _is_m3u(name, content_type)
    if is_m3u and not is_hls(text) and not start.lstrip().startswith(("<", "{")):
        return read_m3u(_limited(text, source), base)
    return None


def _is_m3u(name: str, content_type: str) -> bool:
    return suffix(name) in ("m3u", "m3u8") or _M3U_TYPE.match(content_type) is not None


def _xml_document(text: str, base: str | None, source: str) -> ListDocument:
    if text.count("<") > MAX_FEED_TAGS:
        raise TrackError(f"{source} is too large to parse; check the address in a browser", "permanent")
    root, problems = parse_xml_list(text, source, is_local=base is None)
    readers = {"opml": read_opml, "playlist": read_xspf}
    document = readers.get(root.tag.rpartition("}")[2], read_feed)(root, base)
    return replace(document, problems=(*document.problems, *problems))


def _with_old_identity(document: ListDocument, text: str, content: bytes, content_type: str) -> ListDocument:
    """Return a document whose title and guids for keys are those that yt-dlp reads, so that tracks keep their keys.

    yt-dlp does not read the encoding that XML declares, and replaces the characters that it cannot decode.
    """
    if content.isascii():
        return document
    old = content.decode(yt_dlp_encoding(content, content_type), "replace")
    try:
        known = document if old == text else read_feed(fromstring(old), None)  # noqa: S314  as in `parse_xml_list`
    except ParseError:
        return document
    pairs = zip(document.items, known.items, strict=False)
    items = tuple(replace(item, guid=same.guid) for item, same in pairs)
    return replace(document, identity=known.title, items=items if len(known.items) == len(items) else document.items)


def _limited(text: str, source: str) -> str:
    if text.count("\n") > MAX_PLAYLIST_LINES:
        raise TrackError(f"{source} is too large for a playlist; check the address in a browser", "permanent")
    return text

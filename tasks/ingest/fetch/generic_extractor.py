"""yt-dlp's generic extractor, for pages of sites without an extractor, with lists read by songform and size limits.

yt-dlp reads RSS and XSPF only if they are well-formed, takes every M3U for a manifest of HLS, and a PLS or a JSON Feed
for a file. Therefore songform reads lists (`tasks.ingest.lists`) in the response to yt-dlp's own request, and leaves
everything else to yt-dlp. When tracks are listed, the extractor returns the list as `LIST_KEY` of the result. During a
download it returns the entries, because the file of an item may be a list of one file.

Parsing untrusted content costs a multiple of its size: about 500 bytes of memory per XML element, two hundred searches
for media players per page, and any number of segments that a manifest lists. Each of these is limited
(`tasks.ingest.fetch.stream_manifests` for manifests), and content above a limit is refused before it is parsed.

An item with an invalid address is kept, so that its download reports the error. `tasks.ingest.fetch.ytdlp` makes yt-dlp
accept such items in lists. In other pages, the addresses are escaped so that yt-dlp can parse them.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

from yt_dlp.extractor.generic import GenericIE as _GenericIE
from yt_dlp.networking.exceptions import TransportError
from yt_dlp.utils import ExtractorError

from songform.errors import TrackError
from songform.plain_text import plain_text
from tasks.ingest.fetch.stream_manifests import refuse_long_dash, refuse_long_hls, refuse_long_smooth
from tasks.ingest.lists.addresses import suffix
from tasks.ingest.lists.documents import ListDocument
from tasks.ingest.lists.recognize import LIST_SUFFIXES, MAX_FEED_TAGS, START_BYTES, may_be_list, read_list

__all__ = ["LIST_KEY", "MAX_FEED_TAGS", "MAX_PAGE_CHARACTERS", "GenericIE"]

LIST_KEY = "songform_list"
MAX_PAGE_CHARACTERS = 2**23  # of a page that is not a list

_OPEN_BRACKET = re.compile(r"://\[[^\s\"'<>]*")
_MEDIA = re.compile(r"(audio|video)/(?!.*(mpegurl|scpls))", re.IGNORECASE)


class _ListFoundError(Exception):
    """The response to the first request is a list."""

    def __init__(self, document: ListDocument) -> None:
        super().__init__(document.title)
        self.document = document


class GenericIE(_GenericIE):
    """Generic extractor with size limits; yt-dlp finds it by its name."""

    _is_first = False

    def _real_extract(self, url: str) -> Any:
        self._is_first = True
        try:
            return super()._real_extract(url)
        except _ListFoundError as found:
            return self._list_result(url, found.document)

    def _request_webpage(self, *args: Any, **options: Any) -> Any:
        answer = super()._request_webpage(*args, **options)
        if self._is_first:
            self._is_first = False
            try:
                document = _document(answer)
            except TransportError as error:
                raise ExtractorError(f"error reading response: {error.msg}", cause=error) from error
            if document is not None:
                raise _ListFoundError(document)
        return answer

    def _list_result(self, url: str, document: ListDocument) -> dict[str, Any]:
        is_listing = self.get_param("extract_flat")
        entries = [] if is_listing else [self.url_result(item.address) for item in document.items]
        return {**self.playlist_result(entries, url, document.title), LIST_KEY: document}

    def _webpage_read_content(self, answer: Any, *args: Any, **options: Any) -> Any:
        page = super()._webpage_read_content(answer, *args, **options)
        _refuse_large(answer.url, page)
        return _OPEN_BRACKET.sub(_closed, page)

    def _parse_mpd_periods(self, mpd_doc: Element, *args: Any, **options: Any) -> Any:
        refuse_long_dash(mpd_doc)
        return super()._parse_mpd_periods(mpd_doc, *args, **options)

    def _parse_ism_formats_and_subtitles(self, ism_doc: Element, *args: Any, **options: Any) -> Any:
        refuse_long_smooth(ism_doc)
        return super()._parse_ism_formats_and_subtitles(ism_doc, *args, **options)

    def _parse_m3u8_formats_and_subtitles(self, m3u8_doc: str, *args: Any, **options: Any) -> Any:
        refuse_long_hls(m3u8_doc)
        return super()._parse_m3u8_formats_and_subtitles(m3u8_doc, *args, **options)


def _document(answer: Any) -> ListDocument | None:
    """Return the list in a response; None if it is anything else, which then remains to be read."""
    url, content_type = str(answer.url), str(answer.headers.get("Content-Type", ""))
    if _MEDIA.match(content_type) and f".{suffix(url)}" not in LIST_SUFFIXES:
        return None
    if not may_be_list(answer.peek(START_BYTES), name=url, content_type=content_type):
        return None
    return read_list(answer.peek(), name=url, base=url, content_type=content_type)


def _refuse_large(url: str, page: str) -> None:
    """Refuse a page that is too large to parse; HLS playlists have their own limit."""
    if page.count("<") > MAX_FEED_TAGS or (len(page) > MAX_PAGE_CHARACTERS and page[:7] != "#EXTM3U"):
        raise TrackError(f"{plain_text(url, 400)} is too large to parse; check the address in a browser", "permanent")


def _closed(address: re.Match[str]) -> str:
    """Escape an unclosed bracket, so that yt-dlp can parse the address, which cannot be downloaded in any case."""
    try:
        urlsplit(f"http{address[0]}")
    except ValueError:
        return address[0].replace("[", "%5B")
    return address[0]

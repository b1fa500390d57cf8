"""yt-dlp's generic extractor, for feeds and for pages of sites without an extractor, with size limits.

Parsing untrusted content costs a multiple of its size: about 500 bytes of memory per XML element, two hundred searches
for media players per page, and any number of segments that a manifest lists. Each of these is limited
(`tasks.ingest.fetch.stream_manifests` for manifests), and content above a limit is refused before yt-dlp parses it.

An item with an invalid address is kept, so that its download reports the error. `tasks.ingest.fetch.ytdlp` makes yt-dlp
accept such items in feeds. In other pages, the addresses are escaped so that yt-dlp can parse them.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

from yt_dlp.extractor.generic import GenericIE as _GenericIE
from yt_dlp.utils import UnsupportedError

from songform.errors import TrackError
from songform.plain_text import plain_text
from tasks.ingest.fetch.feeds import feed_error, is_feed, remove_smuggled_data
from tasks.ingest.fetch.stream_manifests import refuse_long_dash, refuse_long_hls, refuse_long_smooth

__all__ = ["MAX_FEED_TAGS", "MAX_PAGE_CHARACTERS", "GenericIE"]

MAX_FEED_TAGS = 1_000_000  # start and end tags: ten thousand episodes with fifty elements each
MAX_PAGE_CHARACTERS = 2**23  # of a page that is not a feed

_OPEN_BRACKET = re.compile(r"://\[[^\s\"'<>]*")


class GenericIE(_GenericIE):
    """Generic extractor with size limits; yt-dlp finds it by its name."""

    _page = ""

    def _real_extract(self, url: str) -> Any:
        try:
            return super()._real_extract(url)
        except UnsupportedError:
            failure = feed_error(url, self._page)
            if failure is None:
                raise
        raise failure

    def _webpage_read_content(self, answer: Any, *args: Any, **options: Any) -> Any:
        self._page = super()._webpage_read_content(answer, *args, **options)
        _refuse_large(answer.url, self._page)
        return self._page if is_feed(self._page) else _OPEN_BRACKET.sub(_closed, self._page)

    def _extract_rss(self, url: str, video_id: str, doc: Element) -> Any:
        remove_smuggled_data(doc)
        return super()._extract_rss(url, video_id, doc)

    def _parse_mpd_periods(self, mpd_doc: Element, *args: Any, **options: Any) -> Any:
        refuse_long_dash(mpd_doc)
        return super()._parse_mpd_periods(mpd_doc, *args, **options)

    def _parse_ism_formats_and_subtitles(self, ism_doc: Element, *args: Any, **options: Any) -> Any:
        refuse_long_smooth(ism_doc)
        return super()._parse_ism_formats_and_subtitles(ism_doc, *args, **options)

    def _parse_m3u8_formats_and_subtitles(self, m3u8_doc: str, *args: Any, **options: Any) -> Any:
        refuse_long_hls(m3u8_doc)
        return super()._parse_m3u8_formats_and_subtitles(m3u8_doc, *args, **options)


def _refuse_large(url: str, page: str) -> None:
    """Refuse a page that is too large to parse; HLS playlists have their own limit."""
    if page.count("<") > MAX_FEED_TAGS or (
        len(page) > MAX_PAGE_CHARACTERS and not is_feed(page) and page[:7] != "#EXTM3U"
    ):
        raise TrackError(f"{plain_text(url, 400)} is too large to parse; check the address in a browser", "permanent")


def _closed(address: re.Match[str]) -> str:
    """Escape an unclosed bracket, so that yt-dlp can parse the address, which cannot be downloaded in any case."""
    try:
        urlsplit(f"http{address[0]}")
    except ValueError:
        return address[0].replace("[", "%5B")
    return address[0]

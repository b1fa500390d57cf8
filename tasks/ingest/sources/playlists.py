"""What an address holds: a track, a playlist, a podcast's feed.

Listing is flat: the pages of the playlist are read, and nothing of its tracks. Five thousand entries are some fifty
requests, and a limit reads no page beyond it. One request is made for the address of a single track.

An entry is kept on its track, so that the download needs no second listing; but without what expires within hours
(formats and their signed addresses), without headers and cookies, and without what may be as long as a book. There are
three kinds:

============  ==================================================  ====================================
kind          what yt-dlp listed                                  what is kept in its place
============  ==================================================  ====================================
a reference   the address of a track, perhaps with a title        the entry as it is
a file        a media file on a page without ids of its own       a reference to the file
a part        an item of a page, with an id, but no address       the page, and the item's number
============  ==================================================  ====================================
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from songform.errors import SourceError, TrackError
from songform.plain_text import plain_text
from tasks.ingest.failures.classify import listing_error
from tasks.ingest.sources.listing import Listing, unique_tracks
from tasks.settings import DownloadSettings
from tasks.store.tracks import Track, feed_key, site_key, web_key

if TYPE_CHECKING:
    from yt_dlp import YoutubeDL

__all__ = ["web_listing"]

_LISTS = frozenset({"playlist", "multi_video"})
# These make ids from file names or from positions on a page: no two sites, nor two days, need agree on them.
_WITHOUT_IDS = frozenset({"generic", "html5mediaembed"})
# yt-dlp knows of most extractors whether they return lists; of this one, which reads a channel's tabs, it says "any".
_LIST_EXTRACTORS = frozenset({"youtubetab"})
_EXPIRES = frozenset(
    {
        *("formats", "format_id", "requested_formats", "requested_downloads", "requested_subtitles"),
        *("manifest_url", "fragments", "fragment_base_url", "downloader_options", "http_headers", "cookies"),
        *("subtitles", "automatic_captions", "thumbnails", "thumbnail", "comments", "entries", "epoch", "_version"),
    }
)
# Of any length, and of no use to a download: with the notes to a show, a feed's records are ten times as large.
_LONG = frozenset({"description", "chapters", "tags", "categories", "heatmap"})


def web_listing(url: str, *, limit: int | None = None, settings: DownloadSettings) -> Listing:
    """List what an http(s) address holds.

    Parameters
    ----------
    url : str
        Of a track, a playlist, an album, a channel, a podcast's feed, or a page with audio on it.
    limit : int > 0, optional
        Most entries to list.
    settings : DownloadSettings
        The patience with silent connections, the limits, and what may be asked.

    Raises
    ------
    SourceError
        If nothing can be listed; its class says whether another attempt is worth it, its cause is a `TrackError`.
    """
    from tasks.ingest.fetch.ytdlp import youtube_dl  # which imports yt-dlp

    params = {
        "extract_flat": "in_playlist",
        "playlistend": limit,
        "ignore_no_formats_error": True,  # a private or coming track is listed all the same; its download says why
        "socket_timeout": settings.timeout_seconds,
    }
    try:
        careful = youtube_dl(params, settings=settings)
    except TrackError as error:  # a cookies.txt that cannot be used
        raise SourceError(str(error), error.failure) from error
    with careful as ydl:
        info = _extracted(ydl, url)
        title = plain_text(info.get("title") or info.get("id")) or url
        if info.get("_type") not in _LISTS:
            return Listing(title, (_track({**info, "url": url}, None),))
        info["entries"] = [entry for entry in info.get("entries") or () if entry]
        problems: list[str] = []
        tracks = unique_tracks((_track(entry, page) for page, entry in _entries(ydl, info, problems)), limit)
    listing = Listing(title, tracks, _count(info.get("playlist_count")), tuple(problems))
    return listing.require_tracks(url).check_announced(plain_text(url, 400), len(info["entries"]), limit)


def _extracted(ydl: YoutubeDL, url: str, extractor: str | None = None) -> dict[str, Any]:
    try:
        info = dict(ydl.extract_info(url, download=False, ie_key=extractor) or {})
    except Exception as error:  # noqa: BLE001  extractors are strangers' code: a defect of one is this source's alone
        failure = listing_error(error, url)
    else:
        if info:
            return info
        failure = TrackError(f"{plain_text(url, 400)} holds no tracks; check the address in a browser", "permanent")
    raise SourceError(str(failure), failure.failure) from failure


def _entries(
    ydl: YoutubeDL, page: dict[str, Any], problems: list[str], *, nested: bool = False
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield each entry with the list it stands in; lists within the list are opened, one level down."""
    for entry in page.get("entries") or ():
        if not entry:
            continue
        inner = entry if entry.get("_type") in _LISTS else None
        if inner is None and not nested and _names_a_list(ydl, entry):
            try:
                inner = _extracted(ydl, entry["url"], entry.get("ie_key"))
            except SourceError as error:
                problems.append(str(error))
                continue
        if inner is not None and inner.get("_type") in _LISTS:
            yield from _entries(ydl, inner, problems, nested=True)
        else:
            yield page, entry


def _names_a_list(ydl: YoutubeDL, entry: Mapping[str, Any]) -> bool:
    key = entry.get("ie_key")
    if entry.get("_type") not in ("url", "url_transparent") or not key:
        return False
    return key.lower() in _LIST_EXTRACTORS or ydl.get_info_extractor(key).is_single_video(entry["url"]) is False


def _track(entry: Mapping[str, Any], page: Mapping[str, Any] | None) -> Track:
    """Make a track of an entry of a list, or of an address's own information if there is no list."""
    from yt_dlp.utils import unsmuggle_url

    kept = _kept(entry) if page is None else _kept_in_list(entry, page)
    address, smuggled = unsmuggle_url(kept["url"], {})
    extractor = str(entry.get("extractor_key") or entry.get("ie_key") or "Generic")
    guid = str(smuggled.get("force_videoid") or "").strip()
    if guid and page is not None:
        key = feed_key(str(page.get("title") or ""), guid)
    elif entry.get("id") and extractor.lower() not in _WITHOUT_IDS:
        key = site_key(extractor, str(entry["id"]))
    else:
        key = web_key(address)
    title = plain_text(entry.get("title")) or plain_text(entry.get("id")) or _stem(address)
    return Track(
        key=key, title=title, source=plain_text(address, 2000), duration=_seconds(entry.get("duration")), entry=kept
    )


def _kept(info: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is kept of a single track: where it is known to be a site's own, the site's address of it."""
    kept = {**_durable(info), "_type": "url"}
    if str(info.get("extractor_key")).lower() in _WITHOUT_IDS:
        return kept
    return {**kept, "url": info.get("webpage_url") or info["url"], "ie_key": info.get("extractor_key")}


def _kept_in_list(entry: Mapping[str, Any], page: Mapping[str, Any]) -> dict[str, Any]:
    from yt_dlp.utils import smuggle_url

    kept = _durable(entry)
    if entry.get("_type", "video") != "video":
        kept.pop("playlist_index", None)  # the mark of a part
        return kept
    address = entry.get("webpage_url") or page.get("webpage_url") or ""
    if str(entry.get("extractor_key")).lower() in _WITHOUT_IDS:
        # The manifest of a stream is the same tomorrow, the address of a piece is not. XSPF calls the list a manifest.
        manifest = entry.get("manifest_url")
        media = (manifest if manifest != address else None) or entry.get("url") or address
        named = {name: kept[name] for name in ("title", "duration") if kept.get(name)}
        return {**named, "_type": "url_transparent", "url": smuggle_url(media, {"referer": address})}
    if address != page.get("webpage_url"):
        kept.pop("playlist_index", None)
    return {**kept, "_type": "url", "url": address, "ie_key": entry.get("extractor_key")}


def _durable(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entry as plain JSON, without what expires and what is secret."""
    from yt_dlp import YoutubeDL

    plain = YoutubeDL.sanitize_info(dict(entry), remove_private_keys=True)
    wanted = {name: value for name, value in plain.items() if name not in _EXPIRES | _LONG}
    if isinstance(wanted.get("url"), str):
        wanted["url"] = _trimmed(wanted["url"])
    # A stranger's number may be NaN and his text half a character: neither can be written to a file.
    text = json.dumps(wanted, ensure_ascii=False).encode("utf-8", "replace")
    return dict(json.loads(text, parse_constant=lambda _: None))


def _trimmed(url: str) -> str:
    """Return an address without the blanks around it, which some feeds have and no server knows."""
    from yt_dlp.utils import smuggle_url, unsmuggle_url

    address, smuggled = unsmuggle_url(url, {})
    return str(smuggle_url(address.strip(), smuggled) if smuggled else address.strip())


def _stem(address: str) -> str:
    try:
        path = urlsplit(address).path
    except ValueError:  # no address at all; its download says so
        path = ""
    return plain_text(PurePosixPath(unquote(path)).stem) or plain_text(address)


def _seconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and value > 0 else None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None

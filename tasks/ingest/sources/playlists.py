"""Listing of the tracks at an address: a track, a playlist or a podcast feed.

Only the pages of a playlist are read, not those of its tracks. Five thousand entries take about fifty requests, and
pages beyond the limit are not read. The address of a single track takes one request.

The entry that yt-dlp lists is stored with the track, so that the download does not list the source again. Values that
expire within hours (formats and their signed addresses), headers, cookies and long texts are not stored. There are
three kinds of entries:

============  ==================================================  ====================================
kind          listed by yt-dlp                                    stored
============  ==================================================  ====================================
a reference   the address of a track, perhaps with a title        the entry, unchanged
a file        a media file on a page without IDs                  a reference to the file
a part        an item of a page, with an ID but without address   the page, and the number of the item
============  ==================================================  ====================================
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from songform.errors import SourceError, TrackError
from songform.plain_text import plain_text
from tasks.ingest.failures.classify import listing_error
from tasks.ingest.lists.documents import ListDocument
from tasks.ingest.lists.durations import positive_seconds
from tasks.ingest.sources.list_items import address_stem, list_tracks_of
from tasks.ingest.sources.listing import Listing, unique_tracks
from tasks.settings import DownloadSettings
from tasks.store.tracks import Track, feed_key, site_key, web_key

if TYPE_CHECKING:
    from yt_dlp import YoutubeDL

__all__ = ["web_listing"]

_LISTS = frozenset({"playlist", "multi_video"})
# These extractors derive IDs from file names or from positions on a page, so their IDs are neither unique nor stable.
_WITHOUT_IDS = frozenset({"generic", "html5mediaembed"})
# yt-dlp declares for most extractors whether they return lists, but not for this one, which reads a channel's tabs.
_LIST_EXTRACTORS = frozenset({"youtubetab"})
_EXPIRES = frozenset(
    {
        *("formats", "format_id", "requested_formats", "requested_downloads", "requested_subtitles"),
        *("manifest_url", "fragments", "fragment_base_url", "downloader_options", "http_headers", "cookies"),
        *("subtitles", "automatic_captions", "thumbnails", "thumbnail", "comments", "entries", "epoch", "_version"),
    }
)
# Long values that a download does not need; show notes would make the records of a feed ten times larger.
_LONG = frozenset({"description", "chapters", "tags", "categories", "heatmap"})


def web_listing(url: str, *, limit: int | None = None, settings: DownloadSettings) -> Listing:
    """List the tracks at an http(s) address.

    Parameters
    ----------
    url : str
        Address of a track, playlist, album, channel or podcast feed, or of a page with audio.
    limit : int > 0, optional
        Maximum number of entries to list.
    settings : DownloadSettings
        Settings with timeouts, limits and permissions.

    Raises
    ------
    SourceError
        If nothing can be listed, with the class of the failure and a `TrackError` as its cause.
    """
    from tasks.ingest.fetch.generic_extractor import LIST_KEY  # which imports yt-dlp
    from tasks.ingest.fetch.ytdlp import youtube_dl

    params = {
        "extract_flat": "in_playlist",
        "playlistend": limit,
        "ignore_no_formats_error": True,  # private and upcoming tracks are listed; their download reports the reason
        "socket_timeout": settings.timeout_seconds,
    }
    try:
        careful = youtube_dl(params, settings=settings)
    except TrackError as error:  # the cookies file cannot be used
        raise SourceError(str(error), error.failure) from error
    with careful as ydl:
        info = _extracted(ydl, url)
        if LIST_KEY in info:
            return _list_listing(info[LIST_KEY], url, limit)
        title = plain_text(info.get("title") or info.get("id")) or url
        if info.get("_type") not in _LISTS:
            return Listing(title, (_track({**info, "url": url}, None),))
        info["entries"] = [entry for entry in info.get("entries") or () if entry]
        problems: list[str] = []
        tracks = unique_tracks((_track(entry, page) for page, entry in _entries(ydl, info, problems)), limit)
    listing = Listing(title, tracks, _count(info.get("playlist_count")), tuple(problems))
    return listing.require_tracks(url).check_announced(plain_text(url, 400), len(info["entries"]), limit)


def _list_listing(document: ListDocument, url: str, limit: int | None) -> Listing:
    """Return the listing of a list or feed; what has to be listed in turn is in its `sources`."""
    shown = plain_text(url, 400)
    tracks = unique_tracks(list_tracks_of(document), limit)
    sources = tuple(dict.fromkeys(item.address for item in document.items if item.is_source))
    title = plain_text(document.title) or plain_text(url)
    listing = Listing(title, tracks, len(document.items), document.problems, document.notes, sources)
    return listing.require_tracks(shown)


def _extracted(ydl: YoutubeDL, url: str, extractor: str | None = None) -> dict[str, Any]:
    try:
        info = dict(ydl.extract_info(url, download=False, ie_key=extractor) or {})
    except Exception as error:  # noqa: BLE001  a defect of an extractor must not affect other sources
        failure = listing_error(error, url)
    else:
        if info:
            return info
        failure = TrackError(f"{plain_text(url, 400)} contains no tracks; check the address in a browser", "permanent")
    raise SourceError(str(failure), failure.failure) from failure


def _entries(
    ydl: YoutubeDL, page: dict[str, Any], problems: list[str], *, nested: bool = False
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield each entry with the list that contains it; lists within the list are opened, down to one level."""
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
    """Return the track for an entry of a list, or for the information on a single track (`page` is None)."""
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
    title = plain_text(entry.get("title")) or plain_text(entry.get("id")) or address_stem(address)
    return Track(
        key=key,
        title=title,
        source=plain_text(address, 2000),
        duration=positive_seconds(entry.get("duration")),
        entry=kept,
    )


def _kept(info: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entry to store for a single track; if a site's extractor found it, with the site's address."""
    kept = {**_durable(info), "_type": "url"}
    if str(info.get("extractor_key")).lower() in _WITHOUT_IDS:
        return kept
    return {**kept, "url": info.get("webpage_url") or info["url"], "ie_key": info.get("extractor_key")}


def _kept_in_list(entry: Mapping[str, Any], page: Mapping[str, Any]) -> dict[str, Any]:
    from yt_dlp.utils import smuggle_url

    kept = _durable(entry)
    if entry.get("_type", "video") != "video":
        kept.pop("playlist_index", None)  # it would mark the entry as a part
        return kept
    address = entry.get("webpage_url") or page.get("webpage_url") or ""
    if str(entry.get("extractor_key")).lower() in _WITHOUT_IDS:
        # The address of a manifest lasts longer than that of a segment. For XSPF, the manifest is the list itself.
        manifest = entry.get("manifest_url")
        media = (manifest if manifest != address else None) or entry.get("url") or address
        named = {name: kept[name] for name in ("title", "duration") if kept.get(name)}
        return {**named, "_type": "url_transparent", "url": smuggle_url(media, {"referer": address})}
    if address != page.get("webpage_url"):
        kept.pop("playlist_index", None)
    return {**kept, "_type": "url", "url": address, "ie_key": entry.get("extractor_key")}


def _durable(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entry as plain JSON, without values that expire or are secret."""
    from yt_dlp import YoutubeDL

    plain = YoutubeDL.sanitize_info(dict(entry), remove_private_keys=True)
    wanted = {name: value for name, value in plain.items() if name not in _EXPIRES | _LONG}
    if isinstance(wanted.get("url"), str):
        wanted["url"] = _trimmed(wanted["url"])
    # Numbers from the web may be NaN, and text may contain lone surrogates; neither can be written to a file.
    text = json.dumps(wanted, ensure_ascii=False).encode("utf-8", "replace")
    return dict(json.loads(text, parse_constant=lambda _: None))


def _trimmed(url: str) -> str:
    """Return an address without the surrounding whitespace that some feeds contain."""
    from yt_dlp.utils import smuggle_url, unsmuggle_url

    address, smuggled = unsmuggle_url(url, {})
    return str(smuggle_url(address.strip(), smuggled) if smuggled else address.strip())


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None

"""Tracks of the items of a list or feed.

An item with a guid keeps its key when its address changes. An item without a guid, or whose guid other items have as
well, is identified by its address; if its address changes, its content shows that it is known
(`tasks.ingest.known_copies`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from songform.plain_text import plain_text
from tasks.ingest.lists.documents import ListDocument, ListItem
from tasks.store.tracks import Track, feed_key, web_key

__all__ = ["address_stem", "list_tracks_of"]


def list_tracks_of(document: ListDocument) -> Iterator[Track]:
    """Yield the tracks of the items, except for items that are themselves sources to be listed."""
    return (item_track(item, document.key_title) for item in document.items if not item.is_source)


def item_track(item: ListItem, key_title: str) -> Track:
    """Return the track of an item.

    Parameters
    ----------
    item : ListItem
        The item. With a guid, its key is made from the guid and the title of the feed, otherwise from its address.
    key_title : str
        Title of the feed.
    """
    from yt_dlp.utils import sanitize_url, smuggle_url

    address = str(sanitize_url(item.address, scheme="https"))
    named = {"title": item.title, "duration": item.duration}
    return Track(
        key=feed_key(key_title, item.guid) if item.guid else web_key(address),
        title=plain_text(item.title) or address_stem(address),
        source=plain_text(address, 2000),
        duration=item.duration,
        entry={
            "_type": "url_transparent",
            "url": smuggle_url(address, {"force_videoid": item.guid}) if item.guid else address,
            **{name: value for name, value in named.items() if value},
        },
    )


def address_stem(address: str) -> str:
    """Return the name of the file at an address, without its suffix, as a title."""
    try:
        path = urlsplit(address).path
    except ValueError:  # an invalid address, which the download reports
        path = ""
    return plain_text(PurePosixPath(unquote(path)).stem) or plain_text(address)

"""Items of a JSON Feed.

References
----------
JSON Feed 1.1, https://jsonfeed.org/version/1.1
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from songform.errors import TrackError
from tasks.ingest.lists.addresses import Candidate, best_candidate, is_media_file, resolved
from tasks.ingest.lists.documents import ListDocument, ListItem
from tasks.ingest.lists.durations import positive_seconds

__all__ = ["is_json_feed", "read_json_feed"]

MAX_VALUES = 1_000_000  # objects, lists and strings: far more than the largest feeds have

_VERSION = "jsonfeed.org/version"


def is_json_feed(start: str) -> bool:
    """Return whether a text begins like a JSON Feed."""
    return start.lstrip("\ufeff \t\r\n").startswith("{") and _VERSION in start.replace("\\/", "/")


def read_json_feed(text: str, base: str | None, source: str) -> ListDocument:
    """Read the items of a JSON Feed; items without audio are left out.

    Parameters
    ----------
    text : str
        The feed.
    base : str, optional
        Address of the feed; with None, relative addresses stay relative.
    source : str
        Name of the feed, for messages.

    Raises
    ------
    TrackError
        If the text is not valid JSON, or is too large.
    """
    if sum(map(text.count, "{[,")) > MAX_VALUES * 3:
        raise TrackError(f"{source} is too large to parse; check the address in a browser", "permanent")
    try:
        feed = json.loads(text.lstrip("\ufeff"))
    except (ValueError, RecursionError) as error:
        said = f"{source} is a JSON Feed that is not valid JSON ({error}); report this to its publisher"
        raise TrackError(said, "permanent") from error
    items = feed.get("items") if isinstance(feed, dict) else None
    found = [(number, item) for number, item in enumerate(items if isinstance(items, list) else (), 1)]
    problems = tuple(
        f"{source}: item {number} is left out, because it is not an object; report this to its publisher"
        for number, item in found
        if not isinstance(item, dict)
    )
    read = (_item(item, base, number) for number, item in found if isinstance(item, dict))
    return ListDocument(_text(feed.get("title")), tuple(item for item in read if item is not None), problems)


def _item(item: dict[str, Any], base: str | None, number: int) -> ListItem | None:
    listed = item.get("attachments")
    attachments = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    best = best_candidate(_candidates(item, attachments))
    if best is None or best.rank == 3:
        return None
    lengths = (each.get("duration_in_seconds") for each in attachments if _text(each.get("url")) == best.address)
    return ListItem(
        resolved(best.address, base),
        _text(item.get("title")) or None,
        _text(item.get("id")).strip() or None,
        positive_seconds(next(lengths, None)),
        f"item {number}",
    )


def _candidates(item: dict[str, Any], attachments: list[dict[str, Any]]) -> Iterator[Candidate]:
    for each in attachments:
        if address := _text(each.get("url")):
            yield Candidate(address, _text(each.get("mime_type")))
    for name in ("external_url", "url"):
        if is_media_file(_text(item.get(name))):
            yield Candidate(_text(item.get(name)))


def _text(value: object) -> str:
    """Return a text or a number as text; lone surrogates, which cannot be written to a file, are replaced."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return str(value).encode("utf-8", "replace").decode()

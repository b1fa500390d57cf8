"""Content of a list or feed, independent of its format."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

from songform.plain_text import plain_text

__all__ = ["ListDocument", "ListItem", "without_shared_guids"]

MAX_NAMED = 5  # items that a note names


@dataclass(frozen=True)
class ListItem:
    """One item of a list.

    Parameters
    ----------
    address : str
        Address or, in a local list, address or path; without surrounding whitespace.
    title : str, optional
        Title as written.
    guid : str, optional
        Identifier that the feed gives the item.
    duration : float, optional
        Announced length in seconds.
    place : str
        Place in the list, such as `line 3`, for messages.
    is_source : bool
        Whether the address may lead to another list or to a page, so that it has to be listed first. Otherwise it is
        the address of an audio file, which needs no request before the download.
    """

    address: str
    title: str | None = None
    guid: str | None = None
    duration: float | None = None
    place: str = ""
    is_source: bool = False


@dataclass(frozen=True)
class ListDocument:
    """A list or feed.

    Parameters
    ----------
    title : str
        Title as written; it identifies a feed, together with the guids of its items.
    items : tuple of ListItem
        Items in the order of the list.
    problems : tuple of str
        One sentence per item that could not be read.
    notes : tuple of str
        One sentence per observation that is not a problem.
    identity : str, optional
        Title that the keys of the items are made from. Default: the title.
    """

    title: str
    items: tuple[ListItem, ...]
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    identity: str | None = None

    @property
    def key_title(self) -> str:
        """Title that the keys of the items are made from."""
        return self.title if self.identity is None else self.identity


def without_shared_guids(document: ListDocument, source: str) -> ListDocument:
    """Return a document without the guids that items with different addresses share, and with a note about each.

    Such a guid identifies none of the items, so they are identified by their addresses.

    Parameters
    ----------
    document : ListDocument
        The list.
    source : str
        Name of the list, for the notes.
    """
    addresses: dict[str, set[str]] = defaultdict(set)
    for item in document.items:
        if item.guid:
            addresses[item.guid].add(item.address.partition("#")[0])
    shared = {guid for guid, different in addresses.items() if len(different) > 1}
    if not shared:
        return document
    groups: dict[str, list[ListItem]] = defaultdict(list)
    for item in document.items:
        if item.guid in shared:
            groups[item.guid].append(item)
    notes = tuple(_shared_note(source, guid, items) for guid, items in groups.items())
    items = tuple(replace(item, guid=None) if item.guid in shared else item for item in document.items)
    return replace(document, items=items, notes=(*document.notes, *notes))


def _shared_note(source: str, guid: str, items: list[ListItem]) -> str:
    named = [plain_text(item.title) or plain_text(item.address, 400) for item in items[:MAX_NAMED]]
    more = f" and {len(items) - MAX_NAMED} more" if len(items) > MAX_NAMED else ""
    return (
        f"{source}: {len(items)} items share the guid {plain_text(guid)}, so they are identified by their addresses: "
        f"{', '.join(named)}{more}"
    )

"""Items of RSS, RDF and Atom feeds.

The address of an item is that of its first enclosure with audio. Without any enclosure it is that of media content
(Media RSS) or, in RSS, of the item's link, which may be the file or its page. Dates are not read.

References
----------
RSS 2.0; RSS 1.0 (RDF); RFC 4287 (Atom); Media RSS 1.5; Apple's podcast namespace.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from tasks.ingest.lists.addresses import Candidate, base_of, best_candidate, is_media_file, is_web_address, resolved
from tasks.ingest.lists.documents import ListDocument, ListItem
from tasks.ingest.lists.durations import duration_seconds

__all__ = ["read_feed"]

Children = dict[str, list[Element]]


def read_feed(root: Element, base: str | None) -> ListDocument:
    """Read the items of a feed.

    Parameters
    ----------
    root : Element
        Root element: `rss`, `rdf:RDF` or `feed`.
    base : str, optional
        Address of the feed; with None, relative addresses stay relative.
    """
    base = base_of(root, base)
    title = next((_own_text(element) for element in _titled(root)), "")
    found = (_item(item, base, number) for number, item in enumerate(_items(root), 1))
    return ListDocument(title, tuple(item for item in found if item is not None))


def _titled(root: Element) -> Iterator[Element]:
    """Yield the titles of the channel or, in Atom, of the feed."""
    for parent in (*(child for child in root if _local(child) == "channel"), root):
        yield from (child for child in parent if _local(child) == "title" and _namespace(child) == _namespace(parent))


def _items(root: Element) -> Iterator[Element]:
    wanted = "entry" if _local(root) == "feed" else "item"
    return (element for element in root.iter() if _local(element) == wanted)


def _item(item: Element, base: str | None, number: int) -> ListItem | None:
    """Return an item; None if it has no address."""
    children = _children(item)
    guid = _first_text(children, "id" if _local(item) == "entry" else "guid").strip()
    address = resolved(_address(children, guid), base)
    if not address:
        return None
    title = _first_text(children, "title")
    return ListItem(
        address,
        title if title.strip() else _first_text(children, ":title") or None,
        guid or None,
        duration_seconds(_first_text(children, ":duration").strip()),
        f"item {number}",
    )


def _address(children: Children, guid: str) -> str:
    enclosures = list(_enclosures(children))
    best = best_candidate(enclosures)
    if best is None or best.rank > 1:  # no audio, but a video, a picture or a text
        best = best_candidate((*enclosures, *_media(children), *_files(children, guid)))
    if best is not None and best.rank < 3:
        return best.address
    first = enclosures[0].address if enclosures else ""
    return first or _first_text(children, "link")


def _enclosures(children: Children) -> Iterator[Candidate]:
    for element in (*children.get("enclosure", ()), *children.get(":enclosure", ())):
        values = {_name(name): value for name, value in element.attrib.items()}
        yield from _candidate(values.get("url") or values.get("resource"), values.get("type"))
    for element in (*children.get("link", ()), *children.get(":link", ())):
        if element.get("rel") == "enclosure":
            yield from _candidate(element.get("href"), element.get("type"))


def _media(children: Children) -> Iterator[Candidate]:
    """Yield the media content of an item, also that within groups."""
    groups = (child for group in children.get(":group", ()) for child in group if _local(child) == "content")
    for element in (*children.get(":content", ()), *groups):
        yield from _candidate(element.get("url"), element.get("type") or element.get("medium"))


def _files(children: Children, guid: str) -> Iterator[Candidate]:
    """Yield the link and the guid of an item if they are addresses of media files."""
    for address in (_first_text(children, "link"), guid if is_web_address(guid) else ""):
        if is_media_file(address.strip()):
            yield from _candidate(address, None)


def _candidate(address: str | None, media_type: str | None) -> Iterator[Candidate]:
    if address and address.strip():
        yield Candidate(address.strip(), media_type or "")


def _children(item: Element) -> Children:
    """Return the children by name; names from other namespaces than that of the item begin with a colon."""
    found: Children = {}
    own = _namespace(item)
    for child in item:
        name = _local(child) if _namespace(child) == own else f":{_local(child)}"
        found.setdefault(name, []).append(child)
    return found


def _first_text(children: Children, *names: str) -> str:
    return next((_own_text(element) for name in names for element in children.get(name, ())), "")


def _own_text(element: Element) -> str:
    return element.text or "".join(element.itertext())


def _namespace(element: Element) -> str:
    return element.tag.rpartition("}")[0]


def _local(element: Element) -> str:
    return _name(element.tag)


def _name(tag: str) -> str:
    return tag.rpartition("}")[2]

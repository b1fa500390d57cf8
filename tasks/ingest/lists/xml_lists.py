"""Items of OPML and XSPF lists.

References
----------
OPML 2.0; XSPF 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from tasks.ingest.lists.addresses import Candidate, base_of, best_candidate, is_media_file, resolved
from tasks.ingest.lists.documents import ListDocument, ListItem
from tasks.ingest.lists.durations import positive_seconds

__all__ = ["read_opml", "read_xspf"]


def read_opml(root: Element, base: str | None) -> ListDocument:
    """Read the outlines of an OPML list: feeds and other lists, which are listed in turn, and audio files.

    Parameters
    ----------
    root : Element
        Root element.
    base : str, optional
        Address of the list; with None, relative addresses stay relative.
    """
    outlines = enumerate(root.iter("outline"), 1)
    return ListDocument(root.findtext("head/title") or "", tuple(_outlines(outlines, base)))


def _outlines(outlines: Iterator[tuple[int, Element]], base: str | None) -> Iterator[ListItem]:
    for number, outline in outlines:
        values = {name.lower(): value for name, value in outline.attrib.items()}
        feed, file = (resolved(values.get(name, ""), base) for name in ("xmlurl", "url"))
        title = values.get("title") or values.get("text")
        if feed:
            yield ListItem(feed, title, place=f"outline {number}", is_source=True)
        elif is_media_file(file) or (file and values.get("type", "").lower().startswith("audio")):
            yield ListItem(file, title, place=f"outline {number}")
        elif file and values.get("type", "").lower() in ("rss", "atom", "include", "playlist"):
            yield ListItem(file, title, place=f"outline {number}", is_source=True)


def read_xspf(root: Element, base: str | None) -> ListDocument:
    """Read the tracks of an XSPF list; tracks without a location are left out.

    Parameters
    ----------
    root : Element
        Root element.
    base : str, optional
        Address of the list; with None, relative addresses stay relative.
    """
    base = base_of(root, base)
    tracks = enumerate((track for each in root.iterfind("{*}trackList") for track in each.iterfind("{*}track")), 1)
    found = (_track(track, base, number) for number, track in tracks)
    return ListDocument(root.findtext("{*}title") or "", tuple(item for item in found if item is not None))


def _track(track: Element, base: str | None, number: int) -> ListItem | None:
    locations = (Candidate(location.text.strip()) for location in track.iterfind("{*}location") if location.text)
    best = best_candidate(candidate for candidate in locations if candidate.address)
    if best is None:
        return None
    title, creator = (track.findtext(f"{{*}}{name}") or "" for name in ("title", "creator"))
    named = " - ".join(part for part in (creator.strip(), title.strip()) if part) if title.strip() else ""
    return ListItem(
        resolved(best.address, base),
        (title if not creator.strip() else named) or None,
        duration=_milliseconds(track.findtext("{*}duration")),
        place=f"track {number}",
    )


def _milliseconds(text: str | None) -> float | None:
    try:
        return positive_seconds(float(text or 0) / 1000.0)
    except ValueError:
        return None

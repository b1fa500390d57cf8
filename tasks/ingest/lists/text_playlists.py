"""Entries of M3U and PLS playlists, which are plain text.

An M3U playlist lists files, while an HLS manifest, which has the same suffixes and the same first line, lists the
segments of one stream. Only HLS has tags that begin with `#EXT-X-`.

References
----------
Winamp's extended M3U and PLS formats; RFC 8216 (HLS), 4.3.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tasks.ingest.lists.addresses import is_media_file, is_web_address, resolved
from tasks.ingest.lists.documents import ListDocument, ListItem
from tasks.ingest.lists.durations import positive_seconds

__all__ = ["is_hls", "is_pls", "read_m3u", "read_pls"]

# Atomic groups keep the search linear for any text.
_INFO = re.compile(r"#EXTINF:\s*+(-?[\d.]++)?(?>\s++[\w-]++=(?>\"[^\"]*\"|[^\s,]*))*+\s*+(?:,(.*))?", re.IGNORECASE)
_PLS_LINE = re.compile(r"(file|title|length)(\d{1,9})\s*+=(.*)", re.IGNORECASE)
_PLAYLIST = re.compile(r"(?im)^#PLAYLIST:(.*)")


def is_hls(text: str) -> bool:
    """Return whether an M3U text is a manifest of HLS and not a list of files."""
    return re.search(r"(?m)^[ \t]*#EXT-X-", text) is not None


def is_pls(start: str) -> bool:
    """Return whether a text begins like a PLS playlist."""
    return start.lstrip("\ufeff \t\r\n")[:10].lower() == "[playlist]"


def read_m3u(text: str, base: str | None) -> ListDocument:
    """Read the entries of an M3U playlist.

    Parameters
    ----------
    text : str
        The playlist.
    base : str, optional
        Address of the playlist; with None, relative addresses stay relative.
    """
    named = _PLAYLIST.search(text)
    return ListDocument(named[1].strip() if named else "", tuple(_m3u_entries(text, base)))


def _m3u_entries(text: str, base: str | None) -> Iterator[ListItem]:
    info: re.Match[str] | None = None
    for number, line in enumerate(text.lstrip("\ufeff").splitlines(), 1):
        entry = line.strip()
        if entry.startswith("#"):
            info = _INFO.fullmatch(entry) or info
        elif entry:
            yield _entry(entry, base, f"line {number}", *(info.groups() if info else (None, None)))
            info = None


def read_pls(text: str, base: str | None) -> ListDocument:
    """Read the entries of a PLS playlist, in the order of their numbers.

    Parameters
    ----------
    text : str
        The playlist.
    base : str, optional
        Address of the playlist; with None, relative addresses stay relative.
    """
    entries: dict[int, dict[str, str]] = {}
    for line in text.splitlines():
        if found := _PLS_LINE.fullmatch(line.strip()):
            entries.setdefault(int(found[2]), {}).setdefault(found[1].lower(), found[3].strip())
    listed = ((number, entry) for number, entry in sorted(entries.items()) if entry.get("file"))
    items = (_entry(e["file"], base, f"File{n}", e.get("length"), e.get("title")) for n, e in listed)
    return ListDocument("", tuple(items))


def _entry(written: str, base: str | None, place: str, seconds: str | None, title: str | None) -> ListItem:
    address = resolved(_as_address(written) if base else written, base)
    is_source = base is None or (is_web_address(address) and not is_media_file(address))
    return ListItem(address, title, duration=_number(seconds), place=place, is_source=is_source)


def _as_address(entry: str) -> str:
    """Return a relative file name as a relative address; names may contain `#` and, on Windows, backslashes."""
    if is_web_address(entry):
        return entry
    return entry.replace("\\", "/").replace("#", "%23")


def _number(text: str | None) -> float | None:
    try:
        return positive_seconds(float(text or 0))
    except ValueError:
        return None

"""Layout of Ogg files (Vorbis, Opus, FLAC, Speex), read from the headers and checksums of all pages.

Decoders skip damaged pages without an error, and some read only the first of several recordings that were joined to one
file (a chained stream). The numbers of the pages tell which are missing, their checksums which are damaged, and their
positions in samples how much audio that is.

References
----------
RFC 3533 (Ogg), RFC 7845 (Opus), the Vorbis I specification.
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from songform.audio.byte_window import ByteWindow
from songform.audio.layout import Gap, Layout, Part

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

__all__ = ["is_ogg", "ogg_layout"]

FIRST, LAST = 2, 4  # flags of a page
REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))  # bytes with the order of their bits reversed
CAPTURE = re.compile(rb"OggS")


class _Page(NamedTuple):
    """Header of a page that is intact."""

    start: int
    size: int
    flags: int
    position: int  # number of samples up to the end of the page; -1 if no packet ends on it
    stream: int
    number: int
    body: bytes


@dataclass
class _Link:
    """One of the recordings that are joined in a file; only its first audio stream is considered."""

    start: int
    end: int = 0
    stream: int | None = None
    streams: set[int] = field(default_factory=set)
    sr: int = 0
    channels: int = 0
    number: int = 0  # of the last page
    positions: list[int] = field(default_factory=list)  # of the pages with audio
    damaged_after: list[int] = field(default_factory=list)  # numbers of elements in `positions` before damaged places
    has_end: bool = False
    is_intact: bool = True


def is_ogg(file: BinaryIO) -> bool:
    """Return whether a file starts with an Ogg page."""
    file.seek(0)
    return file.read(4) == b"OggS"


def ogg_layout(file: BinaryIO) -> Layout | None:
    """Read the layout of an Ogg file.

    Parameters
    ----------
    file : BinaryIO
        The file; its position changes.

    Returns
    -------
    Layout or None
        None if the file contains no audio of a known codec.
    """
    links: list[_Link] = []
    window = ByteWindow(file)
    for page in _pages(window):
        if page.flags & FIRST and (not links or links[-1].positions):
            links.append(_Link(page.start))
        if links:
            _add(links[-1], page)
    links = [link for link in links if link.sr and link.positions]
    if not links:
        return None
    return _layout(links, window.size)


def _layout(links: list[_Link], n_bytes: int) -> Layout:
    gaps: list[Gap] = []
    parts: list[Part] = []
    for link in links:
        before = sum(part.seconds for part in parts)
        found = [Gap(before + gap.start, gap.missing) for gap in _gaps(link)]
        n_missing = round(sum(gap.missing for gap in found) * link.sr)
        gaps += found
        parts.append(Part(link.start, link.end, link.sr, link.channels, max(1, _n_samples(link) - n_missing)))
    is_plain = len(links) == 1 and not gaps and links[0].is_intact and len(links[0].streams) == 1
    is_complete = links[-1].has_end and links[-1].end == n_bytes
    return Layout(tuple(parts), tuple(gaps), is_plain=is_plain, is_complete=is_complete)


def _add(link: _Link, page: _Page) -> None:
    """Add a page to the recording that it belongs to."""
    link.end = page.start + page.size
    link.streams.add(page.stream)
    if page.flags & FIRST and link.stream is None:
        link.sr, link.channels = _format(page.body)
        link.stream = page.stream if link.sr else None
    if page.stream != link.stream:
        return
    is_next = page.flags & FIRST or page.number == link.number + 1
    if not is_next and link.positions:  # a recording of a radio stream starts with the headers and any later page
        link.damaged_after.append(len(link.positions))
    link.is_intact &= bool(is_next or not link.positions)
    link.number = page.number
    link.has_end |= bool(page.flags & LAST)
    if page.position > 0:
        link.positions.append(page.position)


def _n_samples(link: _Link) -> int:
    """Return the number of samples; the first page of a recording of a radio stream does not start at 0."""
    steps = [after - before for before, after in pairwise(link.positions) if after > before]
    first = link.positions[0]
    if steps and first > 4 * max(steps):
        first = round(median(steps))
    return max(0, link.positions[-1] - link.positions[0]) + first


def _gaps(link: _Link) -> Iterator[Gap]:
    """Yield the damaged places of a recording; a page after a gap has about as many samples as the others."""
    steps = [after - before for before, after in pairwise(link.positions) if after > before]
    usual, origin = (median(steps) if steps else 0), link.positions[-1] - _n_samples(link)
    for index in link.damaged_after:
        before = link.positions[index - 1]
        after = link.positions[index] if index < len(link.positions) else before
        yield Gap(max(0, before - origin) / link.sr, max(0.0, after - before - usual) / link.sr)


def _format(body: bytes) -> tuple[int, int]:
    """Return the sampling rate and the number of channels from the first packet of a stream; zeros if unknown."""
    if body[:7] == b"\x01vorbis" and len(body) >= 16:
        channels, sr = struct.unpack_from("<BI", body, 11)
    elif body[:8] == b"OpusHead" and len(body) >= 10:
        channels, sr = body[9], 48000
    elif body[:5] == b"\x7fFLAC" and len(body) >= 34:
        packed = int.from_bytes(body[27:35], "big")  # 20 bits of sampling rate, 3 of channels
        channels, sr = (packed >> 41 & 7) + 1, packed >> 44
    elif body[:8] == b"Speex   " and len(body) >= 52:
        sr, _, channels = struct.unpack_from("<III", body, 36)
    else:
        return 0, 0
    return int(sr), int(channels)


def _pages(window: ByteWindow) -> Iterator[_Page]:
    """Yield all intact pages of a file."""
    at: int | None = 0
    while at is not None:
        page = _page(window, at)
        if page is not None:
            yield page
            at += page.size
        else:
            at = next(window.matches(CAPTURE, at + 1, window.size), None)


def _page(window: ByteWindow, start: int) -> _Page | None:
    head = window.read(start, 27)
    if head[:5] != b"OggS\0" or len(head) < 27:
        return None
    flags, position, stream, number, checksum, n_segments = struct.unpack_from("<BqIIIB", head, 5)
    n_head = 27 + n_segments
    size = n_head + sum(window.read(start + 27, n_segments))
    data = window.read(start, size)
    if len(data) < size or _checksum(data[:22] + bytes(4) + data[26:]) != checksum:
        return None
    return _Page(start, size, flags, position, stream, number, data[n_head : n_head + 80])


def _checksum(data: bytes) -> int:
    """Return the CRC-32 of Ogg, which processes the bits of a byte in the other order than that of zlib."""
    reflected = zlib.crc32(data.translate(REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(reflected.to_bytes(4, "little").translate(REVERSED), "big")

"""Sizes of the tags before and behind the audio of a file: ID3, APE and Lyrics3.

References
----------
id3.org (ID3v1, ID3v2, Lyrics3); the APEv2 specification.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from songform.audio.byte_window import ByteWindow

__all__ = ["after_tags", "before_tags", "id3_size"]

MAX_SEARCH = 2**16  # bytes searched for the end of a Lyrics3 tag


def after_tags(window: ByteWindow, at: int) -> int:
    """Return the position after the tags that start at a position."""
    while size := _tag_size(window, at):
        at += size
    return at


def _tag_size(window: ByteWindow, at: int) -> int:
    """Return the size of the tag at a position, or 0."""
    head = window.read(at, 32)
    if head[:3] == b"ID3" and len(head) >= 10:
        size = id3_size(head)
        return size if at + size <= window.size else 10
    if head[:8] == b"APETAGEX" and len(head) == 32:
        size, _, flags = struct.unpack_from("<III", head, 12)
        return 32 + (size if flags & 1 << 29 else 0)
    if head[:11] == b"LYRICSBEGIN":
        end = re.search(rb"LYRICS(?:200|END)", window.read(at, MAX_SEARCH))
        return end.end() if end else 0
    return {b"TAG+": 227, b"TAG": 128}.get(head[:4], 128 if head[:3] == b"TAG" else 0)


def id3_size(head: bytes) -> int:
    """Return the number of bytes of an ID3v2 tag, given its first ten; 10 if its size is invalid.

    A size has seven bits in each byte. ffmpeg does not skip a tag with another bit, either.
    """
    size = 0
    for byte in head[6:10]:
        size = size << 7 | byte
    is_valid = max(head[6:10]) < 0x80
    return 10 + (size + (10 if head[5] & 0x10 else 0) if is_valid else 0)


def before_tags(window: ByteWindow) -> int:
    """Return the position at which the tags at the end of a file start."""
    end = window.size
    if window.read(end - 128, 3) == b"TAG":
        end -= 128
    while size := _last_tag_size(window, end):
        end -= size
    return end


def _last_tag_size(window: ByteWindow, end: int) -> int:
    footer = window.read(max(0, end - 32), 32) if end >= 32 else b""
    if footer[:8] == b"APETAGEX":
        size = struct.unpack_from("<I", footer, 12)[0]
        size += 32 if window.read(end - size - 32, 8) == b"APETAGEX" else 0
    elif footer[-9:] == b"LYRICS200" and footer[-15:-9].isdigit():
        size = int(footer[-15:-9]) + 15
    elif window.read(end - 227, 4) == b"TAG+":
        size = 227
    else:
        return 0
    return size if size <= end else 0

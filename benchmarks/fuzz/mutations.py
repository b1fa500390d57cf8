"""Damage to a file: bytes that are cut off, lost, overwritten, repeated, exchanged or inserted.

Each mutation takes the bytes of a file, a random number generator, and the bytes of another file, and returns the
damaged bytes. Three in five files have one mutation, the others two or three.
"""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Callable
from itertools import pairwise

__all__ = ["MUTATIONS", "mutated"]

HEAD = 600  # bytes in which most headers are
# Marks at which chunks, boxes, pages, blocks and frames start.
_MARKS = re.compile(
    rb"OggS|fmt |data|LIST|fact|ds64|COMM|SSND|FVER|desc|kuki|pakt|chan|ftyp|moov|mdat|moof|mvhd|trak|mdia|minf|stbl"
    rb"|stts|stsc|stsz|stco|mvex|fLaC|wvpk|\xff[\xf1-\xfb]|\x0b\x77|\x7f\xfe\x80\x01|\x1a\x45\xdf\xa3|\x1f\x43\xb6\x75"
    rb"|\x16\x54\xae\x6b|\x36\x26\xb2\x75|idx1|movi|strh|strf|\x00\x00\x01[\xba-\xe0]|\x47[\x40\x41]",
    re.DOTALL,
)
_VALUES = (0, 1, 2, 7, 255, 256, 32767, 32768, 65535, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**32 - 8)

Mutation = Callable[[bytes, random.Random, bytes], bytes]


def cut_end(content: bytes, rng: random.Random, _: bytes) -> bytes:
    """Remove the end, as an interrupted download does."""
    return content[: rng.randrange(1, max(2, len(content)))]


def cut_start(content: bytes, rng: random.Random, _: bytes) -> bytes:
    """Remove the start; mostly less than a header."""
    return content[rng.choice((rng.randrange(1, 64), rng.randrange(len(content)))) :]


def remove_bytes(content: bytes, rng: random.Random, _: bytes) -> bytes:
    """Remove bytes in the middle."""
    at = rng.randrange(len(content))
    return content[:at] + content[at + _length(rng, content) :]


def repeat_bytes(content: bytes, rng: random.Random, _: bytes) -> bytes:
    """Splice the file with itself: repeat a part at another place."""
    start, at = rng.randrange(len(content)), rng.randrange(len(content))
    return content[:at] + content[start : start + _length(rng, content)] + content[at:]


def splice(content: bytes, rng: random.Random, other: bytes) -> bytes:
    """Continue with the end of another file, or insert a part of it."""
    at, start = rng.randrange(len(content)), rng.randrange(len(other))
    end = len(other) if rng.random() < 0.5 else start + _length(rng, other)
    return content[:at] + other[start:end] + (content[at:] if rng.random() < 0.5 else b"")


def join(content: bytes, rng: random.Random, other: bytes) -> bytes:
    """Append another file, or the same one."""
    return content + rng.choice((content, other))


def flip_bits(content: bytes, rng: random.Random, _: bytes) -> bytes:
    """Change single bits anywhere."""
    damaged = bytearray(content)
    for _number in range(rng.choice((1, 1, 3, 10, 100))):
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def flip_bytes_of_header(content: bytes, rng: random.Random, _: bytes) -> bytes:
    """Replace single bytes near the start or the end, where headers and indexes are."""
    damaged = bytearray(content)
    for _number in range(rng.randrange(1, 9)):
        damaged[_in_header(rng, content)] = rng.randrange(256)
    return bytes(damaged)


def overwrite(content: bytes, rng: random.Random, _: bytes) -> bytes:
    """Overwrite a part with zeros, ones or random bytes, as a failing disk does."""
    at, n_bytes = rng.randrange(len(content)), _length(rng, content)
    return content[:at] + _junk(rng, min(n_bytes, len(content) - at)) + content[at + n_bytes :]


def overwrite_header(content: bytes, rng: random.Random, _: bytes) -> bytes:
    """Overwrite 4 to 64 bytes near the start."""
    at, n_bytes = rng.choice((0, rng.randrange(HEAD))), rng.randrange(4, 65)
    return content[:at] + _junk(rng, n_bytes) + content[at + n_bytes :]


def overwrite_number(content: bytes, rng: random.Random, _: bytes) -> bytes:
    """Overwrite a number in a header: a size, a sampling rate, a number of channels or samples."""
    at = _in_header(rng, content)
    at = rng.choice((at, at & ~1, at & ~3))
    value = rng.choice((*_VALUES, len(content), 2 * len(content), rng.randrange(2**32)))
    kind, mask = rng.choice((("I", 2**32 - 1), ("H", 2**16 - 1), ("B", 255), ("Q", 2**64 - 1)))
    number = struct.pack(rng.choice("<>") + kind, value & mask)
    return content[:at] + number + content[at + len(number) :]


def overwrite_size(content: bytes, rng: random.Random, _: bytes) -> bytes:
    """Overwrite the number before or after the name of a chunk."""
    marks = [found.start() for found in _MARKS.finditer(content)]
    if not marks:
        return overwrite_number(content, rng, b"")
    at = max(0, rng.choice(marks[:40]) + rng.choice((-4, 4, 8)))
    value = rng.choice((*_VALUES, len(content), rng.randrange(len(content)), rng.randrange(2**32)))
    return content[:at] + struct.pack(rng.choice("<>") + "I", value) + content[at + 4 :]


def rearrange_chunks(content: bytes, rng: random.Random, _: bytes) -> bytes:
    """Remove, repeat or exchange chunks, pages, blocks or frames."""
    starts = [0, *(found.start() for found in _MARKS.finditer(content) if found.start()), len(content)]
    chunks = [content[start:end] for start, end in pairwise(starts)]
    for _number in range(rng.choice((1, 1, 2, 5))):
        one, other = rng.randrange(len(chunks)), rng.randrange(len(chunks))
        kind = rng.randrange(3)
        if kind == 0:
            chunks[one] = b""
        elif kind == 1:
            chunks[one] *= 2
        else:
            chunks[one], chunks[other] = chunks[other], chunks[one]
    return b"".join(chunks)


def insert_bytes(content: bytes, rng: random.Random, _: bytes) -> bytes:
    """Insert zeros, ones or random bytes."""
    at = rng.choice((0, rng.randrange(len(content)), len(content)))
    return content[:at] + _junk(rng, _length(rng, content)) + content[at:]


def add_tag(content: bytes, rng: random.Random, _: bytes) -> bytes:
    """Add a tag in front or behind; its size may be wrong."""
    n_bytes = rng.choice((0, 100, 5000, 200_000))
    size = rng.choice((n_bytes, n_bytes, rng.randrange(2**28)))
    synchsafe = bytes(size >> 7 * k & 0x7F for k in (3, 2, 1, 0))
    ape = b"APETAGEX" + struct.pack("<IIII", 2000, size & 0xFFFFFFFF, 1, 0) + bytes(8)
    tags = {
        "ID3v2": b"ID3\x04\0" + bytes([rng.choice((0, 0x10, 0x80))]) + synchsafe + _junk(rng, n_bytes),
        "ID3v1": b"TAG" + _junk(rng, 125),
        "APE": _junk(rng, n_bytes) + ape,
        "Lyrics3": b"LYRICSBEGIN" + _junk(rng, n_bytes) + b"%06dLYRICS200" % (size % 10**6),
        "text": b"<html><body>Not found</body></html>\n",
    }
    tag = tags[rng.choice(list(tags))]
    return tag + content if rng.random() < 0.5 else content + tag


MUTATIONS: tuple[Mutation, ...] = (
    cut_end,
    cut_start,
    remove_bytes,
    repeat_bytes,
    splice,
    join,
    flip_bits,
    flip_bytes_of_header,
    overwrite,
    overwrite_header,
    overwrite_number,
    overwrite_size,
    rearrange_chunks,
    insert_bytes,
    add_tag,
)


def mutated(content: bytes, rng: random.Random, other: bytes) -> tuple[bytes, str]:
    """Damage a file in one to three ways, and return the damaged bytes and the names of the mutations.

    Parameters
    ----------
    content : bytes
        Content of the file; not empty.
    rng : random.Random
        Determines everything that is random.
    other : bytes
        Content of another file, with which this one may be spliced.
    """
    chosen = rng.sample(MUTATIONS, rng.choice((1, 1, 1, 2, 3)))
    for mutation in chosen:
        content = mutation(content, rng, other) or b"\0"
    return content, ", ".join(mutation.__name__.replace("_", " ") for mutation in chosen)


def _in_header(rng: random.Random, content: bytes) -> int:
    at = rng.randrange(min(rng.choice((64, HEAD)), len(content)))
    return at if rng.random() < 0.85 else len(content) - 1 - at


def _length(rng: random.Random, content: bytes) -> int:
    share = rng.choice((0.01, 0.05, 1.0))
    return rng.choice(
        (1, rng.randrange(1, 64), rng.randrange(1, 2048), rng.randrange(1, int(share * len(content)) + 2))
    )


def _junk(rng: random.Random, n_bytes: int) -> bytes:
    return rng.choice((bytes(n_bytes), b"\xff" * n_bytes, rng.randbytes(n_bytes)))

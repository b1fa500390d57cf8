"""Layout of MP3 files (MPEG audio, layers I to III), read from the headers of all frames.

The length in the header of an MP3 is often wrong: two files were joined, an advertisement was inserted, or an encoder
stored a wrong number of frames. Without a number of frames, the length can be estimated only if the bit rate is
constant. The headers of all frames show how many frames there are, and where bytes are missing or do not belong to a
frame. Tags (ID3, APE, Lyrics3) may precede, follow or separate frames.

References
----------
ISO/IEC 11172-3 and 13818-3 (frame headers); the Xing, LAME and VBRI tags of encoders.
"""

from __future__ import annotations

import re
import struct
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from songform.audio.byte_window import ByteWindow
from songform.audio.frame_walk import MAX_PADDING, Frame, FrameCodec, FrameReader, Walk, walk_frames
from songform.audio.layout import Gap, Layout, missing_seconds
from songform.audio.tags import after_tags, before_tags

if TYPE_CHECKING:
    from typing import BinaryIO

__all__ = ["is_mpeg_audio", "mpeg_layout"]


# Bit rates in kbit/s by MPEG-1 or not, and by layer.
RATES = {
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
# The first three bytes of a frame header, without reserved versions, layers, bit rates and sampling rates.
SYNC = re.compile(
    rb"\xff[\xe2-\xe7\xf2-\xf7\xfa-\xff][" + bytes(b for b in range(0x10, 0xF0) if b & 0xC != 0xC) + rb"]"
)

# A header, an optional checksum, side information of one of three sizes, and flags that say which numbers follow.
XING_TAG = re.compile(rb".{4}(?:..)?(?:.{32}|.{17}|.{9})(?:Xing|Info)\x00\x00\x00[\x00-\x0f]", re.DOTALL)


class _Announced(NamedTuple):
    """What the tag of an encoder in the first frame says; 0 if there is none."""

    n_frames: int = 0
    n_bytes: int = 0
    n_trimmed: int = 0  # samples that the encoder added at the start and the end
    is_frame: bool = False  # whether the first frame is this tag


def is_mpeg_audio(file: BinaryIO) -> bool:
    """Return whether a file starts with a frame of MPEG audio, after any ID3 tags."""
    window = ByteWindow(file, chunk=4096)
    at = after_tags(window, 0)
    frames = FrameReader(window, MPEG, window.size)
    return frames.is_confirmed(at, frames.at(at))


def mpeg_layout(file: BinaryIO) -> Layout | None:
    """Read the layout of an MP3 file.

    Parameters
    ----------
    file : BinaryIO
        The file; its position changes.

    Returns
    -------
    Layout or None
        None if the file contains no frame of MPEG audio.
    """
    window = ByteWindow(file)
    start = after_tags(window, 0)
    for end in (before_tags(window), window.size):  # the size of a tag at the end may be wrong
        frames = FrameReader(window, MPEG, end)
        first = frames.first(start)
        if first is not None:
            claim = _announced(window.read(first, 512))
            walk = walk_frames(frames, first)
            walk.runs[0].n_frames -= claim.is_frame  # the frame with these numbers contains no audio
            return _layout(walk, claim, starts_at_once=first == start, n_trailing=end - walk.runs[-1].end)
    return None


def _layout(walk: Walk, claim: _Announced, *, starts_at_once: bool, n_trailing: int) -> Layout:
    parts = walk.parts
    is_regular = starts_at_once and not walk.gaps and not walk.n_tag_bytes and n_trailing <= MAX_PADDING
    # libsndfile complains if the number of bytes is wrong by more than 1 %.
    is_plain = (
        is_regular and len(parts) == 1 and abs((claim.n_bytes or walk.n_bytes) - walk.n_bytes) < 0.01 * walk.n_bytes
    )
    if is_plain:
        parts = (replace(parts[0], n_samples=max(1, parts[0].n_samples - claim.n_trimmed)),)
    return Layout(
        parts,
        _gaps(walk, claim),
        is_plain=is_plain,
        is_complete=_is_complete(walk, claim),
        n_trailing=n_trailing if walk.is_end_complete and n_trailing > MAX_PADDING else 0,
    )


def _is_complete(walk: Walk, claim: _Announced) -> bool:
    """Return whether the last frame is complete, and the file is not smaller than the encoder wrote it."""
    if not walk.is_end_complete:
        return False
    if claim.n_bytes:
        return claim.n_bytes <= 1.01 * walk.n_bytes
    return claim.n_frames <= 1.01 * walk.n_frames + 1


def _gaps(walk: Walk, claim: _Announced) -> tuple[Gap, ...]:
    """Estimate how much audio is missing at each place, from the number of frames in the header or from bytes."""
    found = walk.byte_gaps
    n_lost = claim.n_frames - walk.n_frames
    if not found or n_lost < 0 or not walk.is_end_complete:
        return found
    lost = n_lost * walk.seconds / max(1, walk.n_frames)
    room = (walk.n_gap_bytes + max(0, claim.n_bytes - walk.n_bytes)) * walk.seconds_per_byte
    if lost > 2 * room + 0.1:  # the number in the header is wrong
        return found
    share = lost / max(1e-9, missing_seconds(found))
    return tuple(Gap(gap.start, share * gap.missing) for gap in found)


@lru_cache(maxsize=4096)
def _frame(header: bytes) -> Frame | None:
    if len(header) < 4 or SYNC.match(header) is None:
        return None
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)  # version 3 is MPEG-1, 2 MPEG-2, 0 MPEG-2.5
    sr = (44100, 48000, 32000)[header[2] >> 2 & 3] // {3: 1, 2: 2, 0: 4}[version]
    rate, padding = 1000 * RATES[version == 3, layer][(header[2] >> 4) - 1], header[2] >> 1 & 1
    n_samples = 384 if layer == 1 else 576 if layer == 3 and version != 3 else 1152
    size = 4 * (12 * rate // sr + padding) if layer == 1 else n_samples // 8 * rate // sr + padding
    return Frame(size, (layer, n_samples, sr, 1 if header[3] >> 6 == 3 else 2))


def _announced(frame: bytes) -> _Announced:
    """Read the tag of an encoder: Xing, Info or VBRI."""
    if frame[36:40] == b"VBRI":
        n_bytes, n_frames = struct.unpack_from(">II", frame, 46)
        return _Announced(n_frames, n_bytes, is_frame=True)
    found = re.match(XING_TAG, frame)
    if found is None:
        return _Announced()
    at, flags = found.end(), frame[found.end() - 1]
    fields = []
    for flag, size in ((1, 4), (2, 4), (4, 100), (8, 4)):  # frames, bytes, seek table, quality
        fields.append(int.from_bytes(frame[at : at + size], "big") if flags & flag else 0)
        at += size if flags & flag else 0
    trimmed = (
        int.from_bytes(frame[at + 21 : at + 24], "big") if frame[at : at + 4] in (b"LAME", b"Lavc", b"Lavf") else 0
    )
    return _Announced(fields[0], fields[1], (trimmed >> 12) + (trimmed & 0xFFF), is_frame=True)


MPEG = FrameCodec(SYNC, 4, _frame)

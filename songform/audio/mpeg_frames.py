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
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from songform.audio.byte_window import ByteWindow
from songform.audio.layout import Gap, Layout, Part, missing_seconds
from songform.audio.tags import after_tags, before_tags

if TYPE_CHECKING:
    from typing import BinaryIO

__all__ = ["is_mpeg_audio", "mpeg_layout"]

N_CONFIRMING = 2  # frames of the same format that must follow the first frame after a damaged place
MAX_PADDING = 4096  # bytes after the last frame that are not audio and do not make a file unusual

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


class _Frame(NamedTuple):
    """What the four bytes of a frame header say."""

    size: int  # bytes
    format: tuple[
        int, int, int, int
    ]  # layer, samples, sampling rate and channels: the same in all frames of a recording


class _Announced(NamedTuple):
    """What the tag of an encoder in the first frame says; 0 if there is none."""

    n_frames: int = 0
    n_bytes: int = 0
    n_trimmed: int = 0  # samples that the encoder added at the start and the end
    is_frame: bool = False  # whether the first frame is this tag


@dataclass
class _Run:
    """Frames of one format, also across damaged places and tags."""

    start: int
    format: tuple[int, int, int, int]
    end: int = 0
    n_frames: int = 0
    last_size: int = 0  # bytes of the last frame

    @property
    def n_samples(self) -> int:
        return self.n_frames * self.format[1]

    @property
    def sr(self) -> int:
        return self.format[2]


@dataclass
class _Walk:
    """What was found on the way from the first frame to the last."""

    runs: list[_Run] = field(default_factory=list)
    gaps: list[tuple[float, int]] = field(default_factory=list)  # time, and number of bytes that are not in a frame
    n_tag_bytes: int = 0  # between frames
    is_end_complete: bool = True

    @property
    def seconds(self) -> float:
        return sum(run.n_samples / run.sr for run in self.runs)

    @property
    def n_frames(self) -> int:
        return sum(run.n_frames for run in self.runs)

    @property
    def n_gap_bytes(self) -> int:
        return sum(n_bytes for _, n_bytes in self.gaps)

    @property
    def n_bytes(self) -> int:
        """Number of bytes from the first frame to the last one."""
        return self.runs[-1].end - self.runs[0].start

    @property
    def seconds_per_byte(self) -> float:
        return self.seconds / max(1, self.n_bytes - self.n_gap_bytes - self.n_tag_bytes)


def is_mpeg_audio(file: BinaryIO) -> bool:
    """Return whether a file starts with a frame of MPEG audio, after any ID3 tags."""
    window = ByteWindow(file, chunk=4096)
    at = after_tags(window, 0)
    frame = _frame(window.read(at, 4))
    return frame is not None and _is_confirmed(window, at, frame, window.size)


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
        first = _next_frame(window, start, end)
        if first is not None:
            claim = _announced(window.read(first, 512))
            walk = _walked(window, first, end)
            walk.runs[0].n_frames -= claim.is_frame  # the frame with these numbers contains no audio
            return _layout(walk, claim, starts_at_once=first == start, n_trailing=end - walk.runs[-1].end)
    return None


def _layout(walk: _Walk, claim: _Announced, *, starts_at_once: bool, n_trailing: int) -> Layout:
    parts = tuple(Part(run.start, run.end, run.sr, run.format[3], run.n_samples) for run in walk.runs if run.n_frames)
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


def _is_complete(walk: _Walk, claim: _Announced) -> bool:
    """Return whether the last frame is complete, and the file is not smaller than the encoder wrote it."""
    if not walk.is_end_complete:
        return False
    if claim.n_bytes:
        return claim.n_bytes <= 1.01 * walk.n_bytes
    return claim.n_frames <= 1.01 * walk.n_frames + 1


def _gaps(walk: _Walk, claim: _Announced) -> tuple[Gap, ...]:
    """Estimate how much audio is missing at each place, from the number of frames in the header or from bytes."""
    found = [Gap(start, n_bytes * walk.seconds_per_byte) for start, n_bytes in walk.gaps]
    n_lost = claim.n_frames - walk.n_frames
    if not found or n_lost < 0 or not walk.is_end_complete:
        return tuple(found)
    lost = n_lost * walk.seconds / max(1, walk.n_frames)
    room = (walk.n_gap_bytes + max(0, claim.n_bytes - walk.n_bytes)) * walk.seconds_per_byte
    if lost > 2 * room + 0.1:  # the number in the header is wrong
        return tuple(found)
    share = lost / max(1e-9, missing_seconds(found))
    return tuple(Gap(gap.start, share * gap.missing) for gap in found)


def _walked(window: ByteWindow, first: int, end: int) -> _Walk:
    """Go from frame to frame, and find the next one where there is none."""
    walk, at = _Walk(), first
    while at + 4 <= end:
        at = _run_end(window, walk, at, end)
        if at + 4 > end or not walk.is_end_complete:
            break
        following = after_tags(window, at)
        if following > at:
            is_between = _frame(window.read(following, 4)) is not None
            walk.n_tag_bytes += following - at if is_between else 0
        else:
            following = _beyond_damage(window, walk, at, end)
        at = following
    return walk


def _run_end(window: ByteWindow, walk: _Walk, at: int, end: int) -> int:
    """Count the frames that follow each other from a position on; return the end of the last one."""
    frame = _frame(window.read(at, 4))
    while frame is not None and _is_in_run(window, walk, at, frame, end):
        run = walk.runs[-1]
        while frame is not None and frame.format == run.format:
            if at + frame.size > end:
                walk.is_end_complete = False
                return at
            at += frame.size
            run.n_frames, run.end, run.last_size = run.n_frames + 1, at, frame.size
            frame = _frame(window.read(at, 4))
    return at


def _is_in_run(window: ByteWindow, walk: _Walk, at: int, frame: _Frame, end: int) -> bool:
    """Return whether a frame continues the last run; a frame of another format starts a new one."""
    if walk.runs and walk.runs[-1].format == frame.format:
        return True
    if not _is_confirmed(window, at, frame, end):
        return False
    walk.runs.append(_Run(at, frame.format))
    return True


def _beyond_damage(window: ByteWindow, walk: _Walk, at: int, end: int) -> int:
    """Find the next frame after a damaged place, and record the place.

    If bytes of the last frame are lost, the next frame starts before the end that the header of the last one indicates.
    """
    run = walk.runs[-1]
    following = _next_frame(window, at - run.last_size + 4 if at == run.end else at, end)
    if following is None:
        return end
    if following < at:  # the last frame is damaged
        at -= run.last_size
        run.n_frames, run.end = run.n_frames - 1, at
    walk.gaps.append((walk.seconds, following - at))
    return following


def _next_frame(window: ByteWindow, start: int, end: int) -> int | None:
    """Return the position of the next frame that others of its format follow."""
    for at in window.matches(SYNC, start, end):
        frame = _frame(window.read(at, 4))
        if frame is not None and _is_confirmed(window, at, frame, end):
            return at
    return None


def _is_confirmed(window: ByteWindow, at: int, frame: _Frame, end: int) -> bool:
    """Return whether a frame is followed by others of its format, or is one of the last ones."""
    following: _Frame | None = frame
    for _ in range(N_CONFIRMING):
        if following is None or following.format != frame.format:
            return False
        at += following.size
        if at + 4 > end:
            return at == end
        following = _frame(window.read(at, 4))
    return following is not None and following.format == frame.format


@lru_cache(maxsize=4096)
def _frame(header: bytes) -> _Frame | None:
    if len(header) < 4 or SYNC.match(header) is None:
        return None
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)  # version 3 is MPEG-1, 2 MPEG-2, 0 MPEG-2.5
    sr = (44100, 48000, 32000)[header[2] >> 2 & 3] // {3: 1, 2: 2, 0: 4}[version]
    rate, padding = 1000 * RATES[version == 3, layer][(header[2] >> 4) - 1], header[2] >> 1 & 1
    n_samples = 384 if layer == 1 else 576 if layer == 3 and version != 3 else 1152
    size = 4 * (12 * rate // sr + padding) if layer == 1 else n_samples // 8 * rate // sr + padding
    return _Frame(size, (layer, n_samples, sr, 1 if header[3] >> 6 == 3 else 2))


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

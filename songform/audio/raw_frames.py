"""Layout of AAC files in ADTS, of AC-3, DTS and FLAC files, read from the headers of all frames.

AAC, AC-3 and DTS files have no container and state no length. Their decoders skip what is not a frame, without a trace
in the times of the decoded audio, so only the headers show that something is missing, and where.

The frames of a FLAC file are numbered. libFLAC replaces missing frames by silence without an error, so only their
numbers show that something is missing.

References
----------
ISO/IEC 13818-7 and 14496-3 (ADTS); ETSI TS 102 366 (AC-3, and E-AC-3 without dependent streams);
ETSI TS 102 114, section 5.3 (DTS, with 16 bits per word and without extension substreams); RFC 9639 (FLAC).
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from songform.audio.byte_window import ByteWindow
from songform.audio.frame_walk import MAX_PADDING, Frame, FrameCodec, FrameReader, walk_frames
from songform.audio.layout import Gap, Layout, Part
from songform.audio.tags import after_tags, before_tags

if TYPE_CHECKING:
    from typing import BinaryIO

__all__ = ["AC3", "flac_layout", "raw_layout"]

ADTS_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)  # Hz
AC3_RATES = (48000, 44100, 32000)  # Hz
AC3_BIT_RATES = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640)  # kbit/s
AC3_CHANNELS = (2, 1, 2, 3, 3, 4, 4, 5)  # without the channel for low frequencies
EAC3_BLOCKS = (1, 2, 3, 6)
BLOCK = 256  # samples per block of AC-3
DTS_RATES = {1: 8000, 2: 16000, 3: 32000, 6: 11025, 7: 22050, 8: 44100, 11: 12000, 12: 24000, 13: 48000}  # Hz
DTS_CHANNELS = (1, 2, 2, 2, 2, 3, 3, 4, 4, 5, 6, 6, 6, 7, 8, 8)  # without the channel for low frequencies
# The first four bytes of a frame header of FLAC whose blocks have one size, without reserved values.
FLAC_SYNC = re.compile(rb"\xff\xf8[\x10-\xfe][\x00-\xae]")
FLAC_HEADER = 16  # bytes; the longest header
CRC_POLYNOMIAL = 0x07  # of the checksum of a frame header


def raw_layout(file: BinaryIO, name: str) -> Layout | None:
    """Read the layout of an AAC, AC-3 or DTS file.

    Parameters
    ----------
    file : BinaryIO
        The file; its position changes.
    name : str
        ffmpeg's name of the format.

    Returns
    -------
    Layout or None
        None for another format, or if no frame is found.
    """
    codec, window = CODECS.get(name), ByteWindow(file)
    if codec is None:
        return None
    start = after_tags(window, 0)
    frames = FrameReader(window, codec, before_tags(window))
    first = frames.first(start)
    return None if first is None else _layout(frames, start, first)


def _layout(frames: FrameReader, start: int, first: int) -> Layout:
    walk = walk_frames(frames, first)
    n_trailing = frames.end - walk.runs[-1].end if walk.is_end_complete else 0
    is_regular = first == start and not walk.gaps and not walk.n_tag_bytes
    return Layout(
        walk.parts,
        walk.byte_gaps,
        is_plain=is_regular and walk.is_end_complete and frames.window.size == walk.runs[-1].end,
        is_complete=walk.is_end_complete,
        n_trailing=n_trailing if n_trailing > MAX_PADDING else 0,
    )


def flac_layout(file: BinaryIO) -> Layout | None:
    """Read the layout of a FLAC file of which frames are missing.

    Parameters
    ----------
    file : BinaryIO
        The file; its position changes.

    Returns
    -------
    Layout or None
        None for another format, if no frame is missing between others, or if that is unknown, because the blocks have
        different sizes or the number of samples is not stated.
    """
    window = ByteWindow(file)
    info = window.read(0, 26)
    least, most = int.from_bytes(info[8:10], "big"), int.from_bytes(info[10:12], "big")
    packed = int.from_bytes(info[18:26], "big")  # 20 bits of sampling rate, 3 of channels, 5 of format, 36 of samples
    sr, n_samples = packed >> 44, packed & (1 << 36) - 1
    if info[:4] != b"fLaC" or not sr or not n_samples or not least or least != most:
        return None
    n_frames = -(-n_samples // most)
    numbers = (_flac_number(window.read(at, FLAC_HEADER)) for at in window.matches(FLAC_SYNC, 42, window.size))
    found = sorted({number for number in numbers if number is not None and number < n_frames})
    gaps = [
        Gap(decoded * most / sr, (after - before - 1) * most / sr)
        for decoded, (before, after) in enumerate(pairwise([-1, *found]))
        if after > before + 1
    ]
    part = Part(0, window.size, sr, (packed >> 41 & 7) + 1, len(found) * most)
    is_complete = found[-1:] == [n_frames - 1]
    return Layout((part,), tuple(gaps), is_plain=False, is_complete=is_complete) if gaps else None


def _flac_number(header: bytes) -> int | None:
    """Return the number of the frame with a header, or None if it is not a header."""
    n_ones = 8 - (header[4] ^ 0xFF).bit_length() if len(header) > 5 else 1  # as in UTF-8, of up to seven bytes
    n_bytes = max(1, n_ones)
    size = 4 + n_bytes + {6: 1, 7: 2}.get(header[2] >> 4, 0) + {12: 1, 13: 2, 14: 2}.get(header[2] & 15, 0)
    if n_ones in (1, 8) or len(header) <= size or _checksum(header[:size]) != header[size]:
        return None
    number = header[4] & 0x7F >> n_ones
    for byte in header[5 : 4 + n_bytes]:
        number = number << 6 | byte & 0x3F
    return number


def _checksum(data: bytes) -> int:
    checksum = 0
    for byte in data:
        checksum ^= byte
        for _ in range(8):
            checksum = (checksum << 1 ^ (CRC_POLYNOMIAL if checksum & 0x80 else 0)) & 0xFF
    return checksum


@lru_cache(maxsize=4096)
def _adts_frame(header: bytes) -> Frame | None:
    if len(header) < 7 or ADTS.sync.match(header) is None:
        return None
    size = (header[3] & 3) << 11 | header[4] << 3 | header[5] >> 5
    channels = (header[2] & 1) << 2 | header[3] >> 6  # 0 if the first frame describes them
    n_samples = 1024 * (1 + (header[6] & 3))
    return Frame(size, (header[2] >> 6, n_samples, ADTS_RATES[header[2] >> 2 & 0xF], channels)) if size >= 7 else None


@lru_cache(maxsize=4096)
def _ac3_frame(header: bytes) -> Frame | None:
    if len(header) < 7 or AC3.sync.match(header) is None:
        return None
    version = header[5] >> 3
    if version > 10:
        return _eac3_frame(header) if version <= 16 else None
    rate, code = header[4] >> 6, header[4] & 0x3F
    if rate == 3 or code >> 1 >= len(AC3_BIT_RATES):
        return None
    sr, bit_rate = AC3_RATES[rate], 1000 * AC3_BIT_RATES[code >> 1]
    size = 2 * (6 * BLOCK * bit_rate // 16 // sr + (code & 1 if sr == 44100 else 0))
    return Frame(size, (version, 6 * BLOCK, sr >> max(0, version - 8), AC3_CHANNELS[header[6] >> 5]))


def _eac3_frame(header: bytes) -> Frame | None:
    kind, rate, blocks = header[2] >> 6, header[4] >> 6, header[4] >> 4 & 3
    if kind in (1, 3) or header[2] >> 3 & 7 or (rate == 3 and blocks == 3):  # another stream, or reserved
        return None
    sr, n_blocks = (AC3_RATES[blocks] // 2, 6) if rate == 3 else (AC3_RATES[rate], EAC3_BLOCKS[blocks])
    size = 2 * (((header[2] & 7) << 8 | header[3]) + 1)
    return Frame(size, (header[5] >> 3, n_blocks * BLOCK, sr, AC3_CHANNELS[header[4] >> 1 & 7]))


@lru_cache(maxsize=4096)
def _dts_frame(header: bytes) -> Frame | None:
    if len(header) < 9 or DTS.sync.match(header) is None:
        return None
    # Type, 5 bits of shortage, a flag, 7 bits of blocks, 14 of size, 6 of channels, 4 of sampling rate, and 2 others.
    bits = int.from_bytes(header[4:], "big")
    n_blocks, size, mode, sr = (bits >> 26 & 0x7F) + 1, (bits >> 12 & 0x3FFF) + 1, bits >> 6 & 0x3F, bits >> 2 & 0xF
    if size < 96 or mode >= len(DTS_CHANNELS) or sr not in DTS_RATES:
        return None
    return Frame(size, (0, 32 * n_blocks, DTS_RATES[sr], DTS_CHANNELS[mode]))


# The fixed bits of a header, and a sampling rate that is not reserved.
ADTS = FrameCodec(
    re.compile(rb"\xff[\xf0\xf1\xf8\xf9][" + re.escape(bytes(b for b in range(256) if b >> 2 & 0xF < 13)) + rb"]"),
    7,
    _adts_frame,
)
AC3 = FrameCodec(re.compile(rb"\x0b\x77"), 7, _ac3_frame)
DTS = FrameCodec(re.compile(rb"\x7f\xfe\x80\x01"), 9, _dts_frame)
CODECS = {"aac": ADTS, "ac3": AC3, "eac3": AC3, "dts": DTS}

"""Whether a container is complete: whether the file is as large as its boxes, chunks or elements say.

A file that is cut short has fewer bytes than its container states. A duration in a header proves much less: that of a
video may be longer than its sound, and some programs store wrong durations. If the sizes do not show whether the end is
missing, the packets are read: a container is complete if the packets of any stream reach the end that it states.

References
----------
RIFF/WAVE and AIFF (EA IFF 85); Sony's Wave64; AU; Creative's VOC; Apple's Core Audio Format; ISO/IEC 14496-12 (MP4);
RFC 8794 (EBML, Matroska); the Advanced Systems Format (ASF); the AVI stream header.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING

from songform.audio.packets import packet_times

if TYPE_CHECKING:
    from typing import BinaryIO

__all__ = ["avi_sound_seconds", "bytes_behind", "container_bytes", "is_container_complete"]

ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
VOC = b"Creative Voice File\x1a"
VOC_BLOCKS = range(1, 10)  # their types
SEGMENT = 0x18538067  # in Matroska
MP4_BOXES = {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"}  # with which an MP4 file may start
LATER_BOXES = {b"moof", b"mfra", b"sidx", b"styp", b"uuid", b"meta", b"udta", b"emsg", b"pdin", b"PICT", b"pnot"}
AVI_HEADER = 65_536  # bytes with the headers of the streams
MAX_BOXES = 100_000
MAX_BLOCKS = 1_000_000  # of a VOC file; ffmpeg writes one per 1,024 samples
UNKNOWN_SIZES = {0, 2**32 - 1}  # of RIFF chunks whose length was unknown when they were written


def is_container_complete(
    path: str | Path, *, ffmpeg: str | None = None, announced: float | None = None
) -> bool | None:
    """Return whether a file contains everything that its container states.

    Parameters
    ----------
    path : path
        Path of a media file.
    ffmpeg : str, optional
        Path of the ffmpeg executable, which some containers need.
    announced : float, optional
        Duration in seconds according to the container.

    Returns
    -------
    bool or None
        None if that is unknown.
    """
    needed = container_bytes(path)
    if needed is not None:
        return needed <= Path(path).stat().st_size
    if ffmpeg is not None and announced:
        ends = [times.end for times in packet_times(path, ffmpeg=ffmpeg).values()]
        return max(ends, default=0.0) > announced - max(2.0, 0.02 * announced) or None
    return None


def container_bytes(path: str | Path) -> int | None:
    """Return the number of bytes that a file has if its container is complete, or None if that is unknown.

    Parameters
    ----------
    path : path
        Path of a media file.
    """
    with Path(path).open("rb") as file:
        return _by_size(file, file.read(12), Path(path).stat().st_size)


def bytes_behind(path: str | Path, *, by_ffmpeg: bool) -> int:
    """Return how many bytes follow the end that a WAV, AIFF or VOC file states; 0 for another file.

    Decoders read no audio there, for example if two files were joined.

    Parameters
    ----------
    path : path
        Path of a media file.
    by_ffmpeg : bool
        Whether ffmpeg decodes the file; libsndfile reads a VOC file to its end.
    """
    size, needed = Path(path).stat().st_size, container_bytes(path)
    with Path(path).open("rb") as file:
        start = file.read(24)
        if start.startswith(VOC):
            return size - _voc(file, size) if by_ffmpeg else 0
        if needed is None or start[8:12] not in (b"WAVE", b"AIFF", b"AIFC") or start[:4] == b"RF64":
            return 0
        outer = int.from_bytes(start[4:8], "little" if start[:4] == b"RIFF" else "big") + 8
    return max(0, size - max(outer, needed))  # the outer size is wrong if it ends before the audio


def avi_sound_seconds(path: str | Path) -> float | None:
    """Return the length of the first audio stream according to the header of a complete AVI file.

    The packets of an AVI file have no times, so nothing else shows that some of them are missing.

    Parameters
    ----------
    path : path
        Path of a media file.

    Returns
    -------
    float or None
        Length in seconds; None for an incomplete or another file.
    """
    with Path(path).open("rb") as file:
        head = file.read(AVI_HEADER)
    at = head.find(b"strh") + 8
    while at >= 8 and head[at : at + 4] != b"auds":
        at = head.find(b"strh", at) + 8
    if head[:4] + head[8:12] != b"RIFFAVI " or at < 8 or len(head) < at + 36 or not is_container_complete(path):
        return None
    scale, rate, _, length = struct.unpack_from("<4I", head, at + 20)
    return float(scale * length / rate) if rate else None


def _by_size(file: BinaryIO, start: bytes, size: int) -> int | None:
    if start[:4] in (b"RIFF", b"RF64", b"BW64") and start[8:12] == b"WAVE":
        return _chunks(file, size, "<", b"data")
    if start[:4] == b"FORM" and start[8:12] in (b"AIFF", b"AIFC"):
        return _chunks(file, size, ">", b"SSND")
    if start[4:8] in MP4_BOXES:
        return _mp4(file, size)
    by_start = {
        b"RIFF": _riff,
        b"riff": _wave64,
        b".snd": _au,
        b"caff": _caf,
        b"\x1a\x45\xdf\xa3": _matroska,
        b"\x30\x26\xb2\x75": _asf,
    }
    read = by_start.get(start[:4])
    return None if read is None else read(file, size)


def _mp4(file: BinaryIO, size: int) -> int | None:
    """Follow the boxes of an MP4 file. Fragments may be missing without leaving a trace."""
    at, names = 0, set()
    for _ in range(MAX_BOXES):
        if at >= size:
            break
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            break
        length, name = struct.unpack_from(">I4s", head)
        if length == 1 and len(head) == 16:
            (length,) = struct.unpack_from(">Q", head, 8)
        if length < 8 or not name.isascii():
            return None
        if name not in MP4_BOXES | LATER_BOXES:  # a tag behind the file, for example
            return at if b"mdat" in names else None
        names.add(name)
        at += length
    return None if b"moof" in names or not at else at


def _chunks(file: BinaryIO, size: int, order: str, wanted: bytes) -> int | None:
    """Return the end of the chunk with the audio."""
    at, long_size = 12, 0
    for _ in range(MAX_BOXES):
        if at >= size:
            break
        file.seek(at)
        head = file.read(24)
        if len(head) < 8:
            return None
        name, length = struct.unpack_from(f"{order}4sI", head)
        if name == b"ds64" and len(head) == 24:
            (long_size,) = struct.unpack_from("<Q", head, 16)
        if name == wanted:
            length = long_size if length == 2**32 - 1 and long_size else length
            return None if length in UNKNOWN_SIZES else at + 8 + length
        at += 8 + length + length % 2
    return None


def _riff(file: BinaryIO, _size: int) -> int | None:
    """Return the end of the outer chunk of another RIFF file, such as AVI."""
    file.seek(4)
    length = int.from_bytes(file.read(4), "little")
    return None if length in UNKNOWN_SIZES else length + 8


def _wave64(file: BinaryIO, _size: int) -> int | None:
    file.seek(16)  # after the identifier, of which the first four bytes are `riff`
    return int.from_bytes(file.read(8), "little") or None


def _voc(file: BinaryIO, size: int) -> int:
    """Return where a VOC file ends: after the block of type 0, or before bytes that are not a block."""
    file.seek(20)
    at = int.from_bytes(file.read(2), "little")
    for _ in range(MAX_BLOCKS):
        if at >= size:
            break
        file.seek(at)
        head = file.read(4)
        if head[0] not in VOC_BLOCKS:
            return at + (head[0] == 0)
        at += 4 + int.from_bytes(head[1:], "little")
    return size


def _au(file: BinaryIO, _size: int) -> int | None:
    file.seek(4)
    start, length = int.from_bytes(file.read(4), "big"), int.from_bytes(file.read(4), "big")
    return None if length in UNKNOWN_SIZES else start + length


def _caf(file: BinaryIO, size: int) -> int | None:
    """Return the end of the chunk with the audio; its size is negative in a live recording."""
    at = 8
    for _ in range(MAX_BOXES):
        if at >= size:
            break
        file.seek(at)
        head = file.read(12)
        if len(head) < 12:
            break
        name, length = struct.unpack(">4sq", head)
        if length < 0:
            return None
        at += 12 + int(length)
        if name == b"data":
            return at
    return None


def _matroska(file: BinaryIO, size: int) -> int | None:
    at = 0
    for _ in range(MAX_BOXES):
        if at >= size:
            break
        file.seek(at)
        head = file.read(12)
        if len(head) < 12 or not head[0]:
            return None
        n_id = 9 - head[0].bit_length()
        name, first = int.from_bytes(head[:n_id], "big"), head[n_id]
        n_size = 9 - first.bit_length()
        if n_size > 8 or n_id > 4:
            return None
        length = int.from_bytes(head[n_id : n_id + n_size], "big") & (1 << 7 * n_size) - 1
        if length == (1 << 7 * n_size) - 1:
            return None  # a live recording
        at += n_id + n_size + length
        if name == SEGMENT:
            return at
    return None


def _asf(file: BinaryIO, _size: int) -> int | None:
    file.seek(0)
    head = file.read(65_536)
    at = head.find(ASF_PROPERTIES)
    if at < 0 or len(head) < at + 92:
        return None
    (length,) = struct.unpack_from("<Q", head, at + 40)
    is_live = struct.unpack_from("<I", head, at + 88)[0] & 1
    return None if is_live or not length else length

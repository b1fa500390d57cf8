"""Durations given in the headers of audio files.

An interrupted download or copy leaves a shorter file that often decodes without an error. Many containers store
their length at the start of the file, so it is still known if the end of the file is missing:

* WAV: the size of the data chunk. A streaming writer stores 0 or all ones there, which means unknown.
* FLAC: the number of samples; 0 when streamed.
* MP3: the number of frames in the Xing or Info tag, if there is one. A length estimated from file size and bit rate is
  not used, because it decreases with the size of the file.
* Ogg: nothing; the length is stored in the last page.
* all others (M4A, WebM, ...): the duration that ffmpeg reads from the header, unless ffmpeg estimates it.

References
----------
RIFF/WAVE and EBU Tech 3306 (RF64); RFC 9639 (FLAC); the Xing/LAME tag of MP3 encoders.
"""

from __future__ import annotations

import re
import struct
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from songform.audio.tags import id3_size
from songform.errors import AudioError

if TYPE_CHECKING:
    from typing import BinaryIO

__all__ = ["announced_duration", "banner_duration", "ffmpeg_banner", "ffmpeg_input", "is_cut_short", "other_streams"]

# Names as in ffmpeg. Formats that refer to other files or addresses (hls, dash, concat, sdp) are not in the list.
CONTAINERS = (
    "aa,aac,aax,ac3,ac4,aiff,amr,ape,apm,asf,au,avi,caf,dff,dsf,dts,dtshd,eac3,flac,flv,loas,matroska,webm,mlp,mov,mp4,"
    "m4a,mp3,mpc,mpc8,mpeg,mpegts,nut,ogg,oma,qcp,rm,rso,shn,sox,swf,tak,truehd,tta,voc,vqf,w64,wav,wtv,wv,xwma,"
    "adx,aea,aptx,ast,avr,bonk,brstm,dss,dv,epaf,g722,gsm,gxf,hca,iamf,iff,ilbc,ircam,mmf,mxf,nistsphere,osq,pvf,qoa,"
    "rka,sbc,sds,vag,wve"
)

# Sizes that WAV writers store when the length is unknown. Some programs store other values near 2 GB, but any
# value that could be a length is treated as one; otherwise an incomplete file would be accepted.
UNKNOWN_SIZES = {0, 2**32 - 1, 2**64 - 1}  # the last one in RF64

# By default, ffmpeg decodes a damaged frame of TTA to silence without a message.
VERIFIED = ["-err_detect", "crccheck+explode"]

YAMAHA = 0x20  # ADPCM without blocks: four bits per sample
MAX_WAV = 2**32  # bytes

ADPCM = (0x02, 0x11)  # Microsoft and IMA; a block of the size in the header contains a number of samples given there

# A four-byte MPEG audio header, an optional checksum, side information of one of three sizes, and a tag with a count.
XING = re.compile(
    rb"(\xff[\xe2-\xff]..)(?:..)?(?:.{32}|.{17}|.{9})(?:Xing|Info)\x00\x00\x00[\x01\x03\x05\x07\x09\x0b\x0d\x0f](.{4})",
    re.DOTALL,
)


def is_cut_short(decoded: float, announced: float | None) -> bool:
    """Return whether more than 2 s and more than 2 % of an expected duration are missing.

    Parameters
    ----------
    decoded : float
        Decoded duration in seconds.
    announced : float, optional
        Duration in seconds according to the container or the site. With None, the result is False.
    """
    return announced is not None and announced - decoded > max(2.0, 0.02 * announced)


def announced_duration(path: str | Path, *, ffmpeg: str | None = None) -> float | None:
    """Read the duration from the header of a file.

    Parameters
    ----------
    path : path
        Path of an audio file.
    ffmpeg : str, optional
        Path of the ffmpeg executable, which some containers need.

    Returns
    -------
    float or None
        Duration in seconds, or None if the header contains none, or if ffmpeg is needed to read it and was not given.

    Raises
    ------
    AudioError
        If a WAV file contains more audio than its header states.
    """
    with Path(path).open("rb") as file:
        _skip_id3(file)
        start = file.read(8192)
        if start[8:12] == b"WAVE" and start[:4] in {b"RIFF", b"RF64", b"BW64"}:
            file.seek(-len(start) + 12, 1)
            return _wav_seconds(file, Path(path))
    if start[:4] == b"fLaC":
        return _flac_seconds(start)
    if start[:4] == b"OggS":
        return None
    if start[:1] == b"\xff" or XING.search(start):
        return _mp3_seconds(start)
    return None if ffmpeg is None else banner_duration(ffmpeg_banner(path, ffmpeg))


def ffmpeg_banner(path: str | Path, ffmpeg: str) -> str:
    """Return the version of ffmpeg and its description of a file, which is not decoded.

    Raises
    ------
    AudioError
        If ffmpeg cannot be started; the failure class is `environment`.
    """
    try:
        run = subprocess.run([ffmpeg, *ffmpeg_input(path)], stdin=subprocess.DEVNULL, capture_output=True, check=False)  # noqa: S603 - no shell; the caller names the program
    except OSError as error:
        raise AudioError(
            f"ffmpeg cannot be started as {ffmpeg} ({error.strerror}); check that this is an executable file",
            "environment",
        ) from error
    return run.stderr.decode(errors="replace")


def ffmpeg_input(path: str | Path, *, part: tuple[int, int] | None = None) -> list[str]:
    """Return the ffmpeg arguments that read one file and prevent it from opening any other file or address.

    Parameters
    ----------
    path : path
        Path of the file.
    part : tuple of int, optional
        First byte to read, and the byte after the last one. Default: the whole file.
    """
    protocols, name = "file,pipe", f"file:{Path(path).absolute()}"
    if part is not None:
        protocols, name = f"{protocols},subfile", f"subfile,,start,{part[0]},end,{part[1]},,:{name}"
    checks = VERIFIED if part is None and _is_tta(Path(path)) else []
    return ["-nostdin", "-protocol_whitelist", protocols, "-format_whitelist", CONTAINERS, *checks, "-i", name]


def _is_tta(path: Path) -> bool:
    with path.open("rb") as file:
        _skip_id3(file)
        return file.read(4) == b"TTA1"


def banner_duration(banner: str) -> float | None:
    """Return the duration in seconds that ffmpeg found in a header, or None if there is none or it is an estimate.

    Parameters
    ----------
    banner : str
        Output of `ffmpeg_banner`.
    """
    found = re.search(r"Duration: (\d+):(\d+):([\d.]+)", banner)
    if found is None or "Estimating duration from bitrate" in banner:
        return None
    return 3600 * int(found[1]) + 60 * int(found[2]) + float(found[3])


def other_streams(banner: str) -> list[str]:
    r"""Return a short description of each audio stream of a file but the first.

    Parameters
    ----------
    banner : str
        Output of `ffmpeg_banner`.

    Examples
    --------
    >>> other_streams("  Stream #0:0: Audio: aac\n  Stream #0:1(fra): Audio: ac3 (ac-3), 48000 Hz, stereo, 192 kb/s")
    ['#2 (fra, ac3)']
    """
    found = re.findall(r"^  Stream #\d+:\d+(?:\[\w+\])?(?:\((\w+)\))?: Audio: (\w+)", banner, re.MULTILINE)
    return [
        f"#{number} ({', '.join(filter(None, stream))})" for number, stream in enumerate(found, start=1) if number > 1
    ]


def _skip_id3(file: BinaryIO) -> None:
    head = file.read(10)
    file.seek(id3_size(head) if head[:3] == b"ID3" and len(head) == 10 else 0)


def _wav_seconds(file: BinaryIO, path: Path) -> float | None:
    byte_rate, long_size = 0.0, 0
    while len(head := file.read(8)) == 8:
        name, size = struct.unpack("<4sI", head)
        if name == b"data":
            size = long_size if size == 0xFFFFFFFF else size
            if not byte_rate or size in UNKNOWN_SIZES:
                return None
            _refuse_overrun(file, path, size, byte_rate)
            return float(size / byte_rate)
        body = file.read(min(size, 64))
        if name == b"fmt " and len(body) >= 14:
            byte_rate = _byte_rate(body)
        if name == b"ds64" and len(body) >= 16:
            (long_size,) = struct.unpack_from("<Q", body, 8)
        file.seek(size + size % 2 - len(body), 1)
    return None


def _byte_rate(fmt: bytes) -> float:
    """Return the number of bytes per second of a WAV file; that in the header is often wrong for ADPCM."""
    codec, channels, sr, byte_rate, block = struct.unpack_from("<HHIIH", fmt)
    if codec == YAMAHA:
        return float(sr * channels / 2)
    n_samples = struct.unpack_from("<H", fmt, 18)[0] if codec in ADPCM and len(fmt) >= 20 else 0
    return float(block * sr / n_samples if n_samples else byte_rate)


def _refuse_overrun(file: BinaryIO, path: Path, size: int, byte_rate: float) -> None:
    """Raise an error if audio follows the end of a WAV file by its header, whose 32-bit size wraps around at 4 GB."""
    here, end = file.tell() + size + size % 2, file.seek(0, 2)
    file.seek(min(here, end))  # the size of an RF64 file has 64 bits; no file can be that long
    head = file.read(8)
    is_chunk = len(head) == 8 and head[:4].isascii() and head[:4].decode().isprintable()
    announced, more = size / byte_rate, (end - here) / byte_rate
    if is_cut_short(announced, announced + more) and not is_chunk:
        cause = (
            "WAV files are limited to 4 GB; convert it to RF64 or FLAC"
            if end > MAX_WAV
            else "its header is wrong, or the bytes behind its audio are not audio; export it again"
        )
        raise AudioError(
            f"{path.name} is {announced:.1f} s long according to its header, but {more:.1f} s more follow; {cause}"
        )


def _flac_seconds(start: bytes) -> float | None:
    packed = int.from_bytes(start[18:26], "big")  # 20 bits of sampling rate, 8 of format, 36 of samples
    sr, n_samples = packed >> 44, packed & (1 << 36) - 1
    return n_samples / sr if sr and n_samples else None


def _mp3_seconds(start: bytes) -> float | None:
    tag = XING.search(start)
    if tag is None:
        return None
    version, rate = tag[1][1] >> 3 & 3, tag[1][2] >> 2 & 3  # version 3 is MPEG-1, 2 MPEG-2, 0 MPEG-2.5
    if rate == 3 or version == 1:
        return None
    sr = (44100, 48000, 32000)[rate] / {3: 1, 2: 2, 0: 4}[version]
    n_frames = int.from_bytes(tag[2], "big")
    return n_frames * (1152 if version == 3 else 576) / sr if 0 < n_frames < 2**32 - 1 else None

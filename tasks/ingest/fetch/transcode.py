"""Transcoding: what of a fetched file is sound, and the MP3 that is made of it.

Sound that is merely moved from one container to another is moved packet by packet: not one sample changes. What ffmpeg
may read, and for how long, is bounded as in `tasks.ingest.fetch.audio_length`.

yt-dlp's `FFmpegExtractAudio` is not used: these bounds cannot be set there; and with the codec `best` it moves the Opus
of a WebM file into an Ogg file, which does not announce its length any more.
"""

from __future__ import annotations

import errno
import os
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

from songform.audio.headers import announced_duration, banner_duration, ffmpeg_input
from songform.errors import AudioError
from tasks.ingest.failures.rules import TRY_AGAIN
from tasks.ingest.fetch.audio_length import first_stream_command, no_audio_error

__all__ = ["announced_seconds", "as_mp3", "audio_only"]

# The containers that sound is moved into announce its length, and browsers play them; Matroska takes every codec.
_SUFFIXES = {"aac": ".m4a", "alac": ".m4a", "mp3": ".mp3", "opus": ".webm", "vorbis": ".webm"}
# How a file is named that stays in its container, where that is not the container's own name.
_NAMES = {"asf": ".wma", "matroska": ".mka", "mov": ".m4a"}
_NAMES_BY_CODEC = {("matroska", "opus"): ".webm", ("matroska", "vorbis"): ".webm", ("ogg", "opus"): ".opus"}
_INPUT = re.compile(r"^Input #0, (\S+), from", re.MULTILINE)
_SOUND = re.compile(r"^  Stream #\S+: Audio: (\w+)", re.MULTILINE)
_PICTURES = re.compile(r"^  Stream #\S+: Video: (?!.*\(attached pic\))", re.MULTILINE)  # a cover is no film
_PIECES = re.compile(r"^Input #0, mpegts,|^    major_brand +: dash$", re.MULTILINE)  # as HLS and DASH send them


class _Inside(NamedTuple):
    """What ffmpeg sees in a file: its container, the codec of its first soundtrack, and all that it says of it."""

    container: str
    codec: str
    banner: str

    @property
    def suffix(self) -> str:
        """How a file of this container and codec is named."""
        by_container = _NAMES.get(self.container, f".{self.container}")
        return _NAMES_BY_CODEC.get((self.container, self.codec), by_container)


def announced_seconds(path: Path, *, ffmpeg: str, timeout: float | None = None) -> float | None:
    """Return how long a file says it is, in s; None if it says nothing, or is no audio.

    Parameters
    ----------
    path : Path
        The fetched file.
    ffmpeg, timeout
        As for `tasks.ingest.fetch.audio_length.packet_seconds`.
    """
    try:
        inside = _inside(path, ffmpeg, timeout)
    except AudioError:
        return None
    # ffmpeg does not tell what these announce from what it counted.
    is_read_here = inside.container in ("flac", "mp3", "ogg", "wav")
    return announced_duration(path) if is_read_here else banner_duration(inside.banner)


def audio_only(path: Path, *, ffmpeg: str, timeout: float | None = None) -> Path:
    """Take the sound out of a film, and out of the pieces of a stream; leave the content of a file of sound as it is.

    Parameters
    ----------
    path : Path
        The fetched file. It is removed if another is made.
    ffmpeg, timeout
        As for `tasks.ingest.fetch.audio_length.packet_seconds`.

    Returns
    -------
    Path
        The file, named after what it is and not after what a site calls it; or a new one beside it with the first
        soundtrack, packet by packet.

    Raises
    ------
    AudioError
        Of the class `transient`, if there is no sound in the file, or ffmpeg cannot take it out.
    OSError
        If the disk is full.
    subprocess.TimeoutExpired
        If it takes longer.
    """
    inside = _inside(path, ffmpeg, timeout)
    if _PICTURES.search(inside.banner) is None and _PIECES.search(inside.banner) is None:
        return path.rename(path.with_name(f"sound{inside.suffix}"))
    target = path.with_name(f"sound{_SUFFIXES.get(inside.codec, '.mka')}")
    return _made(path, target, ["-c", "copy"], ffmpeg=ffmpeg, timeout=timeout)


def as_mp3(path: Path, *, bitrate: int, seconds: float, ffmpeg: str, timeout: float | None = None) -> Path:
    """Make an MP3 of a file; one that is MP3 already is not encoded again, whatever its bit rate and its name.

    Parameters
    ----------
    path : Path
        The fetched file. It is removed if another is made.
    bitrate : int > 0
        In kbit/s.
    seconds : float
        Most that is encoded: the packets of a hostile file may hold more sound than their times say.
    ffmpeg, timeout
        As for `tasks.ingest.fetch.audio_length.packet_seconds`.

    Returns
    -------
    Path
        The MP3, beside the file; of the first soundtrack if there are several.

    Raises
    ------
    AudioError, OSError, subprocess.TimeoutExpired
        As for `audio_only`.
    """
    inside, target = _inside(path, ffmpeg, timeout), path.with_name("sound.mp3")
    if inside.container == inside.codec == "mp3":
        return path.rename(target)
    codec = ["copy"] if inside.codec == "mp3" else ["libmp3lame", "-b:a", f"{bitrate}k"]
    return _made(path, target, ["-c:a", *codec, "-t", f"{seconds:.3f}"], ffmpeg=ffmpeg, timeout=timeout)


def _inside(path: Path, ffmpeg: str, timeout: float | None) -> _Inside:
    banner = _run([ffmpeg, "-hide_banner", *ffmpeg_input(path)], timeout).stderr
    container, codec = _INPUT.search(banner), _SOUND.search(banner)
    if container is None or codec is None:
        raise no_audio_error(path)
    return _Inside(container[1].partition(",")[0], codec[1], banner)


def _made(path: Path, target: Path, codec: list[str], *, ffmpeg: str, timeout: float | None) -> Path:
    """Make another file of the first soundtrack, and remove the one that it comes from."""
    run = _run(first_stream_command(path, [*codec, "-y", f"file:{target.absolute()}"], ffmpeg), timeout)
    if run.returncode:
        if "No space left" in run.stderr:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
        words = (run.stderr.strip().splitlines() or ["no message"])[-1]
        raise AudioError(f"ffmpeg cannot take the sound out of it ({words}); {TRY_AGAIN}", "transient")
    path.unlink()
    return target


def _run(command: list[str], timeout: float | None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  no shell; `find_ffmpeg` names the program
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=timeout,
    )

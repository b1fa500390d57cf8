"""Extraction of the audio from a downloaded file, and conversion to MP3.

Audio that only moves to another container is copied packet by packet, without changing any sample. The files that
ffmpeg may read and its run time are limited as in `tasks.ingest.fetch.audio_length`.

`FFmpegExtractAudio` of yt-dlp is not used, because it does not support such limits. Besides, with the codec `best` it
moves Opus from a WebM file to an Ogg file, whose header does not contain the length.
"""

from __future__ import annotations

import errno
import os
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

from songform.audio.decoders import DecodingError, open_decoder
from songform.audio.headers import announced_duration, banner_duration, ffmpeg_input, other_streams
from songform.errors import AudioError
from tasks.ingest.failures.rules import TRY_AGAIN
from tasks.ingest.fetch.audio_length import first_stream_command, no_audio_error

__all__ = ["announced_seconds", "as_mp3", "audio_only", "stream_notes"]

# Containers for extracted audio: their headers state the length, and browsers play them. Matroska is for other codecs.
_SUFFIXES = {"aac": ".m4a", "alac": ".m4a", "mp3": ".mp3", "opus": ".webm", "vorbis": ".webm"}
# Suffixes of files that keep their container, where the suffix differs from ffmpeg's name of the container.
_NAMES = {"asf": ".wma", "matroska": ".mka", "mov": ".m4a"}
_NAMES_BY_CODEC = {("matroska", "opus"): ".webm", ("matroska", "vorbis"): ".webm", ("ogg", "opus"): ".opus"}
_LOSSLESS = ("pcm_", "flac", "alac", "wavpack", "tta")
_PCM_CONTAINERS = ("wav", "w64")  # ffmpeg reports the codec of the bursts that it finds there
_INPUT = re.compile(r"^Input #0, (\S+), from", re.MULTILINE)
_SOUND = re.compile(r"^  Stream #\S+: Audio: (\w+)", re.MULTILINE)
_PICTURES = re.compile(r"^  Stream #\S+: Video: (?!.*\(attached pic\))", re.MULTILINE)  # a cover image is not a video
_PIECES = re.compile(r"^Input #0, mpegts,|^    major_brand +: dash$", re.MULTILINE)  # segments of HLS and DASH


class _Inside(NamedTuple):
    """Container of a file, codec of its first audio stream, and ffmpeg's complete description of the file."""

    container: str
    codec: str
    banner: str

    @property
    def suffix(self) -> str:
        """Suffix of a file with this container and codec."""
        by_container = _NAMES.get(self.container, f".{self.container}")
        return _NAMES_BY_CODEC.get((self.container, self.codec), by_container)


def announced_seconds(path: Path, *, ffmpeg: str, timeout: float | None = None) -> float | None:
    """Return the length that the header of a file states, in seconds; None if it states none or is not an audio file.

    Parameters
    ----------
    path : Path
        Path of the downloaded file.
    ffmpeg, timeout
        As for `tasks.ingest.fetch.audio_length.packet_seconds`.
    """
    try:
        inside = _inside(path, ffmpeg, timeout)
    except AudioError:
        return None
    # For these containers, ffmpeg may print a measured length instead of the one in the header.
    is_read_here = inside.container in ("flac", "mp3", "ogg", "wav")
    return announced_duration(path) if is_read_here else banner_duration(inside.banner)


def stream_notes(path: Path, *, ffmpeg: str, timeout: float | None = None) -> tuple[str, ...]:
    """Return a note if a file contains several audio streams, of which only the first is kept.

    Parameters
    ----------
    path : Path
        Path of the downloaded file.
    ffmpeg, timeout
        As for `tasks.ingest.fetch.audio_length.packet_seconds`.
    """
    others = other_streams(_inside(path, ffmpeg, timeout).banner)
    return (f"contains {len(others) + 1} audio streams; the first is used, not {', '.join(others)}",) if others else ()


def audio_only(path: Path, *, ffmpeg: str, timeout: float | None = None) -> Path:
    """Extract the audio from a video or from stream segments; leave the content of an audio file unchanged.

    Parameters
    ----------
    path : Path
        Path of the downloaded file, which is removed if a new file is made.
    ffmpeg, timeout
        As for `tasks.ingest.fetch.audio_length.packet_seconds`.

    Returns
    -------
    Path
        Path of the file, renamed according to its content; or of a new file next to it with the first audio stream,
        copied packet by packet.

    Raises
    ------
    AudioError
        Of the class `transient`, if the file contains no audio or ffmpeg cannot extract it.
    OSError
        If the disk is full.
    subprocess.TimeoutExpired
        If ffmpeg exceeds the timeout.
    """
    inside = _inside(path, ffmpeg, timeout)
    if _PICTURES.search(inside.banner) is None and _PIECES.search(inside.banner) is None:
        return path.rename(path.with_name(f"sound{inside.suffix}"))
    target = path.with_name(f"sound{_SUFFIXES.get(inside.codec, '.mka')}")
    return _made(path, target, ["-c", "copy"], ffmpeg=ffmpeg, timeout=timeout) or path


def as_mp3(path: Path, *, bitrate: int, seconds: float, ffmpeg: str, timeout: float | None = None) -> Path:
    """Convert a file to MP3; an MP3 of any bit rate is not encoded again.

    A damaged file is not converted either, because an MP3 would not show where audio is missing. A file with bursts of
    AC-3 or DTS instead of samples is not converted, because an MP3 would not preserve them.

    Parameters
    ----------
    path : Path
        Path of the downloaded file, which is removed if a new file is made.
    bitrate : int > 0
        Bit rate, in kbit/s.
    seconds : float
        Maximum length of the output, in seconds: a malicious file may contain more audio than its timestamps indicate.
    ffmpeg, timeout
        As for `tasks.ingest.fetch.audio_length.packet_seconds`.

    Returns
    -------
    Path
        Path of the MP3 in the same folder, with the first audio stream. For a damaged file or a file with bursts: the
        path that `audio_only` returns.

    Raises
    ------
    AudioError, OSError, subprocess.TimeoutExpired
        As for `audio_only`.
    """
    inside, target = _inside(path, ffmpeg, timeout), path.with_name("sound.mp3")
    if inside.container == inside.codec == "mp3":
        return path.rename(target)
    if _has_bursts(path, inside, seconds, ffmpeg):
        return audio_only(path, ffmpeg=ffmpeg, timeout=timeout)
    codec = ["copy"] if inside.codec == "mp3" else ["libmp3lame", "-b:a", f"{bitrate}k"]
    made = _made(path, target, ["-c:a", *codec, "-t", f"{seconds:.3f}"], ffmpeg=ffmpeg, timeout=timeout, is_strict=True)
    return made or audio_only(path, ffmpeg=ffmpeg, timeout=timeout)


def _has_bursts(path: Path, inside: _Inside, seconds: float, ffmpeg: str) -> bool:
    """Return whether the first seconds of a file contain bursts; only lossless formats preserve them."""
    if inside.container not in _PCM_CONTAINERS and not inside.codec.startswith(_LOSSLESS):
        return False
    try:
        with open_decoder(path, ffmpeg=ffmpeg) as decoder:
            n_samples = 0
            for block in decoder.blocks:
                n_samples += len(block)
                if decoder.notes or n_samples > seconds * decoder.sr:
                    break
            return bool(decoder.notes)
    except (AudioError, DecodingError):
        return False  # the conversion or the extraction reports the error


def _inside(path: Path, ffmpeg: str, timeout: float | None) -> _Inside:
    banner = _run([ffmpeg, "-hide_banner", *ffmpeg_input(path)], timeout).stderr
    container, codec = _INPUT.search(banner), _SOUND.search(banner)
    if container is None or codec is None:
        raise no_audio_error(path)
    return _Inside(container[1].partition(",")[0], codec[1], banner)


def _made(
    path: Path, target: Path, codec: list[str], *, ffmpeg: str, timeout: float | None, is_strict: bool = False
) -> Path | None:
    """Write the first audio stream to a new file, and remove the original.

    Returns
    -------
    Path or None
        Path of the new file; None if `is_strict` and ffmpeg reported errors.
    """
    run = _run(first_stream_command(path, [*codec, "-y", f"file:{target.absolute()}"], ffmpeg), timeout)
    if run.returncode:
        if "No space left" in run.stderr:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
        words = (run.stderr.strip().splitlines() or ["no message"])[-1]
        raise AudioError(f"ffmpeg cannot extract its audio ({words}); {TRY_AGAIN}", "transient")
    if is_strict and run.stderr.strip():
        target.unlink()
        return None
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

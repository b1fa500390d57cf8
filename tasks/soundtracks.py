"""Soundtracks: what of a fetched file is sound, and how long it is, without decoding it.

ffmpeg takes a file apart into its packets and, if it is asked to, puts those of the sound into a file of their own.
Both cost little more than reading the file, and not one sample changes. A header may announce what never came; the
packets are what is there.

yt-dlp's `FFmpegExtractAudio` with the codec `best` is not used for this: it moves the Opus of a WebM file into an Ogg
file, which does not announce its length any more, and a codec that it does not know it encodes to MP3.
"""

from __future__ import annotations

import errno
import os
import re
import subprocess
from pathlib import Path

from songform.containers import ffmpeg_banner
from songform.errors import AudioError

__all__ = ["packet_seconds", "sound_alone"]

# Containers that announce their length and that browsers play; Matroska takes everything else.
_SUFFIXES = {"aac": ".m4a", "alac": ".m4a", "opus": ".webm", "vorbis": ".webm"}
_SOUND = re.compile(r"Stream #\S+: Audio: (\w+)")
_PICTURES = re.compile(r"Stream #\S+: Video: (?!.*\(attached pic\))")  # a cover is no film


def packet_seconds(path: Path, *, ffmpeg: str) -> float:
    """Return how much sound a file holds: the end of its last packet.

    Parameters
    ----------
    path : Path
        A file of any container.
    ffmpeg : str
        The program, as `find_ffmpeg` gives it.

    Returns
    -------
    float
        In s; of the first soundtrack if there are several.

    Raises
    ------
    AudioError
        Of the class `transient`, if there is no sound in the file.
    """
    run = _copied(path, ["-f", "null", "-progress", "pipe:1", "-nostats", "-"], ffmpeg=ffmpeg)
    ends = re.findall(r"out_time_us=(\d+)", run.stdout)
    if run.returncode or not ends:
        raise _no_audio()
    return int(ends[-1]) / 1e6


def sound_alone(path: Path, *, ffmpeg: str) -> Path:
    """Take the sound out of a film; leave a file of sound as it is.

    Parameters
    ----------
    path : Path
        The fetched file. A film is removed.
    ffmpeg : str
        The program.

    Returns
    -------
    Path
        The file itself, or a new one beside it with the first soundtrack, packet by packet.

    Raises
    ------
    AudioError
        Of the class `transient`, if there is no sound in the file, or ffmpeg cannot take it out.
    OSError
        If the disk is full.
    """
    banner = ffmpeg_banner(path, ffmpeg)
    codec = _SOUND.search(banner)
    if codec is None:
        raise _no_audio()
    if _PICTURES.search(banner) is None:
        return path
    target = path.with_name(f"sound{_SUFFIXES.get(codec[1], '.mka')}")
    run = _copied(path, ["-y", f"file:{target.absolute()}"], ffmpeg=ffmpeg)
    if run.returncode:
        if "No space left" in run.stderr:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
        words = (run.stderr.strip().splitlines() or ["no message"])[-1]
        raise AudioError(f"ffmpeg cannot take the sound out of it ({words}); try again later", "transient")
    path.unlink()
    return target


def _copied(path: Path, output: list[str], *, ffmpeg: str) -> subprocess.CompletedProcess[str]:
    """Let ffmpeg copy the packets of the first soundtrack; it opens nothing but this file."""
    command = [ffmpeg, "-nostdin", "-v", "error", "-protocol_whitelist", "file,pipe", "-i", f"file:{path.absolute()}"]
    command += ["-map", "0:a:0", "-c", "copy", *output]
    return subprocess.run(  # noqa: S603  no shell; `find_ffmpeg` names the program
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
    )


def _no_audio() -> AudioError:
    return AudioError("what the server sent is no audio, perhaps an error page; try again later", "transient")

"""Recognition of audio files by their content.

A file with the suffix of a common audio format is always listed, so that a damaged one is reported. ffmpeg examines any
other file, except those that begin like text, a picture, a document or an archive. ffmpeg also finds sound in random
bytes, and warns about that; such a file is not taken for audio.
"""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from songform.audio.headers import ffmpeg_input
from songform.plain_text import plain_text
from tasks.ingest.ffmpeg import find_ffmpeg
from tasks.store.corpus import AUDIO_SUFFIXES

__all__ = ["SkippedFiles", "has_audio_suffix", "is_audio"]

PROBE_SECONDS = 60.0
_START_BYTES = 4096
_MAX_NAMED = 8  # suffixes that a note names

_OTHER = (
    *(b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"8BPS"),  # pictures
    *(b"%PDF", b"{\\rtf", b"PK\x03\x04", b"Rar!", b"7z\xbc\xaf", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\xd0\xcf\x11\xe0"),
    *(b"SQLite format 3", b"\x7fELF", b"MZ", b"PAR1", b"bplist"),
)
_CONTROL = re.compile(
    rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]"
)  # bytes that text in any 8-bit encoding does not contain
_SOUND = re.compile(r"^ +Stream #\S+: Audio: (?!none\b)\w+.*\b\d+ Hz", re.MULTILINE)
_DOUBTFUL = re.compile(r"misdetection possible", re.IGNORECASE)


def has_audio_suffix(path: Path) -> bool:
    """Return whether a file has the suffix of a common audio format."""
    return path.suffix.lower() in AUDIO_SUFFIXES


def is_audio(path: Path) -> bool:
    """Return whether a file has audio that ffmpeg decodes.

    Parameters
    ----------
    path : Path
        Absolute path of a regular file.

    Raises
    ------
    OSError
        If the file cannot be read.
    TrackError
        If there is no ffmpeg.
    """
    with path.open("rb") as file:
        start = file.read(_START_BYTES)
    if not start or start.startswith(_OTHER) or start[8:12] == b"WEBP" or _CONTROL.search(start) is None:
        return False
    ffmpeg = find_ffmpeg()
    try:
        banner = _banner(path, ffmpeg)
    except subprocess.TimeoutExpired:
        return False
    return _SOUND.search(banner) is not None and _DOUBTFUL.search(banner) is None


def _banner(path: Path, ffmpeg: str) -> str:
    run = subprocess.run(  # noqa: S603  no shell, and the path is one argument
        [ffmpeg, *ffmpeg_input(path)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PROBE_SECONDS,
        check=False,
    )
    return run.stderr.decode(errors="replace")


@dataclass
class SkippedFiles:
    """Counts of the files of a folder that are not audio, by suffix."""

    counts: Counter[str] = field(default_factory=Counter)

    def add(self, path: Path) -> None:
        """Count a file."""
        self.counts[path.suffix.lower() or "without a suffix"] += 1

    def notes(self, folder: str) -> tuple[str, ...]:
        """Return one sentence with the number of skipped files, or nothing if there are none.

        Parameters
        ----------
        folder : str
            Name of the folder.
        """
        total = self.counts.total()
        if not total:
            return ()
        named = [f"{number} {plain_text(suffix)}" for suffix, number in self.counts.most_common(_MAX_NAMED)]
        more = total - sum(number for _, number in self.counts.most_common(_MAX_NAMED))
        named += [f"{more} others"] if more else []
        files = "1 file that is not audio was" if total == 1 else f"{total} files that are not audio were"
        return (f"{folder}: {files} skipped ({', '.join(named)})",)

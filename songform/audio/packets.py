"""Times of the packets in a file, and of the frames that are decoded from them, as reported by ffmpeg.

ffmpeg's muxer `framecrc` prints the start and the duration of each packet. Copying packets takes little more time than
reading the file. The times of decoded frames show where audio is missing in a damaged file; this costs a second decode,
and is therefore done only after the decoder reported errors, or if the audio is shorter than the container states.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from songform.audio.headers import ffmpeg_input
from songform.audio.layout import Gap, missing_seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["StreamTimes", "decoded_gaps", "packet_times"]

MIN_GAP = 0.02  # seconds; the times of some containers are rounded to milliseconds, or vary by a fraction of a packet
MAX_EXCESS = 1.0  # seconds by which a stated duration may be too short


@dataclass
class StreamTimes:
    """Times of one stream, in seconds.

    Attributes
    ----------
    start, end : float
        Start of the first packet, and the latest end of a packet.
    """

    start: float
    end: float


def packet_times(path: str | Path, *, ffmpeg: str) -> dict[int, StreamTimes]:
    """Return the times of each stream of a file, by the number of the stream.

    Parameters
    ----------
    path : path
        Path of a media file.
    ffmpeg : str
        Path of the ffmpeg executable.
    """
    found: dict[int, StreamTimes] = {}
    for stream, start, duration in _times(path, ["-map", "0:v?", "-map", "0:a?", "-map", "0:s?", "-c", "copy"], ffmpeg):
        known = found.setdefault(stream, StreamTimes(start, start))
        known.end = max(known.end, start + duration)
    return found


def decoded_gaps(path: str | Path, *, ffmpeg: str, stated: float | None = None) -> list[Gap]:
    """Decode the first audio stream of a file, and return the places at which audio is missing.

    Parameters
    ----------
    path : path
        Path of a media file.
    ffmpeg : str
        Path of the ffmpeg executable.
    stated : float, optional
        Duration in seconds according to the container. A gap that exceeds it is a damaged time, and what the whole file
        lacks is then the length of the gap.
    """
    gaps: list[Gap] = []
    decoded, latest, origin, wrong_at = 0.0, 0.0, None, None
    for _, start, duration in _times(path, ["-map", "0:a:0"], ffmpeg):
        origin = start if origin is None else origin
        lag = start - origin - decoded  # grows where audio is missing
        if stated is not None and lag - latest > MAX_EXCESS + max(0.0, stated - decoded):
            wrong_at = decoded if wrong_at is None else wrong_at
        elif lag > latest + MIN_GAP:
            gaps.append(Gap(decoded, lag - latest))
            latest = lag
        decoded += duration
    if wrong_at is not None and stated is not None:
        gaps.append(Gap(wrong_at, max(0.0, stated - decoded - missing_seconds(gaps))))
    return sorted(gaps, key=lambda gap: gap.start)


def _times(path: str | Path, output: list[str], ffmpeg: str) -> Iterator[tuple[int, float, float]]:
    """Yield the stream, the start and the duration of each packet that ffmpeg writes."""
    command = [ffmpeg, "-v", "error", *ffmpeg_input(path), *output, "-f", "framecrc", "pipe:1"]
    with subprocess.Popen(  # noqa: S603 - no shell; the caller names the program
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield from _parsed(line.decode(errors="replace") for line in process.stdout or ())
        finally:
            process.kill()


def _parsed(lines: Iterable[str]) -> Iterator[tuple[int, float, float]]:
    ticks: dict[int, float] = {}
    for line in lines:
        if line.startswith("#tb "):
            stream, _, tick = line[4:].partition(":")
            ticks[int(stream)] = float(Fraction(tick.strip()))
        elif not line.startswith("#"):
            stream, _, start, duration = line.split(",", 4)[:4]
            # The duration of the last packet of an Ogg file may be negative; ffmpeg prints it as unsigned.
            length = int(duration) if int(duration) < 2**31 else int(duration) - 2**32
            yield int(stream), int(start) * ticks[int(stream)], length * ticks[int(stream)]

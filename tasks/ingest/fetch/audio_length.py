"""Length of the audio in a file, measured without decoding it.

The header of an incomplete file states the full length, so the length is computed from the packets that are in the
file. ffmpeg splits a file into packets in little more time than reading it takes.

A file from the web may be a disguised playlist that refers to other files or machines. Therefore ffmpeg may read only
this file (`-protocol_whitelist`), and only containers that hold audio themselves (`-format_whitelist`). Its run time is
limited.
"""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

from songform.audio.headers import ffmpeg_input
from songform.errors import AudioError
from tasks.ingest.failures.rules import NOT_AUDIO, UNKNOWN_FORMAT

__all__ = ["first_stream_command", "no_audio_error", "packet_seconds"]


def packet_seconds(path: Path, *, ffmpeg: str, timeout: float | None = None) -> float:
    """Return the length of the audio in a file, which is the end of its last packet.

    Parameters
    ----------
    path : Path
        Path of a media file.
    ffmpeg : str
        Path of the ffmpeg executable, as returned by `find_ffmpeg`.
    timeout : float, optional
        Maximum run time, in seconds.

    Returns
    -------
    float
        Length of the first audio stream, in seconds.

    Raises
    ------
    AudioError
        Of the class `transient`, if the file contains no audio.
    subprocess.TimeoutExpired
        If ffmpeg exceeds the timeout.
    """
    tick, end = Fraction(0), 0
    with _lines(first_stream_command(path, ["-c", "copy", "-f", "framecrc", "-"], ffmpeg), timeout) as lines:
        for line in lines:
            if line.startswith("#tb 0:"):
                tick = Fraction(line[6:].strip())
            elif not line.startswith("#"):
                start, duration = map(int, line.split(",", 4)[2:4])
                # The duration of the last packet of an Ogg file may be negative; ffmpeg prints it as unsigned.
                end = max(end, start + (duration if duration < 2**31 else duration - 2**32))
    if not end:
        raise no_audio_error(path)
    return float(end * tick)


def first_stream_command(path: Path, output: list[str], ffmpeg: str) -> list[str]:
    """Return the ffmpeg command that writes the first audio stream of a file to an output."""
    return [ffmpeg, "-v", "error", *ffmpeg_input(path), "-map", "0:a:0", *output]


def no_audio_error(path: Path) -> AudioError:
    """Return the error for a file without audio: an error page is a temporary failure, a broken file stays broken."""
    with path.open("rb") as file:
        is_text = re.search(rb"[\x00-\x08\x0e-\x1f]", file.read(512)) is None
    reason = NOT_AUDIO if is_text else UNKNOWN_FORMAT
    error = AudioError(f"{reason.cause}; {reason.fix}", reason.failure)
    error.repeated = reason.repeated
    return error


@contextmanager
def _lines(command: list[str], timeout: float | None) -> Iterator[Iterable[str]]:
    """Run a program, and yield the lines of its output as they are printed."""
    is_late = threading.Event()

    def end() -> None:
        is_late.set()
        run.kill()

    with subprocess.Popen(  # noqa: S603  no shell; `find_ffmpeg` names the program
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as run:
        timer = threading.Timer(threading.TIMEOUT_MAX if timeout is None else timeout, end)
        timer.start()
        try:
            yield map(bytes.decode, run.stdout or ())
        finally:
            timer.cancel()
            run.kill()
    if is_late.is_set():
        raise subprocess.TimeoutExpired(command, timeout or 0.0)

"""Packets: how much sound a file holds, without decoding it.

A header may announce what never came; the packets are what is there. ffmpeg takes a file apart into them, which costs
little more than reading it.

A stranger's file may be something else than it says: a playlist in disguise, which names other files or machines. So
ffmpeg reads this very file (`-protocol_whitelist`), and only as one of the containers that hold sound themselves
(`-format_whitelist`). And it never outlives the time that it is given.
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
    """Return how much sound a file holds: the end of its last packet.

    Parameters
    ----------
    path : Path
        A file of any container.
    ffmpeg : str
        The program, as `find_ffmpeg` gives it.
    timeout : float, optional
        Seconds that it may take.

    Returns
    -------
    float
        In s; of the first soundtrack if there are several.

    Raises
    ------
    AudioError
        Of the class `transient`, if there is no sound in the file.
    subprocess.TimeoutExpired
        If it takes longer.
    """
    tick, end = Fraction(0), 0
    with _lines(first_stream_command(path, ["-c", "copy", "-f", "framecrc", "-"], ffmpeg), timeout) as lines:
        for line in lines:
            if line.startswith("#tb 0:"):
                tick = Fraction(line[6:].strip())
            elif not line.startswith("#"):
                start, duration = map(int, line.split(",", 4)[2:4])
                # The last packet of an Ogg file may end before it begins, and ffmpeg knows no sign there.
                end = max(end, start + (duration if duration < 2**31 else duration - 2**32))
    if not end:
        raise no_audio_error(path)
    return float(end * tick)


def first_stream_command(path: Path, output: list[str], ffmpeg: str) -> list[str]:
    """Return ffmpeg's command to write the first soundtrack of a file to an output."""
    return [ffmpeg, "-v", "error", *ffmpeg_input(path), "-map", "0:a:0", *output]


def no_audio_error(path: Path) -> AudioError:
    """Return why there is no sound: a page that calls itself audio ends with its reason, a broken file stays broken."""
    with path.open("rb") as file:
        is_text = re.search(rb"[\x00-\x08\x0e-\x1f]", file.read(512)) is None
    reason = NOT_AUDIO if is_text else UNKNOWN_FORMAT
    error = AudioError(f"{reason.cause}; {reason.fix}", reason.failure)
    error.repeated = reason.repeated
    return error


@contextmanager
def _lines(command: list[str], timeout: float | None) -> Iterator[Iterable[str]]:
    """Run a program, and read the lines that it prints while it does so."""
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

"""Decoding with ffmpeg, through a pipe.

ffmpeg opens the file itself because it needs to seek. In this case the file is read a second time to compute its hash.
Of several audio streams, the first is decoded. Parts of a file that differ in their sampling rate or their number of
channels are decoded one after the other, and resampled to the rate of the first part.

ffmpeg does not mix the channels here: its option `-ac 1` preserves the power instead of the mean, and its output is up
to 3 dB louder.

References
----------
ffmpeg's `wav` muxer, whose header contains the format but no length when it writes to a pipe, and its protocol
`subfile`.
"""

from __future__ import annotations

import re
import struct
import subprocess
import tempfile
import threading
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, cast

import numpy as np

from songform.audio.headers import ffmpeg_input
from songform.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from songform.audio.layout import Part

__all__ = ["DecodingError", "FFmpegStream", "ffmpeg_name", "open_ffmpeg", "open_ffmpeg_pipe"]

MAX_MESSAGES = 2**20  # bytes; ffmpeg prints several lines per damaged frame
# Messages of ffmpeg's decoding thread, of its parsers, and of demuxers that check sums.
OF_AUDIO = re.compile(r"\[dec:|decoding|incomplete frame|CRC", re.IGNORECASE)
# Messages about the end of ffmpeg's threads, which follow the message with the cause.
OF_THREADS = re.compile(r"Task finished with|Terminating thread with|Error sending frames to consumers")


class DecodingError(Exception):
    """Decoding failed in the middle of a file; the message is the decoder's own."""


@dataclass
class FFmpegStream:
    """Audio that ffmpeg decodes.

    Attributes
    ----------
    sr, channels : int
        Sampling rate in Hz, and number of channels of the first part.
    blocks : iterator of np.ndarray, shape (n, channels)
        Blocks of float32 samples.
    has_errors : bool
        Whether ffmpeg has reported errors in the parts that have been read to their end so far.
    is_damaged : bool
        Whether these errors are about the audio, and not about a picture in a tag, for example.
    """

    sr: int
    channels: int
    blocks: Iterator[NDArray[np.float32]] = field(default_factory=lambda: iter(()))
    has_errors: bool = False
    is_damaged: bool = False


def ffmpeg_name(banner: str) -> str:
    """Return the name and version of ffmpeg, given what it printed about a file."""
    version = re.match(r"ffmpeg version (n?[\d.]+|\S+)", banner)
    return f"ffmpeg {version[1] if version else 'of unknown version'}"


@contextmanager
def open_ffmpeg(path: Path, ffmpeg: str, *, block_length: int, parts: Sequence[Part] = ()) -> Iterator[FFmpegStream]:
    """Decode the first audio stream of a file.

    Parameters
    ----------
    path : Path
        Path of the file.
    ffmpeg : str
        Path of the ffmpeg executable.
    block_length : int
        Number of samples per channel in a block.
    parts : sequence of Part
        Parts that must be decoded separately. Default: the whole file.

    Raises
    ------
    AudioError
        If the file contains no audio.
    """
    first, *others = parts or (None,)
    with _ffmpeg_pipe(path, ffmpeg, first) as pipe:
        stream = FFmpegStream(*_wav_format(pipe, path))
        pipes: list[AbstractContextManager[_Pipe]] = [nullcontext(pipe)]
        pipes += [_ffmpeg_pipe(path, ffmpeg, part, stream.sr) for part in others]
        with closing(_all_blocks(stream, pipes, path, block_length)) as stream.blocks:
            yield stream


@contextmanager
def open_ffmpeg_pipe(
    data: Iterable[bytes], demuxer: str, sr: int, path: Path, ffmpeg: str, *, block_length: int
) -> Iterator[FFmpegStream]:
    """Decode data that is not a file of its own.

    Parameters
    ----------
    data : iterable of bytes
        The data; a thread iterates over it.
    demuxer : str
        ffmpeg's name of the format.
    sr : int
        Sampling rate of the decoded audio, in Hz.
    path, ffmpeg, block_length
        As in `open_ffmpeg`; the path is used for error messages.

    Raises
    ------
    AudioError
        If the data contains no audio.
    """
    with _running([ffmpeg, "-v", "error", "-f", demuxer, "-i", "pipe:0"], sr, is_fed=True) as pipe, _fed(pipe, data):
        stream = FFmpegStream(*_wav_format(pipe, path))
        with closing(_blocks(stream, pipe, stream.channels, block_length)) as stream.blocks:
            yield stream


@contextmanager
def _fed(pipe: _Pipe, data: Iterable[bytes]) -> Iterator[None]:
    """Write data to a process in a thread, because the process blocks if its output is not read."""
    errors: list[Exception] = []

    def feed() -> None:
        try:
            with cast("IO[bytes]", pipe.process.stdin) as stdin:
                for part in data:
                    stdin.write(part)
        except BrokenPipeError:
            pass  # the process has ended
        except Exception as error:  # noqa: BLE001 - raised below, in the thread that reads
            errors.append(error)

    thread = threading.Thread(target=feed)
    thread.start()
    try:
        yield
    finally:
        pipe.process.kill()  # so that the thread does not wait for a process whose output is not read
        thread.join()
    if errors:
        raise errors[0]


@dataclass
class _Pipe:
    """A running ffmpeg process, and the file with its messages."""

    process: subprocess.Popen[bytes]
    stdout: IO[bytes]
    errors: IO[bytes]

    def messages(self) -> str:
        self.errors.seek(0)
        return self.errors.read(MAX_MESSAGES).decode(errors="replace")

    def last_line(self) -> str:
        lines = [line.strip() for line in reversed(self.messages().split("\n")) if line.strip()]
        last = next((line for line in lines if OF_THREADS.search(line) is None), "no message")
        return re.sub(r"\[[^]]* @ 0x[0-9a-f]+\] ", "", last)  # a memory address is of no use to the reader


def _ffmpeg_pipe(path: Path, ffmpeg: str, part: Part | None, sr: int | None = None) -> AbstractContextManager[_Pipe]:
    input_of_part = ffmpeg_input(path) if part is None else ffmpeg_input(path, part=(part.start, part.end))
    return _running([ffmpeg, "-v", "error", *input_of_part], sr)


@contextmanager
def _running(command: Sequence[str], sr: int | None, *, is_fed: bool = False) -> Iterator[_Pipe]:
    """Run ffmpeg with the given input, and decode the first audio stream to its standard output."""
    rate = [] if sr is None else ["-ar", str(sr)]
    output = ["-map", "0:a:0", *rate, "-f", "wav", "-c:a", "pcm_f32le", "pipe:1"]
    stdin = subprocess.PIPE if is_fed else subprocess.DEVNULL
    # Messages are written to a file because ffmpeg would block on a full pipe that is not read.
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen([*command, *output], stdin=stdin, stdout=subprocess.PIPE, stderr=errors) as process,  # noqa: S603 - no shell; the caller names the program
    ):
        try:
            yield _Pipe(process, cast("IO[bytes]", process.stdout), errors)
        finally:
            process.kill()  # so that a caller who stops reading early does not wait for the rest


def _all_blocks(
    stream: FFmpegStream, pipes: Iterable[AbstractContextManager[_Pipe]], path: Path, block_length: int
) -> Generator[NDArray[np.float32]]:
    for number, opened in enumerate(pipes):
        with opened as pipe:
            channels = _wav_format(pipe, path)[1] if number else stream.channels
            yield from _blocks(stream, pipe, channels, block_length)


def _wav_format(pipe: _Pipe, path: Path) -> tuple[int, int]:
    sr = channels = 0
    pipe.stdout.read(12)  # RIFF, a size that is not known on a pipe, WAVE
    while len(head := pipe.stdout.read(8)) == 8:
        name, size = struct.unpack("<4sI", head)
        if name == b"data":
            return sr, channels
        body = pipe.stdout.read(size + size % 2)
        if name == b"fmt ":
            channels, sr = struct.unpack_from("<HI", body, 2)
    raise AudioError(
        f"{path.name} contains no audio that ffmpeg can read ({pipe.last_line()}); "
        "it may be a web page, an incomplete file, or not an audio file; check the file or find another copy"
    )


def _blocks(stream: FFmpegStream, pipe: _Pipe, channels: int, block_length: int) -> Generator[NDArray[np.float32]]:
    width = 4 * channels
    while data := pipe.stdout.read(block_length * width):
        if whole := len(data) // width:  # ffmpeg may end in the middle of a sample
            yield np.frombuffer(data, "<f4", whole * channels).reshape(-1, channels)
    failed = pipe.process.wait()
    messages = pipe.messages()
    stream.has_errors |= bool(messages)
    stream.is_damaged |= OF_AUDIO.search(messages) is not None
    if failed:
        raise DecodingError(f"ffmpeg: {pipe.last_line()}")

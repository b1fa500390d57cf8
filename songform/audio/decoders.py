"""Decoders: an audio file as a stream of blocks, by libsndfile or by ffmpeg.

Both give the file's own sampling rate and all its channels, float32, in blocks of 65,536 sample times. libsndfile reads
WAV, FLAC, Ogg (Vorbis and Opus), MP3 and more inside this process, and its bytes are hashed on their way to it.
Everything else (M4A, WebM, ...), and FLAC or WAV that was streamed and does not know its length, goes through a pipe
from ffmpeg. ffmpeg opens the file itself, as it must jump about in it, so there the hash is a reading of its own.
`HashingFile` computes the SHA-256 while libsndfile reads; what the decoder left out (a picture in a tag, a list of
chapters at the end) is read when the hash is asked for.

ffmpeg is not asked to mix the channels: its `-ac 1` keeps the power, not the mean, and is up to 3 dB louder.

References
----------
libsndfile (`soundfile.SoundFile`); ffmpeg's `wav` muxer, whose header on a pipe gives the format, and no length.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import struct
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

import numpy as np
import soundfile

from songform.audio.headers import ffmpeg_banner, ffmpeg_input
from songform.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from _typeshed import WriteableBuffer
    from numpy.typing import NDArray

__all__ = ["Decoder", "HashingFile", "open_decoder"]

BUFFER = 65_536  # bytes that are read at a time: decoders ask for a few hundred


class HashingFile(io.BufferedReader):
    """A file, open to be read, that hashes each byte when it is first read from the disk.

    Parameters
    ----------
    path : Path
        The file. It keeps its name to itself: whoever reads it looks at what it is, not at what its suffix says.

    Examples
    --------
    >>> with HashingFile(Path("song.mp3")) as file:  # doctest: +SKIP
    ...     decode(file)
    ...     print(file.sha256())
    """

    name = ""

    def __init__(self, path: Path) -> None:
        self._bytes = _HashedBytes(path)
        super().__init__(self._bytes, BUFFER)

    @property
    def error(self) -> OSError | None:
        """What the disk refused, if it did: nothing can be raised through libsndfile, so it sees the file's end."""
        return self._bytes.error

    def n_unread(self) -> int:
        """Return how many bytes lie behind those that were read from the beginning on, without a gap."""
        return os.fstat(self.fileno()).st_size - self._bytes.n_hashed

    def sha256(self) -> str:
        """Return the hash of the whole file in hex digits; what nobody has read so far is read now.

        Whoever reads the file goes on where he was.

        Raises
        ------
        OSError
            If the disk refused any of it.
        """
        return self._bytes.sha256()


class _HashedBytes(io.FileIO):
    """The file under the buffer."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), "rb")  # the name that an error tells
        self.error: OSError | None = None
        self.n_hashed = 0  # the file's first bytes that were hashed
        self._hash = hashlib.sha256()

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        start = self.tell()
        try:
            n_bytes = super().readinto(buffer) or 0
        except OSError as error:
            error.filename = self.name
            self.error = error
            return 0
        if start <= self.n_hashed < start + n_bytes:
            self._hash.update(memoryview(buffer).cast("B")[self.n_hashed - start : n_bytes])
            self.n_hashed = start + n_bytes
        return n_bytes

    def sha256(self) -> str:
        position, buffer = self.tell(), bytearray(BUFFER)
        self.seek(self.n_hashed)
        while self.readinto(buffer):
            pass
        if self.error:
            raise self.error
        self.seek(position)
        return self._hash.hexdigest()


BLOCK_LENGTH = 65_536  # sample times in a block: a quarter of a megabyte a channel
MAX_TRAILING_BYTES = 2**18  # bytes behind the last frame of FLAC: there may be a tag, but no music
UNKNOWN_FRAMES = 2**62  # libsndfile's length of a FLAC that was streamed is about 2**63 samples


@dataclass(frozen=True)
class Decoder:
    """An open file.

    Attributes
    ----------
    name : str
        The decoder and its version, e.g. ``libsndfile 1.2.2`` or ``ffmpeg n9.0.2``.
    sr, channels : int
        The file's own sampling rate, in Hz, and number of channels.
    blocks : iterator of np.ndarray, shape (n, channels)
        The samples, float32. Raises `DecodingError` where the decoder gives up.
    sha256 : callable
        Gives the hash of the file, quickest when the blocks are read.
    banner : str
        What ffmpeg says of the file; empty if it was not asked.
    """

    name: str
    sr: int
    channels: int
    blocks: Iterator[NDArray[np.float32]]
    sha256: Callable[[], str]
    banner: str = ""


class DecodingError(Exception):
    """The decoder gave up in the middle of a file; its text is what the decoder said."""


@contextmanager
def open_decoder(path: Path, *, ffmpeg: str | None = None) -> Iterator[Decoder]:
    """Open a file with the decoder that can read it.

    Parameters
    ----------
    path : Path
        An audio file.
    ffmpeg : str, optional
        Path of the ffmpeg executable.

    Raises
    ------
    AudioError
        If there is no sound in the file, or ffmpeg is needed and was not given.
    """
    with HashingFile(path) as bytes_of_file:
        file = _sound_file(bytes_of_file)
        if file is None:
            with _ffmpeg_decoder(path, bytes_of_file, ffmpeg) as decoder:
                yield decoder
            return
        with file:
            name = f"libsndfile {soundfile.__libsndfile_version__}"
            yield Decoder(
                name, file.samplerate, file.channels, _sound_file_blocks(file, bytes_of_file), bytes_of_file.sha256
            )


class _SoundStream(soundfile.SoundFile):  # type: ignore[misc]  # soundfile has no types
    """A sound file that is read from its beginning to its end."""

    def seekable(self) -> bool:
        # soundfile would seek, after each block, to where it is already: an MP3 decoder starts anew each time.
        return False


def _sound_file(bytes_of_file: HashingFile) -> soundfile.SoundFile | None:
    try:
        file = _SoundStream(bytes_of_file)
    except soundfile.SoundFileError:
        return None
    # A length that its writer could not know: the largest one in FLAC; none in WAV, which may be an empty song, too.
    if file.frames >= UNKNOWN_FRAMES or (file.frames == 0 and file.format in {"WAV", "WAVEX", "RF64"}):
        file.close()
        return None
    return file


def _sound_file_blocks(file: soundfile.SoundFile, bytes_of_file: HashingFile) -> Iterator[NDArray[np.float32]]:
    try:
        while len(block := file.read(BLOCK_LENGTH, dtype="float32", always_2d=True)):
            yield block
    except soundfile.SoundFileError as error:
        raise bytes_of_file.error or DecodingError(f"libsndfile: {error}") from error
    if bytes_of_file.error:
        raise bytes_of_file.error
    if file.format == "FLAC" and bytes_of_file.n_unread() > MAX_TRAILING_BYTES:
        raise DecodingError(f"its header ends it there, but {bytes_of_file.n_unread()} bytes follow")


@contextmanager
def _ffmpeg_decoder(path: Path, bytes_of_file: HashingFile, ffmpeg: str | None) -> Iterator[Decoder]:
    if ffmpeg is None:
        raise AudioError(
            f"{path.name} cannot be read by libsndfile and needs ffmpeg, which was not found; "
            "install the Python package imageio-ffmpeg, or ffmpeg itself",
            "environment",
        )
    banner = ffmpeg_banner(path, ffmpeg)
    version = re.match(r"ffmpeg version (n?[\d.]+|\S+)", banner)
    name = f"ffmpeg {version[1] if version else 'of unknown version'}"
    with _ffmpeg_pipe(path, ffmpeg) as (stdout, errors, process):
        sr, channels = _wav_format(stdout, path, errors)
        blocks = _pipe_blocks(stdout, channels, errors, process)
        yield Decoder(name, sr, channels, blocks, bytes_of_file.sha256, banner)


@contextmanager
def _ffmpeg_pipe(path: Path, ffmpeg: str) -> Iterator[tuple[IO[bytes], IO[bytes], subprocess.Popen[bytes]]]:
    command = [ffmpeg, "-v", "error", *ffmpeg_input(path), "-vn", "-f", "wav", "-c:a", "pcm_f32le", "pipe:1"]
    # The messages go to a file: a full pipe that nobody reads would stop ffmpeg.
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors) as process,  # noqa: S603 - no shell; the caller names the program
    ):
        try:
            yield cast("IO[bytes]", process.stdout), errors, process
        finally:
            process.kill()  # whoever stops reading early does not wait for the rest


def _wav_format(stdout: IO[bytes], path: Path, errors: IO[bytes]) -> tuple[int, int]:
    sr = channels = 0
    stdout.read(12)  # RIFF, a size that a pipe cannot know, WAVE
    while len(head := stdout.read(8)) == 8:
        name, size = struct.unpack("<4sI", head)
        if name == b"data":
            return sr, channels
        body = stdout.read(size + size % 2)
        if name == b"fmt ":
            channels, sr = struct.unpack_from("<HI", body, 2)
    raise AudioError(
        f"{path.name} holds no audio that ffmpeg can read ({_last_line(errors)}); "
        "it may be a web page, cut short, or no audio file at all"
    )


def _pipe_blocks(
    stdout: IO[bytes], channels: int, errors: IO[bytes], process: subprocess.Popen[bytes]
) -> Iterator[NDArray[np.float32]]:
    width = 4 * channels
    while data := stdout.read(BLOCK_LENGTH * width):
        if whole := len(data) // width:  # ffmpeg may die in the middle of a sample
            yield np.frombuffer(data, "<f4", whole * channels).reshape(-1, channels)
    if process.wait():
        raise DecodingError(f"ffmpeg: {_last_line(errors)}")


def _last_line(errors: IO[bytes]) -> str:
    errors.seek(0)
    lines = errors.read().decode(errors="replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "no message")
    return re.sub(r"\[[^]]* @ 0x[0-9a-f]+\] ", "", last)  # an address in memory helps nobody

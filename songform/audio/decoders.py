"""Decoders that read an audio file as a stream of blocks, using libsndfile or ffmpeg.

Both decoders return float32 samples at the file's own sampling rate, with all channels, in blocks of 65,536 samples per
channel. libsndfile reads WAV, FLAC, Ogg (Vorbis and Opus), MP3 and other formats inside this process. `HashingFile`
computes the SHA-256 of the file while libsndfile reads it. Parts that the decoder skips, such as a picture in a tag or
a list of chapters at the end, are read when the hash is requested.

ffmpeg decodes everything else (M4A, WebM, ...), and also streamed FLAC and WAV files whose header does not contain the
length. ffmpeg opens the file itself because it needs to seek, and its output is read through a pipe. In this case the
file is read a second time to compute the hash.

ffmpeg does not mix the channels here: its option `-ac 1` preserves the power instead of the mean, and its output is up
to 3 dB louder.

References
----------
libsndfile (`soundfile.SoundFile`); ffmpeg's `wav` muxer, whose header contains the format but no length when it writes
to a pipe.
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

BUFFER = 65_536  # bytes per read; decoders request only a few hundred at a time


class HashingFile(io.BufferedReader):
    """A file opened for reading that hashes each byte when it is first read from disk.

    Parameters
    ----------
    path : Path
        Path of the file. The attribute `name` is empty, so that decoders identify the format by the content of the file
        and not by its suffix.

    Examples
    --------
    >>> _ = Path("song.mp3").write_bytes(b"abc")
    >>> with HashingFile(Path("song.mp3")) as file:
    ...     file.sha256()[:8]
    'ba7816bf'
    """

    name = ""

    def __init__(self, path: Path) -> None:
        self._bytes = _HashedBytes(path)
        super().__init__(self._bytes, BUFFER)

    @property
    def error(self) -> OSError | None:
        """The error of a failed read, or None.

        Exceptions cannot pass through libsndfile, which therefore treats a failed read as the end of the file.
        """
        return self._bytes.error

    def n_unread(self) -> int:
        """Return the number of bytes after the contiguous part of the file that was read from the beginning."""
        return os.fstat(self.fileno()).st_size - self._bytes.n_hashed

    def sha256(self) -> str:
        """Return the hash of the whole file as hex digits.

        Bytes that have not been read yet are read now. The current position in the file does not change.

        Raises
        ------
        OSError
            If a part of the file could not be read.
        """
        return self._bytes.sha256()


class _HashedBytes(io.FileIO):
    """The unbuffered file below a `HashingFile`."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), "rb")  # errors contain this name
        self.error: OSError | None = None
        self.n_hashed = 0  # number of bytes hashed so far, from the beginning
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


BLOCK_LENGTH = 65_536  # samples per channel in a block: 256 kB per channel
MAX_TRAILING_BYTES = 2**18  # bytes after the last FLAC frame; a tag may be there, but no audio
UNKNOWN_FRAMES = 2**62  # libsndfile reports about 2**63 samples for a streamed FLAC file


@dataclass(frozen=True)
class Decoder:
    """An audio file opened by a decoder.

    Attributes
    ----------
    name : str
        Name and version of the decoder, e.g. ``libsndfile 1.2.2`` or ``ffmpeg n9.0.2``.
    sr, channels : int
        Sampling rate of the file in Hz, and number of channels.
    blocks : iterator of np.ndarray, shape (n, channels)
        Blocks of float32 samples. The iterator raises `DecodingError` if decoding fails.
    sha256 : callable
        Returns the SHA-256 of the file; fastest after all blocks have been read.
    banner : str
        Description of the file printed by ffmpeg; empty if ffmpeg was not used.
    """

    name: str
    sr: int
    channels: int
    blocks: Iterator[NDArray[np.float32]]
    sha256: Callable[[], str]
    banner: str = ""


class DecodingError(Exception):
    """Decoding failed in the middle of a file; the message is the decoder's own."""


@contextmanager
def open_decoder(path: Path, *, ffmpeg: str | None = None) -> Iterator[Decoder]:
    """Open a file with a decoder that can read it.

    Parameters
    ----------
    path : Path
        Path of an audio file.
    ffmpeg : str, optional
        Path of the ffmpeg executable.

    Raises
    ------
    AudioError
        If the file contains no audio, or if ffmpeg is needed and was not given.
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
    """A sound file that is read sequentially from beginning to end."""

    def seekable(self) -> bool:
        # soundfile would otherwise seek to the current position after each block, which restarts an MP3 decoder.
        return False


def _sound_file(bytes_of_file: HashingFile) -> soundfile.SoundFile | None:
    try:
        file = _SoundStream(bytes_of_file)
    except soundfile.SoundFileError:
        return None
    # The length was unknown when the file was written: FLAC then reports a huge length, and WAV 0, like an empty song.
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
        raise DecodingError(f"according to its header the audio ends here, but {bytes_of_file.n_unread()} bytes follow")


@contextmanager
def _ffmpeg_decoder(path: Path, bytes_of_file: HashingFile, ffmpeg: str | None) -> Iterator[Decoder]:
    if ffmpeg is None:
        raise AudioError(
            f"{path.name} cannot be read by libsndfile and needs ffmpeg, which was not found; "
            "install the Python package imageio-ffmpeg or ffmpeg itself",
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
    # Messages are written to a file because ffmpeg would block on a full pipe that is not read.
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors) as process,  # noqa: S603 - no shell; the caller names the program
    ):
        try:
            yield cast("IO[bytes]", process.stdout), errors, process
        finally:
            process.kill()  # so that a caller who stops reading early does not wait for the rest


def _wav_format(stdout: IO[bytes], path: Path, errors: IO[bytes]) -> tuple[int, int]:
    sr = channels = 0
    stdout.read(12)  # RIFF, a size that is not known on a pipe, WAVE
    while len(head := stdout.read(8)) == 8:
        name, size = struct.unpack("<4sI", head)
        if name == b"data":
            return sr, channels
        body = stdout.read(size + size % 2)
        if name == b"fmt ":
            channels, sr = struct.unpack_from("<HI", body, 2)
    raise AudioError(
        f"{path.name} contains no audio that ffmpeg can read ({_last_line(errors)}); "
        "it may be a web page, an incomplete file, or not an audio file; check the file or find another copy"
    )


def _pipe_blocks(
    stdout: IO[bytes], channels: int, errors: IO[bytes], process: subprocess.Popen[bytes]
) -> Iterator[NDArray[np.float32]]:
    width = 4 * channels
    while data := stdout.read(BLOCK_LENGTH * width):
        if whole := len(data) // width:  # ffmpeg may end in the middle of a sample
            yield np.frombuffer(data, "<f4", whole * channels).reshape(-1, channels)
    if process.wait():
        raise DecodingError(f"ffmpeg: {_last_line(errors)}")


def _last_line(errors: IO[bytes]) -> str:
    errors.seek(0)
    lines = errors.read().decode(errors="replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "no message")
    return re.sub(r"\[[^]]* @ 0x[0-9a-f]+\] ", "", last)  # remove the memory address, which is of no use to the reader

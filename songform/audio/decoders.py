"""Decoders that read an audio file as a stream of blocks, using libsndfile or ffmpeg.

Both decoders return float32 samples at one sampling rate, with all channels, in blocks of 65,536 samples per channel.
libsndfile reads WAV, FLAC, Ogg (Vorbis and Opus), MP3 and other formats inside this process. `HashingFile` computes the
SHA-256 of the file while libsndfile reads it. Parts that the decoder skips, such as a picture in a tag or a list of
chapters at the end, are read when the hash is requested.

libsndfile relies on the header of an MP3, and skips damaged pages of an Ogg file. It therefore decodes these files only
if their layout (`songform.audio.mpeg_frames`, `songform.audio.ogg_pages`) shows that it finds all of the audio. It
fills the missing end of a file that is coded in blocks, such as ADPCM, with silence, returns garbage for damaged
blocks, and ignores audio behind the size that an AU file states. It therefore decodes such files only if they have the
bytes that their container states and ffmpeg finds no damaged blocks, or if ffmpeg cannot decode them. ffmpeg
(`songform.audio.ffmpeg_decoder`) decodes everything else: other formats (M4A, WebM, ...), streamed FLAC and WAV files
whose header does not contain the length, files with damaged or joined parts, the rest of a file after an error of
libsndfile, and bursts of AC-3 or DTS instead of samples (`songform.audio.bursts`).

References
----------
libsndfile (`soundfile.SoundFile`).
"""

from __future__ import annotations

import re
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import soundfile

from songform.audio.bursts import Bursts, with_decoded_bursts
from songform.audio.byte_window import ByteWindow
from songform.audio.containers import container_bytes
from songform.audio.ffmpeg_decoder import DecodingError, FFmpegStream, ffmpeg_name, open_ffmpeg
from songform.audio.hashing import HashingFile
from songform.audio.headers import banner_duration, ffmpeg_banner
from songform.audio.layout import MAX_MISSING
from songform.audio.mpeg_frames import is_mpeg_audio, mpeg_layout
from songform.audio.ogg_pages import is_ogg, ogg_layout
from songform.audio.packets import decoded_gaps
from songform.audio.raw_frames import flac_layout, raw_layout
from songform.audio.tags import before_tags
from songform.errors import FFMPEG_NOT_GIVEN, AudioError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from songform.audio.layout import Gap, Layout

__all__ = ["Decoder", "DecodingError", "HashingFile", "open_decoder"]

BLOCK_LENGTH = 65_536  # samples per channel in a block: 256 kB per channel
MAX_TRAILING_BYTES = 2**18  # bytes after the last FLAC frame; a tag may be there, but no audio
MAX_SHORTAGE = 0.05  # seconds by which the length that libsndfile finds may be too short: up to two frames
UNKNOWN_FRAMES = 2**62  # libsndfile reports about 2**63 samples for a streamed FLAC file
MAX_PARTS = 200  # parts that are decoded separately; each one takes a process
RAW_FRAMES = re.compile(r"^Input #0, (?:aac|loas|ac3|eac3|dts|dtshd|mlp|truehd|flac|wv|tta),", re.MULTILINE)
# Samples by the header of a WAV file, in which ffmpeg has found bursts.
BURSTS_IN_WAV = re.compile(r": Audio: (?!pcm)(\w+) .*\(\[1\]\[0\]\[0\]\[0\]")
FRAMES = re.compile(r"^Input #0, (mp3|aac|e?ac3|dts),", re.MULTILINE)  # whose headers say where something is missing
COMPRESSED_IN_WAV = "MPEG_LAYER_III"  # an MP3 in a WAV file, whose length libsndfile takes from the header
# Formats and codecs without a layout in which libsndfile reports or omits what is missing.
CHECKED_FORMATS = {"WAV", "WAVEX", "RF64", "AIFF", "FLAC"}
CHECKED_CODECS = re.compile(r"PCM_|FLOAT|DOUBLE|[UA]LAW$")
CHUNKED_FORMATS = {"WAV", "WAVEX", "RF64", "AIFF", "CAF"}  # in which other chunks may follow the audio
ONLY_LIBSNDFILE = re.compile(r"G72|NMS|ALAC_20")  # codecs that ffmpeg decodes wrongly, or not at all
MIN_MISSING = 1.0  # seconds; if less is missing than the container states, its packets are not searched for gaps
MAX_PACKET = 4096  # samples; ffmpeg omits up to a packet at the end of an intact ALAC file


@dataclass
class Decoder:
    """An audio file opened by a decoder.

    Attributes
    ----------
    name : str
        Name and version of the decoder, e.g. ``libsndfile 1.2.2`` or ``ffmpeg n9.0.2``. It changes if ffmpeg continues
        after an error of libsndfile.
    sr, channels : int
        Sampling rate of the file in Hz, and number of channels, at the start of the file.
    sha256 : callable
        Returns the SHA-256 of the file; fastest after all blocks have been read.
    layout : Layout, optional
        Layout of the file, if it is an MP3 or Ogg file.
    blocks : iterator of np.ndarray, shape (n, channels)
        Blocks of float32 samples. The iterator raises `DecodingError` if decoding fails.
    banner : str
        Description of the file printed by ffmpeg; empty if ffmpeg was not used.
    gaps : sequence of Gap
        Damaged places in the middle of the file; complete after all blocks have been read.
    is_damaged : bool
        Whether ffmpeg reported errors about the audio; known after all blocks have been read.
    notes : list of str
        What is unusual about the samples; complete after all blocks have been read.
    """

    name: str
    sr: int
    channels: int
    sha256: Callable[[], str]
    layout: Layout | None = None
    blocks: Iterator[NDArray[np.float32]] = field(default_factory=lambda: iter(()))
    banner: str = ""
    gaps: list[Gap] = field(default_factory=list)
    is_damaged: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def has_frames(self) -> bool:
        """Whether the file has frames but no container, so that the decoder reports an error if its end is missing."""
        return RAW_FRAMES.search(self.banner) is not None


@contextmanager
def open_decoder(path: Path, *, ffmpeg: str | None = None, sha256: str | None = None) -> Iterator[Decoder]:
    """Open a file with a decoder that reads all of its audio.

    Parameters
    ----------
    path : Path
        Path of an audio file.
    ffmpeg : str, optional
        Path of the ffmpeg executable.
    sha256 : str, optional
        SHA-256 of the file, if it is known.

    Raises
    ------
    AudioError
        If the file contains no audio, or if ffmpeg is needed and was not given.
    """
    with HashingFile(path, sha256=sha256) as bytes_of_file:
        layout = _layout(bytes_of_file)
        file = _sound_file(bytes_of_file, layout, path, ffmpeg)
        if file is None:
            with _ffmpeg_decoder(path, bytes_of_file, ffmpeg, layout) as decoder:
                yield decoder
            return
        with file:
            name = f"libsndfile {soundfile.__libsndfile_version__}"
            decoder = Decoder(name, file.samplerate, file.channels, bytes_of_file.sha256, layout)
            with (
                closing(_sound_file_blocks(file, bytes_of_file, decoder, path, ffmpeg)) as blocks,
                closing(_with_decoded_bursts(blocks, decoder, path, ffmpeg)) as decoder.blocks,
            ):
                yield decoder


def _with_decoded_bursts(
    blocks: Iterator[NDArray[np.float32]], decoder: Decoder, path: Path, ffmpeg: str | None
) -> Generator[NDArray[np.float32]]:
    def report(found: Bursts) -> None:
        decoder.notes.append(f"it contains {found.what} instead of samples; ffmpeg is used to decode it")
        if ffmpeg is not None:
            decoder.name = ffmpeg_name(ffmpeg_banner(path, ffmpeg))

    def report_damage() -> None:
        decoder.is_damaged = True

    return with_decoded_bursts(
        blocks, sr=decoder.sr, path=path, ffmpeg=ffmpeg, report=report, report_damage=report_damage
    )


def _layout(bytes_of_file: HashingFile) -> Layout | None:
    if is_ogg(bytes_of_file):
        layout = ogg_layout(bytes_of_file)
    else:
        layout = mpeg_layout(bytes_of_file) if is_mpeg_audio(bytes_of_file) else flac_layout(bytes_of_file)
    if bytes_of_file.error:
        raise bytes_of_file.error
    return layout


class _SoundStream(soundfile.SoundFile):  # type: ignore[misc]  # soundfile has no types
    """A sound file that is read sequentially from beginning to end."""

    def seekable(self) -> bool:
        # soundfile would otherwise seek to the current position after each block, which restarts an MP3 decoder.
        return False


def _sound_file(
    bytes_of_file: HashingFile, layout: Layout | None, path: Path, ffmpeg: str | None
) -> soundfile.SoundFile | None:
    """Open a file with libsndfile, if libsndfile finds all of the audio."""
    if layout is not None and not layout.is_plain:
        return None
    bytes_of_file.seek(0)
    try:
        file = _SoundStream(bytes_of_file)
    except soundfile.SoundFileError:
        return None
    if _is_trusted(file, layout) and (ffmpeg is None or not _is_for_ffmpeg(file, layout, path, ffmpeg)):
        return file
    file.close()
    return None


def _is_trusted(file: soundfile.SoundFile, layout: Layout | None) -> bool:
    if layout is not None:
        return bool(file.frames >= layout.parts[0].n_samples - MAX_SHORTAGE * file.samplerate)
    # The length was unknown when the file was written: FLAC then reports a huge length, and WAV 0, like an empty song.
    is_streamed = file.frames >= UNKNOWN_FRAMES or (file.frames == 0 and file.format in {"WAV", "WAVEX", "RF64"})
    return not is_streamed and file.format != "MPEG" and file.subtype != COMPRESSED_IN_WAV


def _is_for_ffmpeg(file: soundfile.SoundFile, layout: Layout | None, path: Path, ffmpeg: str) -> bool:
    """Return whether libsndfile may return more or less than a file contains, and ffmpeg can decode it."""
    is_in_blocks = CHECKED_CODECS.match(file.subtype) is None
    is_checked = file.format in CHECKED_FORMATS and not is_in_blocks
    if layout is not None or is_checked or ONLY_LIBSNDFILE.match(file.subtype):
        return False
    is_whole = _has_all_bytes(file, path)
    if is_whole and not is_in_blocks:
        return False
    try:
        with open_ffmpeg(path, ffmpeg, block_length=BLOCK_LENGTH) as stream:
            return not is_whole or _has_damaged_blocks(file, stream)
    except AudioError:
        return False


def _has_all_bytes(file: soundfile.SoundFile, path: Path) -> bool:
    """Return whether a file has the bytes that its container states, and no others that may be audio."""
    needed, size = container_bytes(path), path.stat().st_size
    return needed == size or (needed is not None and needed < size and file.format in CHUNKED_FORMATS)


def _has_damaged_blocks(file: soundfile.SoundFile, stream: FFmpegStream) -> bool:
    """Return whether ffmpeg reports errors or another length; libsndfile returns garbage for damaged blocks."""
    try:
        n_samples = sum(map(len, stream.blocks))
    except DecodingError:
        return True
    return stream.has_errors or abs(n_samples - file.frames) > MAX_PACKET


def _sound_file_blocks(
    file: soundfile.SoundFile, bytes_of_file: HashingFile, decoder: Decoder, path: Path, ffmpeg: str | None
) -> Generator[NDArray[np.float32]]:
    n_samples = 0
    try:
        while len(block := file.read(BLOCK_LENGTH, dtype="float32", always_2d=True)):
            n_samples += len(block)
            yield block
        problem = _problem_at_end(file, bytes_of_file)
    except soundfile.SoundFileError as error:
        problem = f"libsndfile: {error}"
    if bytes_of_file.error:
        raise bytes_of_file.error
    if problem is None:
        return
    if ffmpeg is None:
        raise DecodingError(problem)
    yield from _continued(decoder, path, ffmpeg, n_samples, problem)


def _problem_at_end(file: soundfile.SoundFile, bytes_of_file: HashingFile) -> str | None:
    """Return what is wrong if a FLAC file goes on where the audio ends according to its header."""
    n_read = bytes_of_file.tell()
    n_more = before_tags(ByteWindow(bytes_of_file)) - n_read
    if file.format != "FLAC" or n_more <= MAX_TRAILING_BYTES:
        return None
    return f"according to its header the audio ends here, but {n_more} bytes follow"


def _continued(
    decoder: Decoder, path: Path, ffmpeg: str, n_samples: int, problem: str
) -> Generator[NDArray[np.float32]]:
    """Continue with ffmpeg after an error of libsndfile, such as a tag behind a FLAC file or a damaged frame."""
    decoder.banner = ffmpeg_banner(path, ffmpeg)
    decoder.name, n_decoded = ffmpeg_name(decoder.banner), 0
    with open_ffmpeg(path, ffmpeg, block_length=BLOCK_LENGTH) as stream:
        if (stream.sr, stream.channels) != (decoder.sr, decoder.channels):
            raise DecodingError(problem)
        for block in stream.blocks:
            if n_samples < n_decoded + len(block):
                yield block[max(0, n_samples - n_decoded) :]
            n_decoded += len(block)
    if n_decoded <= n_samples:
        raise DecodingError(problem)  # ffmpeg does not find more, either
    _find_gaps(decoder, stream, path, ffmpeg, seconds=n_decoded / stream.sr)


@contextmanager
def _ffmpeg_decoder(
    path: Path, bytes_of_file: HashingFile, ffmpeg: str | None, layout: Layout | None
) -> Iterator[Decoder]:
    if ffmpeg is None:
        raise AudioError(
            f"libsndfile cannot read all of {path.name}, so ffmpeg is needed, but {FFMPEG_NOT_GIVEN}",
            "environment",
        )
    banner = ffmpeg_banner(path, ffmpeg)
    if layout is None and (named := FRAMES.search(banner)) is not None:
        # Of an MP3, this is only known now if other bytes precede the first frame.
        layout = mpeg_layout(bytes_of_file) if named[1] == "mp3" else raw_layout(bytes_of_file, named[1])
    parts = layout.parts if layout is not None and 1 < len(layout.parts) <= MAX_PARTS else ()
    with open_ffmpeg(path, ffmpeg, block_length=BLOCK_LENGTH, parts=parts) as stream:
        decoder = Decoder(ffmpeg_name(banner), stream.sr, stream.channels, bytes_of_file.sha256, layout, banner=banner)
        if found := BURSTS_IN_WAV.search(banner):
            decoder.notes.append(f"it contains {found[1]} in bursts instead of samples; ffmpeg is used to decode it")
        with (
            closing(_ffmpeg_blocks(stream, decoder, path, ffmpeg)) as blocks,
            closing(_with_decoded_bursts(blocks, decoder, path, ffmpeg)) as decoder.blocks,
        ):
            yield decoder


def _ffmpeg_blocks(stream: FFmpegStream, decoder: Decoder, path: Path, ffmpeg: str) -> Generator[NDArray[np.float32]]:
    n_samples = 0
    for block in stream.blocks:
        n_samples += len(block)
        yield block
    _find_gaps(decoder, stream, path, ffmpeg, seconds=n_samples / stream.sr)


def _find_gaps(decoder: Decoder, stream: FFmpegStream, path: Path, ffmpeg: str, *, seconds: float) -> None:
    """Store what is known about damaged places after all blocks have been read.

    Demuxers skip damaged bytes without an error, but the times of the packets show that some are missing.
    """
    stated = banner_duration(decoder.banner)
    decoder.is_damaged = stream.is_damaged
    if decoder.layout is not None and (decoder.layout.gaps or not decoder.has_frames):
        decoder.gaps.extend(decoder.layout.gaps)
    elif decoder.layout is None or decoder.layout.is_plain:
        is_short = stated is not None and stated - seconds > max(MIN_MISSING, MAX_MISSING * stated)
        if stream.has_errors or is_short:
            decoder.gaps.extend(decoded_gaps(path, ffmpeg=ffmpeg, stated=stated))

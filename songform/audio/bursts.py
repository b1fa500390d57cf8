"""Compressed audio that is stored as if it were 16-bit samples: bursts of AC-3, DTS and others.

Recordings of a digital output, and DTS CDs, contain compressed frames where a player expects samples. Read as samples,
they are noise. They are recognized by the synchronization words of several frames, and ffmpeg decodes them:

* IEC 61937 bursts: the words F872 and 4E1F, the type of the data and its length;
* DTS frames with 16 or 14 bits per word: the words 7FFE 8001, or 1FFF E800 07F., at a constant distance;
* AC-3 frames: the word 0B77 and a header with the length of the frame, at whose end the next frame begins.

Each kind is recognized with both orders of the bytes in a word. Only lossless formats preserve bursts. Samples before
the first burst are used as they are, because a recording often begins with silence.

References
----------
IEC 61937-1, sections on the burst preamble and its types of data; ETSI TS 102 114 (DTS), section 5.3; ETSI TS 102 366
(AC-3), section 4.4.1.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from songform.audio.ffmpeg_decoder import DecodingError, open_ffmpeg_pipe
from songform.audio.raw_frames import AC3
from songform.errors import FFMPEG_NOT_GIVEN, AudioError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["Bursts", "find_bursts", "has_sync_words", "with_decoded_bursts"]

BLOCK_LENGTH = 65_536  # samples per channel in a block of decoded audio
FULL_SCALE = 32_768  # of 16-bit samples
CHECKED = 8_192  # samples at the end of a block in which sync words are searched: the longest period is 6,144
MIN_FRAMES = 3  # frames that must be found; a single synchronization word may be a coincidence
MAX_SHORTAGE = 0.05  # seconds; a recording may end within a burst
MIN_DISTANCE = 48  # words of the shortest DTS frame
IEC_61937 = (0xF872, 0x4E1F)
DATA_TYPES = {1: "AC-3", 7: "AAC", 11: "DTS", 12: "DTS", 13: "DTS", 17: "DTS-HD", 21: "E-AC-3", 22: "TrueHD"}
DATA_TYPES |= dict.fromkeys((4, 5, 6, 8, 9, 10), "MPEG audio")
# Synchronization words of DTS, and the mask and value of the next word in a frame of the usual length.
DTS = {(0x7FFE, 0x8001): (0xFC00, 0xFC00), (0x1FFF, 0xE800): (0xFFF0, 0x07F0)}
AC3_SYNC = 0x0B77
MAX_BSID = 10  # bit stream identification; that of E-AC-3 is larger

_SWAPPED = {word: (word & 0xFF) << 8 | word >> 8 for word in (AC3_SYNC, *IEC_61937, *itertools.chain(*DTS))}
_SYNC_WORDS = [IEC_61937, *DTS]
_SYNC_WORDS += [(_SWAPPED[first], _SWAPPED[second]) for first, second in _SYNC_WORDS]


@dataclass(frozen=True)
class Bursts:
    """Compressed frames found in 16-bit words.

    Attributes
    ----------
    what : str
        The codec and the framing, such as "AC-3 in IEC 61937 bursts".
    demuxer : str
        ffmpeg's name of the framing.
    start : int
        Number of words before the first frame.
    distance : int
        Number of words between the starts of the first two frames.
    byte_order : str
        Order of the bytes of a word that ffmpeg expects, "<" or ">".
    is_swapped : bool
        Whether the bytes of each word are in the opposite order in the file.
    """

    what: str
    demuxer: str
    start: int
    distance: int
    byte_order: str = "<"
    is_swapped: bool = False

    def bytes_for_ffmpeg(self, words: NDArray[np.uint16]) -> bytes:
        """Return words as the bytes that the demuxer expects."""
        return (words.byteswap() if self.is_swapped else words).astype(f"{self.byte_order}u2").tobytes()


def has_sync_words(block: NDArray[np.float32]) -> bool:
    """Return whether the end of a block contains what may be a frame.

    Parameters
    ----------
    block : np.ndarray, shape (n, channels)
        Samples relative to full scale.
    """
    first = FULL_SCALE * block[:64]  # enough to recognize a finer resolution, as after decoding a lossy format
    if not (first == np.rint(first)).all():
        return False
    words = _words(block[-CHECKED:])
    return (
        any(len(_positions(words, sync)) for sync in _SYNC_WORDS)
        or ((words == AC3_SYNC).any() and _find_ac3(words) is not None)
        or ((words == _SWAPPED[AC3_SYNC]).any() and _find_ac3(words.byteswap()) is not None)
    )


def find_bursts(words: NDArray[np.uint16]) -> Bursts | None:
    """Return the bursts in 16-bit words, or None if fewer than three frames are found.

    Parameters
    ----------
    words : np.ndarray of uint16, shape (n,)
        The samples of all channels, interleaved.
    """
    for is_swapped, order in ((False, words), (True, words.byteswap())):
        found = _find_iec_61937(order) or _find_dts(order) or _find_ac3(order)
        if found is not None:
            return replace(found, is_swapped=is_swapped)
    return None


def with_decoded_bursts(
    blocks: Iterable[NDArray[np.float32]],
    *,
    sr: int,
    path: Path,
    ffmpeg: str | None,
    report: Callable[[Bursts], object],
    report_damage: Callable[[], object],
) -> Generator[NDArray[np.float32]]:
    """Yield the samples of a file; from the first burst on, yield what ffmpeg decodes.

    Parameters
    ----------
    blocks : iterable of np.ndarray, each of shape (n, channels)
        The samples as they are stored.
    sr : int
        Sampling rate of the file in Hz; the decoded audio is resampled to it.
    path : Path
        Path of the file, for error messages.
    ffmpeg : str, optional
        Path of the ffmpeg executable.
    report : callable
        Called with the bursts when they are found.
    report_damage : callable
        Called after the last block if some of the bursts could not be decoded.

    Raises
    ------
    AudioError
        If the file contains bursts, and ffmpeg cannot decode them or was not given.
    """
    remaining = iter(blocks)
    before, is_first = None, True  # one block is held back, because bursts may begin at its end
    try:
        for block in remaining:
            if has_sync_words(block):
                joined = block if before is None or before.shape[1] != block.shape[1] else np.vstack([before, block])
                if found := find_bursts(_words(joined)):
                    report(found)
                    before = None
                    yield from _lead(joined, found, is_first=is_first)
                    stored = _StoredBursts(found, itertools.chain([joined], remaining))
                    yield from _decoded(stored, sr=sr, path=path, ffmpeg=ffmpeg)
                    if stored.is_damaged:
                        report_damage()
                    return
            if before is not None:
                yield before
                is_first = False
            before = block
    except DecodingError:
        if before is not None:
            yield before
        raise
    if before is not None:
        yield before


def _lead(joined: NDArray[np.float32], found: Bursts, *, is_first: bool) -> Iterator[NDArray[np.float32]]:
    """Yield the samples before the first burst, as zeros if they are the rest of a burst that the file begins with."""
    lead = joined[: found.start // joined.shape[1]]
    if len(lead):
        yield np.zeros_like(lead) if is_first and found.start <= found.distance else lead


@dataclass
class _StoredBursts:
    """The bursts of a file as they are stored.

    Attributes
    ----------
    found : Bursts
        What they are, and where they begin in the first block.
    blocks : iterator of np.ndarray, each of shape (n, channels)
        The samples that contain them.
    n_samples : int
        Number of samples per channel read so far, from the first burst on.
    is_damaged : bool
        Whether some of them could not be decoded.
    """

    found: Bursts
    blocks: Iterator[NDArray[np.float32]]
    n_samples: int = 0
    is_damaged: bool = False

    def data(self) -> Iterator[bytes]:
        """Yield the bytes that the demuxer expects."""
        start = self.found.start
        for block in self.blocks:
            words = _words(block)[start:]
            self.n_samples += len(words) // block.shape[1]
            yield self.found.bytes_for_ffmpeg(words)
            start = 0


def _decoded(stored: _StoredBursts, *, sr: int, path: Path, ffmpeg: str | None) -> Generator[NDArray[np.float32]]:
    found, n_decoded = stored.found, 0
    if ffmpeg is None:
        raise AudioError(
            f"{path.name} contains {found.what} instead of samples, so ffmpeg is needed, but {FFMPEG_NOT_GIVEN}",
            "environment",
        )
    try:
        with open_ffmpeg_pipe(stored.data(), found.demuxer, sr, path, ffmpeg, block_length=BLOCK_LENGTH) as stream:
            for block in stream.blocks:
                n_decoded += len(block)
                yield block
    except AudioError as error:
        raise AudioError(
            f"{path.name} contains {found.what} instead of samples, and ffmpeg cannot decode them; "
            "decode the file with the program that recorded it, or find another copy"
        ) from error
    # ffmpeg skips damaged IEC 61937 bursts without a message, but a burst takes as long as the sound in it.
    is_short = found.demuxer == "spdif" and stored.n_samples - n_decoded > MAX_SHORTAGE * sr
    stored.is_damaged = stream.has_errors or is_short


def _words(block: NDArray[np.float32]) -> NDArray[np.uint16]:
    samples = np.clip(FULL_SCALE * block.reshape(-1), -FULL_SCALE, FULL_SCALE - 1)
    words: NDArray[np.uint16] = samples.astype(np.int16).view(np.uint16)
    return words


def _positions(words: NDArray[np.uint16], sync: tuple[int, int]) -> NDArray[np.intp]:
    """Return where two words follow each other."""
    starts = np.flatnonzero(words[:-1] == sync[0])
    found: NDArray[np.intp] = starts[words[starts + 1] == sync[1]]
    return found


def _find_iec_61937(words: NDArray[np.uint16]) -> Bursts | None:
    starts = _positions(words[:-3], IEC_61937)
    types = [DATA_TYPES.get(int(words[start + 2]) & 0x1F) for start in starts]
    known = [name for name in types if name]  # bursts of the other types are pauses
    if len(known) < MIN_FRAMES:
        return None
    return Bursts(f"{known[0]} in IEC 61937 bursts", "spdif", int(starts[0]), int(starts[1] - starts[0]))


def _find_dts(words: NDArray[np.uint16]) -> Bursts | None:
    for sync, (mask, value) in DTS.items():
        starts = _positions(words[:-1], sync)
        starts = starts[words[starts + 2] & mask == value]
        gaps = np.diff(starts)
        regular = np.flatnonzero((gaps[1:] == gaps[:-1]) & (gaps[1:] >= MIN_DISTANCE))
        if len(regular):
            return Bursts("DTS frames", "dts", int(starts[regular[0]]), int(gaps[regular[0]]))
    return None


def _find_ac3(words: NDArray[np.uint16]) -> Bursts | None:
    for start in np.flatnonzero(words == AC3_SYNC).tolist():
        sizes = list(itertools.islice(_ac3_sizes(words, start), MIN_FRAMES))
        if len(sizes) == MIN_FRAMES:
            return Bursts("AC-3 frames", "ac3", start, sizes[0], byte_order=">")
    return None


def _ac3_sizes(words: NDArray[np.uint16], at: int) -> Iterator[int]:
    """Yield the numbers of words in AC-3 frames that follow each other without a gap."""
    while (frame := AC3.read(words[at : at + 4].astype(">u2").tobytes())) and frame.format[0] <= MAX_BSID:
        yield frame.size // 2
        at += frame.size // 2

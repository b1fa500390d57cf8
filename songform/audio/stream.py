"""Audio: a file as one stream of mono samples, checked while it is read.

The channels are averaged, then the signal is resampled (soxr, high quality), as `librosa.load` does. Memory holds one
block of samples, however long the file. What decodes without complaint may still be wrong, so a stream ends with an
`AudioError` where the file

* does not exist, is empty, or holds no audio,
* holds a sample that is no sound: NaN, infinite, or a million times full scale,
* makes the decoder give up in the middle,
* is cut short: shorter than its container, or the site it came from, announced, by more than 2 s and more than 2 %.

References
----------
`songform.audio.decoders` reads the formats, `songform.audio.headers` what they announce; `soxr.ResampleStream`
resamples.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soxr

from songform.audio.decoders import Decoder, DecodingError, open_decoder
from songform.audio.headers import announced_duration, banner_duration, is_cut_short
from songform.errors import AudioError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

__all__ = ["AudioStream", "announced_duration", "audio_blocks", "is_cut_short", "load", "open_audio", "resampled"]

VERSION = 1  # increase this when the same file gives other samples
MAX_AMPLITUDE = 1e6  # times full scale: integers in a float file stay far below it, a damaged file does not


class AudioStream:
    """The sound of an open file; iterate over it once.

    Parameters
    ----------
    path : Path
        The file, for the messages.
    source : Decoder
        The open decoder.
    duration : float, optional
        Seconds that the container announces.
    announced : float, optional
        Seconds that the site or the feed announced.

    Attributes
    ----------
    sr, channels : int
        The file's own sampling rate, in Hz, and number of channels.
    decoder : str
        Who decodes it, with the version.
    n_samples : int
        Samples a channel that were read so far.
    """

    def __init__(
        self, path: Path, source: Decoder, *, duration: float | None = None, announced: float | None = None
    ) -> None:
        self.path, self.duration, self.announced = path, duration, announced
        self.sr, self.channels, self.decoder = source.sr, source.channels, source.name
        self.n_samples = 0
        self._blocks, self._sha256 = source.blocks, source.sha256

    @property
    def sha256(self) -> str:
        """The SHA-256 of the file in hex digits; costs next to nothing when the sound has been read, while it is open.

        libsndfile's bytes are hashed as they pass; a file that ffmpeg reads is read once more.
        """
        return self._sha256()

    @property
    def seconds(self) -> float:
        """Seconds that were read so far."""
        return self.n_samples / self.sr

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        """Yield float32 blocks of shape (n,): the mean of all channels, at the file's own rate.

        Raises
        ------
        AudioError
            Where the sound is damaged, and at the end if there was none or it was cut short.
        """
        try:
            for block in self._blocks:
                self._check_samples(block)
                self.n_samples += len(block)
                yield _mean_of_channels(block)
        except DecodingError as error:
            failure = AudioError(
                f"{self.path.name} cannot be decoded beyond {self.seconds:.1f} s{self._of_announced()} ({error}); "
                "it is damaged or cut short, fetch it again",
                "transient",
            )
            failure.repeated = "permanent"  # fetched anew and no better: it is damaged where it comes from
            raise failure from error
        self._check_length()

    def _check_samples(self, block: NDArray[np.float32]) -> None:
        if block.min() > -MAX_AMPLITUDE and block.max() < MAX_AMPLITUDE:  # false for NaN, too
            return
        at = int(np.argmin((np.abs(block) < MAX_AMPLITUDE).all(axis=1)))
        worst = next(value for value in block[at] if not abs(value) < MAX_AMPLITUDE)
        raise AudioError(
            f"{self.path.name} holds a sample that is no sound ({worst}) at {(self.n_samples + at) / self.sr:.3f} s; "
            "the file or the program that wrote it is damaged"
        )

    def _check_length(self) -> None:
        if not self.n_samples:
            raise AudioError(f"{self.path.name} holds no sample of sound; the recording or the download was empty")
        for who, seconds in (("its header", self.duration), ("its source", self.announced)):
            if is_cut_short(self.seconds, seconds):
                raise AudioError(
                    f"{self.path.name} is cut short: it holds {self.seconds:.1f} s of sound, but {who} announced "
                    f"{seconds:.1f} s; fetch it again",
                    "transient",
                    measured=self.seconds,
                )

    def _of_announced(self) -> str:
        return "" if self.duration is None else f" of the announced {self.duration:.1f} s"


@contextmanager
def open_audio(path: str | Path, *, ffmpeg: str | None = None, announced: float | None = None) -> Iterator[AudioStream]:
    """Open an audio file.

    Parameters
    ----------
    path : path
        The file: WAV, FLAC, Ogg, Opus, MP3, or whatever ffmpeg reads.
    ffmpeg : str, optional
        Path of the ffmpeg executable; M4A, WebM and others need it.
    announced : float, optional
        Seconds that the site or the feed announced; the sound may not be much shorter.

    Yields
    ------
    AudioStream
        The open file; it is closed when the `with` block ends.

    Raises
    ------
    AudioError
        If the file does not exist, is empty, holds no audio, or needs ffmpeg and none was given.
    """
    path = Path(path)
    if not path.is_file():
        raise AudioError(f"there is no audio file {path}; check the name, or fetch it again")
    if not path.stat().st_size:
        raise AudioError(f"{path.name} is empty (0 bytes); fetch it again", "transient")
    with open_decoder(path, ffmpeg=ffmpeg) as source:
        duration = announced_duration(path) or banner_duration(source.banner)
        yield AudioStream(path, source, duration=duration, announced=announced)


def resampled(
    blocks: Iterable[NDArray[np.float32]], *, orig_sr: float, target_sr: float
) -> Iterator[NDArray[np.float32]]:
    """Resample a mono signal block by block: `soxr.resample(y, orig_sr, target_sr, quality="HQ")` of the whole.

    Parameters
    ----------
    blocks : iterable of np.ndarray, each of shape (n_samples,)
        The signal.
    orig_sr, target_sr : float
        Its sampling rate, and the one wanted, in Hz.

    Yields
    ------
    np.ndarray, shape (m,)
        Float32 samples at `target_sr`.
    """
    if target_sr <= 0:
        raise ParameterError(f"target_sr must be a positive number of samples a second, not {target_sr}")
    if orig_sr == target_sr:
        yield from blocks
        return
    stream = soxr.ResampleStream(orig_sr, target_sr, 1, dtype="float32", quality="HQ")
    for block in blocks:
        yield stream.resample_chunk(np.ascontiguousarray(block, np.float32))
    yield stream.resample_chunk(np.empty(0, np.float32), last=True)


def audio_blocks(
    path: str | Path, *, sr: int = 22050, ffmpeg: str | None = None, announced: float | None = None
) -> Iterator[NDArray[np.float32]]:
    """Read a file as mono blocks at the rate `sr`: `open_audio` and `resampled` in one.

    Parameters
    ----------
    path, ffmpeg, announced
        As in `open_audio`.
    sr : int
        Sampling rate wanted, in Hz.
    """
    with open_audio(path, ffmpeg=ffmpeg, announced=announced) as audio:
        yield from resampled(audio, orig_sr=audio.sr, target_sr=sr)


def _mean_of_channels(block: NDArray[np.float32]) -> NDArray[np.float32]:
    if block.shape[1] == 1:
        return block[:, 0]
    # Channel by channel: thirty times as fast as a mean over an axis of two.
    total: NDArray[np.float32] = block[:, 0] + block[:, 1]
    for channel in block.T[2:]:
        total += channel
    total /= block.shape[1]
    return total


def load(path: str | Path, *, sr: int = 22050, ffmpeg: str | None = None) -> tuple[NDArray[np.float32], int]:
    """Read a whole file as mono samples: `librosa.load`, for the formats and with the checks of this module.

    Parameters
    ----------
    path, sr, ffmpeg
        As in `audio_blocks`.

    Returns
    -------
    y : np.ndarray of float32, shape=(n_samples,)
        The signal.
    sr : int
        Its sampling rate, as asked for.

    Raises
    ------
    AudioError
        As `open_audio`, or while reading.
    """
    return np.concatenate(list(audio_blocks(path, sr=sr, ffmpeg=ffmpeg))), sr

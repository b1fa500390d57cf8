"""Streams of mono samples from audio files, checked while they are read.

As in `librosa.load`, the channels are averaged and the signal is then resampled (soxr, high quality). Only one block of
samples is in memory at a time, so memory does not depend on the length of the file. Decoders do not report every
defect, so `open_audio` and the stream raise an `AudioError` if the file

* does not exist, is empty, or contains no audio,
* contains an invalid sample: NaN, infinity, or at least a million times full scale,
* cannot be decoded to its end,
* is cut short: more than 2 s and more than 2 % shorter than its header or its source states.

References
----------
`songform.audio.decoders` decodes files, and `songform.audio.headers` reads durations from headers.
`soxr.ResampleStream` resamples.
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

VERSION = 1  # increase this when the same file gives different samples
MAX_AMPLITUDE = (
    1e6  # times full scale; integers stored as floats are far below this, unlike the values in damaged files
)


class AudioStream:
    """The audio of an open file. It can be iterated over once.

    Parameters
    ----------
    path : Path
        Path of the file, for error messages.
    source : Decoder
        The open decoder.
    duration : float, optional
        Duration in seconds according to the header.
    announced : float, optional
        Duration in seconds according to the site or the feed.

    Attributes
    ----------
    sr, channels : int
        Sampling rate of the file in Hz, and number of channels.
    decoder : str
        Name and version of the decoder.
    n_samples : int
        Number of samples per channel read so far.
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
        """The SHA-256 of the file as hex digits; available while the file is open.

        It costs almost nothing after libsndfile has read the audio, because the bytes are hashed as they are read. A
        file that ffmpeg decodes is read a second time.
        """
        return self._sha256()

    @property
    def seconds(self) -> float:
        """Duration of the audio read so far, in seconds."""
        return self.n_samples / self.sr

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        """Yield float32 blocks of shape (n,): the mean of all channels, at the sampling rate of the file.

        Raises
        ------
        AudioError
            If the audio is damaged, contains no samples, or is cut short.
        """
        try:
            for block in self._blocks:
                self._check_samples(block)
                self.n_samples += len(block)
                yield _mean_of_channels(block)
        except DecodingError as error:
            failure = AudioError(
                f"{self.path.name} cannot be decoded beyond {self.seconds:.1f} s{self._of_announced()} ({error}); "
                "it is damaged or cut short; fetch it again",
                "transient",
            )
            failure.repeated = (
                "permanent"  # if it fails again after another download, the file at the source is damaged
            )
            raise failure from error
        self._check_length()

    def _check_samples(self, block: NDArray[np.float32]) -> None:
        if block.min() > -MAX_AMPLITUDE and block.max() < MAX_AMPLITUDE:  # false for NaN, too
            return
        at = int(np.argmin((np.abs(block) < MAX_AMPLITUDE).all(axis=1)))
        worst = next(value for value in block[at] if not abs(value) < MAX_AMPLITUDE)
        raise AudioError(
            f"{self.path.name} contains an invalid sample ({worst}) at {(self.n_samples + at) / self.sr:.3f} s; "
            "the file is damaged or was written by a faulty program; find another copy or export it again"
        )

    def _check_length(self) -> None:
        if not self.n_samples:
            raise AudioError(
                f"{self.path.name} contains no audio samples; the recording or the download was empty; "
                "check the file or find another copy"
            )
        for who, seconds in (("its header", self.duration), ("its source", self.announced)):
            if is_cut_short(self.seconds, seconds):
                raise AudioError(
                    f"{self.path.name} is cut short: it contains {self.seconds:.1f} s of audio, but {who} "
                    f"states a length of {seconds:.1f} s; fetch it again",
                    "transient",
                    measured=self.seconds,
                )

    def _of_announced(self) -> str:
        return "" if self.duration is None else f" of the expected {self.duration:.1f} s"


@contextmanager
def open_audio(path: str | Path, *, ffmpeg: str | None = None, announced: float | None = None) -> Iterator[AudioStream]:
    """Open an audio file.

    Parameters
    ----------
    path : path
        Path of the file: WAV, FLAC, Ogg, Opus, MP3, or any format that ffmpeg reads.
    ffmpeg : str, optional
        Path of the ffmpeg executable, which M4A, WebM and other formats need.
    announced : float, optional
        Duration in seconds according to the site or the feed. Reading fails if the audio is much shorter; see
        `is_cut_short`.

    Yields
    ------
    AudioStream
        The open file; it is closed when the `with` block ends.

    Raises
    ------
    AudioError
        If the file does not exist, is empty, contains no audio, or needs ffmpeg and none was given.
    """
    path = Path(path)
    if not path.is_file():
        raise AudioError(f"there is no audio file {path}; check the path, or fetch it again")
    if not path.stat().st_size:
        raise AudioError(f"{path.name} is empty (0 bytes); fetch it again", "transient")
    with open_decoder(path, ffmpeg=ffmpeg) as source:
        duration = announced_duration(path) or banner_duration(source.banner)
        yield AudioStream(path, source, duration=duration, announced=announced)


def resampled(
    blocks: Iterable[NDArray[np.float32]], *, orig_sr: float, target_sr: float
) -> Iterator[NDArray[np.float32]]:
    """Resample a mono signal block by block.

    The concatenated result equals `soxr.resample(y, orig_sr, target_sr, quality="HQ")` of the whole signal `y`.

    Parameters
    ----------
    blocks : iterable of np.ndarray, each of shape (n_samples,)
        Consecutive blocks of the signal.
    orig_sr, target_sr : float
        Sampling rates of the signal and of the result, in Hz.

    Yields
    ------
    np.ndarray, shape (m,)
        Float32 samples at `target_sr`.

    Raises
    ------
    ParameterError
        If `target_sr` is not positive.
    """
    if target_sr <= 0:
        raise ParameterError(f"target_sr must be positive (a sampling rate in Hz), not {target_sr}")
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
    """Yield mono blocks of a file at the sampling rate `sr`, combining `open_audio` and `resampled`.

    Parameters
    ----------
    path, ffmpeg, announced
        As in `open_audio`.
    sr : int
        Sampling rate of the blocks, in Hz.
    """
    with open_audio(path, ffmpeg=ffmpeg, announced=announced) as audio:
        yield from resampled(audio, orig_sr=audio.sr, target_sr=sr)


def _mean_of_channels(block: NDArray[np.float32]) -> NDArray[np.float32]:
    if block.shape[1] == 1:
        return block[:, 0]
    # Adding channel by channel is thirty times as fast as a mean over an axis of length two.
    total: NDArray[np.float32] = block[:, 0] + block[:, 1]
    for channel in block.T[2:]:
        total += channel
    total /= block.shape[1]
    return total


def load(path: str | Path, *, sr: int = 22050, ffmpeg: str | None = None) -> tuple[NDArray[np.float32], int]:
    """Read a whole file as mono samples, like `librosa.load`, with the formats and checks of this module.

    Parameters
    ----------
    path, sr, ffmpeg
        As in `audio_blocks`.

    Returns
    -------
    y : np.ndarray of float32, shape=(n_samples,)
        The signal.
    sr : int
        The requested sampling rate.

    Raises
    ------
    AudioError
        If the file cannot be opened, as in `open_audio`, or if its audio is damaged or cut short.

    Examples
    --------
    >>> import numpy as np
    >>> import soundfile
    >>> soundfile.write("tone.wav", 0.5 * np.sin(np.arange(44100) / 20), 44100)
    >>> y, sr = load("tone.wav")
    >>> y.shape, y.dtype, sr
    ((22050,), dtype('float32'), 22050)
    """
    return np.concatenate(list(audio_blocks(path, sr=sr, ffmpeg=ffmpeg))), sr

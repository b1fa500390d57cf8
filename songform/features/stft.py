"""Short-time Fourier transform: frames and their spectra, one block of frames at a time, as the signal streams by.

`Framer` cuts chunks of any size into blocks of frames. `SpectrumStream` turns them into `SpectrumBlock` records, which
`songform.features.frame_features` and `songform.features.overview` read, so that one pass over the sound serves both. A
block is small enough to stay in the processor's cache while every descriptor is computed from it.

Conventions
-----------
Frame ``i`` of a signal of ``n_samples`` samples is centred on sample ``hop_length * i``::

    frames[i] == y[hop_length * i - frame_length // 2 : hop_length * i + frame_length // 2]

where ``y`` is zero on both sides of the signal, and ``n_frames == 1 + n_samples // hop_length``. This is librosa's
``center=True, pad_mode="constant"``. The time of a frame is that of its centre, in seconds, as float64: float32 would
be off by milliseconds in a long file.

References
----------
`librosa.util.frame`, `librosa.stft` and `librosa.frames_to_time` (McFee et al., 2015); `librosa.feature.melspectrogram`
and `librosa.power_to_db(ref=1, amin=1e-10, top_db=None)`. There is no ceiling relative to the loudest moment
(`top_db`): it is not known before a stream ends, and would make the value of a frame depend on the rest of the song.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.fft

from songform.errors import ParameterError
from songform.features.filters import BLOCK_FRAMES, Filterbank, hann_window, mel_filters

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import DTypeLike, NDArray

__all__ = [
    "GROUP",
    "Framer",
    "SpectrumBlock",
    "SpectrumStream",
    "decibels",
    "frame_times",
    "mono_signal",
    "n_frames",
    "sliding_frames",
    "validate_framing",
]


def n_frames(n_samples: int, hop_length: int) -> int:
    """Count the frames of a signal: one on its first sample, and one more every `hop_length` samples."""
    return 1 + n_samples // hop_length


def frame_times(
    n_frames: int, *, sr: float = 22050, hop_length: int = 512, first_frame: int = 0
) -> NDArray[np.float64]:
    """Give the centres of consecutive frames in seconds, of shape (n_frames,), like `librosa.times_like`."""
    return np.arange(first_frame, first_frame + n_frames, dtype=np.float64) * hop_length / sr


def sliding_frames(y: NDArray[Any], frame_length: int, hop_length: int) -> NDArray[Any]:
    """View the frames that lie wholly in the last axis of `y`: `sliding_window_view`, with less ado a call."""
    step = y.strides[-1]
    shape = (*y.shape[:-1], 1 + (y.shape[-1] - frame_length) // hop_length, frame_length)
    strides = (*y.strides[:-1], hop_length * step, step)
    return np.lib.stride_tricks.as_strided(y, shape, strides, writeable=False)


class Framer:
    """Collects chunks of any size, and hands on the samples of a whole block of frames at a time.

    A block's bounds depend on the frames' numbers alone, never on the chunks. So whatever is computed block by block is
    the same, bit for bit, however the signal arrives.

    Parameters
    ----------
    frame_length : int
        Samples in a frame; a multiple of 4, because descriptors also look at the quarters of a frame.
    hop_length : int
        Samples from one frame's centre to the next; at most `frame_length`, so that every sample is in a frame.
    block_frames : int
        Frames in a block.
    dtype : dtype
        Type of the samples handed on.

    Attributes
    ----------
    n_samples : int
        Samples taken in so far.
    first_frame : int
        Number of the first frame of the block that is being collected.

    Raises
    ------
    ParameterError
        If `frame_length` or `hop_length` is impossible.
    """

    def __init__(
        self,
        *,
        frame_length: int = 2048,
        hop_length: int = 512,
        block_frames: int = BLOCK_FRAMES,
        dtype: DTypeLike = np.float32,
    ) -> None:
        validate_framing(frame_length, hop_length)
        self.frame_length, self.hop_length, self.block_frames = frame_length, hop_length, block_frames
        self.n_samples = self.first_frame = 0
        self._buffer = np.zeros((block_frames - 1) * hop_length + frame_length, dtype)
        self._filled = frame_length // 2  # the silence before the signal

    def push(self, y: NDArray[Any]) -> Iterator[NDArray[Any]]:
        """Take in a chunk of shape (n_samples,); yield the samples of each block that it completes.

        Yields
        ------
        np.ndarray, shape ((n - 1) * hop_length + frame_length,)
            The samples under the next n frames, zeros where the signal has none.
        """
        self.n_samples += len(y)
        yield from self._fill(y)

    def flush(self) -> Iterator[NDArray[Any]]:
        """Add the silence after the signal; yield the blocks that are left, the last one mostly shorter."""
        yield from self._fill(np.zeros(self.frame_length // 2, self._buffer.dtype))
        if rest := n_frames(self.n_samples, self.hop_length) - self.first_frame:
            yield self._buffer[: (rest - 1) * self.hop_length + self.frame_length]
            self.first_frame += rest

    def _fill(self, y: NDArray[Any]) -> Iterator[NDArray[Any]]:
        at = 0
        while at < len(y):
            n = min(len(y) - at, len(self._buffer) - self._filled)
            self._buffer[self._filled : self._filled + n] = y[at : at + n]
            self._filled += n
            at += n
            if self._filled == len(self._buffer):
                yield self._buffer
                self._advance()

    def _advance(self) -> None:
        # A fresh buffer, so that a block already handed on is never written to again.
        block, overlap = self._buffer, self.frame_length - self.hop_length
        self._buffer = np.empty_like(block)
        self._buffer[:overlap] = block[len(block) - overlap :]
        self._filled = overlap
        self.first_frame += self.block_frames


def validate_framing(frame_length: int, hop_length: int) -> None:
    """Refuse lengths that no signal can be framed with.

    Raises
    ------
    ParameterError
        If `frame_length` is not a positive multiple of 4, or `hop_length` not a whole number from 1 to `frame_length`.
    """
    if frame_length < 4 or frame_length % 4:
        raise ParameterError(
            f"frame_length must be a positive multiple of 4 samples, because a frame is looked at in quarters, "
            f"not {frame_length}; librosa's usual value is 2048"
        )
    if not 0 < hop_length <= frame_length or hop_length != int(hop_length):
        raise ParameterError(
            f"hop_length must be a whole number of samples from 1 to frame_length ({frame_length}), "
            f"not {hop_length}; librosa's usual value is 512"
        )


GROUP = 32  # bins; spectra are stored in whole groups, zeros after the last bin, so that groups can be summed
MAX_CHANNELS = 32  # more "channels" than this are samples: the array is transposed


@dataclass(frozen=True, slots=True)
class SpectrumBlock:
    """A block of consecutive frames.

    The spectra stand in the stream's own memory, and the next block overwrites them: copy what is to last.

    Attributes
    ----------
    first_frame : int
        Number of the block's first frame.
    samples : np.ndarray, shape ((n - 1) * hop_length + frame_length,)
        The samples under the frames, zeros where the signal has none.
    frame_length, hop_length : int
        Samples in a frame, and from one frame's centre to the next.
    magnitude : np.ndarray, shape (n, n_columns)
        Magnitude of the windowed frames' spectra: ``1 + frame_length // 2`` bins, then zeros to a whole `GROUP`.
    power : np.ndarray, shape (n, n_columns)
        Squared magnitude.
    mel_db : np.ndarray, shape (n, n_mels)
        Mel bands of `power`, in dB.
    """

    first_frame: int
    samples: NDArray[Any]
    frame_length: int
    hop_length: int
    magnitude: NDArray[Any]
    power: NDArray[Any]
    mel_db: NDArray[Any]

    @property
    def frames(self) -> NDArray[Any]:
        """The frames' samples, of shape (n, frame_length): a view in which overlapping frames share their memory."""
        return sliding_frames(self.samples, self.frame_length, self.hop_length)


class SpectrumStream:
    """Turns chunks of a mono signal into blocks of spectra.

    Parameters
    ----------
    sr : int
        Sampling rate, in Hz.
    frame_length, hop_length : int
        As in `songform.features.stft.Framer`.
    n_mels : int
        Number of mel bands.
    dtype : dtype
        Precision of the computation: float32, or float64 to check it.
    """

    def __init__(
        self,
        sr: int = 22050,
        *,
        frame_length: int = 2048,
        hop_length: int = 512,
        n_mels: int = 128,
        dtype: DTypeLike = np.float32,
    ) -> None:
        if sr <= 0:
            raise ParameterError(f"sr must be a positive number of samples a second, not {sr}")
        self._framer = Framer(frame_length=frame_length, hop_length=hop_length, dtype=dtype)
        self._window = hann_window(frame_length).astype(dtype)
        self._mel = Filterbank(mel_filters(sr, frame_length, n_mels), dtype=dtype)
        # Memory that is used again and again stays in the cache; fresh memory has to be fetched from the system.
        n_bins, n_frames = 1 + frame_length // 2, self._framer.block_frames
        self._windowed = np.empty((n_frames, frame_length), dtype)
        self._magnitude = np.zeros((n_frames, -(-n_bins // GROUP) * GROUP), dtype)
        self._power = np.zeros_like(self._magnitude)

    @property
    def n_samples(self) -> int:
        """Samples taken in so far."""
        return self._framer.n_samples

    def push(self, y: NDArray[Any]) -> Iterator[SpectrumBlock]:
        """Take in a chunk, as `mono_signal` accepts it; yield each block of frames that it completes."""
        return self._blocks(self._framer.push(mono_signal(y)))

    def flush(self) -> Iterator[SpectrumBlock]:
        """End the signal; yield the blocks that are left."""
        return self._blocks(self._framer.flush())

    def _blocks(self, stretches: Iterable[NDArray[Any]]) -> Iterator[SpectrumBlock]:
        framer = self._framer
        for samples in stretches:
            frames = sliding_frames(samples, framer.frame_length, framer.hop_length)
            magnitude, power = self._spectra(frames)
            mel_db = decibels(self._mel(power))
            yield SpectrumBlock(
                framer.first_frame, samples, framer.frame_length, framer.hop_length, magnitude, power, mel_db
            )

    def _spectra(self, frames: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        n = len(frames)
        windowed = np.multiply(frames, self._window, out=self._windowed[:n])
        spectra = scipy.fft.rfft(windowed, axis=1, overwrite_x=True)
        magnitude, power = self._magnitude[:n], self._power[:n]
        # The magnitude first, and its square: NumPy's abs costs less than the squares of two parts and a root.
        np.abs(spectra, out=magnitude[:, : spectra.shape[1]])
        np.multiply(magnitude, magnitude, out=power)
        return magnitude, power


def decibels(power: NDArray[Any]) -> NDArray[Any]:
    """Power in dB, not below -100 dB: ``10 log10(max(power, 1e-10))``."""
    # NumPy vectorises the natural logarithm on every processor, log10 on some only.
    levels: NDArray[Any] = np.maximum(power, 1e-10)
    np.log(levels, out=levels)
    levels *= 10 / np.log(10)
    return levels


def mono_signal(y: NDArray[Any]) -> NDArray[Any]:
    """Check a signal or a chunk of one, and average its channels, like `librosa.to_mono`.

    Parameters
    ----------
    y : np.ndarray, shape (n_samples,) or (channels, n_samples)
        Floating-point samples.

    Returns
    -------
    np.ndarray, shape (n_samples,)
        The mean of all channels.

    Raises
    ------
    ParameterError
        If the samples are not floating-point or not finite, or if the shape is not a signal's.
    """
    y = np.asarray(y)
    if y.dtype.kind != "f":
        raise ParameterError(
            f"y must hold floating-point samples between -1 and 1, not {y.dtype}; divide integers by their full scale"
        )
    if y.ndim not in (1, 2) or (y.ndim == 2 and not 1 <= y.shape[0] <= MAX_CHANNELS):
        raise ParameterError(
            f"y must be of shape (n_samples,) or (channels, n_samples), not {y.shape}; soundfile's arrays need y.T"
        )
    if not np.isfinite(y).all():
        raise ParameterError("y must be finite, but holds NaN or infinity; the file or the step before is damaged")
    mono: NDArray[Any] = y if y.ndim == 1 else y.mean(axis=0)
    return mono

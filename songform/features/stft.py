"""Short-time Fourier transform of a stream, in blocks of frames.

`Framer` cuts chunks of any size into blocks of frames. `SpectrumStream` computes a `SpectrumBlock` from each of them.
Both `songform.features.frame_features` and `songform.features.overview` read these blocks, so that one pass over the
audio is enough. A block is small enough to stay in the cache of the processor while its descriptors are computed.

Conventions
-----------
Frame ``i`` of a signal of ``n_samples`` samples is centered on sample ``hop_length * i``::

    frames[i] == y[hop_length * i - frame_length // 2 : hop_length * i + frame_length // 2]

where ``y`` is zero on both sides of the signal, and ``n_frames == 1 + n_samples // hop_length``. This is librosa's
``center=True, pad_mode="constant"``. The time of a frame is the time of its center in seconds. It is float64, because
float32 has an error of milliseconds in a long file.

References
----------
`librosa.util.frame`, `librosa.stft` and `librosa.frames_to_time` (McFee et al., 2015); `librosa.feature.melspectrogram`
and `librosa.power_to_db(ref=1, amin=1e-10, top_db=None)`. Levels are not limited relative to the maximum (`top_db`),
because the maximum is not known before a stream ends, and because a frame would then depend on the rest of the song.
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
    """Return the number of frames of a signal: one at its first sample, and one more every `hop_length` samples."""
    return 1 + n_samples // hop_length


def frame_times(
    n_frames: int, *, sr: float = 22050, hop_length: int = 512, first_frame: int = 0
) -> NDArray[np.float64]:
    """Return the centers of consecutive frames in seconds, of shape (n_frames,), like `librosa.times_like`."""
    return np.arange(first_frame, first_frame + n_frames, dtype=np.float64) * hop_length / sr


def sliding_frames(y: NDArray[Any], frame_length: int, hop_length: int) -> NDArray[Any]:
    """Return a view of the complete frames along the last axis of `y`: `sliding_window_view` with less overhead."""
    step = y.strides[-1]
    shape = (*y.shape[:-1], 1 + (y.shape[-1] - frame_length) // hop_length, frame_length)
    strides = (*y.strides[:-1], hop_length * step, step)
    return np.lib.stride_tricks.as_strided(y, shape, strides, writeable=False)


class Framer:
    """Buffer that cuts a stream of chunks of any size into blocks of frames.

    The limits of a block depend only on the indices of its frames and not on the chunks. Results that are computed
    block by block are therefore bit for bit the same for any division of the signal into chunks.

    Parameters
    ----------
    frame_length : int
        Length of a frame in samples; a multiple of 4, because some descriptors use the quarters of a frame.
    hop_length : int
        Distance between the centers of consecutive frames in samples; at most `frame_length`, so that every sample is
        in a frame.
    block_frames : int
        Number of frames in a block.
    dtype : dtype
        Data type of the samples in the blocks.

    Attributes
    ----------
    n_samples : int
        Number of samples pushed so far.
    first_frame : int
        Index of the first frame of the current block.

    Raises
    ------
    ParameterError
        If `frame_length` or `hop_length` is out of range; see `validate_framing`.
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
        self._filled = frame_length // 2  # zeros before the signal

    def push(self, y: NDArray[Any]) -> Iterator[NDArray[Any]]:
        """Add a chunk of shape (n_samples,), and yield the samples of each block that it completes.

        Yields
        ------
        np.ndarray, shape ((n - 1) * hop_length + frame_length,)
            Samples of the next n frames, with zeros outside the signal.
        """
        self.n_samples += len(y)
        yield from self._fill(y)

    def flush(self) -> Iterator[NDArray[Any]]:
        """Add zeros after the signal, and yield the remaining blocks. The last block may be shorter."""
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
        # Allocate a new buffer, so that blocks already yielded are not overwritten.
        block, overlap = self._buffer, self.frame_length - self.hop_length
        self._buffer = np.empty_like(block)
        self._buffer[:overlap] = block[len(block) - overlap :]
        self._filled = overlap
        self.first_frame += self.block_frames


def validate_framing(frame_length: int, hop_length: int) -> None:
    """Check the length of frames and hops.

    Raises
    ------
    ParameterError
        If `frame_length` is not a positive multiple of 4, or if `hop_length` is not an integer from 1 to
        `frame_length`.
    """
    if frame_length < 4 or frame_length % 4:
        raise ParameterError(
            f"frame_length must be a positive multiple of 4 samples, not {frame_length}, because some features are "
            "computed from quarters of a frame; the default of librosa is 2048"
        )
    if not 0 < hop_length <= frame_length or hop_length != int(hop_length):
        raise ParameterError(
            f"hop_length must be a whole number of samples from 1 to frame_length ({frame_length}), "
            f"not {hop_length}; the default of librosa is 512"
        )


GROUP = 32  # bins per group; spectra are padded with zeros to whole groups, so that groups can be summed
MAX_CHANNELS = 32  # an array with more channels is assumed to be transposed


@dataclass(frozen=True, slots=True)
class SpectrumBlock:
    """A block of consecutive frames.

    The next block of the stream overwrites `magnitude` and `power`; copy them if they are needed for longer.

    Attributes
    ----------
    first_frame : int
        Index of the first frame of the block.
    samples : np.ndarray, shape ((n - 1) * hop_length + frame_length,)
        Samples of the frames, with zeros outside the signal.
    frame_length, hop_length : int
        Length of a frame, and distance between the centers of consecutive frames, in samples.
    magnitude : np.ndarray, shape (n, n_columns)
        Magnitude spectra of the windowed frames: ``1 + frame_length // 2`` bins, padded with zeros to a multiple of
        `GROUP`.
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
        """Samples of the frames, of shape (n, frame_length): a view in which overlapping frames share memory."""
        return sliding_frames(self.samples, self.frame_length, self.hop_length)


class SpectrumStream:
    """Short-time Fourier transform of a signal that arrives in chunks.

    Parameters
    ----------
    sr : int
        Sampling rate in Hz.
    frame_length, hop_length : int
        As in `songform.features.stft.Framer`.
    n_mels : int
        Number of mel bands.
    dtype : dtype
        Data type of the computation: float32, or float64 to check the precision.

    Raises
    ------
    ParameterError
        If `sr` is not positive, or if `frame_length` or `hop_length` is out of range.
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
            raise ParameterError(f"sr must be positive (a sampling rate in Hz), not {sr}")
        self._framer = Framer(frame_length=frame_length, hop_length=hop_length, dtype=dtype)
        self._window = hann_window(frame_length).astype(dtype)
        self._mel = Filterbank(mel_filters(sr, frame_length, n_mels), dtype=dtype)
        # These arrays are reused for every block: they stay in the cache, and no memory is allocated per block.
        n_bins, n_frames = 1 + frame_length // 2, self._framer.block_frames
        self._windowed = np.empty((n_frames, frame_length), dtype)
        self._magnitude = np.zeros((n_frames, -(-n_bins // GROUP) * GROUP), dtype)
        self._power = np.zeros_like(self._magnitude)

    @property
    def n_samples(self) -> int:
        """Number of samples pushed so far."""
        return self._framer.n_samples

    def push(self, y: NDArray[Any]) -> Iterator[SpectrumBlock]:
        """Add a chunk of the signal (see `mono_signal`), and yield each block of frames that it completes."""
        return self._blocks(self._framer.push(mono_signal(y)))

    def flush(self) -> Iterator[SpectrumBlock]:
        """End the signal and yield the remaining blocks."""
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
        # Computing the magnitude and its square is faster than squaring both parts and taking the root of the sum.
        np.abs(spectra, out=magnitude[:, : spectra.shape[1]])
        np.multiply(magnitude, magnitude, out=power)
        return magnitude, power


def decibels(power: NDArray[Any]) -> NDArray[Any]:
    """Return power in dB with a minimum of -100 dB: ``10 log10(max(power, 1e-10))``."""
    # NumPy vectorizes the natural logarithm on all processors, and log10 only on some.
    levels: NDArray[Any] = np.maximum(power, 1e-10)
    np.log(levels, out=levels)
    levels *= 10 / np.log(10)
    return levels


def mono_signal(y: NDArray[Any]) -> NDArray[Any]:
    """Check a signal or a chunk of it, and average its channels, like `librosa.to_mono`.

    Parameters
    ----------
    y : np.ndarray, shape (n_samples,) or (channels, n_samples)
        Floating-point samples.

    Returns
    -------
    np.ndarray, shape (n_samples,)
        Mean of all channels.

    Raises
    ------
    ParameterError
        If the samples are not floating-point numbers, if they are not finite, or if `y` has another shape or more than
        32 channels.
    """
    y = np.asarray(y)
    if y.dtype.kind != "f":
        raise ParameterError(
            f"y must be floating-point samples between -1 and 1, not {y.dtype}; divide integers by their full scale"
        )
    if y.ndim not in (1, 2) or (y.ndim == 2 and not 1 <= y.shape[0] <= MAX_CHANNELS):
        raise ParameterError(
            f"y must have shape (n_samples,) or (channels, n_samples), not {y.shape}; pass y.T for an array read with "
            "soundfile"
        )
    if not np.isfinite(y).all():
        raise ParameterError(
            "y must be finite, but contains NaN or infinity; check the file or the computation that it comes from"
        )
    mono: NDArray[Any] = y if y.ndim == 1 else y.mean(axis=0)
    return mono

"""Spectra: the power spectrum of every frame, a block of frames at a time.

One pass over the sound serves all that is ever computed of it. `SpectrumStream` takes samples in chunks of any size and
yields `SpectrumBlock` records; `songform.features.frame_features` and `songform.features.overview` read the same
records. A block is small enough to stay in the processor's cache while every descriptor is computed from it.

References
----------
`librosa.stft`, `librosa.feature.melspectrogram` and `librosa.power_to_db(ref=1, amin=1e-10, top_db=None)`. There is no
ceiling relative to the loudest moment (`top_db`): it could not be known on a stream, and would make a frame's value
depend on the rest of the song.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.fft

from songform.errors import ParameterError
from songform.features.filters import Filterbank, hann_window, mel_filters
from songform.features.framing import Framer, sliding_frames

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import DTypeLike, NDArray

__all__ = ["GROUP", "SpectrumBlock", "SpectrumStream", "decibels", "mono_signal"]

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
        As in `songform.features.framing.Framer`.
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

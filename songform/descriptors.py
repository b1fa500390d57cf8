"""Descriptors: what is said of one frame, from its samples and its spectrum.

Every value depends on its own frame alone; derivatives, which look at the neighbours, are in `songform.features`.
S is the magnitude of the frame's spectrum.

Descriptors
-----------
* RMS, zero-crossing rate: mean and standard deviation over the frame's four quarters.
* centroid, bandwidth: mean and standard deviation of the frequency, in Hz, S being the weight.
* roll-off: the frequency, in Hz, below which 85 % of S lies.
* dB: mean, standard deviation and maximum over the bins of ``20 log10(max(S, 1e-5))``.
* MFCC: the first coefficients of the DCT of the mel bands in dB.

References
----------
`librosa.feature`: `rms`, `zero_crossing_rate`, `spectral_centroid`, `spectral_bandwidth(p=2)`, `spectral_rolloff` and
`mfcc`; `librosa.amplitude_to_db(ref=1, amin=1e-5, top_db=None)`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from songform.errors import ParameterError
from songform.filters import Filterbank, dct_basis, fft_frequencies
from songform.framing import sliding_frames

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from songform.spectra import SpectrumBlock

__all__ = ["Descriptors", "descriptor_names"]

ZERO = 1e-10  # librosa's threshold: a sample this near to 0 is 0, and 0 counts as positive
GROUP = 32  # bins whose sum the roll-off looks at before it looks at each


def descriptor_names(n_mfcc: int = 13) -> tuple[str, ...]:
    """Name the columns of `Descriptors`."""
    quarters = ("rms_mean", "rms_std", "zcr_mean", "zcr_std")
    spectral = ("centroid_hz", "bandwidth_hz", "rolloff_hz", "db_mean", "db_std", "db_max")
    return (*quarters, *spectral, *(f"mfcc_{i:02d}" for i in range(1, n_mfcc + 1)))


class Descriptors:
    """Describes the frames of a block.

    Parameters
    ----------
    sr : int
        Sampling rate, in Hz.
    frame_length : int
        Samples in a frame.
    n_mfcc, n_mels : int
        Number of cepstral coefficients kept, and of the mel bands they are made from.
    roll_percent : float
        Share of S below the roll-off frequency, between 0 and 1.
    """

    def __init__(
        self,
        sr: int = 22050,
        *,
        frame_length: int = 2048,
        n_mfcc: int = 13,
        n_mels: int = 128,
        roll_percent: float = 0.85,
    ) -> None:
        if not 1 <= n_mfcc <= n_mels:
            raise ParameterError(f"n_mfcc must be from 1 to n_mels ({n_mels}), not {n_mfcc}; the usual value is 13")
        if not 0 < roll_percent < 1:
            raise ParameterError(
                f"roll_percent must lie between 0 and 1, not be {roll_percent}; the usual value is 0.85"
            )
        self.roll_percent = roll_percent
        self._frequency = fft_frequencies(sr, frame_length)
        self._groups = np.arange(0, len(self._frequency), GROUP)
        self._cepstrum = Filterbank(dct_basis(n_mels, n_mfcc), dtype=np.float64)

    def __call__(self, block: SpectrumBlock) -> NDArray[Any]:
        """Describe each frame of a block: a float64 array of shape (n, len(descriptor_names(n_mfcc)))."""
        magnitude = np.sqrt(block.power)
        parts = (
            *_mean_and_std(_quarter_rms(block)),
            *_mean_and_std(_quarter_zcr(block)),
            *self._centroid_and_bandwidth(magnitude),
            self._rolloff(magnitude),
            *_level_statistics(block.power),
            *self._cepstrum(block.mel_db).T,
        )
        return np.stack(parts, axis=1, dtype=np.float64)

    def _centroid_and_bandwidth(self, magnitude: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        # A pure tone's variance is the small difference of two large numbers: float32 would lose it.
        weights = magnitude.astype(np.float64)
        total, first, second = (np.einsum("nb,b->n", weights, self._frequency**p) for p in range(3))
        total = np.where(total > 0, total, 1)
        centroid = first / total
        return centroid, np.sqrt(np.maximum(second / total - centroid**2, 0))

    def _rolloff(self, magnitude: NDArray[Any]) -> NDArray[np.float64]:
        # First the group of bins in which the threshold is passed, then the bin: a cumulative sum over
        # all bins of all frames would cost more than the FFT.
        below = np.cumsum(np.add.reduceat(magnitude, self._groups, axis=1), axis=1)
        threshold = self.roll_percent * below[:, -1:]
        group = (below < threshold).sum(axis=1, keepdims=True)
        before = np.where(group > 0, np.take_along_axis(below, np.maximum(group - 1, 0), axis=1), 0)
        bins = np.minimum(group * GROUP + np.arange(GROUP), magnitude.shape[1] - 1)
        within = before + np.cumsum(np.take_along_axis(magnitude, bins, axis=1), axis=1)
        at = group[:, 0] * GROUP + (within < threshold).sum(axis=1)
        frequency: NDArray[np.float64] = self._frequency[np.minimum(at, len(self._frequency) - 1)]
        return frequency


def _quarter_rms(block: SpectrumBlock) -> NDArray[Any]:
    quarters = _quarters(block.frames)
    rms: NDArray[Any] = np.sqrt(np.einsum("nqs,nqs->nq", quarters, quarters) / quarters.shape[2])
    return rms


def _quarter_zcr(block: SpectrumBlock) -> NDArray[Any]:
    # Frames overlap: the crossings since the block's start are counted once, and a quarter's are a difference.
    negative = block.samples < -ZERO
    count = np.zeros(len(negative), np.int32)
    np.cumsum(negative[1:] != negative[:-1], out=count[1:])
    counts = _quarters(sliding_frames(count, block.frame_length, block.hop_length))
    rate: NDArray[Any] = (counts[..., -1] - counts[..., 0]) / counts.shape[2]
    return rate


def _quarters(frames: NDArray[Any]) -> NDArray[Any]:
    # A view, not a copy: overlapping frames share their memory, and reshape would write each of them out.
    n, frame_length = frames.shape
    per_frame, per_sample = frames.strides
    shape, strides = (n, 4, frame_length // 4), (per_frame, frame_length // 4 * per_sample, per_sample)
    return np.lib.stride_tricks.as_strided(frames, shape, strides, writeable=False)


def _mean_and_std(quarters: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    return quarters.mean(axis=1), quarters.std(axis=1)


def _level_statistics(power: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    levels = np.log(np.maximum(power, 1e-10))
    mean, maximum = levels.mean(axis=1), levels.max(axis=1)
    levels -= mean[:, None]
    std = np.sqrt(np.einsum("nb,nb->n", levels, levels) / levels.shape[1])
    return tuple(10 / np.log(10) * value for value in (mean, std, maximum))

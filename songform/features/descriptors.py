"""Descriptors of a single frame, computed from its samples and its spectrum.

Every value depends on one frame only. Derivatives, which also depend on neighboring frames, are in
`songform.features.frame_features`. S denotes the magnitude of the frame's spectrum.

Descriptors
-----------
* RMS, zero-crossing rate: mean and standard deviation over the four quarters of the frame.
* centroid, bandwidth: mean and standard deviation of the frequency in Hz, weighted by S.
* roll-off: frequency in Hz below which 85 % of the sum of S lies.
* dB: mean, standard deviation and maximum over the bins of ``20 log10(max(S, 1e-5))``.
* MFCC: first coefficients of the DCT of the mel bands in dB.

References
----------
`librosa.feature`: `rms`, `zero_crossing_rate`, `spectral_centroid`, `spectral_bandwidth(p=2)`, `spectral_rolloff` and
`mfcc`; `librosa.amplitude_to_db(ref=1, amin=1e-5, top_db=None)`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from songform.errors import ParameterError
from songform.features.filters import BLOCK_FRAMES, Filterbank, dct_basis, fft_frequencies
from songform.features.stft import GROUP, sliding_frames

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    from songform.features.stft import SpectrumBlock

__all__ = ["Descriptors", "descriptor_names"]

ZERO = 1e-10  # threshold of librosa: samples of smaller magnitude count as 0, and 0 counts as positive
FLOOR = 1e-5  # minimum magnitude, -100 dB
# The variance is computed as the mean square minus the square of the mean. If it is below this fraction of the mean
# square, the difference is too inexact in float32, and the variance is computed again from the deviations.
NARROW = 1e-2


def descriptor_names(n_mfcc: int = 13) -> tuple[str, ...]:
    """Return the names of the columns computed by `Descriptors`."""
    quarters = ("rms_mean", "rms_std", "zcr_mean", "zcr_std")
    spectral = ("centroid_hz", "bandwidth_hz", "rolloff_hz", "db_mean", "db_std", "db_max")
    return (*quarters, *spectral, *(f"mfcc_{i:02d}" for i in range(1, n_mfcc + 1)))


class Descriptors:
    """Callable that computes the descriptors of all frames of a block.

    Parameters
    ----------
    sr : int
        Sampling rate in Hz.
    frame_length : int
        Length of a frame in samples.
    n_mfcc, n_mels : int
        Number of MFCCs, and number of mel bands from which they are computed.
    roll_percent : float
        Fraction of S below the roll-off frequency, between 0 and 1.
    dtype : dtype
        Data type of the spectra and of the computation.
    """

    def __init__(
        self,
        sr: int = 22050,
        *,
        frame_length: int = 2048,
        n_mfcc: int = 13,
        n_mels: int = 128,
        roll_percent: float = 0.85,
        dtype: DTypeLike = np.float32,
    ) -> None:
        if not 1 <= n_mfcc <= n_mels:
            raise ParameterError(f"n_mfcc must be from 1 to n_mels ({n_mels}), not {n_mfcc}; the usual value is 13")
        if not 0 < roll_percent < 1:
            raise ParameterError(
                f"roll_percent must be between 0 and 1 (both excluded), not {roll_percent}; the usual value is 0.85"
            )
        self.roll_percent = roll_percent
        self._frequency = fft_frequencies(sr, frame_length).astype(dtype)
        self._frequency_squared = self._frequency**2
        self._floor = np.full(len(self._frequency), FLOOR, dtype)
        self._ones = np.ones(len(self._frequency), dtype)
        self._levels = np.empty((BLOCK_FRAMES, len(self._frequency)), dtype)  # reused for every block
        self._group = np.ones(GROUP, dtype)
        self._sum_groups = _cumulative_sum(-(-len(self._frequency) // GROUP), dtype)
        self._sum_bins = _cumulative_sum(GROUP, dtype)
        self._cepstrum = Filterbank(dct_basis(n_mels, n_mfcc), dtype=np.float64)

    def __call__(self, block: SpectrumBlock) -> NDArray[Any]:
        """Return the descriptors of each frame of a block, float64, of shape (n, len(descriptor_names(n_mfcc)))."""
        values = (
            *_quarter_statistics(block),
            *self._centroid_and_bandwidth(block.magnitude),
            self._rolloff(block.magnitude),
            *self._level_statistics(block.magnitude),
        )
        return np.concatenate([np.stack(values, axis=1), self._cepstrum(block.mel_db)], axis=1)

    def _centroid_and_bandwidth(self, magnitude: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        weights, frequency = magnitude[:, : len(self._frequency)], self._frequency
        total = np.vecdot(weights, self._ones)
        total[total == 0] = 1
        centroid = np.vecdot(weights, frequency) / total
        square = np.vecdot(weights, self._frequency_squared) / total
        variance = square - centroid**2
        narrow = variance < NARROW * square
        if narrow.any():
            deviation = frequency - centroid[narrow, None]
            variance[narrow] = np.vecdot(weights[narrow], deviation * deviation) / total[narrow]
        return centroid, np.sqrt(variance)

    def _rolloff(self, magnitude: NDArray[Any]) -> NDArray[Any]:
        # Find the group of bins in which the threshold is reached, then the bin within it. A cumulative sum over all
        # bins of all frames would take longer than the FFT.
        groups = magnitude.reshape(len(magnitude), -1, GROUP)
        below = self._sum_groups(groups @ self._group)
        threshold = self.roll_percent * below[:, -1:]
        frames, group = np.arange(len(groups)), (below >= threshold).argmax(axis=1)
        before = np.where(group > 0, below[frames, group - 1], 0)
        within = before[:, None] + self._sum_bins(groups[frames, group])
        at = group * GROUP + np.minimum((within < threshold).sum(axis=1), GROUP - 1)
        frequency: NDArray[Any] = self._frequency[np.minimum(at, len(self._frequency) - 1)]
        return frequency

    def _level_statistics(self, magnitude: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        maximum = np.log(np.maximum(magnitude.max(axis=1), FLOOR))
        levels = np.maximum(magnitude[:, : len(self._floor)], self._floor, out=self._levels[: len(magnitude)])
        np.log(levels, out=levels)
        n_bins = levels.shape[1]
        mean, square = np.vecdot(levels, self._ones) / n_bins, np.vecdot(levels, levels) / n_bins
        variance = square - mean**2
        narrow = variance < NARROW * square
        if narrow.any():
            mean[narrow], variance[narrow] = levels[narrow].mean(axis=1), levels[narrow].var(axis=1)
        return tuple(20 / np.log(10) * value for value in (mean, np.sqrt(variance), maximum))


def _cumulative_sum(n: int, dtype: DTypeLike) -> Filterbank:
    """Return a filter bank that computes cumulative sums of n values, which is faster than `numpy.cumsum`."""
    return Filterbank(np.tril(np.ones((n, n))), dtype=dtype, group=n)


def _quarter_statistics(block: SpectrumBlock) -> NDArray[Any]:
    """Return mean and standard deviation of RMS, then of zero-crossing rate, over quarters of frames: (4, n)."""
    # Quarters of overlapping frames share samples. They consist of whole pieces, and each piece is summed only once.
    length = block.frame_length // 4
    piece = math.gcd(block.hop_length, length)
    samples, crossed = block.samples.reshape(-1, piece), _crossings(block.samples).reshape(-1, piece)
    # The energy of ones and zeros is the number of ones.
    sums = np.stack([np.vecdot(samples, samples), np.vecdot(crossed, crossed), crossed[:, 0]])
    frames = sliding_frames(sums, 4 * length // piece, block.hop_length // piece)
    quarters = frames.reshape(3, -1, 4, length // piece)
    energy, crossings = quarters[:2].sum(axis=3) / length
    # A crossing between the previous sample and the first sample of a quarter is not within the quarter.
    values = np.stack([np.sqrt(energy), crossings - quarters[2, :, :, 0] / length])
    mean = values.sum(axis=2) / 4
    values -= mean[:, :, None]
    std = np.sqrt(np.vecdot(values, values) / 4)
    return np.stack([mean, std], axis=1).reshape(4, -1)


def _crossings(y: NDArray[Any]) -> NDArray[Any]:
    """Return 1 where the sign differs from that of the previous sample, else 0."""
    negative = y < -ZERO
    crossed = np.empty_like(y)
    crossed[0] = 0
    np.not_equal(negative[1:], negative[:-1], out=crossed[1:])
    return crossed

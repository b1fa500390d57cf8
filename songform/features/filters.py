"""Window function, mel and chroma filter banks, and DCT basis, equal to those of librosa.

songform does not compute with librosa, because the first call of librosa takes seconds of imports. Each function here
equals the named librosa or SciPy function with the parameters that songform uses; the tests compare them.

References
----------
.. [1] M. Slaney, "Auditory Toolbox, version 2", Technical Report 1998-010, Interval Research (the mel scale).
.. [2] D. P. W. Ellis, "Chroma feature analysis and synthesis", 2007 (the chroma filters).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.fft

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

__all__ = [
    "BLOCK_FRAMES",
    "Filterbank",
    "chroma_filters",
    "dct_basis",
    "fft_frequencies",
    "hann_window",
    "hz_to_mel",
    "mel_filters",
]

BLOCK_FRAMES = 128  # frames filtered at once; their spectra fit into the second-level cache of a core

# OpenBLAS uses several threads for products with more multiplications than this (rows times columns times depth). For
# matrices as small as these, threads make a product slower, on a busy machine by a factor of five. songform processes
# songs in parallel instead.
SERIAL_PRODUCT = 2**18


def hann_window(frame_length: int) -> NDArray[np.float64]:
    """Return the periodic Hann window, of shape (frame_length,): `scipy.signal.get_window("hann", frame_length)`."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(frame_length) / frame_length)


def fft_frequencies(sr: float, n_fft: int) -> NDArray[np.float64]:
    """Return the center of each bin of a real FFT in Hz, of shape (1 + n_fft // 2,): `librosa.fft_frequencies`."""
    return np.arange(1 + n_fft // 2) * sr / n_fft


def mel_filters(sr: float, n_fft: int, n_mels: int = 128) -> NDArray[np.float64]:
    """Return triangular filters of equal area on Slaney's mel scale [1]_, from 0 Hz to half the sampling rate.

    Returns
    -------
    np.ndarray, shape (n_mels, 1 + n_fft // 2)
        `librosa.filters.mel(sr=sr, n_fft=n_fft, n_mels=n_mels)`.
    """
    edges = _mel_to_hz(np.linspace(0, hz_to_mel(sr / 2), n_mels + 2))
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    f = fft_frequencies(sr, n_fft)
    rising: NDArray[np.float64] = (f - low) / (centre - low)
    filters = np.minimum(rising, (high - f) / (high - centre), out=rising)
    np.maximum(filters, 0, out=filters)
    filters *= 2 / (high - low)
    return filters


def chroma_filters(sr: float, n_fft: int) -> NDArray[np.float64]:
    """Return the filters of twelve pitch classes from C upward [2]_, tuned to A = 440 Hz.

    Each filter is a comb of Gaussian bumps one octave apart.

    Returns
    -------
    np.ndarray, shape (12, 1 + n_fft // 2)
        `librosa.filters.chroma(sr=sr, n_fft=n_fft, tuning=0)`.
    """
    semitone = 12 * np.log2(np.arange(1, n_fft) * sr / n_fft / 27.5)  # distance from A at 27.5 Hz
    semitone = np.concatenate(([semitone[0] - 18], semitone))  # 0 Hz is placed an octave and a half below the first bin
    width = np.concatenate((np.maximum(np.diff(semitone), 1), [1]))
    distance = (semitone - np.arange(12)[:, None] + 6) % 12 - 6
    bumps = np.exp(-0.5 * (2 * distance / width) ** 2)
    bumps /= np.sqrt((bumps**2).sum(axis=0))
    bumps *= np.exp(-0.5 * ((semitone / 12 - 5) / 2) ** 2)  # the octaves around 880 Hz have the largest weight
    return np.roll(bumps, -3, axis=0)[:, : 1 + n_fft // 2]  # start at C instead of A


def dct_basis(n_bands: int, n_coefficients: int) -> NDArray[np.float64]:
    """Return the matrix of `scipy.fft.dct(norm="ortho")` (DCT-II), of shape (n_coefficients, n_bands)."""
    basis: NDArray[np.float64] = scipy.fft.dct(np.eye(n_bands), type=2, norm="ortho", axis=0)[:n_coefficients]
    return basis


class Filterbank:
    """Filter bank that skips bins in which the filters are 0.

    A mel filter covers only a few of about a thousand bins. Neighboring filters are applied together, as one matrix
    product over the bins that they cover. This takes a fifteenth of the operations of the full product, all in BLAS.

    Parameters
    ----------
    filters : np.ndarray, shape (n_bands, n_bins)
        One filter per row.
    dtype : dtype
        Data type of the computation.
    group : int
        Number of neighboring filters that are applied together.
    """

    def __init__(self, filters: NDArray[np.float64], *, dtype: DTypeLike = np.float32, group: int = 8) -> None:
        self.n_bands, self.dtype = len(filters), np.dtype(dtype)
        self._groups = [_trimmed(filters, at, at + group, self.dtype) for at in range(0, len(filters), group)]
        largest = max(weights.size for _, _, weights in self._groups)
        self._rows = min(BLOCK_FRAMES, 2 ** int(np.log2(max(1, SERIAL_PRODUCT // largest))))

    def __call__(self, power: NDArray[Any]) -> NDArray[Any]:
        """Apply the filters to power spectra of shape (n, n_bins) and return bands of shape (n, n_bands)."""
        n, n_bins = power.shape
        # BLAS rounds differently for different numbers of rows. With a fixed number, equal frames get equal values.
        if lacking := -n % self._rows:
            power = np.concatenate([power, np.zeros((lacking, n_bins), power.dtype)])
        stacked = power.reshape(-1, self._rows, n_bins)
        bands = np.empty((*stacked.shape[:2], self.n_bands), self.dtype)
        for where, bins, weights in self._groups:
            np.matmul(stacked[..., bins], weights, out=bands[..., where])
        return bands.reshape(-1, self.n_bands)[:n]


def _trimmed(
    filters: NDArray[np.float64], start: int, stop: int, dtype: np.dtype[Any]
) -> tuple[slice, slice, NDArray[Any]]:
    rows = filters[start:stop]
    used = np.flatnonzero(rows.any(axis=0))
    bins = slice(used[0], used[-1] + 1) if used.size else slice(0, 1)
    return slice(start, start + len(rows)), bins, np.ascontiguousarray(rows[:, bins].T, dtype)


# Slaney's mel scale is linear up to 1 kHz (15 mel) and logarithmic above, with 27 mel for a factor of 6.4.


def hz_to_mel(hz: ArrayLike) -> NDArray[np.float64]:
    """Convert frequencies in hertz to mel, on Slaney's scale [1]_: `librosa.hz_to_mel`."""
    frequency = np.asarray(hz, np.float64)
    above = 15 + 27 * np.log(np.maximum(frequency, 1000) / 1000) / np.log(6.4)
    return np.where(frequency < 1000, frequency * 3 / 200, above)


def _mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(mel < 15, mel * 200 / 3, 1000 * 6.4 ** ((mel - 15) / 27))

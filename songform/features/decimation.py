"""Decimation by two, as a product of matrices.

A filter bank that ends far below half the sampling rate needs only every second sample of the signal after a low-pass
filter, and its FFT then takes half the time. The low-pass filter is a windowed sinc of linear phase. Its loss within
the pass band is known exactly (`half_rate_response`), so that the filter bank can compensate it. Only what would be
folded onto the pass band has to be removed by the filter itself.

Conventions
-----------
Frequencies are relative to the sampling rate before the decimation. The pass band ends at `PASS_BAND` = 0.2, and the
stop band begins at 0.3. Its attenuation is 80 dB.

References
----------
.. [1] J. F. Kaiser, "Nonrecursive digital filter design using the I0-sinh window function", ISCAS 1974.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PASS_BAND", "HalfRate", "half_rate_response"]

PASS_BAND = 0.2

_REACH = 15  # samples on each side of an output; 31 taps
_ATTENUATION_DB = 80.0
_INPUTS, _OUTPUTS, _HALO = 32, 16, 8  # samples of a row, outputs at these samples, and outputs on each side
_ROWS = 128  # rows of one product, see `songform.features.filters.SERIAL_PRODUCT`


class HalfRate:
    """Low-pass filter that keeps every second sample. Its arrays are reused, so that no memory is allocated per block.

    Parameters
    ----------
    n_samples : int
        Maximum number of samples of a signal.
    """

    def __init__(self, n_samples: int) -> None:
        n_products = -(-n_samples // (_ROWS * _INPUTS))
        self._samples = np.zeros((n_products, _ROWS, _INPUTS), np.float32)
        self._parts = np.empty((n_products, _ROWS, _OUTPUTS + 2 * _HALO), np.float32)
        self._outputs = np.empty((n_products * _ROWS, _OUTPUTS), np.float32)

    def __call__(self, y: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return every second sample of a low-pass filtered signal.

        Parameters
        ----------
        y : np.ndarray, shape (n_samples,)
            Signal, which is taken as zero outside; float32.

        Returns
        -------
        np.ndarray, shape (ceil(n_samples / 2),)
            Output ``n`` is at the time of ``y[2 * n]``. The next call overwrites it.
        """
        samples = self._samples.reshape(-1)
        samples[: len(y)] = y
        samples[len(y) :] = 0
        # Each row of 32 samples contributes to its own 16 outputs, and to 8 outputs on each side. The number of rows
        # of a product is fixed, because BLAS rounds differently for different numbers of rows.
        np.matmul(self._samples, _WEIGHTS, out=self._parts)
        parts, outputs = self._parts.reshape(len(self._outputs), -1), self._outputs
        outputs[:] = parts[:, _HALO:-_HALO]
        outputs[1:, :_HALO] += parts[:-1, -_HALO:]
        outputs[:-1, -_HALO:] += parts[1:, :_HALO]
        return outputs.reshape(-1)[: -(-len(y) // 2)]


def half_rate_response(frequency: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the gain of the low-pass filter at frequencies relative to the sampling rate, of the same shape."""
    offsets = np.arange(-_REACH, _REACH + 1)
    gain: NDArray[np.float64] = np.vecdot(np.cos(2 * np.pi * frequency[..., None] * offsets), _TAPS)
    return gain


def _low_pass_taps() -> NDArray[np.float64]:
    """Return the taps of the low-pass filter, designed with Kaiser's formulas [1]_."""
    n_taps = 2 * _REACH + 1
    transition = (_ATTENUATION_DB - 8) / (2.285 * 2 * np.pi * (n_taps - 1))
    cutoff = 0.5 - PASS_BAND - transition / 2
    taps = np.sinc(2 * cutoff * np.arange(-_REACH, _REACH + 1)) * np.kaiser(n_taps, 0.1102 * (_ATTENUATION_DB - 8.7))
    scaled: NDArray[np.float64] = taps / taps.sum()
    return scaled


def _row_weights(taps: NDArray[Any]) -> NDArray[np.float32]:
    """Return the weight of each sample of a row in each output, of shape (32, 32)."""
    outputs = np.arange(-_HALO, _OUTPUTS + _HALO)
    offsets = np.arange(_INPUTS)[:, None] - 2 * outputs
    weights = taps[np.clip(offsets + _REACH, 0, len(taps) - 1)]
    return np.where(np.abs(offsets) <= _REACH, weights, 0).astype(np.float32)


_TAPS = _low_pass_taps()
_WEIGHTS = _row_weights(_TAPS)

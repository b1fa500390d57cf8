"""Self-similarity: where a song turns, and what comes round again.

Timbre (MFCC) and harmony (chroma) of every unit of 0.5 s make a vector; the inner products of all pairs would be the
self-similarity matrix. It is never made: novelty needs sums of vectors alone, recurrence one diagonal at a time, so
memory stays linear in the song's length.

Conventions
-----------
`vectors` has shape (n_units, n_mfcc + 12) and rows of length 1 at most. Lags are counted in units. Axes before these
two are of several songs of the same length, and come first in what is returned; `loop_similarity` takes one song.

References
----------
.. [1] Foote, "Automatic audio segmentation using a measure of audio novelty", ICME 2000.
.. [2] Mueller, Jiang and Grosche, "A robust fitness measure for capturing repetitions in music recordings",
       IEEE TASLP 21(3), 2013: path enhancement along diagonals.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

from songform.structure.pooling import smoothed

__all__ = ["VERSION", "loop_similarity", "novelty", "path_similarities", "recurrence", "similarity_vectors"]

VERSION = 1  # increase this when the same vectors give another novelty or recurrence

PATH_SECONDS = 4.0
"""Length of the diagonals over which similarities are averaged."""

_LAGS_AT_ONCE = 32  # in `path_similarities`: all that `recurrence` asks for, in few steps and little memory
_LEAST_NORM = 0.5  # of a row: in a dozen composed songs none lies under 0.68, inside a steady tone none over 0.26
_HALF_WIDTH = 2.0  # half the side of the checkerboard, in s

Array = NDArray[np.float64]


def similarity_vectors(mfcc: Array, chroma: Array) -> Array:
    """Return the vector of each unit, whose inner products are similarities of timbre and harmony.

    Parameters
    ----------
    mfcc : np.ndarray, shape=(n_units, n_mfcc)
        The units' MFCCs, standardised within the song.
    chroma : np.ndarray, shape=(n_units, 12)
        The units' chroma, standardised within the song.

    Returns
    -------
    np.ndarray of float64, shape=(n_units, n_mfcc + 12)
        Both parts weigh alike; rows of length 1, or shorter where a unit hardly differs from the song's average: in a
        constant sound only rounding does, and that is like nothing.
    """
    vectors = np.concatenate([part / np.sqrt(part.shape[-1]) for part in (mfcc, chroma)], axis=-1)
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), _LEAST_NORM))


def novelty(vectors: Array, *, unit_seconds: float) -> Array:
    """Return Foote's novelty [1]_, with a checkerboard of 4 s.

    Parameters
    ----------
    vectors : np.ndarray, shape=(n_units, n)
        From `similarity_vectors`.
    unit_seconds : float > 0
        Length of a unit in seconds.

    Returns
    -------
    np.ndarray, shape=(n_units,)
        0 where past and future are alike, and within 2 s of the song's ends; at most 0.5. Never divided by the
        track's own maximum, so noise has none.
    """
    half = round(_HALF_WIDTH / unit_seconds)
    curve: Array = np.maximum(_checkerboard(vectors, half), 0.0)
    n = curve.shape[-1]
    margin = min(half, n)
    curve[..., :margin] = curve[..., n - margin :] = 0.0
    return curve


def recurrence(vectors: Array, *, unit_seconds: float, most_seconds: float = 16.0) -> Array:
    """Return how much the seconds around each unit are like others nearby: a loop is like itself a bar later.

    Parameters
    ----------
    vectors : np.ndarray, shape=(n_units, n)
        From `similarity_vectors`.
    unit_seconds : float > 0
        Length of a unit in seconds.
    most_seconds : float > 0
        The longest lag.

    Returns
    -------
    np.ndarray, shape=(n_units,)
        The largest path similarity at lags of 1 s up, before or after: 0 to 1; 0 where the song is too short.
    """
    n = vectors.shape[-2]
    found = np.zeros(vectors.shape[:-1])
    for lag, similarity in path_similarities(vectors, unit_seconds=unit_seconds, most_seconds=most_seconds):
        for side in (slice(0, n - lag), slice(lag, n)):
            found[..., side] = np.maximum(found[..., side], similarity)
    return found


def loop_similarity(vectors: Array, *, unit_seconds: float) -> float:
    """Return how much a stretch is a loop: its similarity with itself, moved by the lag at which it is largest.

    Parameters
    ----------
    vectors : np.ndarray, shape=(n_units, n)
        Of one stretch, from `similarity_vectors`.
    unit_seconds : float > 0
        Length of a unit in seconds.

    Returns
    -------
    float
        0 to 1: 1 for an exact loop; 0 where the stretch is too short for two turns of 1 s. Lags reach to half the
        stretch, so that a loop has been heard twice.
    """
    lags = range(round(1 / unit_seconds), len(vectors) // 2 + 1)
    return max(
        (max(0.0, float(np.einsum("ij,ij->i", vectors[:-lag], vectors[lag:]).mean())) for lag in lags), default=0.0
    )


def path_similarities(
    vectors: Array, *, unit_seconds: float, most_seconds: float = np.inf
) -> Iterator[tuple[int, Array]]:
    """Yield the path similarities [2]_ of a song with itself, a lag at a time.

    Parameters
    ----------
    vectors : np.ndarray, shape=(n_units, n)
        From `similarity_vectors`.
    unit_seconds : float > 0
        Length of a unit in seconds.
    most_seconds : float > 0
        The longest lag.

    Yields
    ------
    lag : int
        From 1 s up, in units.
    np.ndarray, shape=(n_units - lag,)
        Element `u` is the mean similarity of the 4 s around unit `u` and around unit `u + lag`.
    """
    width = round(PATH_SECONDS / unit_seconds)
    n = vectors.shape[-2]
    longest = int(min(n - width, most_seconds / unit_seconds))
    for first in range(round(1 / unit_seconds), longest + 1, _LAGS_AT_ONCE):
        lags = np.arange(first, min(first + _LAGS_AT_ONCE, longest + 1))
        paths = smoothed(_diagonals(vectors, lags), width, lengths=n - lags)
        for lag, path in zip(lags.tolist(), np.moveaxis(paths, -1, 0), strict=True):
            yield lag, path.T[..., : n - lag]


def _diagonals(vectors: Array, lags: NDArray[np.intp]) -> Array:
    """Return how similar each unit is to the one a lag later, shape (n_units, ..., n_lags); 0 beyond the end."""
    beyond = np.zeros((*vectors.shape[:-2], lags[-1], vectors.shape[-1]))
    padded = np.concatenate([vectors, beyond], axis=-2)
    later = sliding_window_view(padded, vectors.shape[-2], axis=-2)[..., lags[0] :, :, :].swapaxes(-1, -2)
    return np.moveaxis(np.einsum("...ij,...kij->...ki", vectors, later), -1, 0)


def _checkerboard(vectors: Array, half: int) -> Array:
    """Correlate a Gaussian checkerboard with the self-similarity in [0, 1] around each unit.

    The mean of the two squares on the diagonal less the mean of the two beside it, halved: within the song this is
    the kernel divided by the sum of its absolute values, and where the song cuts the kernel both means stay means.

    The kernel is a product of tapers, and the similarity of two units (1 + their inner product) / 2. So the sum over a
    square is found from the tapered sums of its sides alone, and no matrix is made:
    sum_ij w_i w_j (1 + x_i . x_j) / 2 = (W W' + X . X') / 2, with W the sum of the w and X that of the w x. A unit's
    likeness to itself is left out of both: it says nothing, and would give noise the look of many small sections.
    """
    taper = np.exp(-2.0 * ((np.arange(half) + 0.5) / half) ** 2)
    past, past_weight = _tapered(vectors, np.r_[taper[::-1], np.zeros(half)])
    future, future_weight = _tapered(vectors, np.r_[np.zeros(half), taper])
    itself, itself_weight = _tapered((vectors**2).sum(axis=-1)[..., None], np.r_[taper[::-1], taper] ** 2)
    same = (past**2).sum(axis=-1) + (future**2).sum(axis=-1) - itself[..., 0]
    other = (past * future).sum(axis=-1)
    squares, product = past_weight**2 + future_weight**2 - itself_weight, past_weight * future_weight
    # Without any past (at the first unit) there is nothing to compare with.
    novel = same / np.maximum(squares, 1e-9) - other / np.maximum(product, 1e-9)
    return np.where(product > 0, novel, 0.0) / 4


def _tapered(vectors: Array, weights: Array) -> tuple[Array, Array]:
    """Return the weighed sum of the units around each one, from half the weights before it, and of the weights."""
    with_ones = np.concatenate([vectors, np.ones((*vectors.shape[:-1], 1))], axis=-1)
    sums = correlate1d(with_ones, weights, axis=-2, mode="constant")
    return sums[..., :-1], sums[..., -1]

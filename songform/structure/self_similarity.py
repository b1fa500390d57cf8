"""Novelty and recurrence from the self-similarity of a song.

The timbre (MFCC) and harmony (chroma) of each unit of 0.5 s form a vector. The inner products of all pairs of vectors
are the self-similarity matrix. This matrix is not computed: novelty needs only sums of vectors, and recurrence needs
only one diagonal at a time. Memory is therefore linear in the length of the song.

Conventions
-----------
`vectors` has shape (n_units, n_mfcc + 12), and the norm of each row is at most 1. Lags are in units. Arrays may have
further axes in front, for several songs of the same length; results then have the same axes. `loop_similarity` accepts
only one song.

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

VERSION = 1  # increase this when the novelty or recurrence of the same vectors changes

PATH_SECONDS = 4.0
"""Length of the part of a diagonal over which similarities are averaged, in seconds."""

_LAGS_AT_ONCE = 32  # lags computed together in `path_similarities`; enough for `recurrence`, with little memory
_LEAST_NORM = 0.5  # minimum norm; rows of twelve composed songs have at least 0.68, those in a steady tone at most 0.26
_HALF_WIDTH = 2.0  # half the width of the checkerboard kernel, in s

Array = NDArray[np.float64]


def similarity_vectors(mfcc: Array, chroma: Array) -> Array:
    """Return the vectors of the units, whose inner products are similarities of timbre and harmony.

    MFCC and chroma have equal weights. Vectors are normalized to length 1. A unit that is close to the average of the
    song gets a shorter vector, because in a constant sound the difference from the average is only rounding error.

    Parameters
    ----------
    mfcc : np.ndarray, shape=(n_units, n_mfcc)
        MFCCs of the units, standardized within the song.
    chroma : np.ndarray, shape=(n_units, 12)
        Chroma of the units, standardized within the song.

    Returns
    -------
    np.ndarray of float64, shape=(n_units, n_mfcc + 12)
        Vectors of length 1 or less.
    """
    vectors = np.concatenate([part / np.sqrt(part.shape[-1]) for part in (mfcc, chroma)], axis=-1)
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), _LEAST_NORM))


def novelty(vectors: Array, *, unit_seconds: float) -> Array:
    """Return Foote's novelty [1]_, with a checkerboard kernel of 4 s.

    The novelty is not divided by the maximum of the track, so the novelty of noise is close to 0.

    Parameters
    ----------
    vectors : np.ndarray, shape=(n_units, n)
        Vectors from `similarity_vectors`.
    unit_seconds : float > 0
        Length of a unit in seconds.

    Returns
    -------
    np.ndarray, shape=(n_units,)
        Novelty from 0 to 0.5. It is 0 within 2 s of the ends of the song, and where the sound before and after is the
        same.
    """
    half = round(_HALF_WIDTH / unit_seconds)
    curve: Array = np.maximum(_checkerboard(vectors, half), 0.0)
    n = curve.shape[-1]
    margin = min(half, n)
    curve[..., :margin] = curve[..., n - margin :] = 0.0
    return curve


def recurrence(vectors: Array, *, unit_seconds: float, most_seconds: float = 16.0) -> Array:
    """Return the maximum similarity of the seconds around each unit with those a lag earlier or later.

    Parameters
    ----------
    vectors : np.ndarray, shape=(n_units, n)
        Vectors from `similarity_vectors`.
    unit_seconds : float > 0
        Length of a unit in seconds.
    most_seconds : float > 0
        Maximum lag in seconds. The minimum lag is 1 s.

    Returns
    -------
    np.ndarray, shape=(n_units,)
        Maximum path similarity, 0 to 1; 0 if the song is too short.
    """
    n = vectors.shape[-2]
    found = np.zeros(vectors.shape[:-1])
    for lag, similarity in path_similarities(vectors, unit_seconds=unit_seconds, most_seconds=most_seconds):
        for side in (slice(0, n - lag), slice(lag, n)):
            found[..., side] = np.maximum(found[..., side], similarity)
    return found


def loop_similarity(vectors: Array, *, unit_seconds: float) -> float:
    """Return the similarity of a stretch with itself, shifted by the lag with the maximum similarity.

    Lags are limited to half the length of the stretch, so that a loop is in it at least twice.

    Parameters
    ----------
    vectors : np.ndarray, shape=(n_units, n)
        Vectors of one stretch, from `similarity_vectors`.
    unit_seconds : float > 0
        Length of a unit in seconds.

    Returns
    -------
    float
        Similarity from 0 to 1; 1 for an exact loop, and 0 for a stretch shorter than 2 s.
    """
    lags = range(round(1 / unit_seconds), len(vectors) // 2 + 1)
    return max(
        (max(0.0, float(np.einsum("ij,ij->i", vectors[:-lag], vectors[lag:]).mean())) for lag in lags), default=0.0
    )


def path_similarities(
    vectors: Array, *, unit_seconds: float, most_seconds: float = np.inf
) -> Iterator[tuple[int, Array]]:
    """Yield the path similarities [2]_ of a song with itself, one lag at a time.

    Parameters
    ----------
    vectors : np.ndarray, shape=(n_units, n)
        Vectors from `similarity_vectors`.
    unit_seconds : float > 0
        Length of a unit in seconds.
    most_seconds : float > 0
        Maximum lag in seconds. The minimum lag is 1 s.

    Yields
    ------
    lag : int
        Lag in units.
    np.ndarray, shape=(n_units - lag,)
        Mean similarity of the 4 s around unit `u` and the 4 s around unit `u + lag`, for each `u`.
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
    """Return the similarity of each unit with the unit a lag later, shape (n_units, ..., n_lags); 0 beyond the end."""
    beyond = np.zeros((*vectors.shape[:-2], lags[-1], vectors.shape[-1]))
    padded = np.concatenate([vectors, beyond], axis=-2)
    later = sliding_window_view(padded, vectors.shape[-2], axis=-2)[..., lags[0] :, :, :].swapaxes(-1, -2)
    return np.moveaxis(np.einsum("...ij,...kij->...ki", vectors, later), -1, 0)


def _checkerboard(vectors: Array, half: int) -> Array:
    """Correlate a Gaussian checkerboard kernel with the self-similarity, in [0, 1], around each unit.

    The result is half the difference between two means: that of the two squares on the diagonal, and that of the other
    two squares. Inside the song this equals the kernel divided by the sum of its absolute values. At the ends of the
    song, means over the remaining parts of the squares are used.

    The kernel is a product of two tapers w, and the similarity of two units is (1 + x_i . x_j) / 2. The sum over a
    square is therefore computed from sums over its sides, without the matrix: sum_ij w_i w_j (1 + x_i . x_j) / 2 =
    (W W' + X . X') / 2, where W is the sum of w and X is the sum of w x. The similarity of a unit with itself is
    excluded, because it carries no information and would raise the novelty of noise.
    """
    taper = np.exp(-2.0 * ((np.arange(half) + 0.5) / half) ** 2)
    past, past_weight = _tapered(vectors, np.r_[taper[::-1], np.zeros(half)])
    future, future_weight = _tapered(vectors, np.r_[np.zeros(half), taper])
    itself, itself_weight = _tapered((vectors**2).sum(axis=-1)[..., None], np.r_[taper[::-1], taper] ** 2)
    same = (past**2).sum(axis=-1) + (future**2).sum(axis=-1) - itself[..., 0]
    other = (past * future).sum(axis=-1)
    squares, product = past_weight**2 + future_weight**2 - itself_weight, past_weight * future_weight
    # The first unit has no past to compare with.
    novel = same / np.maximum(squares, 1e-9) - other / np.maximum(product, 1e-9)
    return np.where(product > 0, novel, 0.0) / 4


def _tapered(vectors: Array, weights: Array) -> tuple[Array, Array]:
    """Return the weighted sum of the units around each unit, and the sum of the weights inside the song."""
    with_ones = np.concatenate([vectors, np.ones((*vectors.shape[:-1], 1))], axis=-1)
    sums = correlate1d(with_ones, weights, axis=-2, mode="constant")
    return sums[..., :-1], sums[..., -1]

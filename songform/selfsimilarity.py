"""Self-similarity: where a song turns, and what comes round again.

Timbre (MFCC) and harmony (chroma) of every unit of 0.5 s make a vector; the inner products of all pairs would be the
self-similarity matrix. It is never made: novelty needs sums of vectors alone, recurrence one diagonal at a time, so
memory stays linear in the song's length.

Conventions
-----------
`vectors` has shape (n_units, n_mfcc + 12) and rows of length 1 at most. Lags are counted in units.

References
----------
.. [1] Foote, "Automatic audio segmentation using a measure of audio novelty", ICME 2000.
.. [2] Mueller, Jiang and Grosche, "A robust fitness measure for capturing repetitions in music recordings",
       IEEE TASLP 21(3), 2013: path enhancement along diagonals.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

from songform.units import smoothed

__all__ = [
    "DEFAULT_THRESHOLD",
    "cross_path_similarities",
    "last_recurrence",
    "novelty",
    "path_similarities",
    "recurrence",
    "similarity_vectors",
]

DEFAULT_THRESHOLD = 0.6
"""Path similarity that counts as `heard before` until a corpus of two tracks gives its own."""

PATH_SECONDS = 4.0
"""Length of the diagonals over which similarities are averaged."""

_LEAST_NORM = 0.5  # of a row: in a dozen composed songs none lies under 0.68, inside a steady tone none over 0.26

Array = NDArray[np.float64]


def similarity_vectors(mfcc: Array, chroma: Array) -> Array:
    """Return the vector of each unit, whose inner products are similarities of timbre and harmony.

    Parameters
    ----------
    mfcc : np.ndarray, shape=(n_units, n_mfcc)
        The units' mean MFCCs.
    chroma : np.ndarray, shape=(n_units, 12)
        The units' mean chroma.

    Returns
    -------
    np.ndarray of float64, shape=(n_units, n_mfcc + 12)
        Both parts standardised within the song and weighing alike; rows of length 1, or shorter where a unit hardly
        differs from the song's average: in a constant sound only rounding does, and that is like nothing.
    """
    # The floors are the least that one hears: half a unit of an MFCC, a trace of a pitch class.
    parts = _standardised(mfcc, floor=0.5), _standardised(chroma, floor=0.02)
    vectors = np.hstack([part / np.sqrt(part.shape[1]) for part in parts])
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), _LEAST_NORM))


def novelty(vectors: Array, *, unit_seconds: float, half_widths: tuple[float, ...] = (4.0, 8.0, 16.0)) -> Array:
    """Return Foote's novelty [1]_, the mean over several sizes of the checkerboard.

    Parameters
    ----------
    vectors : np.ndarray, shape=(n_units, n)
        From `similarity_vectors`.
    unit_seconds : float > 0
        Length of a unit in seconds.
    half_widths : tuple of float
        Half the side of each checkerboard, in seconds.

    Returns
    -------
    np.ndarray, shape=(n_units,)
        0 where past and future are alike, and within 2 s of the song's ends; at most 0.5. Never divided by the
        track's own maximum, so noise has none.
    """
    curves = [_checkerboard(vectors, round(width / unit_seconds)) for width in half_widths]
    curve: Array = np.maximum(np.mean(curves, axis=0), 0.0)
    margin = min(round(2 / unit_seconds), len(curve))
    curve[:margin] = curve[len(curve) - margin :] = 0.0
    return curve


def recurrence(vectors: Array, *, unit_seconds: float, threshold: float = DEFAULT_THRESHOLD) -> Array:
    """Return how much each unit was heard before, or will be heard again.

    The largest path similarity at lags of 1 to 16 s (a loop), joined with the share of the lags beyond 8 s at which
    the path similarity passes the threshold (a theme).

    Parameters
    ----------
    vectors : np.ndarray, shape=(n_units, n)
        From `similarity_vectors`.
    unit_seconds : float > 0
        Length of a unit in seconds.
    threshold : float
        Of path similarity, fixed for the corpus: a quantile of the track itself would give noise and an exact loop
        the same value.

    Returns
    -------
    np.ndarray, shape=(n_units,)
        0 to 1; 0 where the song is too short.
    """
    n = len(vectors)
    near, hits, lags = np.zeros(n), np.zeros(n), np.zeros(n)
    for lag, similarity in path_similarities(vectors, unit_seconds=unit_seconds):
        for side in (slice(0, n - lag), slice(lag, n)):
            if lag * unit_seconds <= 16:
                near[side] = np.maximum(near[side], similarity)
            if lag * unit_seconds > 8:
                hits[side] += similarity > threshold
                lags[side] += 1
    return (near + hits / np.maximum(lags, 1)) / 2


def last_recurrence(vectors: Array, *, unit_seconds: float, threshold: float = DEFAULT_THRESHOLD) -> float:
    """Return the recurrence of a song's last unit alone: `recurrence(vectors, ...)[-1]`.

    Parameters
    ----------
    vectors, unit_seconds, threshold
        As in `recurrence`.
    """
    width, n = round(PATH_SECONDS / unit_seconds), len(vectors)
    lags = np.arange(round(1 / unit_seconds), n - width + 1)
    if not len(lags):
        return 0.0
    # The path ends with the song: of the 4 s around its last unit only the first half is there.
    back = np.arange(width // 2 + 1)[:, None]
    inner = vectors[n - 1 - back.ravel()] @ vectors.T
    similarity = inner[back, n - 1 - lags - back].mean(axis=0)
    near = similarity[lags * unit_seconds <= 16].max(initial=0.0)
    far = similarity[lags * unit_seconds > 8]
    return float(near + (far > threshold).sum() / max(len(far), 1)) / 2


def path_similarities(vectors: Array, *, unit_seconds: float) -> Iterator[tuple[int, Array]]:
    """Yield the path similarities [2]_ of a song with itself, a lag at a time.

    Parameters
    ----------
    vectors : np.ndarray, shape=(n_units, n)
        From `similarity_vectors`.
    unit_seconds : float > 0
        Length of a unit in seconds.

    Yields
    ------
    lag : int
        From 1 s up, in units.
    np.ndarray, shape=(n_units - lag,)
        Element `u` is the mean similarity of the 4 s around unit `u` and around unit `u + lag`.
    """
    width = round(PATH_SECONDS / unit_seconds)
    for lag in range(round(1 / unit_seconds), len(vectors) - width + 1):
        yield lag, smoothed(np.einsum("ij,ij->i", vectors[:-lag], vectors[lag:]), width)


def cross_path_similarities(one: Array, other: Array, *, unit_seconds: float) -> Array:
    """Return the path similarities between two songs.

    Parameters
    ----------
    one, other : np.ndarray, shape=(n_units, n)
        From `similarity_vectors`, of two songs.
    unit_seconds : float > 0
        Length of a unit in seconds.

    Returns
    -------
    np.ndarray, shape=(n_pairs,)
        Of all pairs of paths of 4 s that stand end to end, each in its song; empty where a song is shorter.
    """
    width = round(PATH_SECONDS / unit_seconds)
    # A path as one long row: the mean along a diagonal is then an inner product. Paths that overlap say much the same.
    paths = [song[: len(song) // width * width].reshape(-1, width * song.shape[1]) for song in (one, other)]
    return np.asarray(paths[0] @ paths[1].T / width).ravel()


def _checkerboard(vectors: Array, half: int) -> Array:
    """Correlate a Gaussian checkerboard with the self-similarity in [0, 1] around each unit.

    The mean of the two squares on the diagonal less the mean of the two beside it, halved: within the song this is
    the kernel divided by the sum of its absolute values, and where the song cuts the kernel both means stay means.

    The kernel is a product of tapers, and the similarity of two units (1 + their inner product) / 2. So the sum over a
    square is found from the tapered sums of its sides alone, and no matrix is made:
    sum_ij w_i w_j (1 + x_i . x_j) / 2 = (W W' + X . X') / 2, with W the sum of the w and X that of the w x.
    """
    taper = np.exp(-2.0 * ((np.arange(half) + 0.5) / half) ** 2)
    past, past_weight = _tapered(vectors, np.r_[taper[::-1], np.zeros(half)])
    future, future_weight = _tapered(vectors, np.r_[np.zeros(half), taper])
    same = (past**2).sum(axis=1) + (future**2).sum(axis=1)
    other = (past * future).sum(axis=1)
    squares, product = past_weight**2 + future_weight**2, past_weight * future_weight
    # Without any past (at the first unit) there is nothing to compare with.
    novel = same / np.maximum(squares, 1e-9) - other / np.maximum(product, 1e-9)
    return np.where(product > 0, novel, 0.0) / 4


def _tapered(vectors: Array, weights: Array) -> tuple[Array, Array]:
    """Return the weighed sum of the units around each one, from half the weights before it, and of the weights."""
    ones = np.ones(len(vectors))
    sums = correlate1d(vectors, weights, axis=0, mode="constant")
    return sums, correlate1d(ones, weights, mode="constant")


def _standardised(values: Array, *, floor: float) -> Array:
    return np.asarray((values - values.mean(axis=0)) / np.maximum(values.std(axis=0), floor))

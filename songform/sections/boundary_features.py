"""Features of each bar line, from which the network of `songform.sections` finds the boundaries of sections.

All features are computed from the self-similarity of the bars, and none from the sound itself: what matters is whether
something new begins, and whether it is heard again elsewhere. A repetition is a stripe in the matrix that is parallel
to the diagonal. It begins or ends at a boundary, which the *stripe contrast* shows: the mean similarity of the bars
after two bar lines minus that of the bars before them.

Conventions
-----------
Curves have shape (n_bars + 1,), one value for each bar line, including the first and the last.

References
----------
.. [1] Foote, "Automatic audio segmentation using a measure of audio novelty", ICME 2000.
.. [2] Serrà, Müller, Grosche and Arcos, "Unsupervised music structure annotation by time series structure features and
       segment similarity", IEEE Transactions on Multimedia 16(5), 2014.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from songform.sections.bar_similarity import diagonal_sums, robust_z_scores

__all__ = ["N_FEATURES", "boundary_features", "novelty", "stripe_contrast", "structure_curve"]

N_FEATURES = 57
STRIPE_BARS = (2, 4, 8)
SIGNED_STRIPE_BARS = (2, 4, 8, 16)
LAGS = (1, 2, 4, 8, 16, 32)  # in bars
LAG_WIDTHS = (1, 4)  # in bars
PERIODS = (2, 4, 8)  # of bars that form a unit
NEAR_BARS = 4
LEAST_OVERLAP = 0.45  # of a stripe that must be inside the matrix
NEIGHBORS = 0.04  # of the bars that count as neighbors of a bar
REFERENCE_SECONDS, REFERENCE_BARS = 2.2, 100

Array = NDArray[np.float64]


def boundary_features(timbre: Array, harmony: Array, bar_seconds: float) -> NDArray[np.float32]:
    """Return the features of each bar line.

    Parameters
    ----------
    timbre, harmony : np.ndarray, shape (n_bars, n_bars)
        Self-similarity matrices.
    bar_seconds : float
        Median length of a bar, in seconds.

    Returns
    -------
    np.ndarray, shape (n_bars + 1, 57)
        Features.
    """
    both = (timbre + harmony) / 2
    scores = robust_z_scores(both)
    curves = _evidence(both)
    columns = [
        *curves,
        curves.mean(axis=0),
        *_evidence(timbre),
        *_evidence(harmony),
        _centered(_total_contrast(both, 16)),
        _centered(novelty(both, 4)),
        _centered(novelty(both, 8)),
        *_signed_contrasts(scores),
        *(_lag_similarity(scores, lag, width) for lag in LAGS for width in LAG_WIDTHS),
        *_best_repetitions(scores),
        *_position(len(both), bar_seconds),
        *(_phase_evidence(curves.mean(axis=0), period) for period in PERIODS),
    ]
    features: NDArray[np.float32] = np.nan_to_num(np.stack(columns, axis=1)).astype(np.float32)
    return features


def stripe_contrast(similarity: Array, n_bars: int) -> Array:
    """Return the stripe contrast of each pair of bar lines.

    Parameters
    ----------
    similarity : np.ndarray, shape (n, n)
        Self-similarity matrix.
    n_bars : int
        Number of bars after and before each bar line.

    Returns
    -------
    np.ndarray, shape (n + 1, n + 1)
        Mean of the `n_bars` cells after (i, j) on its diagonal, minus the mean of those before it; 0 within four bars
        of the main diagonal and where less than 45 % of the cells are inside the matrix.
    """
    n = len(similarity)
    line = np.arange(n + 1)
    sums = diagonal_sums(similarity)
    after, n_after = _along_diagonal(sums, n_bars)
    before, n_before = _along_diagonal(sums, -n_bars)
    contrast = after / np.maximum(n_after, 1) - before / np.maximum(n_before, 1)
    least = LEAST_OVERLAP * n_bars
    is_near = np.abs(line[:, None] - line) < NEAR_BARS
    return np.where((n_after < least) | (n_before < least) | is_near, 0, contrast)


def structure_curve(similarity: Array) -> Array:
    """Return the change of the structure features [2]_ at each bar line: which bars, at which lags, are neighbors."""
    n = len(similarity)
    bar = np.arange(n)
    others = np.where(np.abs(bar[:, None] - bar) >= 2, similarity, -np.inf)
    n_neighbors = min(max(1, round(NEIGHBORS * n)), n - 1)
    least = np.sort(others, axis=1)[:, -n_neighbors] if n_neighbors else np.full(n, np.inf)
    is_neighbor = others >= least[:, None]
    mutual = (is_neighbor & is_neighbor.T).astype(float)
    by_lag = mutual[bar[:, None], (bar[:, None] + bar) % n]
    smooth = gaussian_filter1d(gaussian_filter1d(by_lag, 1.0, axis=0, mode="constant"), 0.5, axis=1, mode="wrap")
    return np.concatenate([[0], np.linalg.norm(np.diff(smooth, axis=0), axis=1), [0]])


def novelty(similarity: Array, n_bars: int) -> Array:
    """Return Foote's novelty [1]_ at each bar line, with a checkerboard kernel of `n_bars` bars on each side."""
    t = np.arange(-n_bars, n_bars) + 0.5
    taper = np.sign(t) * np.exp(-0.5 * np.square(2 * t / n_bars))
    padded = np.pad(similarity, n_bars, mode="reflect" if len(similarity) > n_bars else "edge")
    windows = [padded[i : i + 2 * n_bars, i : i + 2 * n_bars] for i in range(len(similarity) + 1)]
    return np.array([max(0.0, float(taper @ window @ taper)) for window in windows])


def _evidence(similarity: Array) -> Array:
    """Return five curves that are high at boundaries, of shape (5, n_bars + 1), each standardized over the song."""
    totals = [_total_contrast(similarity, n_bars) for n_bars in STRIPE_BARS]
    return np.array([_centered(curve) for curve in (*totals, structure_curve(similarity), novelty(similarity, 2))])


def _total_contrast(similarity: Array, n_bars: int) -> Array:
    """Return the 4-norm of the stripe contrasts of each bar line: a few high ones count more than many low ones."""
    squares = np.square(stripe_contrast(similarity, n_bars))
    total: Array = np.sqrt(np.linalg.norm(squares, axis=1))
    return total


def _signed_contrasts(scores: Array) -> list[Array]:
    """Return how clearly a repetition starts, and ends, at each bar line: the highest value and the mean of four."""
    columns = []
    for n_bars in SIGNED_STRIPE_BARS:
        contrast = stripe_contrast(scores, n_bars)
        for signed in (contrast, -contrast):
            columns += [signed.max(axis=1), _highest(signed, min(4, len(scores))).mean(axis=1)]
    return columns


def _lag_similarity(scores: Array, lag: int, width: int) -> Array:
    """Return how similar the bars after each bar line are to those `lag` bars earlier: a mean over `width` bars."""
    n = len(scores)
    similar = np.zeros(n)
    similar[lag:] = np.diagonal(scores, lag)[: max(0, n - lag)]
    sums = np.concatenate([[0], np.cumsum(similar)])
    bar = np.arange(n)
    stop = np.minimum(n, bar + width)
    return np.append((sums[stop] - sums[bar]) / (stop - bar), 0)


def _best_repetitions(scores: Array) -> list[Array]:
    """Return the highest similarity of each bar to a distant one, and the mean of its three highest."""
    bar = np.arange(len(scores))
    far = np.where(np.abs(bar[:, None] - bar) >= NEAR_BARS, scores, -9.0)
    return [np.append(far.max(axis=1), 0), np.append(_highest(far, min(3, len(scores))).mean(axis=1), 0)]


def _position(n_bars: int, bar_seconds: float) -> list[Array]:
    line, ones = np.arange(n_bars + 1), np.ones(n_bars + 1)
    return [
        np.minimum(line, 64) / 32,
        np.minimum(n_bars - line, 64) / 32,
        line / n_bars,
        ones * (bar_seconds - REFERENCE_SECONDS),
        ones * (n_bars / REFERENCE_BARS - 1),
    ]


def _phase_evidence(evidence: Array, period: int) -> Array:
    """Return the mean evidence of all bar lines at the same position in units of `period` bars."""
    phases = np.array([evidence[first::period].mean() if first < len(evidence) else 0 for first in range(period)])
    return 2 * phases[np.arange(len(evidence)) % period]


def _centered(curve: Array) -> Array:
    """Standardize a curve without its first and last two values, and limit it to three standard deviations."""
    inner = curve[2:-2] if len(curve) > 8 else curve
    limited: Array = np.clip((curve - inner.mean()) / (inner.std() + 1e-9), -3, 3)
    return limited


def _highest(values: Array, n: int) -> Array:
    return np.sort(values, axis=1)[:, -n:]


def _along_diagonal(sums: Array, n_bars: int) -> tuple[Array, NDArray[np.intp]]:
    """Return the sum and the number of the cells from (i, j) on along its diagonal, backward if `n_bars` < 0."""
    i, j = np.indices(sums.shape)
    steps = np.clip(n_bars, -np.minimum(i, j), len(sums) - 1 - np.maximum(i, j))
    return np.sign(n_bars) * (sums[i + steps, j + steps] - sums[i, j]), np.abs(steps)

"""Similarity of the bars of a song: two self-similarity matrices, of timbre and of harmony.

A bar is described by what is heard at each of its parts, so two bars are similar only if the same things happen in the
same order. Timbre is the MFCCs of 16 parts of the bar, and harmony is the semitones of eight parts.

Conventions
-----------
`bars` has shape (n_bars + 1,): the times of the bar lines in seconds; bar ``i`` is from ``bars[i]`` to ``bars[i + 1]``.
Matrices have shape (n_bars, n_bars) and contain cosine similarities.

References
----------
Paulus, Müller and Klapuri, "Audio-based music structure analysis", ISMIR 2010, section 4; Marmoret, Cohen and Bimbot,
"Barwise music structure analysis with the correlation block-matching segmentation algorithm", TISMIR 6(1), 2023.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from songform.beats.tatum_features import compressed_magnitudes, interval_means

if TYPE_CHECKING:
    import pandas as pd

    from songform.features.semitone_spectrum import SemitoneSpectrum

__all__ = ["bar_lines", "diagonal_sums", "harmony_similarity", "robust_z_scores", "timbre_similarity"]

TIMBRE_PARTS, HARMONY_PARTS = 16, 8
NEAR_BARS = 4  # bars closer than this are similar in any song, and do not count for the scale

Array = NDArray[np.float64]


def bar_lines(downbeats: Array, duration: float) -> Array:
    """Return the downbeats, continued to the start and to the end of the song with the median length of a bar.

    Parameters
    ----------
    downbeats : np.ndarray, shape (n,)
        Times of at least two downbeats, in seconds.
    duration : float
        Length of the song in seconds.
    """
    bar = float(np.median(np.diff(downbeats)))
    before = np.arange(downbeats[0] - bar, -bar / 4, -bar)[::-1]
    after = np.arange(downbeats[-1] + bar, duration + bar / 4, bar)
    return np.concatenate([before, downbeats, after])


def timbre_similarity(features: pd.DataFrame, bars: Array, *, frame_rate: float) -> Array:
    """Return the similarity of the timbre of each pair of bars.

    Parameters
    ----------
    features : pandas.DataFrame
        Frame features of the song, of which the MFCCs are used.
    bars : np.ndarray, shape (n_bars + 1,)
        Bar lines in seconds.
    frame_rate : float
        Frames per second.
    """
    names = [name for name in features.columns if name.startswith("mfcc_") and name[5:].isdigit()]
    parts = interval_means(features[names].to_numpy(), _parts(bars, TIMBRE_PARTS), 1 / frame_rate)
    standardized = (parts - parts.mean(axis=0)) / (parts.std(axis=0) + 1e-9)
    return _cosines(standardized.reshape(len(bars) - 1, -1))


def harmony_similarity(spectrum: SemitoneSpectrum, bars: Array) -> Array:
    """Return the similarity of the harmony of each pair of bars.

    Parameters
    ----------
    spectrum : SemitoneSpectrum
        Semitone spectrum of the song.
    bars : np.ndarray, shape (n_bars + 1,)
        Bar lines in seconds.
    """
    step = float(spectrum.time_s[1] - spectrum.time_s[0])
    parts = interval_means(compressed_magnitudes(spectrum), _parts(bars, HARMONY_PARTS), step)
    return _cosines((parts - parts.mean(axis=0)).reshape(len(bars) - 1, -1))


def robust_z_scores(similarity: Array) -> Array:
    """Return how far each similarity is above the median of the song, in scaled median absolute deviations."""
    bar = np.arange(len(similarity))
    far = similarity[np.abs(bar[:, None] - bar) >= NEAR_BARS]
    if not len(far):
        return np.zeros_like(similarity)
    median = np.median(far)
    scores: Array = (similarity - median) / (1.4826 * np.median(np.abs(far - median)) + 1e-9)
    return scores


def diagonal_sums(matrix: Array) -> Array:
    """Return the sums of the cells before (i, j) on its diagonal, of shape (n + 1, n + 1)."""
    sums = np.zeros((len(matrix) + 1, len(matrix) + 1))
    for row in range(len(matrix)):
        sums[row + 1, 1:] = sums[row, :-1] + matrix[row]
    return sums


def _parts(bars: Array, n_parts: int) -> Array:
    """Return the times that divide each bar into equal parts, of shape (n_bars * n_parts + 1,)."""
    return np.interp(np.arange((len(bars) - 1) * n_parts + 1) / n_parts, np.arange(len(bars)), bars)


def _cosines(vectors: NDArray[Any]) -> Array:
    unit = vectors / (np.linalg.norm(vectors, axis=1, keepdims=True) + 1e-9)
    cosines: Array = unit @ unit.T
    return cosines

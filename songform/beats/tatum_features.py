"""Features of each tatum, from which the network of `songform.beats` finds beats and downbeats.

`describe_tatums` averages the stored tables of a song over each tatum. `tatum_features` derives the inputs of the
network: onset strengths, rises of the semitones, changes of harmony, bass and timbre over one to eight tatums,
loudness, the autocorrelation of onsets and harmonic changes at lags of 2 to 16 tatums, and the rate of the tatum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

if TYPE_CHECKING:
    import pandas as pd

    from songform.features.overview import Overview
    from songform.features.semitone_spectrum import SemitoneSpectrum

__all__ = ["N_FEATURES", "Tatums", "describe_tatums", "interval_means", "tatum_features"]

N_FEATURES = 43
PEAK_FRAMES = 2  # an onset belongs to a tatum if it is at most this many frames away
CHANGE_WIDTHS = (1, 2, 4, 8)  # in tatums
LAGS = (2, 3, 4, 6, 8, 12, 16)  # in tatums
LAG_WINDOW = 65  # tatums over which the autocorrelation is averaged
BASS_SEMITONES = 30
REGISTERS = ((0, 24), (24, 48), (48, 84))  # semitones
REFERENCE_SECONDS = 0.3  # of a tatum
LIMIT = 4.0  # standard deviations

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Tatums:
    """Means over the tatums of a song.

    Attributes
    ----------
    onsets : np.ndarray, shape (n_tatums, 4)
        Onset strength at each tatum: of all bands and of three bands, each divided by its standard deviation.
    semitones : np.ndarray, shape (n_tatums, 84)
        Compressed magnitudes of the semitones.
    mfcc : np.ndarray, shape (n_tatums, n_mfcc)
        Mel-frequency cepstral coefficients.
    loudness : np.ndarray, shape (n_tatums,)
        Natural logarithm of the RMS.
    seconds : np.ndarray, shape (n_tatums,)
        Duration of each tatum, in seconds.
    """

    onsets: Array
    semitones: Array
    mfcc: Array
    loudness: Array
    seconds: Array


def describe_tatums(
    times: Array, features: pd.DataFrame, overview: Overview, spectrum: SemitoneSpectrum, *, frame_rate: float
) -> Tatums:
    """Average the tables of a song over its tatums.

    Parameters
    ----------
    times : np.ndarray, shape (n_tatums,)
        Times of the tatums in frames; at least two.
    features, overview, spectrum
        Tables of the song.
    frame_rate : float
        Frames per second.
    """
    edges = np.append(times, 2 * times[-1] - times[-2]) / frame_rate
    at = np.round(times).astype(int)
    curves = (overview.onset, spectrum.onset_low, spectrum.onset_mid, spectrum.onset_high)
    names = [name for name in features.columns if name.startswith("mfcc_") and name[5:].isdigit()]
    frame_seconds = 1 / frame_rate
    rms = interval_means(features[["rms_mean"]].to_numpy(), edges, frame_seconds)[:, 0]
    return Tatums(
        onsets=np.stack([_peaks(curve, at) for curve in curves], axis=1),
        semitones=interval_means(compressed_magnitudes(spectrum), edges, spectrum.time_s[1] - spectrum.time_s[0]),
        mfcc=interval_means(features[names].to_numpy(), edges, frame_seconds),
        loudness=np.log(rms + 1e-4),
        seconds=np.diff(edges),
    )


def compressed_magnitudes(spectrum: SemitoneSpectrum) -> NDArray[np.float32]:
    """Return ``log(1 + 1000 x)``, where x are the magnitudes relative to the largest one, of shape (n, 84)."""
    magnitude = 10 ** (spectrum.semitone_db / np.float32(20))
    compressed: NDArray[np.float32] = np.log1p(1000 * magnitude / magnitude.max())
    return compressed


def interval_means(values: NDArray[Any], edges: Array, step: float) -> Array:
    """Return the means of a series over intervals.

    Parameters
    ----------
    values : np.ndarray, shape (n, d)
        Row ``i`` is the value around the time ``i * step``.
    edges : np.ndarray, shape (n_intervals + 1,)
        Increasing times.
    step : float
        Distance between the rows, in the unit of `edges`.

    Returns
    -------
    np.ndarray, shape (n_intervals, d)
        Means over the part of each interval that is inside the series; 0 for intervals outside it.
    """
    sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0, dtype=float)])
    place = edges / step + 0.5
    inside = np.clip(place, 0, len(values))
    low = np.floor(inside).astype(int)
    share = (inside - low)[:, None]
    integral = sums[low] * (1 - share) + sums[np.minimum(low + 1, len(values))] * share
    means: Array = np.diff(integral, axis=0) / np.maximum(np.diff(inside), 1e-6)[:, None]
    return means


def tatum_features(tatums: Tatums) -> NDArray[np.float32]:
    """Return the features of each tatum, of shape (n_tatums, 43), mostly standardized over the song."""
    chroma = _unit_rows(tatums.semitones.reshape(len(tatums.semitones), -1, 12).sum(axis=1))
    bass = tatums.semitones[:, :BASS_SEMITONES]
    mfcc = (tatums.mfcc - tatums.mfcc.mean(axis=0)) / (tatums.mfcc.std(axis=0) + 1e-9)
    rises = np.maximum(0, np.diff(tatums.semitones, axis=0, prepend=tatums.semitones[:1]))
    columns = [
        *tatums.onsets.T,
        *(rises[:, low:high].sum(axis=1) for low, high in REGISTERS),
        *(_turn(chroma, width) for width in CHANGE_WIDTHS),
        *(_turn(bass, width) for width in CHANGE_WIDTHS),
        *(_step(mfcc, width) for width in CHANGE_WIDTHS),
        tatums.loudness,
        np.diff(tatums.loudness, prepend=tatums.loudness[:1]),
    ]
    curves = _standardized(np.stack(columns, axis=1))
    onset, bass_rise, harmony = curves[:, 0], curves[:, 4], curves[:, 8]
    periodicity = [_autocorrelation(curve, lag) for curve in (onset, bass_rise, harmony) for lag in LAGS]
    rate = np.full(len(curves), 2 * np.log2(REFERENCE_SECONDS / np.median(tatums.seconds)))
    return np.column_stack([curves, *periodicity, rate]).astype(np.float32)


def _peaks(curve: NDArray[Any], at: NDArray[np.intp]) -> Array:
    """Return the largest value within two frames of each position, divided by the standard deviation."""
    padded = np.pad(curve.astype(float), PEAK_FRAMES)
    near = np.clip(at[:, None], 0, len(curve) - 1) + np.arange(2 * PEAK_FRAMES + 1)
    peaks: Array = padded[near].max(axis=1) / (curve.std() + 1e-9)
    return peaks


def _unit_rows(x: Array) -> Array:
    rows: Array = x / (np.linalg.norm(x, axis=1, keepdims=True) + 1e-9)
    return rows


def _standardized(x: Array) -> Array:
    limited: Array = np.clip((x - x.mean(axis=0)) / (x.std(axis=0) + 1e-9), -LIMIT, LIMIT)
    return limited


def _means_beside(x: Array, width: int) -> tuple[Array, Array]:
    """Return the means of the rows from each row on, and of those before it, over `width` rows."""
    sums, i = np.concatenate([np.zeros((1, x.shape[1])), np.cumsum(x, axis=0)]), np.arange(len(x))
    stop, start = np.minimum(i + width, len(x)), np.maximum(i - width, 0)
    after = (sums[stop] - sums[i]) / (stop - i)[:, None]
    before = (sums[i] - sums[start]) / np.maximum(i - start, 1)[:, None]
    return after, before


def _turn(x: Array, width: int) -> Array:
    """Return the cosine distance between what follows and what precedes each row; 0 at the first."""
    after, before = _means_beside(x, width)
    lengths = np.linalg.norm(after, axis=1) * np.linalg.norm(before, axis=1)
    distance: Array = 1 - (after * before).sum(axis=1) / (lengths + 1e-9)
    distance[0] = 0
    return distance


def _step(x: Array, width: int) -> Array:
    """Return the Euclidean distance between what follows and what precedes each row; 0 at the first."""
    after, before = _means_beside(x, width)
    distance: Array = np.linalg.norm(after - before, axis=1)
    distance[0] = 0
    return distance


def _autocorrelation(x: Array, lag: int) -> Array:
    """Return the products of a standardized curve with itself `lag` tatums later, averaged over 65 tatums."""
    x = (x - x.mean()) / (x.std() + 1e-9)
    products = np.zeros(len(x))
    products[: max(0, len(x) - lag)] = x[lag:] * x[: max(0, len(x) - lag)]
    averaged: Array = uniform_filter1d(products, LAG_WINDOW, mode="nearest")
    return averaged

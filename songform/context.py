"""Context descriptors: what a moment is within its song.

A frame can tell loud from soft; it cannot tell that energy is *rising*, that something *changes*, or that this was
*heard before*. Six descriptors tell that of every unit of 0.5 s, from the frame features and the overview alone, so
that they can be made long after the audio is gone.

==============  =============================================================================================
`energy`        how loud, against the song's own median
`rise`          loudness, onset rate and brightness climb while the bass recedes, and a louder part follows [1]_
`novelty`       the sound before differs from the sound after, while each agrees with itself
`recurrence`    the last seconds were heard before, or will be heard again
`variance`      how much the features move about
`abs_slope`     how fast loudness changes, up or down
==============  =============================================================================================

Conventions
-----------
A descriptor is a float64 array of shape (n_units,). `robust_z` is the distance from the track's median in robust
standard deviations, with floors that keep a constant track near 0. A window that reaches beyond the song is cut, never
padded; a descriptor with too little song to be computed is 0. Everything is invariant to the track's gain.

References
----------
.. [1] Solberg, "Waiting for the bass to drop", Dancecult 6(1), 2014: risers, denser onsets, the bass taken out;
       Dean, Bailes and Schubert, "Acoustic intensity causes perceived changes in arousal levels in music", PLoS ONE
       6(4), 2011: loudness drives perceived arousal.

See Also
--------
songform.selfsimilarity : novelty and recurrence.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from songform.overview import Overview
from songform.selfsimilarity import DEFAULT_THRESHOLD, last_recurrence, novelty, recurrence
from songform.songunits import UNIT_SECONDS, SongUnits, song_units
from songform.units import smoothed

__all__ = [
    "CONTEXT_COLUMNS",
    "UNIT_SECONDS",
    "VERSION",
    "context_descriptors",
    "energy",
    "last_context",
    "local_slope",
    "rise",
    "robust_z",
    "slopes",
    "units_context",
    "variance",
]

VERSION = 1
CONTEXT_COLUMNS = ("energy", "rise", "novelty", "recurrence", "variance", "abs_slope")

Array = NDArray[np.float64]


def context_descriptors(
    features: pd.DataFrame,
    overview: Overview,
    *,
    sr: float = 22050,
    hop_length: int = 512,
    threshold: float = DEFAULT_THRESHOLD,
) -> pd.DataFrame:
    """Describe every unit of a song by its context.

    Parameters
    ----------
    features : pd.DataFrame
        Frame features, from `songform.frame_features`.
    overview : Overview
        The song's overview, of the same pass.
    sr, hop_length : float, int
        The framing of the features.
    threshold : float in [-1, 1]
        Path similarity from which two moments count as the same; a state model keeps the corpus's own.

    Returns
    -------
    pd.DataFrame, shape=(n_units, 6)
        The columns of `CONTEXT_COLUMNS`, float64; the index `time_s` is the units' centres in seconds.

    Raises
    ------
    ParameterError
        If features and overview are not of the same song.
    """
    context = units_context(song_units(features, overview, sr=sr, hop_length=hop_length), threshold=threshold)
    index = pd.Index((np.arange(len(context)) + 0.5) * UNIT_SECONDS, name="time_s")
    return pd.DataFrame(context, index=index, columns=list(CONTEXT_COLUMNS))


def units_context(units: SongUnits, *, threshold: float = DEFAULT_THRESHOLD) -> Array:
    """Return the context of units that are pooled already: shape (n_units, 6), in the order of `CONTEXT_COLUMNS`."""
    vectors, level = units.vectors, energy(units)
    descriptors = (
        level,
        rise(level, *slopes(units)),
        novelty(vectors, unit_seconds=UNIT_SECONDS),
        recurrence(vectors, unit_seconds=UNIT_SECONDS, threshold=threshold),
        variance(units),
        np.abs(local_slope(units.loudness_db)),
    )
    return np.stack(descriptors, axis=1)


def last_context(units: SongUnits, *, threshold: float = DEFAULT_THRESHOLD) -> Array:
    """Return the context of the last unit alone, the last row of `units_context`: shape (6,).

    Rise and novelty look ahead, so they are 0 where nothing is known of what follows.
    """
    last = last_recurrence(units.vectors, unit_seconds=UNIT_SECONDS, threshold=threshold)
    slope = local_slope(units.loudness_db)[-1]
    return np.array([energy(units)[-1], 0.0, 0.0, last, variance(units)[-1], abs(slope)])


def energy(units: SongUnits) -> Array:
    """Return the loudness of each unit, smoothed over 1 s, against the song's own median."""
    return robust_z(smoothed(units.loudness_db, round(1 / UNIT_SECONDS)), floor=1.0)


def slopes(units: SongUnits) -> list[Array]:
    """Return the slopes of loudness, onset strength, spectral centroid and bass share, as `rise` reads them."""
    return [local_slope(x) for x in (units.loudness_db, units.onset, units.column("centroid_hz"), units.low_share)]


def variance(units: SongUnits, *, half_seconds: float = 8.0) -> Array:
    """Return the mean over the columns, standardised within the song, of their standard deviation nearby."""
    scaled = (units.mean - units.mean.mean(axis=0)) / np.maximum(units.mean.std(axis=0), 1e-6)
    width = 2 * round(half_seconds / UNIT_SECONDS) + 1
    deviations = np.sqrt(np.maximum(smoothed(scaled * scaled, width) - smoothed(scaled, width) ** 2, 0.0))
    return np.asarray(deviations.mean(axis=1))


def robust_z(x: Array, *, floor: float = 1e-6) -> Array:
    """Return the distance from the median in robust standard deviations, clipped to +-3.

    Parameters
    ----------
    x : np.ndarray, shape=(n,)
        Values of one track, in any unit.
    floor : float > 0
        The least deviation, in the unit of `x`, that counts as one: 1 for decibels.
    """
    deviation = x - np.median(x)
    scale = max(1.4826 * float(np.median(np.abs(deviation))), 0.1 * float(x.std()), floor)
    return np.clip(deviation / scale, -3.0, 3.0)


def local_slope(x: Array, *, half_seconds: float = 4.0) -> Array:
    """Return the least-squares slope of the units within +-`half_seconds`.

    Parameters
    ----------
    x : np.ndarray, shape=(n_units,)
        A value a unit.
    half_seconds : float > 0
        Half the window, which is cut at the song's ends; inside, this is `scipy.signal.savgol_filter` with
        polyorder 1 and deriv 1.

    Returns
    -------
    np.ndarray, shape=(n_units,)
        Per second; 0 in a song of one unit.
    """
    half = round(half_seconds / UNIT_SECONDS)
    inside = sliding_window_view(np.pad(np.ones(len(x)), half), 2 * half + 1)
    near = sliding_window_view(np.pad(x, half), 2 * half + 1)
    # Time from the middle of each window: counted from the song's beginning it would cost digits after some hours.
    time = np.arange(-half, half + 1) * UNIT_SECONDS
    time = (time - ((inside @ time) / inside.sum(axis=1))[:, None]) * inside
    spread_t = (time * time).sum(axis=1)
    return np.asarray((time * near).sum(axis=1) / np.where(spread_t > 0, spread_t, 1.0))


def rise(
    energy: Array,
    loudness: Array,
    onset: Array,
    centroid: Array,
    bass: Array,
    *,
    ahead_seconds: float = 8.0,
    least: float = 0.5,
) -> Array:
    """Return how much each unit is part of a build-up.

    Parameters
    ----------
    energy : np.ndarray, shape=(n_units,)
        Loudness as `robust_z` gives it.
    loudness, onset, centroid, bass : np.ndarray, shape=(n_units,)
        Slopes of loudness, onset strength, spectral centroid and the energy share of the bass, which counts against.
    ahead_seconds, least : float
        A rise counts only where the energy gets more than `least` higher within the next `ahead_seconds`.
    """
    width = round(ahead_seconds / UNIT_SECONDS) + 1
    # The largest energy of the units u .. u + width - 1; beyond the end the last unit is repeated, which adds nothing.
    soon = maximum_filter1d(energy, width, mode="nearest", origin=-(width // 2))
    cues = robust_z(loudness) + robust_z(onset) + robust_z(centroid) - robust_z(bass)
    return np.where(soon - energy > least, cues / 4, 0.0)

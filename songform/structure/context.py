"""Context descriptors: properties of a moment in relation to its song.

A single frame shows how loud and how bright the sound is, but not whether energy is rising, whether the sound changes,
or whether it repeats. Six context descriptors measure this for every unit of 0.5 s. They are computed from the frame
features and the overview and do not need the audio. Each descriptor has one value for the whole stretch that contains
the unit (`songform.structure.change_points`), because a window of fixed length would mix the sound on both sides of a
change.

==============  =============================================================================================
`energy`        loudness and amount of bass, relative to the rest of the song [1]_
`rise`          increase of loudness, brightness and onset strength, and decrease of the bass [2]_
`novelty`       difference between the sound before and after [3]_, and density of change points, relative to the song
`recurrence`    similarity of the sound to itself a few seconds earlier or later, as in a loop [4]_
`variance`      variation of the features
`abs_slope`     absolute rate of change of the loudness
==============  =============================================================================================

Conventions
-----------
Descriptors are float64 arrays of shape (n_units,) or (n_stretches,). They are computed from curves that are normalized
within the song (`songform.structure.normalized_curves`). The minimum standard deviations used there keep the
descriptors of a constant song near 0. All descriptors are invariant to the gain of the track.

References
----------
.. [1] Dean, Bailes and Schubert, "Acoustic intensity causes perceived changes in arousal levels in music", PLoS ONE
       6(4), 2011: loudness causes perceived arousal.
.. [2] Solberg, "Waiting for the bass to drop", Dancecult 6(1), 2014: build-ups have risers, denser onsets and no bass.
.. [3] Foote, "Automatic audio segmentation using a measure of audio novelty", ICME 2000.
.. [4] Mueller, Jiang and Grosche, "A robust fitness measure for capturing repetitions in music recordings", IEEE TASLP
       21(3), 2013: similarity along diagonals.

See Also
--------
songform.structure.self_similarity : Foote's novelty, recurrence and similarity along diagonals.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from songform.features.overview import Overview
from songform.structure.change_points import song_stretches, spread_over, stretch_climbs, stretch_means
from songform.structure.normalized_curves import Curves, song_curves
from songform.structure.pooling import UNIT_SECONDS, song_units
from songform.structure.self_similarity import loop_similarity, novelty, recurrence

__all__ = [
    "CONTEXT_COLUMNS",
    "CONTEXT_DESCRIPTIONS",
    "UNIT_SECONDS",
    "VERSION",
    "MomentContext",
    "context_curves",
    "context_descriptors",
    "cut_density",
    "energy",
    "last_stretch_context",
    "local_slope",
    "moment_context",
    "novelty_curve",
    "rise",
    "stretch_context",
]

VERSION = 3

CONTEXT_DESCRIPTIONS = {
    "energy": "loudness and amount of bass, compared with the rest of the song",
    "rise": "how much loudness, onsets and brightness increase while the bass decreases",
    "novelty": "how different the sound is before and after this moment",
    "recurrence": "how similar the sound is to itself a few beats earlier or later, as in a loop",
    "variance": "how much the sound varies",
    "abs_slope": "how fast the loudness changes, up or down",
}
"""Short description of each descriptor, shown on the pages of songs."""
CONTEXT_COLUMNS = tuple(CONTEXT_DESCRIPTIONS)

_NEAR_SECONDS = 3.0  # standard deviation in `cut_density`; only a Transition has two change points this close together
_CUT_NOVELTY = 0.05  # increase of the novelty at a change point
_LOOP_SECONDS = 4.0  # minimum length of a stretch in which a loop can be repeated
_LEAST_JUMP = 1.0  # standard deviations, mean over the cues; a larger difference separates two sections
_BUILD_UP_SECONDS = 30.0  # maximum length of joined stretches
_MOST_SLOPE = 1.0  # dB/s; a faster change of loudness is a change point and not a fade

Array = NDArray[np.float64]
Bounds = NDArray[np.intp]


def context_descriptors(
    features: pd.DataFrame, overview: Overview, *, sr: float = 22050, hop_length: int = 512
) -> pd.DataFrame:
    """Compute the context descriptors of every unit of a song.

    Parameters
    ----------
    features : pd.DataFrame
        Frame features from `songform.frame_features`.
    overview : Overview
        Overview of the same song, with the same sampling rate and hop length.
    sr, hop_length : float, int
        Sampling rate in Hz, and hop length in samples, of the features.

    Returns
    -------
    pd.DataFrame, shape=(n_units, 6)
        The columns of `CONTEXT_COLUMNS`, float64, indexed by the centers of the units in seconds (`time_s`).

    Raises
    ------
    ParameterError
        If features and overview have different numbers of frames.

    Examples
    --------
    >>> from songform import compose, describe_audio
    >>> song = compose(seed=3, duration=20.0)
    >>> features, overview, _ = describe_audio([song.y], sr=song.sr)
    >>> list(context_descriptors(features, overview).columns) == list(CONTEXT_COLUMNS)
    True
    """
    curves = song_curves(song_units(features, overview, sr=sr, hop_length=hop_length))
    return _table(_unit_context(curves))


def context_curves(
    features: pd.DataFrame, overview: Overview, *, sr: float = 22050, hop_length: int = 512
) -> pd.DataFrame:
    """Return the context descriptors for display, with energy and novelty per unit instead of per stretch.

    Parameters, return value and errors are the same as in `context_descriptors`.
    """
    curves = song_curves(song_units(features, overview, sr=sr, hop_length=hop_length))
    seen = {"energy": curves.whole(energy(curves)), "novelty": curves.whole(novelty_curve(curves))}
    return _table(_unit_context(curves)).assign(**seen)


def stretch_context(curves: Curves, bounds: Bounds) -> Array:
    """Return the context descriptors of each stretch, shape (n_stretches, 6), in the order of `CONTEXT_COLUMNS`.

    Parameters
    ----------
    curves : Curves
        Curves of a song or of its last part.
    bounds : np.ndarray of int, shape=(n_stretches + 1,)
        Bounds of the stretches, from `songform.structure.change_points.song_stretches`.
    """
    units = moment_context(curves)
    descriptors = (
        stretch_means(energy(curves), bounds),
        rise(curves, bounds),
        _stretch_novelty(units.novelty, bounds),
        _with_loops(stretch_means(units.recurrence, bounds), curves.vectors, bounds),
        _stretch_variance(curves, bounds),
        stretch_means(units.abs_slope, bounds),
    )
    return np.stack(descriptors, axis=1)


def last_stretch_context(curves: Curves, bounds: Bounds, units: MomentContext | None = None) -> Array:
    """Return the context descriptors of the last stretch, shape (6,).

    The result equals the last row of `stretch_context` and is faster to compute.

    Parameters
    ----------
    curves, bounds
        As in `stretch_context`.
    units : MomentContext, optional
        Result of `moment_context`, if it was already computed for several songs at once.
    """
    units = units or moment_context(curves)
    start, length = int(bounds[-2]), int(bounds[-1] - bounds[-2])
    tail, whole = curves.last(length), np.array([0, length])
    cues, last = _rise_cues(curves), len(bounds) - 2
    rise_of_last = _stretch_rise(cues, bounds, last, joins_before=_joins(cues, bounds, last))
    descriptors = (
        stretch_means(energy(tail), whole),
        np.array([rise_of_last]),
        _stretch_novelty(units.novelty, bounds)[-1:],
        _with_loops(stretch_means(units.recurrence[start:], whole), tail.vectors, whole),
        _stretch_variance(tail, whole),
        stretch_means(units.abs_slope[start:], whole),
    )
    return np.concatenate(descriptors)


@dataclass(frozen=True, eq=False)
class MomentContext:
    """Values per unit from which the context of a stretch is computed, if they depend on neighboring units.

    Attributes
    ----------
    novelty, recurrence, abs_slope : np.ndarray, shape=(n_units,)
        Values of each unit; for several songs at once, shape (n_songs, n_units).
    """

    novelty: Array
    recurrence: Array
    abs_slope: Array

    def song(self, i: int) -> MomentContext:
        """Return the values of one of several songs."""
        return MomentContext(self.novelty[i], self.recurrence[i], self.abs_slope[i])


def moment_context(curves: Curves) -> MomentContext:
    """Return novelty, recurrence and slope of each unit, of one song or of several `stacked` ones."""
    vectors = curves.vectors
    return MomentContext(
        novelty(vectors, unit_seconds=UNIT_SECONDS),
        recurrence(vectors, unit_seconds=UNIT_SECONDS),
        np.minimum(np.abs(local_slope(curves.level_db)), _MOST_SLOPE),
    )


def energy(curves: Curves) -> Array:
    """Return the energy of each unit: the mean of the normalized loudness and bass.

    The bass distinguishes an energetic section from a build-up that is as loud but has little bass [2]_.
    """
    return (curves.loudness + curves.bass) / 2


def rise(curves: Curves, bounds: Bounds) -> Array:
    """Return how strongly each stretch has the shape of a build-up, shape (n_stretches,).

    The rise of a stretch is the mean increase of four cues from its beginning to its end: loudness, brightness, onset
    strength, and the negated bass. The increase of each cue is clipped to +-3 standard deviations of the song, and the
    result to the range from -1 to 2. A build-up can consist of several stretches. Each stretch is therefore also joined
    with the previous one, the next one, or both, unless there is a jump between them or they are longer than 30 s
    together. The largest of these increases is the rise of the stretch.
    """
    cues = _rise_cues(curves)
    joins = [_joins(cues, bounds, i) for i in range(len(bounds))]
    rises = [
        _stretch_rise(cues, bounds, i, joins_before=joins[i], joins_after=joins[i + 1]) for i in range(len(joins) - 1)
    ]
    return np.array(rises)


def novelty_curve(curves: Curves) -> Array:
    """Return Foote's novelty of each unit, with a checkerboard kernel of 4 s; see `self_similarity.novelty`."""
    return novelty(curves.vectors, unit_seconds=UNIT_SECONDS)


def cut_density(bounds: Bounds) -> Array:
    """Return the density of change points at each unit: their number, weighted by a Gaussian window.

    The standard deviation of the window is 3 s.
    """
    time = (np.arange(bounds[-1]) + 0.5) * UNIT_SECONDS
    density = np.zeros(len(time))
    reach = 4 * _NEAR_SECONDS
    for cut in bounds[1:-1] * UNIT_SECONDS:
        near = slice(*np.searchsorted(time, (cut - reach, cut + reach)))
        density[near] += np.exp(-0.5 * ((time[near] - cut) / _NEAR_SECONDS) ** 2)
    return density


def local_slope(x: Array, *, half_seconds: float = 4.0) -> Array:
    """Return the least-squares slope in a window of +-`half_seconds` around each unit.

    Away from the ends of the song the result equals `scipy.signal.savgol_filter` with polyorder 1 and deriv 1. At the
    ends the window contains only the units of the song.

    Parameters
    ----------
    x : np.ndarray, shape=(..., n_units)
        One value per unit, of one or more songs.
    half_seconds : float > 0
        Half the length of the window in seconds.

    Returns
    -------
    np.ndarray, shape=(..., n_units)
        Slopes per second; 0 in a song of one unit.
    """
    half = round(half_seconds / UNIT_SECONDS)
    inside = sliding_window_view(np.pad(np.ones(x.shape[-1]), half), 2 * half + 1)
    near = sliding_window_view(np.pad(x, [*[(0, 0)] * (x.ndim - 1), (half, half)]), 2 * half + 1, axis=-1)
    # Time is measured from the middle of each window; measured from the start of a long song, it would lose precision.
    time = np.arange(-half, half + 1) * UNIT_SECONDS
    time = (time - ((inside @ time) / inside.sum(axis=1))[:, None]) * inside
    spread_t = (time * time).sum(axis=1)
    return np.asarray((time * near).sum(axis=-1) / np.where(spread_t > 0, spread_t, 1.0))


def _unit_context(curves: Curves) -> Array:
    """Return the context descriptors of each unit, which are those of its stretch."""
    bounds = song_stretches(curves)
    return curves.whole(spread_over(stretch_context(curves, bounds), bounds))


def _table(context: Array) -> pd.DataFrame:
    index = pd.Index((np.arange(len(context)) + 0.5) * UNIT_SECONDS, name="time_s")
    return pd.DataFrame(context, index=index, columns=list(CONTEXT_COLUMNS))


def _rise_cues(curves: Curves) -> Array:
    """Return the curves that increase in a build-up, shape (4, n_units)."""
    return np.stack([curves.loudness, curves.brightness, curves.onset, -curves.bass])


def _joins(cues: Array, bounds: Bounds, i: int) -> bool:
    """Return whether stretch `i` follows the previous one without a jump between them."""
    return 0 < i < len(bounds) - 1 and _jump(cues, int(bounds[i])) <= _LEAST_JUMP


def _stretch_rise(
    cues: Array, bounds: Bounds, i: int, *, joins_before: bool = False, joins_after: bool = False
) -> float:
    """Return the rise of stretch `i`, alone or joined with its neighbors, up to 30 s."""
    before, after = i - int(joins_before), i + int(joins_after)
    climbs = [_climb(cues[:, bounds[i] : bounds[i + 1]])]
    for first, last in {(before, i), (i, after), (before, after)} - {(i, i)}:
        start, end = bounds[first], bounds[last + 1]
        if (end - start) * UNIT_SECONDS <= _BUILD_UP_SECONDS:
            climbs.append(_climb(cues[:, start:end]))
    return float(np.clip(max(climbs), -1.0, 2.0))


def _climb(cues: Array) -> float:
    """Return the increase of the least-squares line from the first to the last unit, averaged over the cues."""
    climbs = stretch_climbs(cues, np.array([0, cues.shape[1]]))
    return float(np.clip(climbs, -3.0, 3.0).mean())


def _jump(cues: Array, cut: int) -> float:
    """Return the difference between the means of the 2 s before and after a change point, averaged over the cues."""
    width = round(2.0 / UNIT_SECONDS)
    before, after = cues[:, max(cut - width, 0) : cut], cues[:, cut : cut + width]
    return float(np.abs(after.mean(axis=1) - before.mean(axis=1)).mean())


def _stretch_novelty(novelty: Array, bounds: Bounds) -> Array:
    """Return the novelty of each stretch minus the median of the song, so that a song of constant change is near 0."""
    turning = stretch_means(novelty + _CUT_NOVELTY * cut_density(bounds), bounds)
    return np.asarray(turning - np.median(spread_over(turning, bounds)))


def _with_loops(near: Array, vectors: Array, bounds: Bounds) -> Array:
    """Return the recurrence of each stretch: the mean of `near` and, if it is long enough, its loop similarity."""
    loops = [loop_similarity(vectors[a:b], unit_seconds=UNIT_SECONDS) for a, b in pairwise(bounds)]
    return np.where(np.diff(bounds) * UNIT_SECONDS < _LOOP_SECONDS, near, (near + loops) / 2)


def _stretch_variance(curves: Curves, bounds: Bounds) -> Array:
    """Return the standard deviation of the mean features within each stretch, averaged over all columns."""
    means = curves.columns[:, : curves.columns.shape[1] // 2]
    deviations = means - spread_over(stretch_means(means, bounds), bounds)
    return np.asarray(np.sqrt(stretch_means(deviations * deviations, bounds)).mean(axis=1))

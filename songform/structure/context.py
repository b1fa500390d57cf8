"""Context descriptors: what a moment is within its song.

A frame can tell loud from soft; it cannot tell that energy is *rising*, that something *changes*, or that this was
*heard before*. Six descriptors tell that of every unit of 0.5 s, from the frame features and the overview alone, so
that they can be made long after the audio is gone. Each is said of the whole stretch in which the unit lies
(`songform.structure.change_points`): a window of fixed length would mix what is on both sides of a change.

==============  =============================================================================================
`energy`        how loud, and how full in the bass, against the rest of the song [1]_
`rise`          how far loudness, brightness and onset strength climb, and the bass recedes [2]_
`novelty`       the sound before differs from the sound after [3]_, and cuts lie close, more than elsewhere in it
`recurrence`    a loop: these seconds are like those a few beats away [4]_
`variance`      how much the features move about
`abs_slope`     how fast loudness changes, up or down
==============  =============================================================================================

Conventions
-----------
A descriptor is a float64 array of shape (n_units,) or (n_stretches,). Quantities are measured against the song itself
(`songform.structure.normalized_curves`), in its standard deviations, with floors that keep a constant song near 0.
Everything is invariant to the track's gain.

References
----------
.. [1] Dean, Bailes and Schubert, "Acoustic intensity causes perceived changes in arousal levels in music", PLoS ONE
       6(4), 2011: loudness drives perceived arousal.
.. [2] Solberg, "Waiting for the bass to drop", Dancecult 6(1), 2014: risers, denser onsets, the bass taken out.
.. [3] Foote, "Automatic audio segmentation using a measure of audio novelty", ICME 2000.
.. [4] Mueller, Jiang and Grosche, "A robust fitness measure for capturing repetitions in music recordings", IEEE TASLP
       21(3), 2013: similarity along diagonals.

See Also
--------
songform.structure.self_similarity : Foote's novelty, and similarity along paths.
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
    "energy": "how loud and how full in the bass, against the rest of the song",
    "rise": "loudness, onsets and brightness climb, and the bass recedes",
    "novelty": "what comes sounds unlike what was",
    "recurrence": "a loop: it is like itself a few beats away",
    "variance": "how much the sound moves about",
    "abs_slope": "how fast the loudness changes, up or down",
}
"""Each descriptor in words, as a song's page explains it."""
CONTEXT_COLUMNS = tuple(CONTEXT_DESCRIPTIONS)

_NEAR_SECONDS = 3.0  # cuts so far away count for little: a transition has two within some seconds, a section does not
_CUT_NOVELTY = 0.05  # what a cut at this very moment adds to Foote's novelty
_LOOP_SECONDS = 4.0  # the least stretch in which a loop can be heard twice
_LEAST_JUMP = 1.0  # standard deviations, the mean over the cues: what differs by more is another section
_BUILD_UP_SECONDS = 30.0
_MOST_SLOPE = 1.0  # dB/s: a faster change of loudness is a cut

Array = NDArray[np.float64]
Bounds = NDArray[np.intp]


def context_descriptors(
    features: pd.DataFrame, overview: Overview, *, sr: float = 22050, hop_length: int = 512
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

    Returns
    -------
    pd.DataFrame, shape=(n_units, 6)
        The columns of `CONTEXT_COLUMNS`, float64; the index `time_s` is the units' centres in seconds.

    Raises
    ------
    ParameterError
        If features and overview are not of the same song.
    """
    curves = song_curves(song_units(features, overview, sr=sr, hop_length=hop_length))
    return _table(_unit_context(curves))


def context_curves(
    features: pd.DataFrame, overview: Overview, *, sr: float = 22050, hop_length: int = 512
) -> pd.DataFrame:
    """Return the context as a person wants to see it: energy and novelty from moment to moment, not stretch by stretch.

    Parameters, the table and its errors are those of `context_descriptors`.
    """
    curves = song_curves(song_units(features, overview, sr=sr, hop_length=hop_length))
    seen = {"energy": curves.whole(energy(curves)), "novelty": curves.whole(novelty_curve(curves))}
    return _table(_unit_context(curves)).assign(**seen)


def stretch_context(curves: Curves, bounds: Bounds) -> Array:
    """Return the context of each stretch, shape (n_stretches, 6), in the order of `CONTEXT_COLUMNS`.

    Parameters
    ----------
    curves : Curves
        Of a song, or of its last part.
    bounds : np.ndarray of int, shape=(n_stretches + 1,)
        From `songform.structure.change_points.song_stretches`.
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
    """Return the context of the last stretch alone, shape (6,): the last row of `stretch_context`, for less work.

    Parameters
    ----------
    curves, bounds
        As of `stretch_context`.
    units : MomentContext, optional
        From `moment_context`, if it was computed for several songs at once.
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
    """What the context of a stretch is averaged from, as far as it depends on neighbouring units.

    Attributes
    ----------
    novelty, recurrence, abs_slope : np.ndarray, shape=(n_units,)
        Of each unit; for several songs at once, shape (n_songs, n_units).
    """

    novelty: Array
    recurrence: Array
    abs_slope: Array

    def song(self, i: int) -> MomentContext:
        """Return that of one of several songs."""
        return MomentContext(self.novelty[i], self.recurrence[i], self.abs_slope[i])


def moment_context(curves: Curves) -> MomentContext:
    """Return what is said of each unit before its stretch is known; of several songs at once if they are `stacked`."""
    vectors = curves.vectors
    return MomentContext(
        novelty(vectors, unit_seconds=UNIT_SECONDS),
        recurrence(vectors, unit_seconds=UNIT_SECONDS),
        np.minimum(np.abs(local_slope(curves.level_db)), _MOST_SLOPE),
    )


def energy(curves: Curves) -> Array:
    """Return how intense each unit is: the mean of loudness and bass, against the song's own.

    The bass tells a full band from a build-up that is as loud without it [2]_.
    """
    return (curves.loudness + curves.bass) / 2


def rise(curves: Curves, bounds: Bounds) -> Array:
    """Return how much each stretch is part of a build-up, shape (n_stretches,).

    The mean of how far loudness, brightness and onset strength climb and the bass recedes from its beginning to its
    end, each at most three standard deviations of the song; from -1 to 2, for a descent is a descent however deep. A
    build-up may take several stretches: soft, growing, loud. So a stretch is also joined with the one before it, the
    one after it or both, where no jump divides them, and the largest climb counts.
    """
    cues = _rise_cues(curves)
    joins = [_joins(cues, bounds, i) for i in range(len(bounds))]
    rises = [
        _stretch_rise(cues, bounds, i, joins_before=joins[i], joins_after=joins[i + 1]) for i in range(len(joins) - 1)
    ]
    return np.array(rises)


def novelty_curve(curves: Curves) -> Array:
    """Return Foote's novelty of each unit, with a checkerboard of 4 s; see `self_similarity.novelty`."""
    return novelty(curves.vectors, unit_seconds=UNIT_SECONDS)


def cut_density(bounds: Bounds) -> Array:
    """Return how many cuts between stretches lie near each unit, each weighed by a bell of 3 s."""
    time = (np.arange(bounds[-1]) + 0.5) * UNIT_SECONDS
    density = np.zeros(len(time))
    reach = 4 * _NEAR_SECONDS
    for cut in bounds[1:-1] * UNIT_SECONDS:
        near = slice(*np.searchsorted(time, (cut - reach, cut + reach)))
        density[near] += np.exp(-0.5 * ((time[near] - cut) / _NEAR_SECONDS) ** 2)
    return density


def local_slope(x: Array, *, half_seconds: float = 4.0) -> Array:
    """Return the least-squares slope of the units within +-`half_seconds`.

    Parameters
    ----------
    x : np.ndarray, shape=(..., n_units)
        A value a unit, of one or several songs.
    half_seconds : float > 0
        Half the window, which is cut at the song's ends; inside, this is `scipy.signal.savgol_filter` with
        polyorder 1 and deriv 1.

    Returns
    -------
    np.ndarray, shape=(..., n_units)
        Per second; 0 in a song of one unit.
    """
    half = round(half_seconds / UNIT_SECONDS)
    inside = sliding_window_view(np.pad(np.ones(x.shape[-1]), half), 2 * half + 1)
    near = sliding_window_view(np.pad(x, [*[(0, 0)] * (x.ndim - 1), (half, half)]), 2 * half + 1, axis=-1)
    # Time from the middle of each window: counted from the song's beginning it would cost digits after some hours.
    time = np.arange(-half, half + 1) * UNIT_SECONDS
    time = (time - ((inside @ time) / inside.sum(axis=1))[:, None]) * inside
    spread_t = (time * time).sum(axis=1)
    return np.asarray((time * near).sum(axis=-1) / np.where(spread_t > 0, spread_t, 1.0))


def _unit_context(curves: Curves) -> Array:
    """Give each unit the context of its stretch."""
    bounds = song_stretches(curves)
    return curves.whole(spread_over(stretch_context(curves, bounds), bounds))


def _table(context: Array) -> pd.DataFrame:
    index = pd.Index((np.arange(len(context)) + 0.5) * UNIT_SECONDS, name="time_s")
    return pd.DataFrame(context, index=index, columns=list(CONTEXT_COLUMNS))


def _rise_cues(curves: Curves) -> Array:
    """Return what climbs in a build-up, shape (4, n_units)."""
    return np.stack([curves.loudness, curves.brightness, curves.onset, -curves.bass])


def _joins(cues: Array, bounds: Bounds, i: int) -> bool:
    """Return whether stretch `i` goes on from the one before it, without a jump between them."""
    return 0 < i < len(bounds) - 1 and _jump(cues, int(bounds[i])) <= _LEAST_JUMP


def _stretch_rise(
    cues: Array, bounds: Bounds, i: int, *, joins_before: bool = False, joins_after: bool = False
) -> float:
    """Return how much stretch `i` is part of a build-up: alone, or joined with its neighbours within 30 s."""
    before, after = i - int(joins_before), i + int(joins_after)
    climbs = [_climb(cues[:, bounds[i] : bounds[i + 1]])]
    for first, last in {(before, i), (i, after), (before, after)} - {(i, i)}:
        start, end = bounds[first], bounds[last + 1]
        if (end - start) * UNIT_SECONDS <= _BUILD_UP_SECONDS:
            climbs.append(_climb(cues[:, start:end]))
    return float(np.clip(max(climbs), -1.0, 2.0))


def _climb(cues: Array) -> float:
    """Return how far the least-squares lines of some cues climb from the first unit to the last, the mean over them."""
    climbs = stretch_climbs(cues, np.array([0, cues.shape[1]]))
    return float(np.clip(climbs, -3.0, 3.0).mean())


def _jump(cues: Array, cut: int) -> float:
    """Return how much the 2 s before a cut differ from the 2 s after it, the mean over the cues."""
    width = round(2.0 / UNIT_SECONDS)
    before, after = cues[:, max(cut - width, 0) : cut], cues[:, cut : cut + width]
    return float(np.abs(after.mean(axis=1) - before.mean(axis=1)).mean())


def _stretch_novelty(novelty: Array, bounds: Bounds) -> Array:
    """Return how much more each stretch turns than half of the song: where all changes all the time, nothing turns."""
    turning = stretch_means(novelty + _CUT_NOVELTY * cut_density(bounds), bounds)
    return np.asarray(turning - np.median(spread_over(turning, bounds)))


def _with_loops(near: Array, vectors: Array, bounds: Bounds) -> Array:
    """Join two views: what is alike within some seconds of each unit, and whether the stretch as a whole is a loop."""
    loops = [loop_similarity(vectors[a:b], unit_seconds=UNIT_SECONDS) for a, b in pairwise(bounds)]
    return np.where(np.diff(bounds) * UNIT_SECONDS < _LOOP_SECONDS, near, (near + loops) / 2)


def _stretch_variance(curves: Curves, bounds: Bounds) -> Array:
    """Return the standard deviation of the features' means within each stretch, the mean over all columns."""
    means = curves.columns[:, : curves.columns.shape[1] // 2]
    deviations = means - spread_over(stretch_means(means, bounds), bounds)
    return np.asarray(np.sqrt(stretch_means(deviations * deviations, bounds)).mean(axis=1))

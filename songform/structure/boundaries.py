"""Refinement of the boundaries between segments.

States are estimated for units of 0.5 s, but listeners locate a change much more precisely. Each boundary is therefore
moved to a nearby peak of a short-time novelty curve, which compares the 0.5 s before a time with the 0.2 s after it.
The first window is longer because sounds begin suddenly but decay slowly.

Conventions
-----------
Times are in seconds. Refined boundaries are multiples of 0.1 s, the time step of the overview.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from songform.features.overview import OVERVIEW_SECONDS, Overview
from songform.structure.segments import Segment

__all__ = ["VERSION", "close_novelty", "refined_segments", "refined_times"]

VERSION = 1  # increase this when the boundaries of the same segments change

BEFORE_SECONDS, AFTER_SECONDS = 0.5, 0.2
REACH_SECONDS = 0.8  # how far a boundary may move
NEAR_SECONDS = 0.5  # standard deviation of the Gaussian weight of a peak by its distance from the boundary

_AUDIBLE_DB = 60.0  # softer mel bands, relative to the loudest ones, are inaudible and are raised to this level
_LEAST_DB, _LEAST_CHROMA = 3.0, 0.02  # minimum standard deviations of a mel band and of a pitch class
_CHROMA_WEIGHT = 0.5

Array = NDArray[np.float64]


def close_novelty(overview: Overview) -> Array:
    """Return the short-time novelty at the start of each row of the overview.

    Novelty is the squared distance between the mean of the 0.5 s before and the mean of the 0.2 s after. Timbre (64 mel
    bands) and harmony (chroma) are standardized within the song.

    Parameters
    ----------
    overview : Overview
        Overview of a song.

    Returns
    -------
    np.ndarray, shape=(n_rows,)
        Novelty, with 0 in the first and the last 0.2 s.
    """
    sound = np.hstack([_timbre(overview), _harmony(overview)])
    sums = np.concatenate([np.zeros((1, sound.shape[1])), np.cumsum(sound, axis=0)])
    row = np.arange(len(sound))
    first = np.maximum(row - round(BEFORE_SECONDS / OVERVIEW_SECONDS), 0)
    last = np.minimum(row + round(AFTER_SECONDS / OVERVIEW_SECONDS), len(sound))
    before = (sums[row] - sums[first]) / np.maximum(row - first, 1)[:, None]
    after = (sums[last] - sums[row]) / np.maximum(last - row, 1)[:, None]
    novelty: Array = ((before - after) ** 2).sum(axis=1)
    novelty[:2] = novelty[-2:] = 0.0
    return novelty


def refined_times(times: Array, overview: Overview) -> Array:
    """Move each boundary to a nearby peak of `close_novelty`.

    Among the peaks within reach, the one with the largest novelty is selected, weighted by its distance from the
    boundary. The reach is 0.8 s, or half the distance to the next boundary or end of the song if that is shorter. A
    boundary without a peak within reach is not moved.

    Parameters
    ----------
    times : np.ndarray, shape=(n,)
        Boundaries within a song in increasing order, in seconds.
    overview : Overview
        Overview of the same song.

    Returns
    -------
    np.ndarray, shape=(n,)
        Refined boundaries in the same order, in seconds.
    """
    novelty = close_novelty(overview)
    rows = np.arange(len(novelty)) * OVERVIEW_SECONDS
    gaps = np.diff(np.r_[0.0, times, len(novelty) * OVERVIEW_SECONDS])
    reaches = np.minimum(np.minimum(gaps[:-1], gaps[1:]) / 2 - 1e-9, REACH_SECONDS)
    is_peak = _peaks(novelty)
    refined = np.array(times, dtype=np.float64)
    for i, (time, reach) in enumerate(zip(times, reaches, strict=True)):
        near = np.flatnonzero(is_peak & (np.abs(rows - time) <= reach))
        strength = novelty[near] * np.exp(-0.5 * ((rows[near] - time) / NEAR_SECONDS) ** 2)
        if len(near):
            refined[i] = rows[near[strength.argmax()]]
    return refined


def refined_segments(segments: list[Segment], overview: Overview) -> list[Segment]:
    """Return the segments of a song with refined boundaries and unchanged states and confidences."""
    times = refined_times(np.array([segment.start for segment in segments[1:]]), overview)
    starts = [segments[0].start, *times.tolist()]
    ends = [*starts[1:], segments[-1].end]
    return [segment._replace(start=start, end=end) for segment, start, end in zip(segments, starts, ends, strict=True)]


def _peaks(novelty: Array) -> NDArray[np.bool_]:
    """Return a mask of the rows that are greater than the previous row and not less than the next one."""
    beside = np.r_[0.0, novelty, 0.0]
    return np.asarray((novelty > beside[:-2]) & (novelty >= beside[2:]))


def _timbre(overview: Overview) -> Array:
    """Return the standardized levels of the mel bands; all bands together have the weight of one quantity."""
    levels = overview.logmel_db.astype(np.float64)
    levels = np.maximum(levels, np.quantile(levels, 0.98) - _AUDIBLE_DB)
    timbre: Array = _standard(levels, _LEAST_DB) / np.sqrt(levels.shape[1])
    return timbre


def _harmony(overview: Overview) -> Array:
    chroma = overview.chroma.astype(np.float64)
    harmony: Array = _CHROMA_WEIGHT * _standard(chroma, _LEAST_CHROMA) / np.sqrt(chroma.shape[1])
    return harmony


def _standard(values: Array, least: float) -> Array:
    return np.asarray((values - values.mean(axis=0)) / np.maximum(values.std(axis=0), least))

"""Boundaries: where exactly one segment ends and the next begins.

States are known every half second; a listener hears a change to a few hundredths. So each boundary is moved to the
nearest strong peak of a novelty that looks closely: how unlike the half second before a moment is to the fifth of a
second after it. The two sides differ in length because sounds do: an attack is sudden, and what was before it rings on.

Conventions
-----------
Times are in seconds, on the overview's grid of 0.1 s.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from songform.features.overview import OVERVIEW_SECONDS, Overview
from songform.structure.segments import Segment

__all__ = ["VERSION", "close_novelty", "refined_segments", "refined_times"]

VERSION = 1  # increase this when the same segments get other boundaries

BEFORE_SECONDS, AFTER_SECONDS = 0.5, 0.2
REACH_SECONDS = 0.8  # how far a boundary may move
NEAR_SECONDS = 0.5  # a peak so far away counts 0.6 of one at the boundary itself

_AUDIBLE_DB = 60.0  # below the loudest bands: what is softer is masked
_LEAST_DB, _LEAST_CHROMA = 3.0, 0.02  # the least standard deviation of a mel band, and of a pitch class
_CHROMA_WEIGHT = 0.5

Array = NDArray[np.float64]


def close_novelty(overview: Overview) -> Array:
    """Return how unlike the sound just before each row of the overview is to the sound just after it begins.

    Parameters
    ----------
    overview : Overview
        Of a song.

    Returns
    -------
    np.ndarray, shape=(n_rows,)
        Squared distance of the means of timbre (64 mel bands) and harmony (chroma), standardised within the song;
        0 in the first and the last 0.2 s.
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
    """Move each time to the nearest strong peak of `close_novelty`.

    Parameters
    ----------
    times : np.ndarray, shape=(n,)
        Boundaries within a song, in increasing order, in seconds.
    overview : Overview
        Of the same song.

    Returns
    -------
    np.ndarray, shape=(n,)
        In the same order: none moves further than 0.8 s, nor half the way to the boundary beside it. Where there is no
        peak so near, a boundary stays.
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
    """Move the boundaries between some segments, and nothing else of them."""
    times = refined_times(np.array([segment.start for segment in segments[1:]]), overview)
    starts = [segments[0].start, *times.tolist()]
    ends = [*starts[1:], segments[-1].end]
    return [segment._replace(start=start, end=end) for segment, start, end in zip(segments, starts, ends, strict=True)]


def _peaks(novelty: Array) -> NDArray[np.bool_]:
    """Return which rows are higher than the one before, and not lower than the one after."""
    beside = np.r_[0.0, novelty, 0.0]
    return np.asarray((novelty > beside[:-2]) & (novelty >= beside[2:]))


def _timbre(overview: Overview) -> Array:
    """Return the mel bands that can be heard, standardised, weighing as one quantity."""
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

"""Times of the tatums of a song: dynamic programming on the onset strength [1]_.

The sequence of tatums maximizes the sum of the onset strengths at its times minus a cost for each interval that differs
from the period at that time. `librosa.beat.beat_track` is the same method with a period of a whole number of frames;
here times are found to a quarter of a frame and the period is a real number that may change over time.

References
----------
.. [1] Ellis, "Beat tracking by dynamic programming", Journal of New Music Research 36(1), 2007.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

__all__ = ["tatum_times"]

STEPS_PER_FRAME = 4
TIGHTNESS = 600.0  # cost per squared natural logarithm of interval / period; from 300 to 1500, little changes
LONGEST = 1.25  # intervals of at most this many periods, or at least the inverse

Array = NDArray[np.float64]


def tatum_times(onset: NDArray[Any], periods: Array) -> Array:
    """Find the tatums of a song.

    Parameters
    ----------
    onset : np.ndarray, shape (n_frames,)
        Onset strength.
    periods : np.ndarray, shape (n_frames,)
        Period of the tatum at each frame, in frames.

    Returns
    -------
    np.ndarray, shape (n_tatums,)
        Times in frames, to a quarter of a frame, from 0 to n_frames - 1. They continue with the first and the last
        period to the start and to the end of the song.
    """
    frames = np.arange(len(onset) * STEPS_PER_FRAME) / STEPS_PER_FRAME
    strength = np.interp(frames, np.arange(len(onset)), onset / (np.std(onset) + 1e-9))
    strength = gaussian_filter1d(strength, STEPS_PER_FRAME * float(np.median(periods)) / 16)
    steps = np.interp(frames, np.arange(len(onset)), periods) * STEPS_PER_FRAME
    times = _best_sequence(strength, steps) / STEPS_PER_FRAME
    before = np.arange(times[0] - periods[0], -0.5, -periods[0])[::-1]
    after = np.arange(times[-1] + periods[-1], len(onset), periods[-1])
    everywhere: Array = np.clip(np.concatenate([before, times, after]), 0, len(onset) - 1)
    return everywhere


def _best_sequence(strength: Array, periods: Array) -> NDArray[np.intp]:
    """Return the positions with the largest sum of strengths minus costs."""
    shortest, longest = int(periods.min() / LONGEST), int(np.ceil(periods.max() * LONGEST))
    lags = np.arange(shortest, longest + 1)
    score, before = strength.copy(), np.full(len(strength), -1, np.intp)
    for start in range(0, len(strength), shortest):  # an interval has at least so many steps
        at = np.arange(start, min(start + shortest, len(strength)))
        earlier = at[:, None] - lags
        cost = TIGHTNESS * np.square(np.log(lags / periods[at, None]))
        total = np.where(earlier >= 0, score[np.maximum(earlier, 0)], 0) - cost
        best = total.argmax(axis=1)
        score[at] += total[np.arange(len(at)), best]
        before[at] = np.maximum(earlier[np.arange(len(at)), best], -1)
    return _traced_back(before, score, longest)


def _traced_back(before: NDArray[np.intp], score: Array, longest: int) -> NDArray[np.intp]:
    last_period = max(0, len(score) - longest)
    sequence = [last_period + int(score[last_period:].argmax())]
    while before[sequence[-1]] >= 0:
        sequence.append(int(before[sequence[-1]]))
    return np.array(sequence[::-1])

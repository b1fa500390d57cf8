"""Tempo of the fastest regular pulse (the tatum [1]_) of a song, as a curve over time.

The tatum is the longest regular interval of which beats are multiples: often an eighth or a sixteenth note. Its rate is
between 140 and 280 per minute, so a beat of 60 to 190 per minute has one, two, three or four tatums. It is measured
before the beats because its tempo is hardly ever ambiguous, whereas a beat can be mistaken for one of half or double
the tempo.

The onset strength is divided into windows of 10 s. The strength of a rate in a window is the energy of the onset
strength at this rate, at its double, and at a half and a quarter of it, relative to the mean energy of noise. Energy at
3/2 of the rate counts, too, because that is the rate of triplets. The rate over time is the path through the windows
with the largest sum of strengths; changes of the rate have a cost.

Conventions
-----------
`onset` has one value per frame, as in `songform.features.overview.Overview`. Rates are in tatums per minute.

References
----------
.. [1] Bilmes, "Timing is of the essence", master's thesis, MIT, 1993.
.. [2] Grosche and Müller, "Extracting predominant local pulse information from music recordings", IEEE TASLP 19(6),
       2011. `librosa.beat.plp` uses the same energy of a window, without a path.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, uniform_filter1d

__all__ = ["FASTEST", "SLOWEST", "PulseRate", "loud_onsets", "onset_rises", "pulse_rate"]

SLOWEST, FASTEST = 140.0, 280.0  # one octave, so that each tempo has exactly one rate
RATES = 2 ** np.arange(np.log2(SLOWEST), np.log2(FASTEST), 0.004)
WINDOW_SECONDS, WINDOW_HOP_SECONDS = 10.0, 2.0
# Multiples of the rate, and their weights. 1.5 is the rate of triplets, if the beat has two tatums.
HARMONICS = {0.25: 0.5, 0.5: 1.0, 1.0: 1.0, 1.5: 0.4, 2.0: 0.5}
LOUD_FRAMES, LOUD_PERCENTILE, LOUD_EXPONENT = 5, 95, 0.75
WINDOWS_AT_ONCE = 256
CHANGE_COST, MOST_CHANGE_COST = 3000.0, 100.0  # per natural logarithm of the ratio of two rates

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PulseRate:
    """Rate of the tatum over time.

    Attributes
    ----------
    time_s : np.ndarray, shape (n_windows,)
        Centers of the windows, in seconds.
    rate : np.ndarray, shape (n_windows,)
        Tatums per minute. All windows are in the same octave, which may begin below `SLOWEST` or end above `FASTEST`.
    strength : np.ndarray, shape (n_windows,)
        Strength of the rate in each window; the mean of noise is 3, and that of silence 0.
    """

    time_s: Array
    rate: Array
    strength: Array

    def periods(self, n_frames: int, frame_rate: float) -> Array:
        """Return the period of the tatum at each frame, in frames, of shape (n_frames,)."""
        at = np.arange(n_frames) / frame_rate
        periods: Array = np.interp(at, self.time_s, 60 * frame_rate / self.rate)
        return periods


def loud_onsets(onset: NDArray[Any], rms: NDArray[Any]) -> Array:
    """Weight onsets by the loudness after them, so that accents count more.

    Onset strength is measured in dB, and in a quiet song a soft note rises from silence as far as a loud one.

    Parameters
    ----------
    onset : np.ndarray, shape (n_frames,)
        Onset strength.
    rms : np.ndarray, shape (n_frames,)
        Root mean square of each frame.
    """
    after = maximum_filter1d(np.asarray(rms, float), LOUD_FRAMES, origin=-(LOUD_FRAMES // 2))
    weight = np.clip(after / (np.percentile(after, LOUD_PERCENTILE) + 1e-9), 0, 1) ** LOUD_EXPONENT
    weighted: Array = onset * weight
    return weighted


def onset_rises(onset: NDArray[Any], *, frame_rate: float) -> Array:
    """Return how far the onset strength exceeds its mean over 2 s, with a standard deviation of 1.

    Parameters
    ----------
    onset : np.ndarray, shape (n_frames,)
        Onset strength.
    frame_rate : float
        Frames per second.
    """
    x = np.asarray(onset, float)
    rises: Array = np.maximum(0, x - uniform_filter1d(x, int(2 * frame_rate)))
    scaled: Array = rises / (rises.std() + 1e-9)
    return scaled


def pulse_rate(rises: Array, *, frame_rate: float) -> PulseRate:
    """Find the rate of the tatum over time.

    Parameters
    ----------
    rises : np.ndarray, shape (n_frames,)
        Return value of `onset_rises`.
    frame_rate : float
        Frames per second.
    """
    strengths = _strengths(rises, frame_rate)
    path = _path(strengths)
    strength = strengths[np.arange(len(path)), path]
    time_s = np.arange(len(path), dtype=np.float64) * WINDOW_HOP_SECONDS
    return PulseRate(time_s, _same_octave(RATES[path], strength), strength)


def _strengths(rises: Array, frame_rate: float) -> Array:
    """Return the strength of each rate in each window, of shape (n_windows, n_rates)."""
    n, hop = int(WINDOW_SECONDS * frame_rate), WINDOW_HOP_SECONDS * frame_rate
    starts = np.round(np.arange(0, len(rises), hop)).astype(int)
    padded, shape = np.pad(rises, (n // 2, n - n // 2)), np.hanning(n + 2)[1:-1]
    parts = []
    for first in range(0, len(starts), WINDOWS_AT_ONCE):
        windows = padded[starts[first : first + WINDOWS_AT_ONCE, None] + np.arange(n)] * shape
        windows -= shape * windows.sum(axis=1, keepdims=True) / shape.sum()
        noise = np.square(windows).sum(axis=1, keepdims=True)
        parts.append(_energies(windows, frame_rate) / (noise + 1e-9))
    return np.concatenate(parts)


def _energies(windows: Array, frame_rate: float) -> Array:
    """Return the weighted sum of the energies of the windows at multiples of each rate, (n_windows, n_rates)."""
    t = (np.arange(windows.shape[1]) / frame_rate).astype(np.float32)
    total = np.zeros((len(windows), len(RATES)))
    for multiple, weight in HARMONICS.items():
        angle = (2 * np.pi * multiple / 60) * np.outer(t, RATES)
        total += weight * np.square(np.abs(windows.astype(np.complex64) @ np.exp(-1j * angle).astype(np.complex64)))
    return total


def _path(strengths: Array) -> NDArray[np.intp]:
    """Return the index of the rate in each window: the path with the largest sum of strengths minus costs."""
    distance = np.abs(np.log(RATES[:, None] / RATES))
    distance = np.minimum(distance, np.log(FASTEST / SLOWEST) - distance)  # an octave is no distance
    # A squared distance would make a change that is divided into many small steps almost free.
    cost = np.minimum(CHANGE_COST * distance, MOST_CHANGE_COST)
    score, before = strengths[0], np.zeros(strengths.shape, np.intp)
    for window, strength in enumerate(strengths[1:], start=1):
        total = score - cost
        before[window] = total.argmax(axis=1)
        score = total[np.arange(len(RATES)), before[window]] + strength
    path = np.empty(len(strengths), np.intp)
    path[-1] = score.argmax()
    for window in range(len(strengths) - 1, 0, -1):
        path[window - 1] = before[window, path[window]]
    return path


def _same_octave(rate: Array, strength: Array) -> Array:
    """Return the rates multiplied by powers of 2, so that they are in the octave around their mean."""
    angle = 2 * np.pi * np.log2(rate / SLOWEST)
    mean = np.angle((strength * np.exp(1j * angle)).sum()) / (2 * np.pi) % 1
    center = SLOWEST * 2**mean
    moved: Array = rate * 2.0 ** np.round(np.log2(center / rate))
    return moved

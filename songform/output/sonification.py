"""Sonification: a song's segments, made audible over the song itself.

A soft click sounds at each boundary, and each state hums a quiet tone of its own, so that an ear can tell whether the
song turns where it is said to, and whether the same state is heard again. The song is turned down by as much as click
and tone together may add: nothing clips, and nothing depends on what comes later, so that a song of any length can be
made block by block.

Conventions
-----------
Tones are steps of a pentatonic scale from A3 (220 Hz), a step a state in the order of the palette: any two sound well
together. A click is a decaying tone of 2 kHz, 30 ms long, that begins at the boundary.

See Also
--------
mir_eval.sonify, which makes such sounds without the song.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from songform.errors import ParameterError
from songform.plots.palette import STATE_COLORS
from songform.structure.segments import Segment

__all__ = ["CLICK_HZ", "CLICK_SECONDS", "SONG_GAIN", "VERSION", "sonified", "state_tones"]

VERSION = 1  # counts up when the same song and segments sound otherwise

SONG_GAIN, CLICK_GAIN, TONE_GAIN = 0.7, 0.25, 0.05  # together 1: full scale stays full scale
CLICK_HZ, CLICK_SECONDS = 2000.0, 0.03

_FADE_SECONDS = 0.05  # a tone that began at once would click, too
_PENTATONIC = (0, 3, 5, 7, 10)  # semitones
_A3 = 220.0


def state_tones(states: Sequence[str]) -> dict[str, float]:
    """Return the frequency of each state's tone, in Hz.

    Parameters
    ----------
    states : sequence of str
        Names, with repetitions. Those with a colour of their own always have the same tone; others take the steps
        above, in the order in which they come.
    """
    steps = list(STATE_COLORS)
    steps += [state for state in dict.fromkeys(states) if state not in STATE_COLORS]
    return {state: _pentatonic(steps.index(state)) for state in dict.fromkeys(states)}


def sonified(
    y: NDArray[np.floating], sr: float, segments: Sequence[Segment], *, offset: int = 0
) -> NDArray[np.float32]:
    """Return a song with a click at each boundary and a tone for each state.

    Parameters
    ----------
    y : np.ndarray, shape=(n_samples,)
        The song, or a block of it; what exceeds full scale is clipped first.
    sr : float > 0
        Sampling rate in Hz.
    segments : sequence of Segment
        The whole song's.
    offset : int >= 0
        The number of the song's sample with which `y` begins: blocks sound as the whole does.

    Returns
    -------
    np.ndarray of float32, shape=(n_samples,)
        Between -1 and 1.

    Raises
    ------
    ParameterError
        If `y` is not one channel, or the sampling rate no rate.
    """
    if y.ndim != 1:
        raise ParameterError(f"y must be one channel of samples, not an array of shape {y.shape}")
    if not sr > 0:
        raise ParameterError(f"sr must be a positive number of samples a second, not {sr}")
    mixed = SONG_GAIN * np.clip(y, -1.0, 1.0).astype(np.float64)
    tones = state_tones([segment.state for segment in segments])
    for number, segment in enumerate(segments):
        first, last = round(segment.start * sr), round(segment.end * sr)
        at = _within(first, last, offset, len(y))
        mixed[at - offset] += (
            TONE_GAIN * _swell(at, first, last, sr) * np.sin(2 * np.pi * tones[segment.state] / sr * at)
        )
        if number:
            at = _within(first, first + round(CLICK_SECONDS * sr), offset, len(y))
            mixed[at - offset] += CLICK_GAIN * _click((at - first) / sr)
    heard: NDArray[np.float32] = np.clip(mixed, -1.0, 1.0).astype(np.float32)
    return heard


def _within(first: int, last: int, offset: int, n: int) -> NDArray[np.intp]:
    """Return the numbers of the samples from `first` to `last`, as far as they lie within the block."""
    return np.arange(max(first, offset), max(min(last, offset + n), offset))


def _swell(at: NDArray[np.intp], first: int, last: int, sr: float) -> NDArray[np.float64]:
    """Return how loud a tone from `first` to `last` is: it swells at its beginning, and fades before its end."""
    swell: NDArray[np.float64] = np.clip(np.minimum(at - first, last - 1 - at) / (_FADE_SECONDS * sr), 0.0, 1.0)
    return swell


def _click(t: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a click as it sounds `t` seconds after it begins: softly, within 2 ms."""
    click: NDArray[np.float64] = np.minimum(t / 0.002, 1.0) * np.exp(-t / 0.006) * np.sin(2 * np.pi * CLICK_HZ * t)
    return click


def _pentatonic(step: int) -> float:
    octave, degree = divmod(step, len(_PENTATONIC))
    return float(_A3 * 2.0 ** (octave + _PENTATONIC[degree] / 12))

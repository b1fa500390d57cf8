"""Sonification: the segments of a song as sounds added to the song.

A soft click marks each boundary, and each state has a quiet tone of its own; silence has no tone. A listener can check
whether the song changes at the boundaries and which segments have the same state. The song is attenuated to leave room
for a click and a tone, so that the sum does not clip. The gain does not depend on the rest of the song, so that a song
of any length can be processed in blocks.

Conventions
-----------
Tones are steps of a pentatonic scale from A3 (220 Hz), one step per state in the order of the palette. A click is a
decaying tone of 2 kHz with a length of 30 ms that starts at the boundary.

See Also
--------
mir_eval.sonify : Sonification of annotations without the song.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from songform.errors import ParameterError
from songform.plots.palette import STATE_COLORS
from songform.structure.segments import Segment
from songform.structure.silence import SILENCE

__all__ = ["CLICK_HZ", "CLICK_SECONDS", "SONG_GAIN", "VERSION", "sonified", "state_tones"]

VERSION = 1  # increase this when the same song and segments give different samples

SONG_GAIN, CLICK_GAIN, TONE_GAIN = 0.7, 0.25, 0.05  # their sum is 1, so that full scale is not exceeded
CLICK_HZ, CLICK_SECONDS = 2000.0, 0.03

_FADE_SECONDS = 0.05  # without a fade, tones would start and end with a click
_PENTATONIC = (0, 3, 5, 7, 10)  # semitones
_A3 = 220.0


def state_tones(states: Sequence[str]) -> dict[str, float]:
    """Return the frequency of each state's tone, in Hz.

    Parameters
    ----------
    states : sequence of str
        Names of states; they may be repeated. A state of the palette always has the same tone. Other states get the
        steps above those of the palette, in order of their first occurrence.
    """
    steps = list(STATE_COLORS)
    steps += [state for state in dict.fromkeys(states) if state not in STATE_COLORS]
    return {state: _pentatonic(steps.index(state)) for state in dict.fromkeys(states)}


def sonified(
    y: NDArray[np.floating], sr: float, segments: Sequence[Segment], *, offset: int = 0
) -> NDArray[np.float32]:
    """Return a song with a click at each boundary and a tone for each state, but none for silence.

    Parameters
    ----------
    y : np.ndarray, shape=(n_samples,)
        Samples of the song, or of a block of it. They are clipped to full scale first.
    sr : float > 0
        Sampling rate in Hz.
    segments : sequence of Segment
        Segments of the whole song.
    offset : int >= 0
        Index in the song of the first sample of `y`. Processing a song in blocks gives the same samples.

    Returns
    -------
    np.ndarray of float32, shape=(n_samples,)
        Samples between -1 and 1.

    Raises
    ------
    ParameterError
        If `y` has more than one channel, or the sampling rate is not positive.
    """
    if y.ndim != 1:
        raise ParameterError(f"y must have one channel (one dimension), not shape {y.shape}")
    if not sr > 0:
        raise ParameterError(f"sr must be a positive number of samples per second, not {sr}")
    mixed = SONG_GAIN * np.clip(y, -1.0, 1.0).astype(np.float64)
    tones = state_tones([segment.state for segment in segments if segment.state != SILENCE])
    for number, segment in enumerate(segments):
        first, last = round(segment.start * sr), round(segment.end * sr)
        at = _within(first, last, offset, len(y))
        if segment.state != SILENCE:
            mixed[at - offset] += (
                TONE_GAIN * _envelope(at, first, last, sr) * np.sin(2 * np.pi * tones[segment.state] / sr * at)
            )
        if number:
            at = _within(first, first + round(CLICK_SECONDS * sr), offset, len(y))
            mixed[at - offset] += CLICK_GAIN * _click((at - first) / sr)
    clipped: NDArray[np.float32] = np.clip(mixed, -1.0, 1.0).astype(np.float32)
    return clipped


def _within(first: int, last: int, offset: int, n: int) -> NDArray[np.intp]:
    """Return the indices of the samples from `first` to `last` that are within the block."""
    return np.arange(max(first, offset), max(min(last, offset + n), offset))


def _envelope(at: NDArray[np.intp], first: int, last: int, sr: float) -> NDArray[np.float64]:
    """Return the envelope of a tone from `first` to `last`, with a fade-in and a fade-out."""
    envelope: NDArray[np.float64] = np.clip(np.minimum(at - first, last - 1 - at) / (_FADE_SECONDS * sr), 0.0, 1.0)
    return envelope


def _click(t: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the click `t` seconds after its start, with an attack of 2 ms."""
    click: NDArray[np.float64] = np.minimum(t / 0.002, 1.0) * np.exp(-t / 0.006) * np.sin(2 * np.pi * CLICK_HZ * t)
    return click


def _pentatonic(step: int) -> float:
    octave, degree = divmod(step, len(_PENTATONIC))
    return float(_A3 * 2.0 ** (octave + _PENTATONIC[degree] / 12))

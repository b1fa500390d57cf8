"""Sonification: the states, beats and sections of a song as sounds added to the song.

A listener can check whether the song changes at the boundaries, which parts have the same state or letter, and whether
the beats are right. Each kind of sound can be distinguished from the others by its pitch, length and number:

=======================  ==============================================================================
sound                    meaning
=======================  ==============================================================================
tick of 800 Hz           a beat
tick of 1200 Hz          a downbeat; a little louder
click of 2000 Hz         a boundary between two states; the highest short sound
quiet tone               the state, as long as its segment; silence has none
strokes of a bell        a section begins; the number of strokes and the bell are those of its letter
=======================  ==============================================================================

The number of strokes can be counted, which is easier than recognizing a pitch: A, B, C and D are one to four strokes, E
to H the same with a lower bell, and I to L with a higher one; then it starts over. Phrases have no sound, because they
would be too many.

The song is attenuated to leave room for one sound of each kind, so that the sum does not clip. The gain does not depend
on the rest of the song, so that a song of any length can be processed in blocks.

Conventions
-----------
Tones are steps of a pentatonic scale from A3 (220 Hz), one step per state in the order of the palette. Ticks and clicks
are decaying tones with a length of 30 ms. All sounds start exactly at their times.

See Also
--------
mir_eval.sonify : Sonification of annotations without the song.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from songform.beats.beat_tracking import Beats
from songform.errors import ParameterError
from songform.plots.palette import STATE_COLORS
from songform.sections.letters import letter_number
from songform.sections.section_finding import SongPart
from songform.structure.segments import Segment
from songform.structure.silence import SILENCE

__all__ = [
    "BEAT_HZ",
    "CLICK_HZ",
    "CLICK_SECONDS",
    "DOWNBEAT_HZ",
    "SONG_GAIN",
    "VERSION",
    "bell_strokes",
    "sonified",
    "state_tones",
]

VERSION = 2  # increase this when the same song, segments, beats and sections give different samples

# The sum of these and of DOWNBEAT_GAIN is 1, so that full scale is not exceeded; a beat is never also a downbeat.
SONG_GAIN, CLICK_GAIN, TONE_GAIN, BELL_GAIN = 0.45, 0.15, 0.05, 0.17
BEAT_GAIN, DOWNBEAT_GAIN = 0.12, 0.18
CLICK_HZ, BEAT_HZ, DOWNBEAT_HZ = 2000.0, 800.0, 1200.0
CLICK_SECONDS = 0.03

STROKES_PER_BELL = 4
BELLS_HZ = (1568.0, 1047.0, 2093.0)  # G6, C6 and C7

_STROKE_SECONDS, _RING_SECONDS, _BELL_DECAY = 0.16, 0.35, 0.07  # between strokes, of a stroke, and its decay
_MAX_BELL_SECONDS = STROKES_PER_BELL * _STROKE_SECONDS + _RING_SECONDS
_PARTIAL, _PARTIAL_LEVEL = 2.76, 0.4  # of a bell; the ratio is not an integer, so that it does not sound like a note
_FADE_SECONDS = 0.05  # without a fade, tones would start and end with a click
_PENTATONIC = (0, 3, 5, 7, 10)  # semitones
_A3 = 220.0

Samples = NDArray[np.float64]


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


def bell_strokes(label: str) -> tuple[int, float]:
    """Return the number of strokes, and the frequency of the bell in Hz, that announce a section.

    Parameters
    ----------
    label : str
        Letter of the section, perhaps with a number (A1 follows Z). Another text is announced like A.

    Examples
    --------
    >>> [bell_strokes(label) for label in ("A", "B", "D", "E")]
    [(1, 1568.0), (2, 1568.0), (4, 1568.0), (1, 1047.0)]
    """
    bell, stroke = divmod(letter_number(label) or 0, STROKES_PER_BELL)
    return stroke + 1, BELLS_HZ[bell % len(BELLS_HZ)]


def sonified(
    y: NDArray[np.floating],
    sr: float,
    segments: Sequence[Segment],
    *,
    beats: Beats | None = None,
    sections: Sequence[SongPart] = (),
    offset: int = 0,
) -> NDArray[np.float32]:
    """Return a song with the sounds of its states, beats and sections.

    Parameters
    ----------
    y : np.ndarray, shape=(n_samples,)
        Samples of the song, or of a block of it. They are clipped to full scale first.
    sr : float > 0
        Sampling rate in Hz.
    segments : sequence of Segment
        Segments of the whole song. Silence has no tone.
    beats : Beats, optional
        Beats of the whole song.
    sections : sequence of SongPart
        Sections of the whole song.
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
    _add_states(mixed, sr, segments, offset)
    if beats is not None:
        _add_beats(mixed, sr, beats, offset)
    for section in sections:
        first = round(section.start * sr)
        if len(_within(first, first + round(_MAX_BELL_SECONDS * sr), offset, len(y))):
            _add(mixed, BELL_GAIN * _bell(*bell_strokes(section.label), sr), first, offset)
    clipped: NDArray[np.float32] = np.clip(mixed, -1.0, 1.0).astype(np.float32)
    return clipped


def _add_states(mixed: Samples, sr: float, segments: Sequence[Segment], offset: int) -> None:
    """Add the tones of the states to a block, and the clicks between them."""
    click = CLICK_GAIN * _click(CLICK_HZ, sr)
    tones = state_tones([segment.state for segment in segments if segment.state != SILENCE])
    for number, segment in enumerate(segments):
        first, last = round(segment.start * sr), round(segment.end * sr)
        at = _within(first, last, offset, len(mixed))
        if segment.state != SILENCE and len(at):
            mixed[at - offset] += (
                TONE_GAIN * _envelope(at, first, last, sr) * np.sin(2 * np.pi * tones[segment.state] / sr * at)
            )
        if number:
            _add(mixed, click, first, offset)


def _add_beats(mixed: Samples, sr: float, beats: Beats, offset: int) -> None:
    """Add the ticks of beats and downbeats to a block."""
    tick, downbeat = BEAT_GAIN * _click(BEAT_HZ, sr), DOWNBEAT_GAIN * _click(DOWNBEAT_HZ, sr)
    near = np.array([offset - len(tick) - 1, offset + len(mixed) + 1]) / sr
    for number in range(*np.searchsorted(beats.times, near)):
        sound = downbeat if beats.positions[number] == 1 else tick
        _add(mixed, sound, round(float(beats.times[number]) * sr), offset)


def _add(mixed: Samples, sound: Samples, first: int, offset: int) -> None:
    """Add a sound that starts at the sample `first` of the song to a block."""
    at = _within(first, first + len(sound), offset, len(mixed))
    mixed[at - offset] += sound[at - first]


def _within(first: int, last: int, offset: int, n: int) -> NDArray[np.intp]:
    """Return the indices of the samples from `first` to `last` that are within the block."""
    return np.arange(max(first, offset), max(min(last, offset + n), offset))


def _envelope(at: NDArray[np.intp], first: int, last: int, sr: float) -> NDArray[np.float64]:
    """Return the envelope of a tone from `first` to `last`, with a fade-in and a fade-out."""
    envelope: NDArray[np.float64] = np.clip(np.minimum(at - first, last - 1 - at) / (_FADE_SECONDS * sr), 0.0, 1.0)
    return envelope


def _click(hz: float, sr: float) -> Samples:
    """Return a click with an attack of 2 ms."""
    t = np.arange(round(CLICK_SECONDS * sr)) / sr
    click: Samples = np.minimum(t / 0.002, 1.0) * np.exp(-t / 0.006) * np.sin(2 * np.pi * hz * t)
    return click


def _bell(n_strokes: int, hz: float, sr: float) -> Samples:
    """Return strokes of a bell with a maximum below 1."""
    stroke, distance = _stroke(hz, sr), round(_STROKE_SECONDS * sr)
    bell = np.zeros((n_strokes - 1) * distance + len(stroke))
    for first in range(0, n_strokes * distance, distance):
        bell[first : first + len(stroke)] += stroke
    bell *= 1 - np.exp(-_STROKE_SECONDS / _BELL_DECAY)  # because the strokes before a stroke have not ended
    return bell


def _stroke(hz: float, sr: float) -> Samples:
    """Return one stroke of a bell, with an attack of 2 ms."""
    t = np.arange(round(_RING_SECONDS * sr)) / sr
    partials = {hz: 1.0, **({_PARTIAL * hz: _PARTIAL_LEVEL} if _PARTIAL * hz < sr / 2 else {})}
    wave = sum(level * np.sin(2 * np.pi * partial * t) for partial, level in partials.items())
    envelope = np.minimum(t / 0.002, 1.0) * np.exp(-t / _BELL_DECAY) * np.minimum((_RING_SECONDS - t) / 0.02, 1.0)
    stroke: Samples = envelope * wave / (1 + _PARTIAL_LEVEL)
    return stroke


def _pentatonic(step: int) -> float:
    octave, degree = divmod(step, len(_PENTATONIC))
    return float(_A3 * 2.0 ** (octave + _PENTATONIC[degree] / 12))

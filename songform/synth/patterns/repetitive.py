"""Patterns of Repetitive: a loop of at most four bars that is repeated exactly, at least three times in total [1]_.

============  ===================================================================================
`ostinato`    Figure over a sustained chord, with a bass note, soft kick and hat.
`groove`      Drums and a bass figure only.
`riff`        Bass and muted power chords in unison, with soft kick and hat.
`music box`   Soft keys only.
`vamp`        Two chords in a rhythm over a bass, with a shaker.
`pulses`      Two voices of repeated tones over a soft pad, without drums.
============  ===================================================================================

References
----------
.. [1] Butler, "Unlocking the groove", Indiana University Press, 2006: music built from loops.
"""

from __future__ import annotations

import numpy as np

from songform.synth.patterns.pattern import Pattern, Writer
from songform.synth.score.notes import Note, repeated
from songform.synth.score.rhythms import BACKBEATS, BASS_LINES, COMPING, HATS, KICKS, drawn
from songform.synth.score.themes import Theme, voicings

__all__ = ["REPETITIVE", "loop_steps"]

REPEATS = 3


def loop_steps(metre: int, n_bars: int, rng: np.random.Generator) -> int:
    """Choose the length of a loop in steps.

    The length is 1, 2 or 4 bars, chosen at random among those that divide the section into at least three loops. If
    there are none, it is half a bar, or a quarter of a bar in a section of one bar.
    """
    fitting = [bars for bars in (1, 2, 4) if REPEATS * bars <= n_bars and n_bars % bars == 0]
    if not fitting:
        return metre // 2 if n_bars > 1 else metre // 4
    return metre * int(rng.choice(fitting))


def _looped(one: Writer) -> Writer:
    """Return a writer that repeats a loop, cut from the notes of another writer."""

    def write(theme: Theme, n_bars: int, rng: np.random.Generator) -> list[Note]:
        length = loop_steps(theme.metre, n_bars, rng)
        loop = [note for note in one(theme, -(-length // theme.metre), rng) if note.step < length]
        fitted = [note._replace(length=min(note.length, length)) for note in loop]
        return repeated(fitted, length, theme.metre * n_bars)

    return write


def _ostinato(theme: Theme, n_bars: int, rng: np.random.Generator) -> list[Note]:
    """Write the loop of `ostinato`."""
    chord = theme.chord(0)
    rhythm = np.flatnonzero(rng.random(theme.metre // 2) < 0.75) * 2
    turns = [chord[i % len(chord)] + 7 * (i // len(chord)) for i in rng.permutation(2 * len(chord))]
    notes = [
        Note(theme.metre * bar + step, 3, "loop", theme.pitch(turns[(i + bar) % len(turns)]), 0.45, 0.5)
        for bar in range(n_bars)
        for i, step in enumerate([0, *rhythm[rhythm > 0].tolist()])
    ]
    for start in range(0, theme.metre * n_bars, theme.metre):
        notes += [Note(start, theme.metre, "pad", pitch, 0.1, 0.4) for pitch in voicings(theme, 1)[0]]
        notes += [Note(start, 10, "bass", theme.bass(0), 0.35, 0.3), Note(start, 1, "kick", 0, 0.5)]
        notes += [Note(start + 8, 1, "kick", 0, 0.5)]
        notes += [Note(start + step, 1, "hat", 2, 0.1) for step in range(2, theme.metre, 4)]
    return notes


def _groove(theme: Theme, n_bars: int, rng: np.random.Generator) -> list[Note]:
    """Write the loop of `groove`."""
    kicks, hats = (drawn(rng, table, theme.metre) for table in (KICKS, HATS))
    line = drawn(rng, BASS_LINES, theme.metre)
    notes = []
    for start in range(0, theme.metre * n_bars, theme.metre):
        notes += [Note(start + step, 1, "kick", 0, 0.7) for step in kicks]
        notes += [Note(start + step, 1, "snare", 0, 0.5) for step in BACKBEATS[theme.metre]]
        notes += [Note(start + step, 1, "hat", 0, 0.2) for step in hats]
        degrees = rng.choice([0, 0, 2, 4, 7], size=len(line)).tolist()
        notes += [Note(start + s, 2, "bass", _low(theme, d), 0.4, 0.5) for s, d in zip(line, degrees, strict=True)]
    return notes


def _riff(theme: Theme, n_bars: int, rng: np.random.Generator) -> list[Note]:
    """Write the loop of `riff`."""
    notes = []
    for start in range(0, theme.metre * n_bars, theme.metre):
        steps = sorted({0, *rng.choice(range(2, theme.metre), size=4, replace=False).tolist()})
        ends, degrees = [*steps[1:], theme.metre], rng.choice([0, 0, 3, 4, 6], size=len(steps)).tolist()
        for step, end, degree in zip(steps, ends, degrees, strict=True):
            low, length = _low(theme, degree if step else 0), min(6, end - step)
            notes += [Note(start + step, length, "crunch", low + shift, 0.25, 0.2) for shift in (12, 19)]
            notes.append(Note(start + step, length, "bass", low, 0.4, 0.4))
        notes += [Note(start + step, 1, "kick", 0, 0.5) for step in range(0, theme.metre, 8)]
        notes += [Note(start + step, 1, "hat", 0, 0.15) for step in range(0, theme.metre, 4)]
    return notes


def _music_box(theme: Theme, n_bars: int, rng: np.random.Generator) -> list[Note]:
    """Write the loop of `music box`, in eighth or sixteenth notes."""
    pace, octave = int(rng.choice([1, 2])), int(rng.choice([0, 12]))
    chord = theme.chord(0)
    degrees = [chord[i % len(chord)] + 7 * (i // len(chord)) for i in range(2 * len(chord))]
    steps = range(0, theme.metre * n_bars, pace)
    drawn = rng.choice(degrees, size=len(steps)).tolist()
    return [
        Note(step, 2 * pace, "keys", theme.pitch(degree) + octave, 0.45 if step % theme.metre == 0 else 0.35, 0.4)
        for step, degree in zip(steps, drawn, strict=True)
    ]


def _vamp(theme: Theme, n_bars: int, rng: np.random.Generator) -> list[Note]:
    """Write the loop of `vamp`."""
    rhythm = drawn(rng, COMPING, theme.metre)
    chords = voicings(theme, 2, lowest=55)
    notes = []
    for bar in range(n_bars):
        start, chord = theme.metre * bar, chords[bar % 2]
        notes += [Note(start + step, 2, "chords", pitch, 0.2, 0.4) for step in rhythm for pitch in chord]
        notes.append(Note(start, 8, "bass", theme.bass(bar % 2), 0.35, 0.3))
        notes += [Note(start + step, 1, "shaker", 0, 0.15) for step in range(0, theme.metre, 2)]
    return notes


def _pulses(theme: Theme, n_bars: int, rng: np.random.Generator) -> list[Note]:
    """Write the loop of `pulses`: two voices that alternate."""
    chord = theme.chord(0)
    high, low = (theme.pitch(int(rng.choice(chord)) + shift) for shift in (7, 0))
    gaps = set(rng.choice(theme.metre, size=theme.metre // 4, replace=False).tolist())
    notes = []
    for start in range(0, theme.metre * n_bars, theme.metre):
        for step in range(theme.metre):
            if step not in gaps:
                pitch, level = (high, 0.4) if step % 3 == 0 else (low, 0.3)
                notes.append(Note(start + step, 1, "loop", pitch, level, 0.5))
        notes.append(Note(start, theme.metre, "pad", theme.pitch(chord[rng.integers(3)]), 0.12, 0.3))
    return notes


def _low(theme: Theme, degree: int) -> int:
    """Return the MIDI pitch of a degree in the octave above A1."""
    return 33 + (theme.pitch(degree) - 33) % 12


REPETITIVE = {
    "ostinato": Pattern(_looped(_ostinato)),
    "groove": Pattern(_looped(_groove), 1.0),
    "riff": Pattern(_looped(_riff)),
    "music box": Pattern(_looped(_music_box), -4.0),
    "vamp": Pattern(_looped(_vamp)),
    "pulses": Pattern(_looped(_pulses), -2.0),
}

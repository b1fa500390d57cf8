"""Patterns of Calm: soft and smooth, with few notes; no drums, no bass line, no bright sounds.

===============  =================================================================
`pads`           Pad chords, one per bar, and a slow melody.
`solo`           Solo voice with rests, over a very soft low tone.
`broken chords`  Piano or harp, with a different order of the tones in each bar.
`chorale`        Block chords, one or two per bar, as for a choir.
`drone`          Sustained fifth and occasional chimes.
===============  =================================================================
"""

from __future__ import annotations

import numpy as np

from songform.synth.patterns.pattern import Pattern
from songform.synth.score.melodies import melody
from songform.synth.score.notes import Note
from songform.synth.score.themes import Theme, voicings

__all__ = ["CALM"]


def _pads(theme: Theme, n_bars: int, rng: np.random.Generator) -> list[Note]:
    """Write the pattern `pads`, with levels and brightness that vary from bar to bar."""
    notes = []
    for bar, chord in enumerate(voicings(theme, n_bars)):
        start, brightness = theme.metre * bar, float(rng.uniform(0.25, 0.5))
        levels = rng.uniform(0.12, 0.4, len(chord)).tolist()
        notes += [
            Note(start, theme.metre, "pad", pitch, level, brightness)
            for pitch, level in zip(chord, levels, strict=True)
        ]
        notes.append(Note(start, theme.metre, "pad", theme.bass(bar) + 12, 0.25, 0.2))
    return notes + _tune(theme, n_bars, rng, 0.5)


def _solo(theme: Theme, n_bars: int, rng: np.random.Generator) -> list[Note]:
    """Write the pattern `solo`, with random rests."""
    notes = [
        Note(theme.metre * bar, 2 * theme.metre, "pad", theme.bass(0) + 12, 0.12, 0.1) for bar in range(0, n_bars, 2)
    ]
    sung = _tune(theme, n_bars, rng, 0.6)
    return notes + [note for i, note in enumerate(sung) if i == 0 or rng.random() < 0.85]


def _broken_chords(theme: Theme, n_bars: int, rng: np.random.Generator) -> list[Note]:
    """Write the pattern `broken chords`, in eighth notes with gaps over the root of each chord."""
    notes = []
    for bar, chord in enumerate(voicings(theme, n_bars, lowest=55)):
        start = theme.metre * bar
        tones = [*chord, *(pitch + 12 for pitch in chord)]
        notes.append(Note(start, theme.metre, "keys", theme.bass(bar) + 12, 0.45, 0.3))
        steps = [step for step in range(2, theme.metre, 2) if rng.random() < 0.7]
        order = rng.permutation(len(tones))
        for i, step in enumerate(steps):
            pitch = tones[order[i % len(order)]]
            notes.append(Note(start + step, 6, "keys", pitch, float(rng.uniform(0.2, 0.4)), 0.2))
    return notes


def _chorale(theme: Theme, n_bars: int, rng: np.random.Generator) -> list[Note]:
    """Write the pattern `chorale`; the top voice moves to another tone within the bar."""
    half = 8 if theme.metre == 16 else theme.metre
    player = str(rng.choice(["pad", "keys"]))
    notes = []
    for bar, chord in enumerate(voicings(theme, n_bars)):
        for step in range(0, theme.metre, half):
            start, level = theme.metre * bar + step, float(rng.uniform(0.2, 0.35))
            top = chord[-1] if step == 0 else theme.pitch(theme.chord(bar)[0] + int(rng.integers(7, 11)))
            voices = (theme.bass(bar) + 12, *chord[:-1], top)
            notes += [Note(start, half, player, pitch, level, 0.12) for pitch in voices]
    return notes


def _drone(theme: Theme, n_bars: int, rng: np.random.Generator) -> list[Note]:
    """Write the pattern `drone`."""
    notes = []
    for bar in range(0, n_bars, 2):
        start, length = theme.metre * bar, theme.metre * min(2, n_bars - bar)
        notes += [
            Note(start, length, "pad", pitch, float(rng.uniform(0.2, 0.35)), float(rng.uniform(0.1, 0.4)))
            for pitch in (theme.bass(0) + 12, theme.pitch(4), theme.pitch(int(rng.choice([7, 8, 9]))))
        ]
        for step in sorted(rng.choice(length, size=min(3, length // 8), replace=False).tolist()):
            pitch = theme.pitch(theme.chord(bar)[rng.integers(3)] + 7)
            notes.append(Note(start + step, 8, "chime", pitch, float(rng.uniform(0.15, 0.3)), 0.3))
    return notes


def _tune(theme: Theme, n_bars: int, rng: np.random.Generator, level: float) -> list[Note]:
    """Write a slow melody."""
    return [
        Note(tone.step, 0.9 * tone.length, "voice", theme.pitch(tone.degree), level * float(rng.uniform(0.8, 1.1)), 0.4)
        for tone in melody(theme, n_bars, rng, slow=True)
    ]


CALM = {
    "pads": Pattern(_pads),
    "solo": Pattern(_solo, -1.0),
    "broken chords": Pattern(_broken_chords),
    "chorale": Pattern(_chorale),
    "drone": Pattern(_drone, -1.5),
}

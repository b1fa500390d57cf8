"""Patterns of Energetic: the full band plays, and the melody on top never repeats exactly.

=============  ==========================================================================================
`band`         Drum kit, bass line, chords and a lead; a fill ends each phrase.
`four floor`   Kick on every beat, open hats and bass between the kicks, chords and a lead.
`rock`         Power chords in eighth notes, loud drums and crashes, and a lead.
`tutti`        Orchestra: brass in octaves, tremolo strings, timpani, cymbals.
`arpeggio`     Fast sixteenth notes over two octaves or more, with bass and drum kit.
=============  ==========================================================================================
"""

from __future__ import annotations

import numpy as np

from songform.synth.patterns.pattern import Pattern
from songform.synth.score.melodies import melody
from songform.synth.score.notes import Note, moved
from songform.synth.score.rhythms import BACKBEATS, BASS_LINES, COMPING, HATS, KICKS, Steps, drawn
from songform.synth.score.themes import Theme, voicings

__all__ = ["ENERGETIC"]


def _band(theme: Theme, n_bars: int, rng: np.random.Generator) -> list[Note]:
    """Write the pattern `band`."""
    notes = []
    kicks = drawn(rng, KICKS, theme.metre)
    for bar, chord in enumerate(voicings(theme, n_bars, lowest=55)):
        last = bar % 4 == 3 or bar == n_bars - 1
        filled = theme.metre - int(rng.choice([4, 6, 8])) if last else theme.metre
        bar_notes = _groove(theme.metre, kicks, bar, filled, rng)
        for step in drawn(rng, COMPING, theme.metre):
            bar_notes += [Note(step, 3, "chords", pitch, 0.24, 0.95) for pitch in chord]
        bar_notes += _bass_line(theme, bar, rng)
        notes += [moved(note, theme.metre * bar) for note in bar_notes]
    return notes + _lead(theme, n_bars, rng)


def _four_floor(theme: Theme, n_bars: int, rng: np.random.Generator) -> list[Note]:
    """Write the pattern `four floor`."""
    notes = []
    for bar, chord in enumerate(voicings(theme, n_bars, lowest=57)):
        bar_notes = [Note(step, 1, "kick", 0, 0.9) for step in range(0, theme.metre, 4)]
        bar_notes += [Note(step, 1, "open_hat", 0, 0.3) for step in range(2, theme.metre, 4)]
        bar_notes += [Note(step, 1, "hat", 0, 0.15) for step in range(theme.metre) if rng.random() < 0.6]
        bar_notes += [Note(step, 1, "clap", 0, 0.5) for step in BACKBEATS[theme.metre]]
        for step in range(theme.metre):
            if step % 4 and rng.random() < 0.8:
                octave = 12 * int(rng.random() < 0.3)
                bar_notes.append(Note(step, 1, "bass", theme.bass(bar) + octave, 0.5, 0.8))
        for step in drawn(rng, COMPING, theme.metre):
            bar_notes += [Note(step, 2, "chords", pitch, 0.26, 1.0) for pitch in chord]
        if bar % 4 == 0:
            bar_notes.append(Note(0, 1, "crash", bar % 3, 0.3))
        notes += [moved(note, theme.metre * bar) for note in bar_notes]
    return notes + _lead(theme, n_bars, rng)


def _rock(theme: Theme, n_bars: int, rng: np.random.Generator) -> list[Note]:
    """Write the pattern `rock`, with accents that vary from bar to bar."""
    notes = []
    kicks = drawn(rng, KICKS, theme.metre)
    for bar in range(n_bars):
        root = theme.bass(bar) + 12
        last = bar % 4 == 3
        bar_notes = _groove(theme.metre, kicks, bar, theme.metre - 4 * int(last), rng)
        accents = set(rng.choice(theme.metre // 2, size=3, replace=False).tolist()) | {0}
        for step in range(0, theme.metre, 2):
            accent = step // 2 in accents
            level, brightness = (0.5, 1.0) if accent else (0.3, 0.6)
            bar_notes += [
                Note(step, 2, "crunch", root + shift, level, brightness) for shift in (0, 7, 12)[: 2 + accent]
            ]
            bar_notes.append(Note(step, 2, "bass", root - 12, 0.45, 0.7))
        if bar % 2 == 0:
            bar_notes.append(Note(0, 1, "crash", bar % 3, 0.35))
        notes += [moved(note, theme.metre * bar) for note in bar_notes]
    return notes + _lead(theme, n_bars, rng)


def _tutti(theme: Theme, n_bars: int, rng: np.random.Generator) -> list[Note]:
    """Write the pattern `tutti`."""
    notes = []
    for bar, chord in enumerate(voicings(theme, n_bars, lowest=57)):
        start, root = theme.metre * bar, theme.bass(bar)
        for step in range(theme.metre):
            level = float(rng.uniform(0.16, 0.24))
            notes += [Note(start + step, 1, "strings", pitch, level, 0.9) for pitch in chord]
        notes += [Note(start + step, 2, "strings", root, 0.5, 0.6) for step in range(0, theme.metre, 2)]
        hits = [0, *(step for step in range(4, theme.metre, 4) if rng.random() < 0.5)]
        notes += [Note(start + step, 4, "boom", 0, 0.8) for step in hits]
        if bar % 4 == 3:
            notes += [Note(start + theme.metre - 6 + step, 1, "tom", 45, 0.4 + 0.07 * step) for step in range(6)]
        if bar % 2 == 0 or rng.random() < 0.3:
            notes.append(Note(start, 1, "crash", bar % 3, 0.45))
    tune = _lead(theme, n_bars, rng, role="brass")
    return notes + tune + [note._replace(pitch=note.pitch - 12, level=0.8 * note.level) for note in tune]


def _arpeggio(theme: Theme, n_bars: int, rng: np.random.Generator) -> list[Note]:
    """Write the pattern `arpeggio`: a random walk over the tones of each chord."""
    notes = []
    kicks = drawn(rng, KICKS, theme.metre)
    for bar, chord in enumerate(voicings(theme, n_bars, lowest=60)):
        tones = [*chord, *(pitch + 12 for pitch in chord), chord[0] + 24]
        place, way = int(rng.integers(len(tones))), int(rng.choice([-1, 1]))
        bar_notes = _groove(theme.metre, kicks, bar, theme.metre, rng)
        for step in range(theme.metre):
            way = -way if rng.random() < 0.15 else way
            way = way if 0 <= place + way < len(tones) else -way
            place += way
            bar_notes.append(Note(step, 1.5, "lead", tones[place], 0.45, 0.95))
        bar_notes += _bass_line(theme, bar, rng)
        bar_notes += [Note(step, 4, "chords", pitch, 0.22, 0.9) for step in (0, 6) for pitch in chord]
        notes += [moved(note, theme.metre * bar) for note in bar_notes]
    return notes


def _groove(metre: int, kicks: Steps, bar: int, filled: int, rng: np.random.Generator) -> list[Note]:
    """Write one bar of drums: varying kick and hat, snare on the backbeats, and a fill of toms from step `filled`."""
    extra = {int(rng.integers(5, metre))} if rng.random() < 0.6 else set()
    notes = [Note(step, 1, "kick", 0, 0.8) for step in sorted({*kicks} | extra) if step < filled]
    notes += [Note(step, 1, "snare", 0, 0.75) for step in BACKBEATS[metre] if step < filled]
    for step in drawn(rng, HATS, metre):
        if step < filled:
            notes.append(Note(step, 1, "open_hat" if rng.random() < 0.15 else "hat", step % 3, 0.3))
    if bar % 4 == 0:
        notes.append(Note(0, 1, "crash", bar % 3, 0.3))
    return notes + [Note(step, 1, "tom", 55 - (step - filled), 0.8) for step in range(filled, metre)]


def _bass_line(theme: Theme, bar: int, rng: np.random.Generator) -> list[Note]:
    """Write one bar of bass: roots, some of them an octave higher."""
    line = drawn(rng, BASS_LINES, theme.metre)
    ends = (*line[1:], theme.metre)
    octaves = [12 * int(i > 0 and rng.random() < 0.25) for i in range(len(line))]
    return [
        Note(step, end - step, "bass", theme.bass(bar) + octave, 0.5, 0.7)
        for step, end, octave in zip(line, ends, octaves, strict=True)
    ]


def _lead(theme: Theme, n_bars: int, rng: np.random.Generator, role: str = "lead") -> list[Note]:
    """Write a loud, bright melody."""
    return [
        Note(tone.step, 0.9 * tone.length, role, theme.pitch(tone.degree), 0.5 * float(rng.uniform(0.85, 1.1)), 0.95)
        for tone in melody(theme, n_bars, rng)
    ]


ENERGETIC = {
    "band": Pattern(_band),
    "four floor": Pattern(_four_floor),
    "rock": Pattern(_rock),
    "tutti": Pattern(_tutti),
    "arpeggio": Pattern(_arpeggio),
}

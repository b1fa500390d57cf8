"""What the states are made of, written as notes; `songform.synth.transitions` has the fifth.

=============  ======================================================================================================
`Calm`         a voice-led pad, a chord a bar, under a slow tune; no drums, no bass line, nothing bright
`BuildUp`      chords, snare and arpeggio grow from two strokes a bar to sixteen, open their filter and climb; a riser
               runs from end to end; kick and bass are taken out; a crescendo all the way
`Energetic`    the whole kit, a bass line, chords and a lead that is never twice the same; a fill ends each phrase
`Repetitive`   one bar, at times two, again and again and exactly: an ostinato over a held chord, a bass note, a soft
               kick and hat
=============  ======================================================================================================

How loud a section is as a whole is the plan's business (`songform.synth.plan`); the levels here balance its
instruments.

References
----------
.. [1] Solberg, "Waiting for the bass to drop", Dancecult 6(1), 2014: the means of a build-up.
.. [2] Butler, "Unlocking the groove", Indiana University Press, 2006: how music is made of loops.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from songform.synth.melodies import Tone, melody
from songform.synth.themes import STEPS, Theme, voicings

__all__ = ["Band", "Note", "build_up", "calm", "energetic", "moved", "new_band", "repetitive"]

KICKS = ((0, 4, 8, 12), (0, 6, 8), (0, 3, 8, 10), (0, 7, 10))
HATS = (range(0, STEPS, 2), range(STEPS), range(2, STEPS, 4), (0, 3, 4, 6, 8, 11, 12, 14), (0, 2, 3, 6, 8, 10, 11, 14))
COMPING = ((0, 3, 6, 10, 12), (0, 6, 12), (0, 4, 8, 12), (2, 6, 10, 14), (0, 3, 8, 11, 14))
BASS_LINES = ((0, 2, 4, 6, 8, 10, 12, 14), (0, 3, 6, 8, 11, 14), (0, 4, 7, 8, 12, 14), (0, 2, 6, 8, 10, 14))

# The steps of a bar from the strongest to the weakest: the first k of them are a pulse of density k.
METRE = (0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15)


class Note(NamedTuple):
    """One note or hit: when, how long (in steps), on what, how high (MIDI), how loud (RMS), how bright (0 to 1)."""

    step: float
    length: float
    instrument: str
    pitch: int
    level: float
    brightness: float = 0.5


@dataclass(frozen=True)
class Band:
    """Who plays what in a song; each is a name of `songform.synth.mixing.INSTRUMENTS`, `kicks` are steps of a bar."""

    pad: str
    voice: str
    loop: str
    lead: str
    chords: str
    bass: str
    kicks: tuple[int, ...]


def new_band(rng: np.random.Generator) -> Band:
    """Draw the players of a song."""

    def one_of(*names: str) -> str:
        return str(rng.choice(names))

    return Band(
        pad=one_of("strings", "choir", "organ"),
        voice=one_of("flute", "epiano", "bell", "harp"),
        loop=one_of("guitar", "harp", "marimba", "epiano"),
        lead=one_of("brass", "reeds", "saws"),
        chords=one_of("stab", "saws", "guitar"),
        bass=one_of("sub", "growl", "clang"),
        kicks=KICKS[rng.integers(len(KICKS))],
    )


def moved(note: Note, steps: float) -> Note:
    """Return the same note, some steps later."""
    return note._replace(step=note.step + steps)


def calm(theme: Theme, band: Band, n_bars: int, rng: np.random.Generator) -> list[Note]:
    """Write soft chords under a slow tune; no two bars have the same touch."""
    notes = []
    for bar, chord in enumerate(voicings(theme, n_bars)):
        brightness = float(rng.uniform(0.25, 0.5))
        levels = rng.uniform(0.12, 0.4, len(chord)).tolist()
        notes += [
            Note(STEPS * bar, STEPS, band.pad, pitch, level, brightness)
            for pitch, level in zip(chord, levels, strict=True)
        ]
        notes.append(Note(STEPS * bar, STEPS, band.pad, theme.bass(bar) + 12, 0.25, 0.2))
    tune = melody(theme, n_bars, rng, slow=True)
    return notes + [_sung(theme, band.voice, tone, 0.5 * rng.uniform(0.8, 1.1), 0.4) for tone in tune]


def repetitive(theme: Theme, band: Band, n_bars: int, rng: np.random.Generator) -> list[Note]:
    """Write a loop of one bar or two, and repeat it exactly."""
    loop_bars = 2 if n_bars % 2 == 0 and rng.random() < 0.4 else 1
    chord = theme.chord(0)
    rhythm = np.flatnonzero(rng.random(8) < 0.75) * 2
    turns = [chord[i % len(chord)] + 7 * (i // len(chord)) for i in rng.permutation(2 * len(chord))]
    loop = [
        Note(STEPS * bar + step, 3, band.loop, theme.pitch(turns[(i + bar) % len(turns)]), 0.45, 0.5)
        for bar in range(loop_bars)
        for i, step in enumerate([0, *rhythm[rhythm > 0].tolist()])
    ]
    for bar in range(loop_bars):
        start = STEPS * bar
        loop += [Note(start, STEPS, "organ", pitch, 0.1, 0.4) for pitch in voicings(theme, 1)[0]]
        loop += [Note(start, 10, band.bass, theme.bass(0), 0.35, 0.3), Note(start, 1, "kick", 0, 0.5)]
        loop += [Note(start + 8, 1, "kick", 0, 0.5), *(Note(start + step, 1, "hat", 2, 0.1) for step in (2, 6, 10, 14))]
    again = range(0, STEPS * n_bars, STEPS * loop_bars)
    return [moved(note, start) for start in again for note in loop]


def build_up(theme: Theme, band: Band, n_bars: int, rng: np.random.Generator) -> list[Note]:
    """Write a crescendo: ever more strokes, ever brighter, ever higher, and the bass taken out."""
    notes = [Note(0, STEPS * n_bars, "riser", 0, 0.25)]
    top = int(rng.integers(5, 9))
    for bar, chord in enumerate(voicings(theme, n_bars, lowest=50)):
        notes += [Note(STEPS * bar, STEPS, band.pad, pitch, 0.2 * (1 - bar / n_bars), 0.4) for pitch in chord]
        for position, step in enumerate(METRE):
            progress = (bar + step / STEPS) / n_bars
            if position < 2 + 14 * progress:
                notes += _pulse(theme, band, STEPS * bar + step, chord, progress)
                degree = theme.chord(bar)[position % 3] + round(top * progress)
                notes.append(Note(STEPS * bar + step, 1, band.loop, theme.pitch(degree + 7), 0.3, progress))
    return notes


def energetic(theme: Theme, band: Band, n_bars: int, rng: np.random.Generator) -> list[Note]:
    """Write the whole band at full height."""
    notes = []
    for bar, chord in enumerate(voicings(theme, n_bars, lowest=55)):
        filled = STEPS - int(rng.choice([4, 6, 8])) if bar % 4 == 3 or bar == n_bars - 1 else STEPS
        bar_notes = _groove(band, bar, filled, rng)
        for step in COMPING[rng.integers(len(COMPING))]:
            bar_notes += [Note(step, 3, band.chords, pitch, 0.24, 0.95) for pitch in chord]
        line = BASS_LINES[rng.integers(len(BASS_LINES))]
        for i, step in enumerate(line):
            octave = 12 * int(i > 0 and rng.random() < 0.25)
            bar_notes.append(Note(step, (*line[1:], STEPS)[i] - step, band.bass, theme.bass(bar) + octave, 0.5, 0.7))
        notes += [moved(note, STEPS * bar) for note in bar_notes]
    tune = melody(theme, n_bars, rng)
    return notes + [_sung(theme, band.lead, tone, 0.5 * rng.uniform(0.85, 1.1), 0.95) for tone in tune]


def _sung(theme: Theme, instrument: str, tone: Tone, level: float, brightness: float) -> Note:
    """Play a tone of a melody."""
    return Note(tone.step, 0.9 * tone.length, instrument, theme.pitch(tone.degree), level, brightness)


def _pulse(theme: Theme, band: Band, step: int, chord: tuple[int, ...], progress: float) -> list[Note]:
    """Strike a build-up's chord: ever brighter, one voice after another an octave up, snare for kick and bass."""
    swell = 10.0 ** (1.5 * (progress - 1.0))  # even steps of loudness, as the ear has it
    raised = round(progress * len(chord))
    voiced = [pitch + 12 * (voice < raised) for voice, pitch in enumerate(chord)]
    notes = [Note(step, 1, band.chords, pitch, 0.3 * swell**0.5, progress) for pitch in voiced]
    notes.append(Note(step, 1, "snare", 0, 0.65 * swell))
    if progress < 0.5 and step % 4 == 0:
        notes.append(Note(step, 1, "kick", 0, 0.5 - progress))
        notes.append(Note(step, 4, band.bass, theme.bass(step // STEPS), 0.3 - 0.6 * progress))
    return notes


def _groove(band: Band, bar: int, filled: int, rng: np.random.Generator) -> list[Note]:
    """Drum a bar: kick and hat vary, the snare stands on two and four, and toms fill the bar from step `filled`."""
    extra = {int(rng.choice([5, 7, 9, 11, 13, 14, 15]))} if rng.random() < 0.6 else set()
    notes = [Note(step, 1, "kick", 0, 0.8) for step in sorted({*band.kicks} | extra) if step < filled]
    notes += [Note(step, 1, "snare", 0, 0.75) for step in (4, 12) if step < filled]
    for step in HATS[rng.integers(len(HATS))]:
        if step < filled:
            notes.append(Note(step, 1, "open_hat" if rng.random() < 0.15 else "hat", step % 3, 0.3))
    if bar % 4 == 0:
        notes.append(Note(0, 1, "crash", bar % 3, 0.3))
    return notes + [Note(step, 1, "tom", 55 - (step - filled), 0.8) for step in range(filled, STEPS)]

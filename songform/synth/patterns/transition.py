"""Patterns of Transition, where the structure changes: they differ from the adjacent sections and vary constantly.

==============  ==========================================================================================
`gestures`      Short gestures in random order: forceful ones in the old key, then light ones in the new key.
`fill`          Toms and snare fill the bar.
`break`         The band stops; hits and rests.
`swell`         A last chord decays, a reversed cymbal swells, chimes lead into the next section.
`pause`         A hit, silence, and a pickup.
`modulation`    Chords lead from the old key to the new key.
`ritardando`    A cadence slows down.
==============  ==========================================================================================
"""

from __future__ import annotations

import numpy as np

from songform.synth.patterns.pattern import Turn
from songform.synth.patterns.transition_gestures import gestures
from songform.synth.score.notes import Note
from songform.synth.score.themes import Theme, voicings

__all__ = ["TRANSITION"]


def _fill(before: Theme, _after: Theme, n_bars: int, rng: np.random.Generator) -> list[Note]:
    """Write the pattern `fill`: figures of one beat on toms or snare, with some kicks."""
    notes = [Note(0, 1, "crash", 0, 0.3)]
    high = int(rng.integers(55, 62))
    for beat in range(before.metre * n_bars // 4):
        figure = [step for step in range(4) if step == 0 or rng.random() < 0.7]
        role = str(rng.choice(["tom", "tom", "snare"]))
        notes += [
            Note(4 * beat + step, 1, role, high - 3 * (beat % 4) - step, float(rng.uniform(0.6, 0.9)))
            for step in figure
        ]
        if rng.random() < 0.5:
            notes.append(Note(4 * beat, 1, "kick", 0, 0.7))
    return notes


def _break(before: Theme, _after: Theme, n_bars: int, rng: np.random.Generator) -> list[Note]:
    """Write the pattern `break`: hits of the whole band and rests, with single drum hits in between."""
    notes = []
    half = before.metre // 2
    for bar, chord in enumerate(voicings(before, n_bars, lowest=54)):
        start = before.metre * bar
        for step in (0, int(rng.integers(3, half)), half + int(rng.integers(0, half - 3))):
            notes += [Note(start + step, 1, "chords", pitch, 0.35, 0.8) for pitch in chord]
            notes.append(Note(start + step, 1, "kick", 0, 0.8))
        for between in sorted(rng.choice(range(1, before.metre), size=3, replace=False).tolist()):
            notes.append(Note(start + between, 1, str(rng.choice(["snare", "tom", "clap"])), 50, 0.6))
    return notes


def _swell(before: Theme, after: Theme, n_bars: int, rng: np.random.Generator) -> list[Note]:
    """Write the pattern `swell`."""
    end = before.metre * n_bars
    chord = voicings(before, 1, lowest=57)[0]
    notes = [Note(0, 2, "boom", 0, 0.6), *(Note(0, end / 2, "pad", pitch, 0.3, 0.4) for pitch in chord)]
    notes.append(Note(end / 2, end / 2, "reverse", 0, 0.4))
    degrees = rng.integers(0, 10, size=end // 4).tolist()
    return notes + [
        Note(end // 2 + 2 * i, 3, "chime", after.pitch(degree + 4), 0.4, 0.6) for i, degree in enumerate(degrees)
    ]


def _pause(before: Theme, after: Theme, n_bars: int, rng: np.random.Generator) -> list[Note]:
    """Write the pattern `pause`."""
    end = before.metre * n_bars
    chord = voicings(before, 1, lowest=54)[0]
    notes = [Note(0, 2, "chords", pitch, 0.35, 0.8) for pitch in chord]
    notes += [Note(0, 1, "kick", 0, 0.8), Note(0, 1, "crash", 0, 0.3)]
    pickup = int(rng.choice([3, 4, 6]))
    way = int(rng.choice([-1, 1]))
    first = (-pickup if way > 0 else pickup) + 7
    return notes + [
        Note(end - pickup + step, 1, "loop", after.pitch(first + way * step), 0.6, 0.7) for step in range(pickup)
    ]


def _modulation(before: Theme, after: Theme, n_bars: int, rng: np.random.Generator) -> list[Note]:
    """Write the pattern `modulation`: six chords from the old tonic to the new dominant."""
    end = before.metre * n_bars
    old, new = before.tonic, after.tonic
    roots = [(before, 0), (before, 3), (before, int(rng.choice([1, 5]))), (after, 3), (after, 1), (after, 4)]
    places = np.linspace(0.0, 1.0, len(roots), endpoint=False) ** 0.85
    role = str(rng.choice(["keys", "brass", "chords", "strings"]))
    notes = []
    for (theme, root), place in zip(roots, places, strict=True):
        step = round(place * end)
        degrees = (root, root + 2, root + 4, root + 7)
        brightness = 0.3 + 0.1 * ((old + new) % 4)
        notes += [Note(step, end // len(roots), role, theme.pitch(degree), 0.35, brightness) for degree in degrees]
        notes.append(Note(step, end // len(roots), "bass", theme.pitch(root) - 24, 0.4, 0.5))
    return [*notes, *(Note(end - 4 + step, 1, "tom", 58 - 2 * step, 0.6) for step in range(4))]


def _ritardando(before: Theme, after: Theme, n_bars: int, rng: np.random.Generator) -> list[Note]:
    """Write the pattern `ritardando`: a cadence of rolled chords and a falling melody, which the clock slows down."""
    end = before.metre * n_bars
    role = str(rng.choice(["keys", "strings", "brass"]))
    notes = []
    for bar, root in enumerate((3, 4, 1, 4)):
        step = bar * end // 4
        theme = before if bar < 2 else after
        for voice, degree in enumerate((root, root + 4, root + 7, root + 9)):
            notes.append(Note(step + 0.4 * voice, end // 4, role, theme.pitch(degree), 0.4, 0.6 - 0.1 * bar))
        falling = range(step, step + end // 4, 2)
        notes += [Note(s, 2, "voice", theme.pitch(root + 11 - i), 0.4, 0.5) for i, s in enumerate(falling)]
    return notes


TRANSITION = {
    "gestures": Turn(gestures),
    "fill": Turn(_fill, 2.0, longest=4.0),
    "break": Turn(_break, 1.0, longest=4.5),
    "swell": Turn(_swell, -3.0, longest=4.5),
    "pause": Turn(_pause, longest=3.2),
    "modulation": Turn(_modulation, -1.0, longest=5.0),
    "ritardando": Turn(_ritardando, -2.0, longest=4.0, slowing=0.8),
}

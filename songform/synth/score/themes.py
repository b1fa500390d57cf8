"""Themes: keys, chord progressions and voice leading.

A theme consists of a tonic, a mode, eight chords and the rhythm of a motif. Pitches of melodies and chords are given as
*degrees* (steps of the scale from the tonic, which is 0), so a melody keeps its shape in any key and mode.

Conventions
-----------
Time is in steps (sixteenth notes): 16 steps per bar of 4/4, 12 steps per bar of 3/4. Pitches are MIDI note numbers.

References
----------
The progressions are traditional: pop and doo-wop progressions, Pachelbel's canon, the jazz turnaround, the circle of
fifths, the Andalusian cadence, Dorian and Mixolydian vamps.

.. [1] Tymoczko, "A geometry of music", Oxford University Press, 2011: voice leading with minimal movement.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["MODES", "MOTIFS", "PROGRESSIONS", "Theme", "modulated", "new_theme", "voicings"]

MODES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "harmonic minor": (0, 2, 3, 5, 7, 8, 11),
}

# Mode, and degree of the root of each of the eight chords.
PROGRESSIONS = {
    "pop": ("major", (0, 4, 5, 3, 0, 4, 1, 3)),
    "doo-wop": ("major", (0, 5, 3, 4, 2, 5, 1, 4)),
    "canon": ("major", (0, 4, 5, 2, 3, 0, 3, 4)),
    "turnaround": ("major", (1, 4, 0, 5, 3, 2, 1, 4)),
    "circle": ("minor", (0, 3, 6, 2, 5, 1, 4, 0)),
    "epic": ("minor", (0, 5, 2, 6, 3, 5, 0, 4)),
    "andalusian": ("minor", (0, 6, 5, 4, 3, 2, 5, 4)),
    "dorian": ("dorian", (0, 3, 6, 2, 0, 3, 4, 6)),
    "rock": ("mixolydian", (0, 6, 3, 0, 4, 6, 5, 3)),
    "film": ("lydian", (0, 1, 5, 4, 0, 1, 2, 1)),
    "gate": ("phrygian", (0, 1, 2, 1, 6, 5, 1, 2)),
    "tango": ("harmonic minor", (0, 3, 4, 0, 5, 3, 4, 2)),
}

# Rhythms of a bar of melody, for each meter: the steps on which tones start.
MOTIFS = {
    16: ((0, 4, 6, 8, 12), (0, 3, 6, 8, 11, 14), (0, 2, 4, 8, 10, 12), (2, 4, 6, 8, 12, 14), (0, 6, 8, 10, 14)),
    12: ((0, 4, 8), (0, 4, 6, 8), (0, 2, 4, 8, 10), (0, 6, 8), (2, 4, 6, 8, 10)),
}


@dataclass(frozen=True)
class Theme:
    """Key, chord progression, meter and motif.

    Parameters
    ----------
    tonic : int
        MIDI pitch of degree 0, between 53 (F3) and 64 (E4).
    mode : str
        Name of the mode, a key of `MODES`.
    chords : tuple of int
        Degree of the root of each bar's chord. The progression repeats.
    sevenths : bool
        Whether the chords are seventh chords instead of triads.
    motif : tuple of int
        Steps on which tones start in the first bar of a melody.
    metre : int
        Number of steps per bar: 16 or 12.
    """

    tonic: int
    mode: str
    chords: tuple[int, ...]
    sevenths: bool
    motif: tuple[int, ...]
    metre: int = 16

    def pitch(self, degree: int) -> int:
        """Return the MIDI pitch of a degree; seven degrees are an octave."""
        octave, step = divmod(degree, 7)
        return self.tonic + 12 * octave + MODES[self.mode][step]

    def chord(self, bar: int) -> tuple[int, ...]:
        """Return the degrees of a bar's chord in stacked thirds, starting with the root."""
        root = self.chords[bar % len(self.chords)]
        return tuple(root + third for third in ((0, 2, 4, 6) if self.sevenths else (0, 2, 4)))

    def bass(self, bar: int) -> int:
        """Return the MIDI pitch of the root of a bar's chord in the bass, between 33 (A1) and 44 (G#2)."""
        return 33 + (self.pitch(self.chord(bar)[0]) - 33) % 12


def new_theme(rng: np.random.Generator, *, tonic: int | None = None, metre: int = 16) -> Theme:
    """Choose a theme at random.

    Parameters
    ----------
    rng : numpy.random.Generator
        Random number generator.
    tonic : int, optional
        MIDI pitch of the tonic in any octave. Random by default.
    metre : int
        Number of steps per bar: 16 or 12.

    Returns
    -------
    Theme
        Theme with a tonic between 53 and 64.
    """
    mode, chords = PROGRESSIONS[str(rng.choice(list(PROGRESSIONS)))]
    tonic = int(rng.integers(12)) if tonic is None else tonic
    sevenths = bool(rng.random() < 0.4)
    motif = MOTIFS[metre][rng.integers(len(MOTIFS[metre]))]
    return Theme(53 + (tonic - 53) % 12, mode, chords, sevenths, motif, metre)


def modulated(theme: Theme, rng: np.random.Generator) -> Theme:
    """Return a new random theme in another key, whose tonic is a second, a third or a fourth away."""
    return new_theme(rng, tonic=theme.tonic + int(rng.choice([-4, -3, -2, 2, 3, 5])), metre=theme.metre)


def voicings(theme: Theme, n_bars: int, *, lowest: int = 52) -> list[tuple[int, ...]]:
    """Voice the chord of each bar so that the voices move as little as possible [1]_.

    Parameters
    ----------
    theme : Theme
        Theme with the chords.
    n_bars : int
        Number of bars, starting with the first chord of the progression.
    lowest : int
        Lowest MIDI pitch. The lowest voice stays within the octave above it.

    Returns
    -------
    list of tuple of int
        MIDI pitches of each bar's chord in ascending order. All chords have the same number of voices.
    """
    chords: list[tuple[int, ...]] = []
    for bar in range(n_bars):
        classes = [theme.pitch(degree) % 12 for degree in theme.chord(bar)]
        inversions = [_close_position(classes[i:] + classes[:i], lowest) for i in range(len(classes))]
        last = chords[-1] if chords else (lowest + 3, lowest + 7, lowest + 10, lowest + 14)[: len(classes)]
        chords.append(min(inversions, key=lambda chord: sum(abs(a - b) for a, b in zip(chord, last, strict=True))))
    return chords


def _close_position(classes: list[int], lowest: int) -> tuple[int, ...]:
    """Stack pitch classes in close position, each at the lowest pitch above the previous one."""
    pitches = [lowest + (classes[0] - lowest) % 12]
    for pitch_class in classes[1:]:
        pitches.append(pitches[-1] + 1 + (pitch_class - pitches[-1] - 1) % 12)
    return tuple(pitches)

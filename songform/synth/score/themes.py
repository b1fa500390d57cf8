"""The material of composed songs: keys, chord progressions and voice leading.

A theme is what a song, or its half, is about: a tonic, a mode, eight chords and a motif. Everything is counted in
*degrees*, steps of the scale from the tonic (0), so that a tune keeps its shape in any key and any mode.

Conventions
-----------
Time is counted in steps, sixteenth notes: sixteen to a bar of 4/4, twelve to one of 3/4. Pitches are MIDI note
numbers.

References
----------
The progressions are common property: the pop and doo-wop turns, Pachelbel's canon, the jazz turnaround, the circle
of fifths, the Andalusian cadence, the Dorian and Mixolydian vamps.

.. [1] Tymoczko, "A geometry of music", Oxford University Press, 2011: voice leading as the shortest way.
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

# The mode, and the degree on which each of the eight chords stands.
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

# By the metre: the steps of a tune's bar.
MOTIFS = {
    16: ((0, 4, 6, 8, 12), (0, 3, 6, 8, 11, 14), (0, 2, 4, 8, 10, 12), (2, 4, 6, 8, 12, 14), (0, 6, 8, 10, 14)),
    12: ((0, 4, 8), (0, 4, 6, 8), (0, 2, 4, 8, 10), (0, 6, 8), (2, 4, 6, 8, 10)),
}


@dataclass(frozen=True)
class Theme:
    """A key, a progression, a metre and a motif.

    Parameters
    ----------
    tonic : int
        MIDI pitch of degree 0, between 53 (F3) and 64 (E4).
    mode : str
        A key of `MODES`.
    chords : tuple of int
        The degree on which each bar's chord stands; the bars go round them.
    sevenths : bool
        Whether chords have four tones.
    motif : tuple of int
        The steps at which the tune's first bar speaks.
    metre : int
        Steps of a bar: 16 or 12.
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
        """Return the degrees of a bar's chord, thirds on thirds, from its root upwards."""
        root = self.chords[bar % len(self.chords)]
        return tuple(root + third for third in ((0, 2, 4, 6) if self.sevenths else (0, 2, 4)))

    def bass(self, bar: int) -> int:
        """Return the MIDI pitch of a bar's root in the bass, between 33 (A1) and 44 (G#2)."""
        return 33 + (self.pitch(self.chord(bar)[0]) - 33) % 12


def new_theme(rng: np.random.Generator, *, tonic: int | None = None, metre: int = 16) -> Theme:
    """Draw a theme.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws the progression, the key unless it is given, and the motif.
    tonic : int, optional
        MIDI pitch of the tonic, in any octave.
    metre : int
        Steps of a bar: 16 or 12.

    Returns
    -------
    Theme
        Its tonic between 53 and 64.
    """
    mode, chords = PROGRESSIONS[str(rng.choice(list(PROGRESSIONS)))]
    tonic = int(rng.integers(12)) if tonic is None else tonic
    sevenths = bool(rng.random() < 0.4)
    motif = MOTIFS[metre][rng.integers(len(MOTIFS[metre]))]
    return Theme(53 + (tonic - 53) % 12, mode, chords, sevenths, motif, metre)


def modulated(theme: Theme, rng: np.random.Generator) -> Theme:
    """Return another theme in a key that is clearly another: a second, a third or a fourth away."""
    return new_theme(rng, tonic=theme.tonic + int(rng.choice([-4, -3, -2, 2, 3, 5])), metre=theme.metre)


def voicings(theme: Theme, n_bars: int, *, lowest: int = 52) -> list[tuple[int, ...]]:
    """Voice a chord for each bar so that its voices move as little as they can.

    Parameters
    ----------
    theme : Theme
        Gives the chords.
    n_bars : int
        How many bars, from the progression's first.
    lowest : int
        The lowest voice stays within the octave above this MIDI pitch.

    Returns
    -------
    list of tuple of int
        MIDI pitches of each bar's chord, ascending; all have the same number of voices.
    """
    chords: list[tuple[int, ...]] = []
    for bar in range(n_bars):
        classes = [theme.pitch(degree) % 12 for degree in theme.chord(bar)]
        inversions = [_close_position(classes[i:] + classes[:i], lowest) for i in range(len(classes))]
        last = chords[-1] if chords else (lowest + 3, lowest + 7, lowest + 10, lowest + 14)[: len(classes)]
        chords.append(min(inversions, key=lambda chord: sum(abs(a - b) for a, b in zip(chord, last, strict=True))))
    return chords


def _close_position(classes: list[int], lowest: int) -> tuple[int, ...]:
    """Stack pitch classes upwards, each as near above the one before as it can be."""
    pitches = [lowest + (classes[0] - lowest) % 12]
    for pitch_class in classes[1:]:
        pitches.append(pitches[-1] + 1 + (pitch_class - pitches[-1] - 1) % 12)
    return tuple(pitches)

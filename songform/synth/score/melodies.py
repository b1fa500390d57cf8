"""The melodies of composed songs: phrases of four bars over a theme's chords.

A phrase is the motif, the motif varied, something new, and a cadence. Strong tones belong to the chord; between them
the tune moves by step or by third. Time is counted in steps, pitch in degrees, as in `songform.synth.score.themes`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from songform.synth.score.themes import MOTIFS, Theme

__all__ = ["Tone", "melody"]

SLOW_MOTIFS = {
    16: ((0, 8), (0, 6, 12), (4, 12), (0, 10), (2, 8, 12), (0, 12), (6, 10)),
    12: ((0, 8), (0, 4, 8), (4, 8), (0, 6), (0, 10), (2, 8)),
}


class Tone(NamedTuple):
    """A note of a melody: its first step, its length in steps, and its degree."""

    step: int
    length: int
    degree: int


def melody(theme: Theme, n_bars: int, rng: np.random.Generator, *, slow: bool = False) -> list[Tone]:
    """Write a tune in phrases of four bars: the motif, the motif varied, something new, and a cadence.

    A tone on a half of the bar, and a bar's last, belongs to the chord. No phrase is repeated: the tune goes its own
    way through the chords.

    Parameters
    ----------
    theme : Theme
        Gives the chords and the motif.
    n_bars : int
        How many bars, from the progression's first.
    rng : numpy.random.Generator
        Draws rhythms and turns.
    slow : bool
        Whether it has two or three tones a bar instead of five or six.

    Returns
    -------
    list of Tone
        In the order of their steps, none overlapping the next.
    """
    cells = (SLOW_MOTIFS if slow else MOTIFS)[theme.metre]
    motif = cells[sum(theme.motif) % len(cells)] if slow else theme.motif
    degree = int(rng.integers(4, 9))
    onsets: list[tuple[int, int]] = []
    for bar in range(n_bars):
        fresh = cells[rng.integers(len(cells))]
        rhythm = (motif, _varied(motif, theme.metre, rng), fresh, fresh[:2])[bar % 4]
        for step in rhythm:
            degree = _next_degree(degree, theme.chord(bar), rng, on_chord=step % 8 == 0 or step == rhythm[-1])
            onsets.append((theme.metre * bar + step, degree))
    ends = [step for step, _ in onsets[1:]] + [theme.metre * n_bars]
    return [Tone(step, end - step, degree) for (step, degree), end in zip(onsets, ends, strict=True)]


def _varied(rhythm: tuple[int, ...], metre: int, rng: np.random.Generator) -> tuple[int, ...]:
    """Move one of a rhythm's steps but its first by an eighth."""
    moved = int(rng.integers(1, len(rhythm)))
    steps = set(rhythm) - {rhythm[moved]} | {min(metre - 1, rhythm[moved] + int(rng.choice([-2, 2])))}
    return tuple(sorted(steps))


def _next_degree(degree: int, chord: tuple[int, ...], rng: np.random.Generator, *, on_chord: bool) -> int:
    """Take one or two steps up or down, drawn back towards the middle of the range, and land on the chord if asked."""
    drift = (7 - degree) / 6
    degree += int(rng.choice([-2, -1, 1, 2])) if rng.random() > abs(drift) else int(np.sign(drift))
    if not on_chord:
        return degree
    return min((tone + 7 * octave for tone in chord for octave in (-1, 0, 1, 2)), key=lambda tone: abs(tone - degree))

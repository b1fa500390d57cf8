"""Melodies: phrases of four bars over the chords of a theme.

The bars of a phrase have the rhythm of the motif, a variation of it, a new rhythm, and a cadence. Tones on strong beats
belong to the chord; other tones move by a second or a third. Time is in steps and pitch in scale degrees, as in
`songform.synth.score.themes`.
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
    """Note of a melody: first step, length in steps, and scale degree."""

    step: int
    length: int
    degree: int


def melody(theme: Theme, n_bars: int, rng: np.random.Generator, *, slow: bool = False) -> list[Tone]:
    """Write a melody in phrases of four bars.

    Tones on steps 0 and 8 of a bar, and the last tone of a bar, belong to the chord. The pitches are a random walk, so
    phrases are not repeated.

    Parameters
    ----------
    theme : Theme
        Theme with the chords and the motif.
    n_bars : int
        Number of bars, starting with the first chord of the progression.
    rng : numpy.random.Generator
        Random number generator.
    slow : bool
        Whether to use slow rhythms, with two or three tones per bar instead of three to six.

    Returns
    -------
    list of Tone
        Tones in order, without overlaps.
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
    """Move one step of a rhythm, but not the first one, by an eighth note."""
    moved = int(rng.integers(1, len(rhythm)))
    steps = set(rhythm) - {rhythm[moved]} | {min(metre - 1, rhythm[moved] + int(rng.choice([-2, 2])))}
    return tuple(sorted(steps))


def _next_degree(degree: int, chord: tuple[int, ...], rng: np.random.Generator, *, on_chord: bool) -> int:
    """Move a degree by one or two, with a drift to the middle of the range, and optionally round it to the chord."""
    drift = (7 - degree) / 6
    degree += int(rng.choice([-2, -1, 1, 2])) if rng.random() > abs(drift) else int(np.sign(drift))
    if not on_chord:
        return degree
    return min((tone + 7 * octave for tone in chord for octave in (-1, 0, 1, 2)), key=lambda tone: abs(tone - degree))

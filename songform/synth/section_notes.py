"""Section notes: from a plan to the notes of every section.

A Transition may change the theme, and so the key. What was heard may come again: a section of the same state and
pattern as an earlier one is, half of the time, the same music.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from songform.synth.patterns import PATTERNS, TRANSITION, Pattern
from songform.synth.score.notes import Note, cropped, stretched
from songform.synth.score.plan import Plan
from songform.synth.score.themes import Theme, modulated

__all__ = ["new_patterns", "pattern_levels", "scores"]

# The felt tempo of a state: what would be faster is written for half the tempo, what would be slower than half of it
# for twice the tempo. A Calm of sixteenths at 180 beats a minute would not be calm.
FASTEST_FELT = {"Calm": 102.0, "BuildUp": 165.0, "Energetic": 182.0, "Repetitive": 150.0}


def new_patterns(
    rng: np.random.Generator, plan: Plan, palette: Mapping[str, tuple[str, ...]], bar_seconds: float
) -> list[str]:
    """Draw the pattern of each section.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws.
    plan : Plan
        The sections.
    palette : mapping of str to tuple of str
        The patterns of each state that the song knows. A Transition that is too long for its pattern is made of
        gestures.
    bar_seconds : float
        The length of a bar.
    """
    patterns = [palette[state][int(rng.integers(len(palette[state])))] for state, _ in plan]
    return [
        "gestures" if state == "Transition" and n_bars * bar_seconds > TRANSITION[pattern].longest else pattern
        for (state, n_bars), pattern in zip(plan, patterns, strict=True)
    ]


def pattern_levels(plan: Plan, patterns: list[str]) -> list[float]:
    """Return how much louder each section is by its pattern than is usual for its state, in dB."""
    return [
        TRANSITION[pattern].level_db if state == "Transition" else PATTERNS[state][pattern].level_db
        for (state, _), pattern in zip(plan, patterns, strict=True)
    ]


def scores(plan: Plan, patterns: list[str], theme: Theme, bpm: float, rng: np.random.Generator) -> list[list[Note]]:
    """Write the notes of every section.

    Parameters
    ----------
    plan, patterns : Plan, list of str
        The sections and their patterns.
    theme : Theme
        With which the song begins.
    bpm : float
        The tempo in beats a minute.
    rng : numpy.random.Generator
        Draws the notes.
    """
    written = []
    heard: dict[tuple[str, str], int] = {}
    for (state, n_bars), pattern in zip(plan, patterns, strict=True):
        if state == "Transition":
            before, theme = theme, modulated(theme, rng) if rng.random() < 0.6 else theme
            written.append(TRANSITION[pattern].write(before, theme, n_bars, rng))
        else:
            fresh = int(rng.integers(2**32))
            seed = heard.setdefault((state, pattern), fresh) if rng.random() < 0.5 else fresh
            written.append(_section(theme, PATTERNS[state][pattern], n_bars, _stretch(state, bpm), seed))
    return written


def _stretch(state: str, bpm: float) -> float:
    """Return by how much a state's music is stretched so that its felt tempo suits it: a power of two."""
    return float(2.0 ** np.ceil(np.log2(bpm / FASTEST_FELT[state]) - 1e-9))


def _section(theme: Theme, pattern: Pattern, n_bars: int, stretch: float, seed: int) -> list[Note]:
    """Write a section at its felt tempo; what does not fill it is cut off at its end."""
    rng = np.random.default_rng(seed)
    notes = pattern.write(theme, int(np.ceil(n_bars / stretch)), rng)
    return cropped(stretched(notes, stretch), theme.metre * n_bars)

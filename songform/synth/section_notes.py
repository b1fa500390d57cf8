"""Notes of all sections of a plan.

A Transition may change the theme and with it the key. When a state and pattern occur again, the section uses the same
random seed, and so the same music, with a probability of one half.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from songform.synth.patterns import PATTERNS, TRANSITION, Pattern
from songform.synth.score.notes import Note, cropped, stretched
from songform.synth.score.plan import Plan
from songform.synth.score.themes import Theme, modulated

__all__ = ["new_patterns", "pattern_levels", "scores"]

# Highest perceived tempo of each state in beats per minute. The notes of a section are stretched or compressed by a
# power of two, so that the perceived tempo is between half of this value and this value. A Calm section in sixteenth
# notes at 180 beats per minute would not sound calm.
FASTEST_FELT = {"Calm": 102.0, "BuildUp": 165.0, "Energetic": 182.0, "Repetitive": 150.0}


def new_patterns(
    rng: np.random.Generator, plan: Plan, palette: Mapping[str, tuple[str, ...]], bar_seconds: float
) -> list[str]:
    """Choose the pattern of each section at random.

    A Transition that is too long for its pattern gets the pattern `gestures` instead.

    Parameters
    ----------
    rng : numpy.random.Generator
        Random number generator.
    plan : Plan
        States and lengths of the sections.
    palette : mapping of str to tuple of str
        Names of the patterns available for each state.
    bar_seconds : float
        Length of a bar in seconds.

    Returns
    -------
    list of str
        Name of the pattern of each section.
    """
    patterns = [palette[state][int(rng.integers(len(palette[state])))] for state, _ in plan]
    return [
        "gestures" if state == "Transition" and n_bars * bar_seconds > TRANSITION[pattern].longest else pattern
        for (state, n_bars), pattern in zip(plan, patterns, strict=True)
    ]


def pattern_levels(plan: Plan, patterns: list[str]) -> list[float]:
    """Return the level of each section's pattern relative to the usual level of its state, in dB."""
    return [
        TRANSITION[pattern].level_db if state == "Transition" else PATTERNS[state][pattern].level_db
        for (state, _), pattern in zip(plan, patterns, strict=True)
    ]


def scores(plan: Plan, patterns: list[str], theme: Theme, bpm: float, rng: np.random.Generator) -> list[list[Note]]:
    """Write the notes of every section.

    Parameters
    ----------
    plan, patterns : Plan, list of str
        Sections and their patterns.
    theme : Theme
        Theme at the start of the song.
    bpm : float
        Tempo in beats per minute.
    rng : numpy.random.Generator
        Random number generator.

    Returns
    -------
    list of list of Note
        Notes of each section, with steps counted from its start.
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
    """Return the power of two by which a state's notes are stretched to keep its perceived tempo in range."""
    return float(2.0 ** np.ceil(np.log2(bpm / FASTEST_FELT[state]) - 1e-9))


def _section(theme: Theme, pattern: Pattern, n_bars: int, stretch: float, seed: int) -> list[Note]:
    """Write the notes of a section at its perceived tempo, and crop them at its end."""
    rng = np.random.default_rng(seed)
    notes = pattern.write(theme, int(np.ceil(n_bars / stretch)), rng)
    return cropped(stretched(notes, stretch), theme.metre * n_bars)

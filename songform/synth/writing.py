"""Writing: from a plan to the notes of every section.

A Transition may change the theme, and so the key. What was heard may come again: a section of the same state and kind
as an earlier one is, half of the time, the same music.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from songform.synth.patterns import KINDS, TRANSITION, Kind
from songform.synth.score.notes import Note, cropped, stretched
from songform.synth.score.plan import Plan
from songform.synth.score.themes import Theme, modulated

__all__ = ["kind_levels", "new_kinds", "scores"]

# The felt tempo of a state: what would be faster is written for half the tempo, what would be slower than half of it
# for twice the tempo. A Calm of sixteenths at 180 beats a minute would not be calm.
FASTEST_FELT = {"Calm": 102.0, "BuildUp": 165.0, "Energetic": 182.0, "Repetitive": 150.0}


def new_kinds(
    rng: np.random.Generator, plan: Plan, palette: Mapping[str, tuple[str, ...]], bar_seconds: float
) -> list[str]:
    """Draw the kind of each section.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws.
    plan : Plan
        The sections.
    palette : mapping of str to tuple of str
        The kinds of each state that the song knows. A Transition that is too long for its kind is made of gestures.
    bar_seconds : float
        The length of a bar.
    """
    kinds = [palette[state][int(rng.integers(len(palette[state])))] for state, _ in plan]
    return [
        "gestures" if state == "Transition" and n_bars * bar_seconds > TRANSITION[kind].longest else kind
        for (state, n_bars), kind in zip(plan, kinds, strict=True)
    ]


def kind_levels(plan: Plan, kinds: list[str]) -> list[float]:
    """Return how much louder each section is by its kind than is usual for its state, in dB."""
    return [
        TRANSITION[kind].level_db if state == "Transition" else KINDS[state][kind].level_db
        for (state, _), kind in zip(plan, kinds, strict=True)
    ]


def scores(plan: Plan, kinds: list[str], theme: Theme, bpm: float, rng: np.random.Generator) -> list[list[Note]]:
    """Write the notes of every section.

    Parameters
    ----------
    plan, kinds : Plan, list of str
        The sections and their kinds.
    theme : Theme
        With which the song begins.
    bpm : float
        The tempo in beats a minute.
    rng : numpy.random.Generator
        Draws the notes.
    """
    written = []
    heard: dict[tuple[str, str], int] = {}
    for (state, n_bars), kind in zip(plan, kinds, strict=True):
        if state == "Transition":
            before, theme = theme, modulated(theme, rng) if rng.random() < 0.6 else theme
            written.append(TRANSITION[kind].write(before, theme, n_bars, rng))
        else:
            fresh = int(rng.integers(2**32))
            seed = heard.setdefault((state, kind), fresh) if rng.random() < 0.5 else fresh
            written.append(_section(theme, KINDS[state][kind], n_bars, _stretch(state, bpm), seed))
    return written


def _stretch(state: str, bpm: float) -> float:
    """Return by how much a state's music is stretched so that its felt tempo suits it: a power of two."""
    return float(2.0 ** np.ceil(np.log2(bpm / FASTEST_FELT[state]) - 1e-9))


def _section(theme: Theme, kind: Kind, n_bars: int, stretch: float, seed: int) -> list[Note]:
    """Write a section at its felt tempo; what does not fill it is cut off at its end."""
    rng = np.random.default_rng(seed)
    notes = kind.write(theme, int(np.ceil(n_bars / stretch)), rng)
    return cropped(stretched(notes, stretch), theme.metre * n_bars)

"""Pattern: one of the ways in which a state may be written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from songform.synth.score.notes import Note
from songform.synth.score.themes import Theme

__all__ = ["Pattern", "Turn", "Writer"]

Writer = Callable[[Theme, int, np.random.Generator], list[Note]]
TurnWriter = Callable[[Theme, Theme, int, np.random.Generator], list[Note]]


@dataclass(frozen=True)
class Pattern:
    """A way to write a Calm, a BuildUp, an Energetic or a Repetitive section.

    Parameters
    ----------
    write : callable
        Of the theme, the number of bars and a generator; returns the notes.
    level_db : float
        How much louder it is than is usual for its state.
    """

    write: Writer
    level_db: float = 0.0


@dataclass(frozen=True)
class Turn:
    """A way to write a Transition.

    Parameters
    ----------
    write : callable
        Of the theme before, the theme after, the number of bars and a generator; returns the notes.
    level_db : float
        How much louder it is than is usual for a Transition.
    longest : float
        More seconds than this would be something else to the ear.
    slowing : float
        How much slower it ends than it begins.
    """

    write: TurnWriter
    level_db: float = 0.0
    longest: float = 8.0
    slowing: float = 0.0

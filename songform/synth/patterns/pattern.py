"""Definition of patterns."""

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
    """Pattern of a Calm, BuildUp, Energetic or Repetitive section.

    Parameters
    ----------
    write : callable
        Function that takes the theme, the number of bars and a random number generator, and returns the notes.
    level_db : float
        Level relative to the usual level of the state, in dB.
    """

    write: Writer
    level_db: float = 0.0


@dataclass(frozen=True)
class Turn:
    """Pattern of a Transition.

    Parameters
    ----------
    write : callable
        Function that takes the themes before and after the Transition, the number of bars and a random number
        generator, and returns the notes.
    level_db : float
        Level relative to the usual level of a Transition, in dB.
    longest : float
        Maximum duration in seconds. A longer section would not be perceived as a Transition.
    slowing : float
        Amount of slowing toward the end, see `songform.synth.score.step_times.Clock`.
    """

    write: TurnWriter
    level_db: float = 0.0
    longest: float = 8.0
    slowing: float = 0.0

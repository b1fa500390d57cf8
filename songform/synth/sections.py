"""Sections: the true form of a song, and the state at any time in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from songform.errors import ParameterError

__all__ = ["Section", "states_at"]


@dataclass(frozen=True)
class Section:
    """A stretch of a song in one state.

    Parameters
    ----------
    start, end : float
        In seconds; the end belongs to the next section.
    state : str
        Calm, BuildUp, Energetic, Transition or Repetitive.
    kind : str
        In which of the ways of its state it is written: a name of `songform.synth.patterns`.
    """

    start: float
    end: float
    state: str
    kind: str = ""


def states_at(sections: Sequence[Section], times: ArrayLike) -> NDArray[np.str_]:
    """Look up the true state at some times.

    Parameters
    ----------
    sections : sequence of Section
        A song's, in order.
    times : array_like, shape=(n,)
        In seconds, not negative. A section's end belongs to the next; what is past the song's end, to the last.

    Returns
    -------
    np.ndarray of str, shape=(n,)
        A state for each time.

    Raises
    ------
    ParameterError
        If there is no section, or a time is negative or no number.
    """
    seconds = np.asarray(times, dtype=np.float64)
    if not sections:
        raise ParameterError("sections is empty, so no time has a state; give the sections of a song")
    if not np.all(seconds >= 0):
        raise ParameterError(f"times must be seconds from the song's start, not {seconds[~(seconds >= 0)].flat[0]}")
    index = np.searchsorted([section.start for section in sections], seconds, side="right") - 1
    return np.array([section.state for section in sections])[np.maximum(index, 0)]

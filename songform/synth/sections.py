"""Sections of a synthetic song, which are its true form, and lookup of the state at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from songform.errors import ParameterError

__all__ = ["Section", "states_at"]


@dataclass(frozen=True)
class Section:
    """Part of a song that is in one state.

    Parameters
    ----------
    start, end : float
        Start and end (exclusive) in seconds.
    state : str
        Calm, BuildUp, Energetic, Transition or Repetitive.
    kind : str
        Name of the pattern in `songform.synth.patterns` that wrote the section.
    """

    start: float
    end: float
    state: str
    kind: str = ""


def states_at(sections: Sequence[Section], times: ArrayLike) -> NDArray[np.str_]:
    """Return the true state at each of several times.

    Parameters
    ----------
    sections : sequence of Section
        Sections of a song, in order.
    times : array_like, shape=(n,)
        Non-negative times in seconds. Times after the end of the song belong to the last section.

    Returns
    -------
    np.ndarray of str, shape=(n,)
        State at each time.

    Raises
    ------
    ParameterError
        If there are no sections, or if a time is negative or NaN.
    """
    seconds = np.asarray(times, dtype=np.float64)
    if not sections:
        raise ParameterError("sections must not be empty; pass the sections of a song")
    if not np.all(seconds >= 0):
        wrong = seconds[~(seconds >= 0)].flat[0]
        raise ParameterError(f"times must be non-negative seconds from the start of the song, not {wrong}")
    index = np.searchsorted([section.start for section in sections], seconds, side="right") - 1
    return np.array([section.state for section in sections])[np.maximum(index, 0)]

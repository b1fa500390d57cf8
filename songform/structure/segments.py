"""Segments: a song's form as stretches of one state.

Conventions
-----------
A segmentation is a list of `Segment`, in order of time. Segments partition the song: the first starts at 0, each
starts where the one before it ends, and the last ends at the song's duration. Times are seconds. Two neighbours never
have the same state.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from songform.errors import ParameterError

__all__ = ["VERSION", "Segment", "state_segments"]

VERSION = 1  # increase this when the same path gives other segments


class Segment(NamedTuple):
    """A stretch of a song in one state."""

    start: float
    """Seconds from the song's beginning."""
    end: float
    """Seconds from the song's beginning, exclusive."""
    state: str
    confidence: float
    """Mean posterior probability of the state within the segment, 0 to 1."""


def state_segments(
    path: NDArray[np.intp],
    posterior: NDArray[np.floating],
    states: tuple[str, ...],
    *,
    unit_seconds: float,
    duration: float,
) -> list[Segment]:
    """Join the units of a state path into segments.

    Parameters
    ----------
    path : np.ndarray of int, shape=(n_units,)
        The index of each unit's state.
    posterior : np.ndarray of float, shape=(n_units, n_states)
        The probability of each state in each unit, from which confidences are taken.
    states : tuple of str, length n_states
        The states' names.
    unit_seconds : float > 0
        Unit `u` covers `[u, u + 1) * unit_seconds`; the last one reaches to the song's end.
    duration : float > 0
        The song's duration in seconds.

    Returns
    -------
    list of Segment
        They partition `[0, duration]`.

    Raises
    ------
    ParameterError
        If there is no unit, or the shapes do not fit each other.
    """
    if path.ndim != 1 or path.size == 0 or posterior.shape != (path.size, len(states)):
        msg = f"path and posterior must hold a row a unit and a column a state, not {path.shape} and {posterior.shape}"
        raise ParameterError(msg)
    if not duration > 0:
        raise ParameterError(f"duration must be positive seconds, not {duration}")
    starts = np.flatnonzero(np.r_[True, path[1:] != path[:-1]])
    ends = np.r_[starts[1:], path.size]
    within = starts * unit_seconds < duration
    starts, ends = starts[within], ends[within]
    times = np.r_[starts * unit_seconds, duration]
    return [
        Segment(float(times[i]), float(times[i + 1]), states[path[a]], float(posterior[a:b, path[a]].mean()))
        for i, (a, b) in enumerate(zip(starts, ends, strict=True))
    ]

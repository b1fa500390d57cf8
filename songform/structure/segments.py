"""Segments: consecutive parts of a song with one state each.

Conventions
-----------
A segmentation is a list of `Segment` in order of time. Segments partition the song: the first one starts at 0, each
following one starts at the end of the previous one, and the last one ends at the duration of the song. Times are in
seconds. Adjacent segments have different states.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from songform.errors import ParameterError

__all__ = ["VERSION", "Segment", "state_segments"]

VERSION = 1  # increase this when the segments of the same state sequence change


class Segment(NamedTuple):
    """Part of a song with one state."""

    start: float
    """Start in seconds from the beginning of the song."""
    end: float
    """End in seconds from the beginning of the song, exclusive."""
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
    """Return the segments of a state sequence.

    Parameters
    ----------
    path : np.ndarray of int, shape=(n_units,)
        Index of the state of each unit.
    posterior : np.ndarray of float, shape=(n_units, n_states)
        Probability of each state in each unit, from which the confidences are computed.
    states : tuple of str, length n_states
        Names of the states.
    unit_seconds : float > 0
        Length of a unit in seconds. Unit `u` covers `[u, u + 1) * unit_seconds`, and the last unit extends to the end
        of the song.
    duration : float > 0
        Duration of the song in seconds.

    Returns
    -------
    list of Segment
        Segments that partition `[0, duration]`.

    Raises
    ------
    ParameterError
        If there are no units, if the shapes do not match, or if `duration` is not positive.
    """
    if path.ndim != 1 or path.size == 0 or posterior.shape != (path.size, len(states)):
        msg = (
            f"path and posterior must have shapes (n_units,) and (n_units, {len(states)}) with at least one unit, "
            f"not {path.shape} and {posterior.shape}"
        )
        raise ParameterError(msg)
    if not duration > 0:
        raise ParameterError(f"duration must be a positive number of seconds, not {duration}")
    starts = np.flatnonzero(np.r_[True, path[1:] != path[:-1]])
    ends = np.r_[starts[1:], path.size]
    within = starts * unit_seconds < duration
    starts, ends = starts[within], ends[within]
    times = np.r_[starts * unit_seconds, duration]
    return [
        Segment(float(times[i]), float(times[i + 1]), states[path[a]], float(posterior[a:b, path[a]].mean()))
        for i, (a, b) in enumerate(zip(starts, ends, strict=True))
    ]

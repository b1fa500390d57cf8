"""Beat annotations: the times of the beats of a song and, if they are known, their positions in the bar.

Times are in seconds from the beginning of the song and are rounded to the microsecond, as in
`songform.annotation.annotations`. A position is 1 at a downbeat, 2 at the next beat of the bar, and so on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from songform.annotation.annotations import TOLERANCE_SECONDS
from songform.errors import AnnotationError, ParameterError
from songform.plain_text import plain_text

__all__ = ["BeatAnnotation", "fitted_beats"]

_DECIMALS = 6


@dataclass(frozen=True, eq=False)
class BeatAnnotation:
    """Beats of one song, made by a person or by a model.

    Parameters
    ----------
    times : np.ndarray, shape=(n,)
        Times of the beats in seconds, increasing. They are rounded to the microsecond.
    positions : np.ndarray, shape=(n,), optional
        Position of each beat in its bar, from 1. None if the downbeats are unknown.
    annotator : str
        Name of the person or model that made the annotation.
    notes : tuple of str
        How a file was read, if it contains more than these beats. Notes are not written to files.
    end_margin : float >= 0
        Time in seconds by which the beats may extend beyond the end of the song, because the file does not say exactly
        where the song ends.

    Raises
    ------
    ParameterError
        If the shapes do not match, the times do not increase from 0 or later, or a position is not an integer from 1.

    Examples
    --------
    >>> beats = BeatAnnotation(np.array([0.5, 1.0, 1.5]), np.array([4, 1, 2]))
    >>> beats.downbeats
    array([1.])
    """

    times: NDArray[np.float64]
    positions: NDArray[np.intp] | None = None
    annotator: str = ""
    notes: tuple[str, ...] = ()
    end_margin: float = 0.0

    def __post_init__(self) -> None:
        times: NDArray[np.float64] = np.asarray(self.times, np.float64).round(_DECIMALS) + 0.0  # without negative zeros
        _check_times(times)
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "annotator", plain_text(self.annotator))
        if self.positions is not None:
            object.__setattr__(self, "positions", _checked_positions(np.asarray(self.positions), len(times)))

    def __len__(self) -> int:
        return len(self.times)

    @property
    def downbeats(self) -> NDArray[np.float64] | None:
        """Times of the downbeats in seconds, or None if they are unknown."""
        return None if self.positions is None else self.times[self.positions == 1]


def fitted_beats(beats: BeatAnnotation, duration: float) -> BeatAnnotation:
    """Fit beats to the track that they describe.

    Beats at most 0.5 s after the end of the track are left out, because decoders differ in where a track ends. The
    `end_margin` of the beats is added to these 0.5 s.

    Parameters
    ----------
    beats : BeatAnnotation
        Beats as they were read.
    duration : float > 0
        Duration of the track in seconds.

    Raises
    ------
    AnnotationError
        If there is no beat within the track, or a beat is later after its end.
    """
    last = float(beats.times.max(initial=0.0))
    if last > duration + TOLERANCE_SECONDS + beats.end_margin:
        raise AnnotationError(
            f"its beats extend to {last:.1f} s, but the track ends at {duration:.1f} s; they probably belong to "
            "another song or to another version of this one"
        )
    n_within = int(np.searchsorted(beats.times, duration, side="right"))
    if not n_within:
        raise AnnotationError(f"none of its beats is within the track, which ends at {duration:.1f} s")
    positions = None if beats.positions is None else beats.positions[:n_within]
    return replace(beats, times=beats.times[:n_within], positions=positions, end_margin=0.0)


def _check_times(times: NDArray[np.float64]) -> None:
    if times.ndim != 1:
        raise ParameterError(f"times of beats must have one dimension, not the shape {times.shape}")
    if not np.isfinite(times).all() or (times < 0).any():
        raise ParameterError("times of beats must be seconds from 0")
    if (np.diff(times) <= 0).any():
        late = int(np.flatnonzero(np.diff(times) <= 0)[0])
        raise ParameterError(f"times of beats must increase, but {times[late + 1]} follows {times[late]}")


def _checked_positions(positions: NDArray[np.generic], n_beats: int) -> NDArray[np.intp]:
    """Return the positions of beats as integers."""
    if positions.shape != (n_beats,):
        raise ParameterError(f"{n_beats} beats need as many positions, but positions have the shape {positions.shape}")
    whole = positions.astype(np.intp)
    if (whole != positions).any() or (whole < 1).any():
        raise ParameterError("positions of beats must be integers from 1")
    return whole

"""Units: frames pooled over a fraction of a second.

A frame of 93 ms knows a note; a unit of 0.25 to 0.5 s knows how a moment sounds. Unit `u` covers the frames whose
centre lies in `[u, u + 1) * unit_seconds`, and is described by the mean and the standard deviation of their values.

Conventions
-----------
Frame-wise arrays have shape (n_frames, n_columns), unit-wise arrays (n_units, n_columns). Frames are counted in whole
numbers from the song's beginning, so a table of frames needs no time column to be pooled.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from songform.errors import ParameterError

__all__ = ["VERSION", "frame_units", "n_units", "pooled", "smoothed", "spread"]

VERSION = 1  # increase this when the same frames give other units


def frame_units(n_frames: int, *, sr: float = 22050, hop_length: int = 512, unit_seconds: float) -> NDArray[np.intp]:
    """Return the number of the unit that each frame belongs to.

    Parameters
    ----------
    n_frames : int > 0
        Number of frames.
    sr : float > 0
        Sampling rate in Hz.
    hop_length : int > 0
        Samples from one frame to the next.
    unit_seconds : float >= 0
        Length of a unit in seconds; with 0 every frame is a unit of its own.

    Returns
    -------
    np.ndarray of int, shape=(n_frames,)
        Non-decreasing, from 0, without gaps.

    Raises
    ------
    ParameterError
        If there are no frames, or units are shorter than the step between frames but not 0.
    """
    if n_frames < 1:
        raise ParameterError(f"a song has at least one frame, not {n_frames}")
    if unit_seconds == 0:
        return np.arange(n_frames)
    if unit_seconds < hop_length / sr:
        msg = (
            f"a unit of {unit_seconds:g} s is shorter than the {hop_length / sr:.4f} s from one frame to the next; "
            "take a longer one, or 0 for bare frames"
        )
        raise ParameterError(msg)
    # In whole samples: 0.5 s is not a whole number of hops, and a sum of floats would drift.
    return (np.arange(n_frames, dtype=np.int64) * hop_length // (unit_seconds * sr)).astype(np.intp)


def n_units(n_frames: int, *, sr: float = 22050, hop_length: int = 512, unit_seconds: float) -> int:
    """Return the number of units that a number of frames makes."""
    return int(frame_units(n_frames, sr=sr, hop_length=hop_length, unit_seconds=unit_seconds)[-1]) + 1


def pooled(values: NDArray[np.floating], units: NDArray[np.intp]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean and the standard deviation of each unit.

    Parameters
    ----------
    values : np.ndarray of float, shape=(n_frames, ...)
        A row a frame.
    units : np.ndarray of int, shape=(n_frames,)
        From `frame_units`.

    Returns
    -------
    mean, std : np.ndarray of float64, shape=(n_units, ...)
        `std` is 0 where a unit has a single frame.

    Raises
    ------
    ParameterError
        If `values` and `units` have different lengths.
    """
    if len(values) != len(units):
        raise ParameterError(f"values has {len(values)} frames, but units has {len(units)}")
    starts = np.flatnonzero(np.r_[True, np.diff(units) > 0])
    counts = np.diff(np.r_[starts, len(units)]).reshape(-1, *[1] * (values.ndim - 1))
    mean = np.add.reduceat(values, starts, axis=0, dtype=np.float64) / counts
    # The deviations from the unit's own mean, not mean squares: those cancel for columns such as centroid_hz.
    deviations = values - mean[units]
    return mean, np.sqrt(np.add.reduceat(deviations * deviations, starts, axis=0) / counts)


def spread(
    values: NDArray[np.floating], centres: NDArray[np.float64], times: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return unit-wise values at other times, by linear interpolation between the units' centres.

    Parameters
    ----------
    values : np.ndarray, shape=(n_units, n_columns)
        A row a unit.
    centres, times : np.ndarray of float64
        The units' centres and the times wanted, in seconds. Before the first and after the last centre the
        outermost unit holds.

    Returns
    -------
    np.ndarray of float64, shape=(n_times, n_columns)
    """
    return np.stack([np.interp(times, centres, column) for column in values.T], axis=1)


def smoothed(x: NDArray[np.float64], width: int, *, lengths: NDArray[np.intp] | None = None) -> NDArray[np.float64]:
    """Return the moving average over `width` units, centred, the window cut at the song's ends.

    Parameters
    ----------
    x : np.ndarray, shape=(n_units, ...)
        A row a unit.
    width : int > 0
        Units in the window; an even window reaches one unit further back than ahead.
    lengths : np.ndarray of int, optional
        Where the last axis is one of columns: the number of units of each, after which it holds zeros. The window is
        cut there, and what is returned for these zeros means nothing.
    """
    sums = np.zeros((len(x) + 1, *x.shape[1:]))
    np.cumsum(x, axis=0, out=sums[1:])
    first = np.maximum(np.arange(len(x)) - width // 2, 0)
    last = np.minimum(np.arange(len(x)) - width // 2 + width, len(x))
    counts = (last - first).reshape(-1, *[1] * (x.ndim - 1))
    if lengths is not None:
        of_column = np.maximum(np.minimum(last[:, None], lengths) - first[:, None], 1)
        counts = of_column.reshape(len(x), *[1] * (x.ndim - 2), -1)
    means: NDArray[np.float64] = (sums[last] - sums[first]) / counts
    return means

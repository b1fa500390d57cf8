"""Pooling: frames pooled over a fraction of a second.

A frame of 93 ms knows a note; a unit of 0.25 to 0.5 s knows how a moment sounds. Unit `u` covers the frames whose
centre lies in `[u, u + 1) * unit_seconds`, and is described by the mean and the standard deviation of their values.

`song_units` pools a whole song to units of 0.5 s, from which its context is made: the frame features give the mean and
the standard deviation, loudness and onset strength of each unit, the overview its chroma and the share of the bass.
`CausalUnits` does the same for what is known at a moment of the song.

Conventions
-----------
Frame-wise arrays have shape (n_frames, n_columns), unit-wise arrays (n_units, n_columns). Frames are counted in whole
numbers from the song's beginning, so a table of frames needs no time column to be pooled.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from songform.errors import ParameterError
from songform.features.overview import OVERVIEW_SECONDS, Overview

__all__ = [
    "UNIT_SECONDS",
    "VERSION",
    "CausalUnits",
    "SongUnits",
    "frame_units",
    "n_units",
    "pooled",
    "smoothed",
    "song_units",
    "spread",
]

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


UNIT_SECONDS = 0.5
_CELLS = round(UNIT_SECONDS / OVERVIEW_SECONDS)  # rows of the overview in a unit

Array = NDArray[np.float64]
Index = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class SongUnits:
    """The units of one song, or of its beginning.

    Attributes
    ----------
    columns : tuple of str
        The feature columns.
    mean, std : np.ndarray, shape=(n_units, n_columns)
        Of each column over the unit's frames.
    loudness_db : np.ndarray, shape=(n_units,)
        Mean power in dB below full scale.
    onset : np.ndarray, shape=(n_units,)
        Mean onset strength.
    low_share : np.ndarray, shape=(n_units,)
        Share of the energy below 150 Hz.
    chroma : np.ndarray, shape=(n_units, 12)
        Mean chroma.
    """

    columns: tuple[str, ...]
    mean: Array
    std: Array
    loudness_db: Array
    onset: Array
    low_share: Array
    chroma: Array

    def __len__(self) -> int:
        return len(self.mean)

    def column(self, name: str) -> Array:
        """Return the units' means of one feature column."""
        return self.mean[:, self.columns.index(name)]


class CausalUnits:
    """The units of a song's beginning, however much of it is known.

    Parameters
    ----------
    features : pd.DataFrame
        Frame features, from `songform.frame_features`.
    overview : Overview
        The song's overview, of the same pass.
    sr, hop_length : float, int
        The framing of the features.

    Raises
    ------
    ParameterError
        If features and overview are not of the same song.
    """

    def __init__(self, features: pd.DataFrame, overview: Overview, *, sr: float = 22050, hop_length: int = 512) -> None:
        if len(overview.onset) != len(features):
            n, m = len(features), len(overview.onset)
            raise ParameterError(f"features has {n} frames but the overview {m}: they are of different songs")
        self._columns, self._values = tuple(features.columns), features.to_numpy(np.float64)
        self._overview = overview
        self._units = frame_units(len(features), sr=sr, hop_length=hop_length, unit_seconds=UNIT_SECONDS)
        rows = np.arange(len(overview))
        row_units = np.minimum(rows // _CELLS, self._units[-1])
        self.whole = self._pooled(np.arange(len(features)), self._units, rows, row_units)

    def until(self, n_known: int) -> SongUnits:
        """Return the units of the first `n_known` frames; see `beginnings`."""
        return next(self.beginnings(np.array([n_known])))

    def beginnings(self, n_known: Index) -> Iterator[SongUnits]:
        """Yield the units of the first `n_known` frames, of which the last one may have just begun, for each number.

        There is at least one number. Nothing in it depends on a later frame: a row of the overview that the moment
        divides has heard what follows, so the row before it speaks for it.
        """
        last = self._units[n_known - 1]
        counts = self._overview.frame_counts
        heard = np.cumsum(counts)
        begun = np.searchsorted(heard - counts, n_known)
        complete = np.searchsorted(heard, n_known, side="right")
        frames, of_frame = _ranges(np.searchsorted(self._units, last), n_known)
        rows, of_row = _ranges(np.minimum(last * _CELLS, begun - 1), begun)
        newest = self._pooled(frames, of_frame, np.minimum(rows, np.maximum(complete - 1, 0)[of_row]), of_row)
        names = [name for name in vars(newest) if name != "columns"]
        for i, n_whole in enumerate(last.tolist()):
            arrays = {name: (vars(self.whole)[name][:n_whole], vars(newest)[name][i : i + 1]) for name in names}
            yield SongUnits(self._columns, **{name: np.concatenate(parts) for name, parts in arrays.items()})

    def _pooled(self, frames: Index, units: Index, rows: Index, row_units: Index) -> SongUnits:
        """Pool some frames by their units, and some rows of the overview by theirs."""
        values = self._values[frames]
        level, spread = (values[:, self._columns.index(name)] for name in ("rms_mean", "rms_std"))
        overview = self._overview
        return SongUnits(
            self._columns,
            *pooled(values, units),
            10 * np.log10(pooled(level**2 + spread**2, units)[0] + 1e-10),
            pooled(np.asarray(overview.onset[frames], np.float64), units)[0],
            pooled(np.asarray(overview.low_share[rows], np.float64), row_units)[0],
            pooled(np.asarray(overview.chroma[rows], np.float64), row_units)[0],
        )


def _ranges(starts: Index, stops: Index) -> tuple[Index, Index]:
    """Return the numbers from each start up to its stop, one range after the other, and which range each is of."""
    lengths = stops - starts
    which = np.repeat(np.arange(len(starts)), lengths)
    return np.arange(len(which)) - np.repeat(np.cumsum(lengths) - lengths - starts, lengths), which


def song_units(features: pd.DataFrame, overview: Overview, *, sr: float = 22050, hop_length: int = 512) -> SongUnits:
    """Pool a whole song to units; parameters and errors as of `CausalUnits`."""
    return CausalUnits(features, overview, sr=sr, hop_length=hop_length).whole

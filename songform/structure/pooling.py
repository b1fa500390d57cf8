"""Pooling of frames to units of a fraction of a second.

A frame of 93 ms contains about one note. A unit of 0.25 to 0.5 s is long enough to describe how a moment of the song
sounds. Unit `u` consists of the frames whose center is in `[u, u + 1) * unit_seconds`, and is described by the mean and
the standard deviation of their features.

`song_units` pools a whole song to units of 0.5 s, from which the context descriptors are computed. Mean, standard
deviation and loudness are computed from the frame features; onset strength, chroma and the fraction of bass are
computed from the overview. `CausalUnits` computes the units that are known at a given time of the song.

Conventions
-----------
Frame-wise arrays have shape (n_frames, n_columns), unit-wise arrays (n_units, n_columns). The unit of a frame is
computed from the index of the frame, so a table of frames needs no time column.
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

VERSION = 1  # increase this when the units of the same frames change


def frame_units(n_frames: int, *, sr: float = 22050, hop_length: int = 512, unit_seconds: float) -> NDArray[np.intp]:
    """Return the index of the unit of each frame.

    Parameters
    ----------
    n_frames : int > 0
        Number of frames.
    sr : float > 0
        Sampling rate in Hz.
    hop_length : int > 0
        Distance between consecutive frames in samples.
    unit_seconds : float >= 0
        Length of a unit in seconds; with 0 every frame is a unit.

    Returns
    -------
    np.ndarray of int, shape=(n_frames,)
        Non-decreasing indices from 0, without gaps.

    Raises
    ------
    ParameterError
        If there are no frames, or if units are shorter than the distance between frames but not 0.
    """
    if n_frames < 1:
        raise ParameterError(f"a song must have at least one frame, not {n_frames}")
    if unit_seconds == 0:
        return np.arange(n_frames)
    if unit_seconds < hop_length / sr:
        msg = (
            f"a unit of {unit_seconds:g} s is shorter than the {hop_length / sr:.4f} s between frames; "
            "choose a longer unit, or 0 to use every frame as a unit"
        )
        raise ParameterError(msg)
    # Computed in samples, because 0.5 s is not a whole number of hops and floating-point times would be inexact.
    return (np.arange(n_frames, dtype=np.int64) * hop_length // (unit_seconds * sr)).astype(np.intp)


def n_units(n_frames: int, *, sr: float = 22050, hop_length: int = 512, unit_seconds: float) -> int:
    """Return the number of units into which `n_frames` frames are pooled."""
    return int(frame_units(n_frames, sr=sr, hop_length=hop_length, unit_seconds=unit_seconds)[-1]) + 1


def pooled(values: NDArray[np.floating], units: NDArray[np.intp]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean and the standard deviation of each unit.

    Parameters
    ----------
    values : np.ndarray of float, shape=(n_frames, ...)
        One row per frame.
    units : np.ndarray of int, shape=(n_frames,)
        Index of the unit of each frame, from `frame_units`.

    Returns
    -------
    mean, std : np.ndarray of float64, shape=(n_units, ...)
        Mean and standard deviation; `std` is 0 for a unit of one frame.

    Raises
    ------
    ParameterError
        If `values` and `units` have different lengths.
    """
    if len(values) != len(units):
        raise ParameterError(
            f"values has {len(values)} frames, but units has {len(units)}; both must describe the same song"
        )
    starts = np.flatnonzero(np.r_[True, np.diff(units) > 0])
    counts = np.diff(np.r_[starts, len(units)]).reshape(-1, *[1] * (values.ndim - 1))
    mean = np.add.reduceat(values, starts, axis=0, dtype=np.float64) / counts
    # Deviations are squared, because a difference of mean squares is inexact for large values such as centroid_hz.
    deviations = values - mean[units]
    return mean, np.sqrt(np.add.reduceat(deviations * deviations, starts, axis=0) / counts)


def spread(
    values: NDArray[np.floating], centres: NDArray[np.float64], times: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Interpolate unit-wise values linearly between the centers of the units.

    Parameters
    ----------
    values : np.ndarray, shape=(n_units, n_columns)
        One row per unit.
    centers, times : np.ndarray of float64
        Centers of the units, and times at which values are computed, in seconds.

    Returns
    -------
    np.ndarray of float64, shape=(n_times, n_columns)
        Interpolated values. Before the first and after the last center, they are those of the first and the last unit.
    """
    return np.stack([np.interp(times, centres, column) for column in values.T], axis=1)


def smoothed(x: NDArray[np.float64], width: int, *, lengths: NDArray[np.intp] | None = None) -> NDArray[np.float64]:
    """Return a centered moving average. At the ends of the song the window contains only the units of the song.

    Parameters
    ----------
    x : np.ndarray, shape=(n_units, ...)
        One row per unit.
    width : int > 0
        Number of units in the window. A window of even width contains one more unit before than after its center.
    lengths : np.ndarray of int, optional
        Number of units in each column of the last axis, if the columns are padded with zeros at the end. The window
        then contains only these units. The averages after them are meaningless.

    Returns
    -------
    np.ndarray of float64, of the shape of `x`
        Averages.
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
_CELLS = round(UNIT_SECONDS / OVERVIEW_SECONDS)  # rows of the overview per unit

Array = NDArray[np.float64]
Index = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class SongUnits:
    """Units of one song or of its beginning.

    Attributes
    ----------
    columns : tuple of str
        Names of the feature columns.
    mean, std : np.ndarray, shape=(n_units, n_columns)
        Mean and standard deviation of each column over the frames of the unit.
    loudness_db : np.ndarray, shape=(n_units,)
        Mean power in dB relative to full scale.
    onset : np.ndarray, shape=(n_units,)
        Mean onset strength.
    low_share : np.ndarray, shape=(n_units,)
        Fraction of the energy below 150 Hz.
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
        """Return the mean of one feature column in each unit."""
        return self.mean[:, self.columns.index(name)]


class CausalUnits:
    """Units of the beginning of a song, computed without any later frame.

    Parameters
    ----------
    features : pd.DataFrame
        Frame features from `songform.frame_features`.
    overview : Overview
        Overview of the same song, with the same sampling rate and hop length.
    sr, hop_length : float, int
        Sampling rate in Hz, and hop length in samples, of the features.

    Attributes
    ----------
    whole : SongUnits
        Units of the whole song.

    Raises
    ------
    ParameterError
        If features and overview have different numbers of frames.
    """

    def __init__(self, features: pd.DataFrame, overview: Overview, *, sr: float = 22050, hop_length: int = 512) -> None:
        if len(overview.onset) != len(features):
            n, m = len(features), len(overview.onset)
            raise ParameterError(
                f"features has {n} frames, but overview has {m}; compute both from the same song, with the same hop "
                "length"
            )
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
        """Yield the units of the first frames of the song, for each number of frames in `n_known`.

        The last unit may be incomplete. The units do not depend on later frames: a row of the overview that also
        contains later frames is replaced by the previous row, unless it is the first row.

        Parameters
        ----------
        n_known : np.ndarray of int
            Numbers of frames; at least one.
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
        """Pool selected frames, and selected rows of the overview, to units."""
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
    """Return the concatenated ranges from `starts` to `stops`, exclusive, and the index of the range of each value."""
    lengths = stops - starts
    which = np.repeat(np.arange(len(starts)), lengths)
    return np.arange(len(which)) - np.repeat(np.cumsum(lengths) - lengths - starts, lengths), which


def song_units(features: pd.DataFrame, overview: Overview, *, sr: float = 22050, hop_length: int = 512) -> SongUnits:
    """Pool a whole song to units of 0.5 s. Parameters and errors are the same as in `CausalUnits`."""
    return CausalUnits(features, overview, sr=sr, hop_length=hop_length).whole

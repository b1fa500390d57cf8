"""Downsampling: a long series as the few hundred columns of a picture.

A song of twelve hours has two million frames, a picture a thousand columns of pixels. Each column keeps the least, the
mean and the greatest of its values: the mean is the line to follow, and no peak is lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from songform.errors import ParameterError
from songform.features.overview import OVERVIEW_SECONDS

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    from songform.features.overview import Overview

__all__ = [
    "IMAGE_COLUMNS",
    "LINE_COLUMNS",
    "Columns",
    "columns",
    "feature_series",
    "overview_middles",
    "require_rows",
    "standard_mfcc",
]

IMAGE_COLUMNS = 1000
"""The most columns of an image or a waveform: about one a pixel."""
LINE_COLUMNS = 350
"""The most columns of a line: with three pixels a column it still reads as a line."""


class Columns(NamedTuple):
    """A series as one value a column of the picture."""

    edges: NDArray[np.float64]
    """Seconds, shape=(n_columns + 1,): column `i` is drawn from `edges[i]` to `edges[i + 1]`."""
    low: NDArray[np.float64]
    mean: NDArray[np.float64]
    high: NDArray[np.float64]


def columns(time: ArrayLike, values: ArrayLike, *, limit: int = LINE_COLUMNS) -> Columns:
    """Least, mean and greatest value of a series in each column of a picture.

    Parameters
    ----------
    time : np.ndarray, shape=(n,), n > 0
        The middles of the rows, evenly spaced, in seconds.
    values : np.ndarray, shape=(n,) or (n, m)
        A row a time.
    limit : int > 0
        The most columns.

    Returns
    -------
    Columns
        `min(n, limit)` columns.
    """
    time, values = np.asarray(time, dtype=np.float64), np.asarray(values)
    bounds = np.linspace(0, len(time), min(len(time), limit) + 1).astype(np.intp)
    first = bounds[:-1]
    half = (time[-1] - time[0]) / (len(time) - 1) / 2 if len(time) > 1 else max(time[0], 0.01)
    edges = np.maximum(np.r_[time[first] - half, time[-1] + half], 0)
    sums = np.add.reduceat(values, first, dtype=np.float64)
    mean = sums / np.diff(bounds).reshape(-1, *(1,) * (values.ndim - 1))
    low, high = np.minimum.reduceat(values, first), np.maximum.reduceat(values, first)
    return Columns(edges, low.astype(np.float64), mean, high.astype(np.float64))


def feature_series(features: pd.DataFrame, column: str) -> Columns:
    """One feature as the columns of a line.

    Parameters
    ----------
    features : pd.DataFrame
        Frame features.
    column : str
        The feature's name.

    Returns
    -------
    Columns
        In the feature's own unit.

    Raises
    ------
    ParameterError
        If the table holds no frame, or not this feature.
    """
    require_rows(len(features), "features")
    if column not in features:
        raise ParameterError(f"features have no column {column!r}; give the table of frame_features")
    return columns(features.index, features[column])


def standard_mfcc(features: pd.DataFrame, *, limit: int = IMAGE_COLUMNS) -> Columns:
    """Return the cepstral coefficients as the columns of an image, each standardised within the song.

    The first coefficient is a hundred times the size of the last: on a common scale nothing else would be seen.

    Parameters
    ----------
    features : pd.DataFrame
        Frame features; the columns `mfcc_01`, `mfcc_02`, ... are used.
    limit : int > 0
        The most columns.

    Returns
    -------
    Columns
        A column a coefficient, in standard deviations from its mean.

    Raises
    ------
    ParameterError
        If the table holds no frame, or no MFCC.
    """
    require_rows(len(features), "features")
    names = [name for name in features.columns if name.startswith("mfcc_") and name[5:].isdigit()]
    if not names:
        raise ParameterError("features hold no MFCC (columns mfcc_01, mfcc_02, ...); give the table of frame_features")
    values = features[names].to_numpy(dtype=np.float32)
    center, deviation = values.mean(axis=0, dtype=np.float64), values.std(axis=0, dtype=np.float64)
    scale = np.where(deviation > 1e-3, deviation, np.inf)
    edges, *reduced = columns(features.index, values, limit=limit)
    return Columns(edges, *((part - center) / scale for part in reduced))


def overview_middles(overview: Overview) -> NDArray[np.float64]:
    """Middles of an overview's cells in seconds; `ParameterError` if it has none."""
    require_rows(len(overview.time_s), "overview")
    return overview.time_s + OVERVIEW_SECONDS / 2


def require_rows(n_rows: int, name: str) -> None:
    """Raise `ParameterError` if there is nothing to draw."""
    if n_rows == 0:
        raise ParameterError(f"{name} must hold at least one row, not 0; was the song empty?")

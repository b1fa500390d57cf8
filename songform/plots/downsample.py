"""Downsampling of long time series to the columns of a picture.

A song of twelve hours has two million frames, but a picture has only about a thousand columns of pixels. Each column
stores the minimum, the mean and the maximum of its values, so that peaks remain visible.
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
"""Maximum number of columns of an image or a waveform: about one per pixel."""
LINE_COLUMNS = 350
"""Maximum number of columns of a line: about one per three pixels, so that it still looks like a line."""


class Columns(NamedTuple):
    """Minimum, mean and maximum of a series in each column of a picture."""

    edges: NDArray[np.float64]
    """Seconds, shape=(n_columns + 1,): column `i` is drawn from `edges[i]` to `edges[i + 1]`."""
    low: NDArray[np.float64]
    mean: NDArray[np.float64]
    high: NDArray[np.float64]


def columns(time: ArrayLike, values: ArrayLike, *, limit: int = LINE_COLUMNS) -> Columns:
    """Return the minimum, mean and maximum of a series in each column of a picture.

    Parameters
    ----------
    time : np.ndarray, shape=(n,), n > 0
        Centers of the rows in seconds, evenly spaced.
    values : np.ndarray, shape=(n,) or (n, m)
        One row per time.
    limit : int > 0
        Maximum number of columns.

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
    """Return a feature as the columns of a line.

    Parameters
    ----------
    features : pd.DataFrame
        Frame features.
    column : str
        Name of the feature.

    Returns
    -------
    Columns
        Columns in the unit of the feature.

    Raises
    ------
    ParameterError
        If the table has no frame, or no such column.
    """
    require_rows(len(features), "features")
    if column not in features:
        raise ParameterError(f"features have no column {column!r}; pass the table returned by frame_features")
    return columns(features.index, features[column])


def standard_mfcc(features: pd.DataFrame, *, limit: int = IMAGE_COLUMNS) -> Columns:
    """Return the MFCCs as the columns of an image, each coefficient standardized within the song.

    Without standardization, only the first coefficient would be visible: it is a hundred times larger than the last.

    Parameters
    ----------
    features : pd.DataFrame
        Frame features; the columns `mfcc_01`, `mfcc_02`, ... are used.
    limit : int > 0
        Maximum number of columns.

    Returns
    -------
    Columns
        Values in standard deviations from the mean of each coefficient.

    Raises
    ------
    ParameterError
        If the table has no frame, or no MFCC.
    """
    require_rows(len(features), "features")
    names = [name for name in features.columns if name.startswith("mfcc_") and name[5:].isdigit()]
    if not names:
        raise ParameterError(
            "features have no MFCC columns (mfcc_01, mfcc_02, ...); pass the table returned by frame_features"
        )
    values = features[names].to_numpy(dtype=np.float32)
    center, deviation = values.mean(axis=0, dtype=np.float64), values.std(axis=0, dtype=np.float64)
    scale = np.where(deviation > 1e-3, deviation, np.inf)
    edges, *reduced = columns(features.index, values, limit=limit)
    return Columns(edges, *((part - center) / scale for part in reduced))


def overview_middles(overview: Overview) -> NDArray[np.float64]:
    """Return the centers of an overview's cells in seconds, or raise `ParameterError` if it has none."""
    require_rows(len(overview.time_s), "overview")
    return overview.time_s + OVERVIEW_SECONDS / 2


def require_rows(n_rows: int, name: str) -> None:
    """Raise `ParameterError` if there is no row."""
    if n_rows == 0:
        raise ParameterError(f"{name} must have at least one row, but there is none; is the song empty?")

"""Table of segments: one row per segment of every song of a corpus, for data frames and SQL.

============================  ====================================================================
``track, title``              key and title of the song
``start, end``                seconds
``state, confidence``         state and confidence of the segment, as in the report
``model``                     id of the model; `own` if the states were fitted on the song itself
one column per feature, 38    float32, mean over the frames whose center lies in the segment
============================  ====================================================================

Rows are sorted by song key and time. Each song has the rows of its latest analysis. The setting `features.n_mfcc`
changes the number of features; columns that a song does not have are null.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from songform.errors import ParameterError

__all__ = ["FACTS", "replaced_rows", "segment_means", "segment_rows"]

FACTS = pa.schema(
    [
        pa.field("track", pa.string(), nullable=False),
        pa.field("title", pa.string(), nullable=False),
        pa.field("start", pa.float64(), nullable=False),
        pa.field("end", pa.float64(), nullable=False),
        pa.field("state", pa.string(), nullable=False),
        pa.field("confidence", pa.float64(), nullable=False),
        pa.field("model", pa.string(), nullable=False),
    ]
)
"""Columns before those of the features."""


def segment_rows(report: Mapping[str, Any], features: pd.DataFrame) -> pa.Table:
    """Return the rows of one song.

    Parameters
    ----------
    report : dict
        Report of the song.
    features : pd.DataFrame
        Frame features of the song, with the index `time_s`.

    Returns
    -------
    pa.Table
        The columns of `FACTS`, then one column per feature.

    Raises
    ------
    ParameterError
        If the song has no segment or no frame.
    """
    segments = report["segments"]
    means = segment_means(
        np.array([segment["start"] for segment in segments], np.float64),
        features.index.to_numpy(np.float64),
        features.to_numpy(np.float64),
    )
    shared = {"track": report["track"]["key"], "title": report["track"]["title"], "model": report["model"]["id"]}
    facts = pa.Table.from_pylist([{**segment, **shared} for segment in segments], schema=FACTS)
    for name, column in zip(features.columns, means.T.astype(np.float32), strict=True):
        facts = facts.append_column(pa.field(str(name), pa.float32()), pa.array(column))
    return facts


def segment_means(
    starts: NDArray[np.float64], times: NDArray[np.float64], values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the mean of each column within each segment.

    Parameters
    ----------
    starts : np.ndarray, shape=(n_segments,)
        Starts of the segments in seconds, ascending. Each segment lasts until the next one, the last segment until the
        end of the song.
    times : np.ndarray, shape=(n_frames,)
        Centers of the frames in seconds, ascending.
    values : np.ndarray, shape=(n_frames, n_columns)
        One row per frame.

    Returns
    -------
    np.ndarray, shape=(n_segments, n_columns)
        Means. A segment that contains no frame center has the values of the next frame.

    Raises
    ------
    ParameterError
        If there is no segment or no frame.
    """
    if not len(starts) or not len(times):
        raise ParameterError(
            "the means of segments can be computed only from at least one segment and one frame, "
            f"not from {len(starts)} segments and {len(times)} frames"
        )
    edges = np.append(np.searchsorted(times, starts), len(times))
    return np.stack(
        [values[a:b].mean(axis=0) if a < b else values[min(a, len(values) - 1)] for a, b in pairwise(edges)]
    )


def replaced_rows(table: pa.Table | None, rows: Sequence[pa.Table]) -> pa.Table:
    """Return a table in which the rows of some songs are replaced.

    Parameters
    ----------
    table : pa.Table, optional
        Existing table; None if there is none.
    rows : sequence of pa.Table
        New rows from `segment_rows`, one table per song. If a song occurs more than once, its last table is used.

    Returns
    -------
    pa.Table
        Rows sorted by song key and start.
    """
    latest = {str(part.column("track")[0]): part for part in rows if part.num_rows}
    kept = []
    if table is not None:
        is_old = pc.is_in(table.column("track"), value_set=pa.array(list(latest), pa.string()))
        kept = [table.filter(pc.invert(is_old))]
    parts = [part for part in [*kept, *latest.values()] if part.num_rows]
    if not parts:
        return FACTS.empty_table()
    joined = pa.concat_tables(parts, promote_options="default")
    return joined.sort_by([("track", "ascending"), ("start", "ascending")]).combine_chunks()

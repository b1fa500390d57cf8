"""The table of segments: a row a segment of every song of a corpus, for data frames and SQL.

============================  ====================================================================
``track, title``              the song's key and title
``start, end``                seconds
``state, confidence``         as its report has them
``model``                     the model that said so; `own`: states fitted on the song itself
a column a feature, 38        float32, the mean over the frames whose centre lies in the segment
============================  ====================================================================

The rows of a song stand together, in order of time; songs are in order of their keys. A song has the rows of its
latest analysis. With other settings (`features.n_mfcc`) a song has other features: what it lacks is null.
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
"""The columns before those of the features."""


def segment_rows(report: Mapping[str, Any], features: pd.DataFrame) -> pa.Table:
    """Return the rows of one song.

    Parameters
    ----------
    report : dict
        The song's report.
    features : pd.DataFrame
        Its frame features, with the index `time_s`.

    Returns
    -------
    pa.Table
        The columns of `FACTS`, then one a feature.

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
        Where the segments begin, in seconds, ascending. Each lasts until the next, the last until the song's end.
    times : np.ndarray, shape=(n_frames,)
        The frames' centres, in seconds, ascending.
    values : np.ndarray, shape=(n_frames, n_columns)
        A row a frame.

    Returns
    -------
    np.ndarray, shape=(n_segments, n_columns)
        A segment so short that no frame's centre lies in it has the values of the frame that follows.

    Raises
    ------
    ParameterError
        If there is no segment or no frame.
    """
    if not len(starts) or not len(times):
        raise ParameterError(f"means need segments and frames, not {len(starts)} and {len(times)}")
    edges = np.append(np.searchsorted(times, starts), len(times))
    return np.stack(
        [values[a:b].mean(axis=0) if a < b else values[min(a, len(values) - 1)] for a, b in pairwise(edges)]
    )


def replaced_rows(table: pa.Table | None, rows: Sequence[pa.Table]) -> pa.Table:
    """Return a table in which some songs have new rows.

    Parameters
    ----------
    table : pa.Table, optional
        What stands; None: nothing yet.
    rows : sequence of pa.Table
        From `segment_rows`, one a song; of several for one song the last counts.

    Returns
    -------
    pa.Table
        In order of the songs' keys.
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

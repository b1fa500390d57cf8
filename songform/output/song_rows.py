"""Rows of tables with several rows per song: means of the features, and replacement of the rows of single songs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from songform.errors import ParameterError

__all__ = ["Layout", "fact_rows", "replaced_rows", "segment_means"]


@dataclass(frozen=True)
class Layout:
    """Columns and order of a table with several rows per song.

    Attributes
    ----------
    facts : pa.Schema
        Columns before those of the features. The first one is `track`, the key of the song.
    order : tuple of (str, str)
        Columns by which the rows are sorted, each with `ascending` or `descending`.
    later : frozenset of str
        Columns that tables of earlier versions do not have. They are null in the rows of these tables.
    """

    facts: pa.Schema
    order: tuple[tuple[str, str], ...]
    later: frozenset[str] = frozenset()

    def checked(self, table: pa.Table) -> pa.Table:
        """Return a table of this kind whose columns before those of the features have the types of the layout.

        Other programs that rewrite a table may change types; pandas, for example, writes strings as `large_string`.

        Raises
        ------
        ParameterError
            If a column is missing that all versions have, or its type cannot be converted.
        """
        if missing := sorted({*self.facts.names} - self.later - {*table.column_names}):
            raise ParameterError(f"it has no column {missing[0]}")
        for number, name in enumerate(table.column_names):
            if name in self.facts.names:
                table = table.set_column(number, self.facts.field(name), _converted(table, name, self.facts))
        return table


def fact_rows(
    parts: Sequence[Mapping[str, Any]], shared: Mapping[str, Any], features: pd.DataFrame, layout: Layout
) -> pa.Table:
    """Return one row per part of a song.

    Parameters
    ----------
    parts : sequence of dict
        Parts that cover the song, in order of time, each with the values of some columns of `layout.facts`; `start` is
        one of them.
    shared : dict
        Values of the other columns, which are the same in all rows.
    features : pd.DataFrame
        Frame features of the song, with the index `time_s`.
    layout : Layout
        Layout of the table.

    Returns
    -------
    pa.Table
        The columns of `layout.facts`, then one column per feature: its mean within the part, float32.

    Raises
    ------
    ParameterError
        If there is no part or no frame.
    """
    means = segment_means(
        np.array([part["start"] for part in parts], np.float64),
        features.index.to_numpy(np.float64),
        features.to_numpy(np.float64),
    )
    rows = pa.Table.from_pylist([{**part, **shared} for part in parts], schema=layout.facts)
    for name, column in zip(features.columns, means.T.astype(np.float32), strict=True):
        rows = rows.append_column(pa.field(str(name), pa.float32()), pa.array(column))
    return rows


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


def replaced_rows(table: pa.Table | None, rows: Mapping[str, pa.Table], layout: Layout) -> pa.Table:
    """Return a table in which the rows of some songs are replaced.

    Parameters
    ----------
    table : pa.Table, optional
        Existing table, which `Layout.checked` returned; None if there is none.
    rows : dict of str to pa.Table
        New rows of each song, by key; a table without rows removes those of its song.
    layout : Layout
        Layout of the table.

    Returns
    -------
    pa.Table
        Sorted rows. Columns that a song does not have are null.
    """
    kept = []
    if table is not None:
        is_old = pc.is_in(table.column("track"), value_set=pa.array(list(rows), pa.string()))
        kept = [_with_later_columns(table.filter(pc.invert(is_old)), layout)]
    parts = [part for part in [*kept, *rows.values()] if part.num_rows]
    if not parts:
        return layout.facts.empty_table()
    joined = pa.concat_tables(parts, promote_options="permissive")
    return joined.sort_by(list(layout.order)).combine_chunks()


def _converted(table: pa.Table, name: str, schema: pa.Schema) -> pa.ChunkedArray:
    """Return a column with the type that it has in a schema."""
    column, field = table.column(name), schema.field(name)
    try:
        column = column.cast(field.type)
    except pa.ArrowException as error:
        raise ParameterError(f"its column {name} has the type {column.type} instead of {field.type}") from error
    if column.null_count and not field.nullable:
        raise ParameterError(f"its column {name} has missing values")
    return column


def _with_later_columns(table: pa.Table, layout: Layout) -> pa.Table:
    """Return a table with all columns of a layout, before those of the features."""
    features = [name for name in table.column_names if name not in layout.facts.names]
    for field in layout.facts:
        if field.name not in table.column_names:
            table = table.append_column(field, pa.nulls(len(table), field.type))
    return table.select([*layout.facts.names, *features])

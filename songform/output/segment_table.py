"""Table of segments: one row per segment of every song of a corpus, for data frames and SQL.

============================  ====================================================================
``track, title``              key and title of the song
``start, end``                seconds
``state, confidence``         state and confidence of the segment, as in the report
``model``                     id of the model; `own` if the states were fitted on the song itself
``section, phrase``           label of the section, and of the phrase, that has most of the segment;
                              null if the song has no sections
one column per feature, 38    float32, mean over the frames whose center lies in the segment
============================  ====================================================================

Rows are sorted by song key and time. Each song has the rows of its latest analysis. The setting `features.n_mfcc`
changes the number of features; columns that a song does not have are null.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa

from songform.output.song_rows import Layout, fact_rows

__all__ = ["LAYOUT", "label_at", "segment_rows"]

LAYOUT = Layout(
    pa.schema(
        [
            pa.field("track", pa.string(), nullable=False),
            pa.field("title", pa.string(), nullable=False),
            pa.field("start", pa.float64(), nullable=False),
            pa.field("end", pa.float64(), nullable=False),
            pa.field("state", pa.string(), nullable=False),
            pa.field("confidence", pa.float64(), nullable=False),
            pa.field("model", pa.string(), nullable=False),
            pa.field("section", pa.string()),
            pa.field("phrase", pa.string()),
        ]
    ),
    order=(("track", "ascending"), ("start", "ascending")),
    later=frozenset({"section", "phrase"}),
)
"""Columns before those of the features, and the order of the rows."""


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
        The columns of `LAYOUT`, then one column per feature.

    Raises
    ------
    ParameterError
        If the song has no segment or no frame.
    """
    shared = {"track": report["track"]["key"], "title": report["track"]["title"], "model": report["model"]["id"]}
    segments = [
        {
            **segment,
            "section": label_at(report["sections"], segment["start"], segment["end"]),
            "phrase": label_at(report["phrases"], segment["start"], segment["end"]),
        }
        for segment in report["segments"]
    ]
    return fact_rows(segments, shared, features, LAYOUT)


def label_at(parts: Sequence[Mapping[str, Any]], start: float, end: float) -> str | None:
    """Return the label of the part that overlaps an interval most, the first one of several; None without parts.

    Parameters
    ----------
    parts : sequence of dict
        Sections or phrases of a report.
    start, end : float
        Interval in seconds.
    """
    if not parts:
        return None
    longest = max(parts, key=lambda part: min(part["end"], end) - max(part["start"], start))
    label: str = longest["label"]
    return label

"""Table of sections: one row per section and per phrase of every song of a corpus, for data frames and SQL.

==================================  ==============================================================
``track, title``                    key and title of the song
``level``                           ``section`` or ``phrase``
``start, end``                      seconds
``label, confidence``               letter, and the probability that the part begins there
``occurrence, occurrences``         number of this part among those of its letter, and how many there are
``is_most_repeated, is_loudest``    as in the report
``tempo, metre``                    of the song: beats per minute, and beats per bar
one column per feature, 38          float32, mean over the frames whose center lies in the part
==================================  ==============================================================

Rows are sorted by song key, then sections before phrases, then by time. A song without sections has no row. Each song
has the rows of its latest analysis.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import pyarrow as pa

from songform.output.song_rows import Layout, fact_rows

__all__ = ["LAYOUT", "section_rows"]

LAYOUT = Layout(
    pa.schema(
        [
            pa.field("track", pa.string(), nullable=False),
            pa.field("title", pa.string(), nullable=False),
            pa.field("level", pa.string(), nullable=False),
            pa.field("start", pa.float64(), nullable=False),
            pa.field("end", pa.float64(), nullable=False),
            pa.field("label", pa.string(), nullable=False),
            pa.field("confidence", pa.float64(), nullable=False),
            pa.field("occurrence", pa.int32(), nullable=False),
            pa.field("occurrences", pa.int32(), nullable=False),
            pa.field("is_most_repeated", pa.bool_(), nullable=False),
            pa.field("is_loudest", pa.bool_(), nullable=False),
            pa.field("tempo", pa.float64()),
            pa.field("metre", pa.int8()),
        ]
    ),
    order=(("track", "ascending"), ("level", "descending"), ("start", "ascending")),
)
"""Columns before those of the features, and the order of the rows."""


def section_rows(report: Mapping[str, Any], features: pd.DataFrame) -> pa.Table:
    """Return the rows of one song; none if it has no sections.

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
        If the song has sections but no frame.
    """
    if not report["sections"]:
        return LAYOUT.facts.empty_table()
    beats = report["beats"]
    shared = {"track": report["track"]["key"], "title": report["track"]["title"]}
    shared |= {"tempo": beats["tempo"], "metre": beats["metre"]}
    levels = {"section": report["sections"], "phrase": report["phrases"]}
    return pa.concat_tables(
        fact_rows(parts, {**shared, "level": level}, features, LAYOUT) for level, parts in levels.items()
    )

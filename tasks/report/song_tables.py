"""Tables of all songs: `data/segments.parquet` and `data/sections.parquet`.

An analysis replaces the rows of its songs. Each table is rewritten once for every 250 songs; with 200,000 rows, of
10,000 songs, that takes half a second. A lock keeps two processes from writing a table at once, and the file is
replaced atomically, so that readers always see a complete table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from filelock import FileLock

from songform.errors import ParameterError, UnreadableFileError
from songform.output import section_table, segment_table
from songform.output.song_rows import Layout, replaced_rows
from tasks.recorded_task import task
from tasks.settings import Settings
from tasks.store.corpus import Corpus
from tasks.store.damaged_files import set_aside_error
from tasks.store.tables import read_features, read_table, write_table

__all__ = ["BATCH", "update_song_tables"]

BATCH = 250
"""Number of songs whose rows are held in memory before they are written to the tables: 30 MB."""


@task()
def update_song_tables(home: Path, reports: Sequence[dict[str, Any]], settings: Settings) -> list[str]:
    """Update the tables of segments and sections with some reports.

    A file that is not such a table is renamed, and a new table is made. A table of an earlier version gets the columns
    that it does not have.

    Parameters
    ----------
    home : Path
        Path of the home.
    reports : sequence of dict
        Reports of tracks whose features exist.
    settings : Settings
        All settings.

    Returns
    -------
    list of str
        One sentence per existing file that was not such a table.

    Raises
    ------
    CorpusError
        If an existing file cannot be read or renamed.
    """
    corpus = Corpus(home)
    tables = _song_tables(corpus)
    problems: list[str] = []
    for first in range(0, len(reports), BATCH):
        rows: dict[str, dict[str, pa.Table]] = {table.name: {} for table in tables}
        for report in reports[first : first + BATCH]:
            key = report["track"]["key"]
            features = read_features(corpus, key, settings)
            for table in tables:
                rows[table.name][key] = table.rows(report, features)
        for table in tables:
            problems += _update(table, rows[table.name])
    return problems


@dataclass(frozen=True)
class _SongTable:
    """Table of all songs: its name, its file, its layout, and the function that makes the rows of a song."""

    name: str
    path: Path
    layout: Layout
    rows: Callable[[Mapping[str, Any], pd.DataFrame], pa.Table]


def _song_tables(corpus: Corpus) -> tuple[_SongTable, ...]:
    return (
        _SongTable("segments", corpus.segments_path, segment_table.LAYOUT, segment_table.segment_rows),
        _SongTable("sections", corpus.sections_path, section_table.LAYOUT, section_table.section_rows),
    )


_NEW_TABLE = (
    "a new table is written with the songs of this analysis; "
    "the other songs are added to it when they are analyzed again"
)


def _update(table: _SongTable, rows: Mapping[str, pa.Table]) -> list[str]:
    """Replace the rows of some songs; return one sentence if the existing file is not a table of this kind."""
    problems: list[str] = []
    with FileLock(table.path.with_name(f".{table.name}.lock")):
        try:
            known = _existing(table)
        except UnreadableFileError as error:
            if not error.is_damaged:
                raise
            known, problems = None, [set_aside_error(error, _NEW_TABLE)]
        written = replaced_rows(known, rows, table.layout)
        if known is None or not written.equals(known):
            write_table(table.path, written)
    return problems


def _existing(table: _SongTable) -> pa.Table | None:
    if not table.path.exists():
        return None
    try:
        return table.layout.checked(read_table(table.path))
    except ParameterError as error:
        raise UnreadableFileError(
            f"{table.path} is not a table of {table.name} ({error}); rename it", table.path
        ) from error

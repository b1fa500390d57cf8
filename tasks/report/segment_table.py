"""Table of the segments of all songs: `data/segments.parquet`.

An analysis replaces the rows of its songs. The whole table is rewritten once for every 250 songs; with 200,000 rows, of
10,000 songs, that takes half a second. A lock keeps two processes from writing at once, and the file is replaced
atomically, so that readers always see a complete table.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from filelock import FileLock
from prefect import task
from prefect.cache_policies import NO_CACHE

from songform.errors import UnreadableFileError
from songform.output.segment_table import FACTS, replaced_rows, segment_rows
from tasks.settings import Settings
from tasks.store.corpus import Corpus
from tasks.store.damaged_files import set_aside_error
from tasks.store.tables import read_features, read_table, write_table

__all__ = ["BATCH", "collect_segments"]

BATCH = 250
"""Number of songs whose rows are held in memory before they are written to the table: 10 MB."""


@task(cache_policy=NO_CACHE)
def collect_segments(home: Path, reports: Sequence[dict[str, Any]], settings: Settings) -> list[str]:
    """Update the table of segments with some reports.

    A file that is not a table of segments is renamed, and a new table is made.

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
        One sentence if the existing file was not a table of segments.

    Raises
    ------
    CorpusError
        If the existing file cannot be read or renamed.
    """
    corpus = Corpus(home)
    problems: list[str] = []
    for first in range(0, len(reports), BATCH):
        batch = reports[first : first + BATCH]
        rows = [segment_rows(report, read_features(corpus, report["track"]["key"], settings)) for report in batch]
        problems += _update_table(corpus, rows)
    return problems


_NEW_TABLE = (
    "a new table is written with the songs of this analysis; "
    "the other songs are added to it when they are analyzed again"
)


def _update_table(corpus: Corpus, rows: Sequence[pa.Table]) -> list[str]:
    """Replace the rows of some songs; return one sentence if the existing file is not a table of segments."""
    problems: list[str] = []
    with FileLock(corpus.data / ".segments.lock"):
        try:
            known = _existing_table(corpus.segments_path)
        except UnreadableFileError as error:
            if not error.is_damaged:
                raise
            known, problems = None, [set_aside_error(error, _NEW_TABLE)]
        table = replaced_rows(known, rows)
        if known is None or not table.equals(known):
            write_table(corpus.segments_path, table)
    return problems


def _existing_table(path: Path) -> pa.Table | None:
    if not path.exists():
        return None
    table = read_table(path)
    if missing := set(FACTS.names) - set(table.column_names):
        raise UnreadableFileError(
            f"{path} is not a table of segments (it has no column {min(missing)}); rename it", path
        )
    return table

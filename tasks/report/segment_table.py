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

from songform.errors import CorpusError
from songform.output.segment_table import FACTS, replaced_rows, segment_rows
from tasks.settings import Settings
from tasks.store.corpus import Corpus
from tasks.store.tables import read_features, read_table, write_table

__all__ = ["BATCH", "collect_segments"]

BATCH = 250
"""Number of songs whose rows are held in memory before they are written to the table: 10 MB."""


@task(cache_policy=NO_CACHE)
def collect_segments(home: Path, reports: Sequence[dict[str, Any]], settings: Settings) -> Path:
    """Update the table of segments with some reports; return its path.

    Parameters
    ----------
    home : Path
        Path of the home.
    reports : sequence of dict
        Reports of tracks whose features exist.
    settings : Settings
        All settings.

    Raises
    ------
    CorpusError
        If the existing file is not a table of segments.
    """
    corpus = Corpus(home)
    for first in range(0, len(reports), BATCH):
        batch = reports[first : first + BATCH]
        _update_table(
            corpus, [segment_rows(report, read_features(corpus, report["track"]["key"], settings)) for report in batch]
        )
    return corpus.segments_path


def _update_table(corpus: Corpus, rows: Sequence[pa.Table]) -> None:
    with FileLock(corpus.data / ".segments.lock"):
        known = _existing_table(corpus.segments_path)
        table = replaced_rows(known, rows)
        if known is None or not table.equals(known):
            write_table(corpus.segments_path, table)


def _existing_table(path: Path) -> pa.Table | None:
    if not path.exists():
        return None
    try:
        table = read_table(path)
    except CorpusError as error:
        raise CorpusError(_not_a_table(path)) from error
    if not set(FACTS.names) <= set(table.column_names):
        raise CorpusError(_not_a_table(path))
    return table


def _not_a_table(path: Path) -> str:
    return f"{path} is not a table of segments; delete it, then analyze its songs again"

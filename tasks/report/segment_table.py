"""The table of all segments, kept up to date: `data/segments.parquet`.

An analysis replaces the rows of its own songs. The table is written anew for some hundred songs at a time: with
200,000 rows, of 10,000 songs, that takes half a second. Two processes take turns; a reader sees the old table or the
new one.
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
"""Songs whose rows are held in memory before they go into the table: 10 MB."""


@task(cache_policy=NO_CACHE)
def collect_segments(home: Path, reports: Sequence[dict[str, Any]], settings: Settings) -> Path:
    """Bring the table of segments up to date; return where it lies.

    Parameters
    ----------
    home : Path
        The corpus's home.
    reports : sequence of dict
        Reports of tracks whose features stand.
    settings : Settings
        All settings.

    Raises
    ------
    CorpusError
        If the table that stands is none.
    """
    corpus = Corpus(home)
    for first in range(0, len(reports), BATCH):
        batch = reports[first : first + BATCH]
        _put(
            corpus, [segment_rows(report, read_features(corpus, report["track"]["key"], settings)) for report in batch]
        )
    return corpus.segments_path


def _put(corpus: Corpus, rows: Sequence[pa.Table]) -> None:
    with FileLock(corpus.data / ".segments.lock"):
        known = _standing(corpus.segments_path)
        table = replaced_rows(known, rows)
        if known is None or not table.equals(known):
            write_table(corpus.segments_path, table)


def _standing(path: Path) -> pa.Table | None:
    if not path.exists():
        return None
    try:
        table = read_table(path)
    except CorpusError as error:
        raise CorpusError(_mend(path)) from error
    if not set(FACTS.names) <= set(table.column_names):
        raise CorpusError(_mend(path))
    return table


def _mend(path: Path) -> str:
    return f"{path} is no table of segments; delete it, and analyze the songs again that shall be in it"

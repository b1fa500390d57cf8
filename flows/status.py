"""Status: what the corpus holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from songform.corpus import Corpus
from songform.errors import CorpusError

__all__ = ["corpus_status"]


def corpus_status(home: Path) -> list[dict[str, Any]]:
    """Return a summary of every track's record, in order of the titles.

    Raises
    ------
    CorpusError
        If a record cannot be read.
    """
    if home.exists() and not home.is_dir():
        raise CorpusError(f"the home {home} is no folder; name the folder that holds data/ with --home")
    records = sorted(Corpus(home).records(), key=lambda record: (record.title.casefold(), record.key))
    return [record.summary() for record in records]

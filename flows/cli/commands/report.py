"""Report: one page over the songs of the corpus that were analysed."""

from __future__ import annotations

from pathlib import Path

from tasks.report.index_page import Index, write_index
from tasks.report.song_reports import OWN_MODEL
from tasks.train.registry import champion_version, fetch_bundle
from tasks.train.tracking import MODEL_NAME

__all__ = ["report"]


def report(home: Path, model: str | None = None) -> Index:
    """Write the index over the reports of a model.

    It is no flow of Prefect's: it waits for nothing and asks nobody, so it needs no server.

    Parameters
    ----------
    home : Path
        The corpus's home.
    model : str, optional
        MLflow's address of a bundle; else the champion; else what was told of each song by states of its own.

    Raises
    ------
    ModelError
        If there is no such model.
    CorpusError
        If it has told the form of no song yet.
    """
    if model is None and champion_version(home) is None:
        return write_index(home, OWN_MODEL)
    return write_index(home, fetch_bundle.fn(home, model or f"models:/{MODEL_NAME}@champion"))

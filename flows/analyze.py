"""The flow `analyze`: find the form of songs with a trained model.

`flows.steps.analyze_steps` has its steps.
"""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from flows.ingest import ingested
from flows.steps.analyze_steps import AnalyzeReport, analyze_ingested, analyze_sources
from tasks.settings import Settings

__all__ = ["AnalyzeReport", "analyze", "analyze_ingested"]


@flow(name="analyze", flow_run_name="analyze {sources}")
def analyze(
    home: Path,
    sources: list[str],
    settings: Settings = Settings(),  # noqa: B008  frozen, and Prefect's UI shows the defaults
    model: str | None = None,
    out: Path | None = None,
    *,
    limit: int | None = None,
    sonify: bool = False,
) -> AnalyzeReport:
    """Ingest the tracks of some sources, and find the form of each.

    Parameters
    ----------
    home : Path
        Home of the corpus.
    sources : list of str
        Addresses, audio files, folders, or text files with one source per line.
    settings : Settings
        All settings.
    model : str, optional
        MLflow URI of a model, or `pretrained`. By default the champion; without a champion, the model that is shipped
        with songform.
    out : Path, optional
        Folder for the files. By default `data/reports/<model>`.
    limit : int, optional
        Maximum number of tracks per source.
    sonify : bool
        Whether to write an audio file per song in which states, beats and sections can be heard.

    Raises
    ------
    SourceError
        If no source can be listed.
    RunStoppedError
        If no track could be ingested or analyzed, or the model is not available. The error has the outcome of each
        track.
    """
    return analyze_sources(home, sources, settings, model, out, limit=limit, sonify=sonify, ingest=ingested)

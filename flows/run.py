"""The flow `run`: ingest, train and analyze."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from prefect import flow

from flows.analyze import AnalyzeReport, analyze_ingested
from flows.ingest import ingest, report_of
from flows.ingest_report import IngestReport, attach_ingest_report
from flows.train import TrainReport, train
from songform.errors import SourceError
from tasks.settings import Settings

__all__ = ["RunReport", "run"]


@dataclass(frozen=True)
class RunReport:
    """Reports of the three steps."""

    ingested: IngestReport
    trained: TrainReport
    analyzed: AnalyzeReport

    @property
    def notes(self) -> list[str]:
        """Notes of all three steps."""
        return [*self.trained.notes, *self.analyzed.all_notes]

    @property
    def problems(self) -> list[str]:
        """Problems of all three steps."""
        return list(dict.fromkeys([*self.trained.problems, *self.analyzed.all_problems]))


@flow(name="run", flow_run_name="run {sources}")
def run(
    home: Path,
    sources: list[str],
    settings: Settings = Settings(),  # noqa: B008  frozen, and Prefect's UI shows the defaults
    limit: int | None = None,
    experiment: str = "songform",
) -> RunReport:
    """Ingest the tracks of some sources, train on the whole corpus, and analyze these tracks with the new model.

    Parameters
    ----------
    home : Path
        Home of the corpus.
    sources : list of str
        Addresses, audio files, folders, or text files with one source per line.
    settings : Settings
        All settings.
    limit : int, optional
        Maximum number of tracks per source.
    experiment : str
        MLflow experiment in which the training run is recorded.

    Raises
    ------
    SourceError
        If no source can be listed.
    RunStoppedError
        If no track could be ingested, or the training or the analysis failed. The error has the outcome of each track.
    """
    ingested = report_of(ingest(home, sources, settings, limit, verify=True, return_state=True))
    with attach_ingest_report(ingested):
        if not ingested.done:
            raise SourceError("none of these tracks could be ingested, so nothing was trained or analyzed")
        trained = train(home, settings, experiment)
        return RunReport(ingested, trained, analyze_ingested(home, ingested, settings, trained.model_uri))

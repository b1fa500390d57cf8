"""Run: ingest, train and analyze in turn."""

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
    """The reports of the three steps."""

    ingested: IngestReport
    trained: TrainReport
    analyzed: AnalyzeReport

    @property
    def problems(self) -> list[str]:
        """The problems of the ingest and of the analysis; a training has none."""
        return self.analyzed.all_problems


@flow(name="run", flow_run_name="run {sources}")
def run(
    home: Path,
    sources: list[str],
    settings: Settings = Settings(),  # noqa: B008  frozen, and Prefect's UI shows the defaults
    limit: int | None = None,
    experiment: str = "songform",
) -> RunReport:
    """Bring tracks in, train on the whole corpus, and tell the form of each of these tracks by the new model.

    Parameters
    ----------
    home : Path
        The corpus's home.
    sources : list of str
        Addresses, files, folders, lists.
    settings : Settings
        All settings.
    limit : int, optional
        Most tracks of each source.
    experiment : str
        The name under which MLflow groups the run.

    Raises
    ------
    SourceError
        If no source can be listed.
    RunStoppedError
        If no track can be had, or none that can be learned from; with what became of each.
    """
    ingested = report_of(ingest(home, sources, settings, limit, return_state=True))
    with attach_ingest_report(ingested):
        if not ingested.done:
            raise SourceError("not one of these tracks can be had, so nothing was trained or analysed")
        trained = train(home, settings, experiment)
        return RunReport(ingested, trained, analyze_ingested(home, ingested, settings, trained.model_uri))

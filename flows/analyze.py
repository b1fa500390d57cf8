"""Analyze: the form of songs, by a trained model."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from prefect import flow

from flows.ingest import ingest, report_of
from flows.ingest_report import IngestReport, attach_ingest_report
from songform.errors import ModelError, SourceError
from tasks.ingest.sources.listing import problems_message
from tasks.report.segment_table import collect_segments
from tasks.report.song_reports import report_tracks
from tasks.report.sonification import sonify_tracks
from tasks.settings import Settings
from tasks.train.registry import OWN_MODEL, ModelInfo, fetch_bundle
from tasks.train.requested_model import choose_model

__all__ = ["AnalyzeReport", "analyze", "analyze_ingested"]


@dataclass(frozen=True)
class AnalyzeReport:
    """The form of some songs.

    Parameters
    ----------
    ingested : IngestReport
        What became of the sources' tracks.
    reports : list of dict
        A document a track, as written to `<key>.json`, and its `path`; where it was asked for, that of the
        `sonified` song, too.
    model : ModelInfo
        By whose model.
    problems : list of str
        A sentence for each song that could not be analysed while others could, or not be sonified.
    """

    ingested: IngestReport
    reports: list[dict[str, Any]] = field(default_factory=list)
    model: ModelInfo = OWN_MODEL
    problems: list[str] = field(default_factory=list)

    @property
    def all_problems(self) -> list[str]:
        """The problems of the ingest and of the analysis."""
        return [*self.ingested.problems, *self.problems]


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
    """Bring the tracks of some sources in, and tell the form of each.

    Parameters
    ----------
    home : Path
        The corpus's home.
    sources : list of str
        Addresses, files, folders, lists.
    settings : Settings
        All settings.
    model : str, optional
        MLflow's address of a bundle; else the champion; else states are fitted on each song itself.
    out : Path, optional
        Another folder for the files.
    limit : int, optional
        Most tracks of each source.
    sonify : bool
        Write each song with its segments made audible, too.

    Raises
    ------
    SourceError
        If there is no track to analyse.
    RunStoppedError
        If no track could be analysed, or the model is not available; with what became of each track.
    """
    ingested = report_of(ingest(home, sources, settings, limit, return_state=True))
    with attach_ingest_report(ingested):
        report = analyze_ingested(home, ingested, settings, model, out)
    if not sonify:
        return report
    reports, silent = sonify_tracks(home, report.reports, settings)
    return replace(report, reports=reports, problems=[*report.problems, *silent])


def analyze_ingested(
    home: Path, ingested: IngestReport, settings: Settings, model: str | None, out: Path | None = None
) -> AnalyzeReport:
    """Tell the form of the tracks that an ingest brought in; see `analyze`."""
    keys = _keys_at_hand(ingested)
    chosen = choose_model(home, model, fetch=fetch_bundle)
    documents = report_tracks(home, keys, settings, chosen, out=out, n_tracks=len(keys))
    problems = [document["error"] for document in documents if "error" in document]
    reports = [document for document in documents if "error" not in document]
    if not reports:
        raise ModelError(problems_message("none of these tracks could be analysed", problems))
    collect_segments(home, reports, settings)
    return AnalyzeReport(ingested, reports, chosen, problems)


def _keys_at_hand(ingested: IngestReport) -> list[str]:
    """Return the keys of the tracks that an ingest found or brought in; if there is none, every reason is told."""
    keys = [track["key"] for track in ingested.done]
    if not keys:
        reasons = [track["error"]["message"] for track in ingested.tracks if track["error"]] + ingested.problems
        none = "there is no track to analyse; give another SOURCE"
        raise SourceError(problems_message("not one of these tracks can be had", reasons or [none]))
    return keys

"""The steps of an analysis: ingest songs, and find the form of each with a trained model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from flows.config.library_environment import imported_meanwhile
from flows.ingest_report import IngestReport, attach_ingest_report
from flows.steps import report_modules
from flows.steps.ingest_steps import ingest_tracks
from songform.errors import ModelError, SourceError
from tasks.ingest.sources.listing import problems_message
from tasks.recorded_task import in_flow_run
from tasks.settings import Settings
from tasks.store.bundles import OWN_MODEL, ModelInfo

__all__ = ["AnalyzeReport", "analyze_ingested", "analyze_sources"]


@dataclass(frozen=True)
class AnalyzeReport:
    """Result of an analysis.

    Parameters
    ----------
    ingested : IngestReport
        Outcomes of the tracks of the sources.
    reports : list of dict
        One report per analyzed track, as written to `<key>.json`, with its `path`, and with the path of the `sonified`
        song if the songs were sonified.
    model : ModelInfo
        Model that found the form.
    problems : list of str
        One sentence per song that could not be analyzed or sonified.
    notes : list of str
        One sentence per semitone spectrum or table of beats that could not be read, on exports that are missing or
        incomplete, and on why the shipped model could not be used.
    """

    ingested: IngestReport
    reports: list[dict[str, Any]] = field(default_factory=list)
    model: ModelInfo = OWN_MODEL
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def all_notes(self) -> list[str]:
        """Notes of the ingest and of the analysis."""
        return [*self.ingested.notes, *self.notes]

    @property
    def all_problems(self) -> list[str]:
        """Problems of the ingest and of the analysis."""
        return [*self.ingested.problems, *self.problems]


def analyze_sources(
    home: Path,
    sources: list[str],
    settings: Settings,
    model: str | None = None,
    out: Path | None = None,
    *,
    limit: int | None = None,
    sonify: bool = False,
    ingest: Callable[..., IngestReport] = ingest_tracks,
) -> AnalyzeReport:
    """Ingest the tracks of some sources, and find the form of each; see `flows.analyze.analyze`.

    Parameters
    ----------
    home, sources, settings, model, out, limit, sonify
        As for `flows.analyze.analyze`.
    ingest : callable
        Function that ingests the tracks: a flow passes one that runs the flow `ingest`.
    """
    with imported_meanwhile(*report_modules(home)):
        ingested = ingest(home, sources, settings, limit, verify=True)
    with attach_ingest_report(ingested):
        report = analyze_ingested(home, ingested, settings, model, out)
    if not sonify:
        return report
    from tasks.report.sonification import sonify_tracks

    reports, silent = sonify_tracks(home, report.reports, settings)
    return replace(report, reports=reports, problems=[*report.problems, *silent])


def analyze_ingested(
    home: Path, ingested: IngestReport, settings: Settings, model: str | None, out: Path | None = None
) -> AnalyzeReport:
    """Find the form of the tracks of an ingest; see `analyze_sources`."""
    from tasks.models.requested_model import choose_model
    from tasks.report.exports import export_notes
    from tasks.report.report_tracks import report_tracks
    from tasks.report.song_tables import update_song_tables

    keys = _ingested_keys(ingested)
    chosen = choose_model(home, model, settings, fetch=_fetched)
    documents = report_tracks(home, keys, settings, chosen, out=out, n_tracks=len(keys))
    problems = [*chosen.problems, *(document["error"] for document in documents if "error" in document)]
    # A note about fonts is the same for many songs.
    notes = list(dict.fromkeys(note for document in documents for note in document.pop("notes", ())))
    notes = [*chosen.notes, *notes]
    reports = [document for document in documents if "error" not in document]
    if not reports:
        raise ModelError(problems_message("none of these tracks could be analyzed", problems))
    problems += update_song_tables(home, reports, settings)
    notes += export_notes(reports)
    return AnalyzeReport(ingested, reports, chosen, problems, notes)


def _ingested_keys(ingested: IngestReport) -> list[str]:
    """Return the keys of the tracks that have features.

    Raises
    ------
    SourceError
        If there are none. The message lists all reasons.
    """
    keys = [track["key"] for track in ingested.done]
    if not keys:
        reasons = [track["error"]["message"] for track in ingested.tracks if track["error"]] + ingested.problems
        none = "there are no tracks to analyze; give another SOURCE"
        raise SourceError(problems_message("none of these tracks could be ingested", reasons or [none]))
    return keys


def _fetched(home: Path, uri: str) -> ModelInfo:
    """Fetch the bundle of a model; within a flow run, as a task that Prefect records."""
    from tasks.models.registry import fetch_bundle

    return (fetch_bundle if in_flow_run() else fetch_bundle.fn)(home, uri)

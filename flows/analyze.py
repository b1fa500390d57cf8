"""The flow `analyze`: find the form of songs with a trained model."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from prefect import flow

from flows.ingest import ingest, report_of
from flows.ingest_report import IngestReport, attach_ingest_report
from songform.errors import ModelError, SourceError
from tasks.ingest.sources.listing import problems_message
from tasks.models.registry import fetch_bundle
from tasks.models.requested_model import choose_model
from tasks.report.exports import export_notes
from tasks.report.report_tracks import report_tracks
from tasks.report.song_tables import update_song_tables
from tasks.report.sonification import sonify_tracks
from tasks.settings import Settings
from tasks.store.bundles import OWN_MODEL, ModelInfo

__all__ = ["AnalyzeReport", "analyze", "analyze_ingested"]


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
    ingested = report_of(ingest(home, sources, settings, limit, verify=True, return_state=True))
    with attach_ingest_report(ingested):
        report = analyze_ingested(home, ingested, settings, model, out)
    if not sonify:
        return report
    reports, silent = sonify_tracks(home, report.reports, settings)
    return replace(report, reports=reports, problems=[*report.problems, *silent])


def analyze_ingested(
    home: Path, ingested: IngestReport, settings: Settings, model: str | None, out: Path | None = None
) -> AnalyzeReport:
    """Find the form of the tracks of an ingest; see `analyze`."""
    keys = _ingested_keys(ingested)
    chosen = choose_model(home, model, settings, fetch=fetch_bundle)
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

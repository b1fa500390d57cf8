"""The flow `ingest`: from sources to features.

`flows.steps.ingest_steps` has its steps.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from flows.ingest_report import IngestReport, NothingDoneError
from flows.steps import ingest_steps
from tasks.ingest.known_copies import KnownTracks
from tasks.ingest.prefect_artifacts import outcome_counts, publish_links, publish_tracks
from tasks.recorded_task import run_logger
from tasks.settings import Settings
from tasks.store.tracks import Track

__all__ = ["WITH_FAILURES", "IngestReport", "NothingDoneError", "ingest", "ingest_batch", "ingested", "report_of"]

WITH_FAILURES = "Completed with failures"  # name of the state in Prefect's UI


def _run_name() -> str:
    return f"ingest {flow_run.parameters['sources'] or 'due retries'}"


@flow(name="ingest", flow_run_name=_run_name, validate_parameters=True)
def ingest(
    home: Path,
    sources: list[str],
    settings: Settings = Settings(),  # noqa: B008  frozen, and Prefect's UI shows the defaults
    limit: int | None = None,
    retry_failed: bool = False,
    *,
    verify: bool = False,
    upgrade: bool = False,
) -> IngestReport:
    """Add the tracks of some sources to the corpus: download the audio and extract features.

    Parameters
    ----------
    home : Path
        Home of the corpus.
    sources : list of str
        Addresses, audio files, folders, or text files with one source per line. If empty, the failed tracks of the
        corpus whose retry is due are ingested and, for an upgrade, the tracks without a semitone spectrum.
    settings : Settings
        All settings.
    limit : int, optional
        Maximum number of tracks per source.
    retry_failed : bool
        Whether to retry permanent failures as well.
    verify : bool
        Whether to read the tables of finished tracks completely, and to ingest tracks with damaged tables again.
    upgrade : bool
        Whether to ingest finished tracks again that have no semitone spectrum, because an earlier version of songform
        ingested them.

    Returns
    -------
    IngestReport
        Outcomes of the tracks. The state of the run is Completed, Completed with failures, or Failed if no track was
        ingested. `report_of` returns the report for any of these states.

    Raises
    ------
    SourceError
        If no source can be listed.
    NothingDoneError
        If no track was ingested.
    """
    report = ingest_steps.ingest_tracks(
        home, sources, settings, limit, retry_failed, verify=verify, upgrade=upgrade, batch=ingest_batch
    )
    for problem in report.problems:
        run_logger(__name__).warning("%s", problem)
    publish_tracks(report.tracks)
    publish_links(sources)
    return cast("IngestReport", final_state(report))  # Prefect returns the result of this state to the caller


@flow(name="ingest-batch", flow_run_name="ingest {tracks[0].title} and others", validate_parameters=False)
def ingest_batch(
    home: Path, tracks: list[Track], settings: Settings, known: KnownTracks, *, retry_failed: bool, upgrade: bool
) -> list[str]:
    """Download tracks and extract their features; return notes about unusual tracks."""
    return ingest_steps.ingest_batch(home, tracks, settings, known, retry_failed=retry_failed, upgrade=upgrade)


def final_state(report: IngestReport) -> State[IngestReport]:
    """Return the state of an ingest; it is Completed if no source was given and no retry was due."""
    if not report.is_due:
        return Completed(message="no retry is due", data=report)
    message = outcome_counts(report.tracks)
    if report.tracks and not report.done:
        first = next((track["error"]["message"] for track in report.tracks if track["error"]), "")
        return Failed(message=message, data=NothingDoneError(f"no track was ingested ({message}): {first}", report))
    if len(report.done) < len(report.tracks) or report.problems:
        return Completed(name=WITH_FAILURES, message=message, data=report)
    return Completed(message=message, data=report)


def report_of(state: State[IngestReport]) -> IngestReport:
    """Return the report of an ingest from its final state; raise the error if the ingest stopped without a report."""
    result = state.result(raise_on_failure=False)
    if isinstance(result, NothingDoneError):
        return result.report
    if isinstance(result, Exception):
        raise result
    return result


def ingested(
    home: Path, sources: list[str], settings: Settings, limit: int | None = None, **options: bool
) -> IngestReport:
    """Run the flow `ingest`, and return its report, also if no track was ingested."""
    return report_of(ingest(home, sources, settings, limit, return_state=True, **options))

"""Ingest: from sources to features, each track once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.runtime import flow_run
from prefect.states import Completed, Failed, State

from flows.execution.task_runners import cluster_settings
from flows.ingest_alerts import Watch
from flows.ingest_batch import CHUNK, ingest_chunk
from flows.ingest_report import IngestReport, NothingDoneError
from songform.errors import SourceError
from tasks.ingest.artifacts import outcome_counts, publish_links, publish_progress, publish_tracks
from tasks.ingest.failures.retries import retry_options
from tasks.ingest.fetch.host_rate_limiter import interleaved_by_host
from tasks.ingest.fetch_audio import remove_leftover_downloads
from tasks.ingest.ingest_plan import IngestPlan, plan_ingest
from tasks.ingest.list_source import list_source
from tasks.ingest.sources.listing import problems_message, unique_tracks
from tasks.settings import Settings
from tasks.store.corpus import Corpus
from tasks.store.tracks import Track

__all__ = ["WITH_FAILURES", "IngestReport", "NothingDoneError", "ingest", "report_of"]

WITH_FAILURES = "Completed with failures"  # the name of the state in Prefect's UI


@dataclass(frozen=True)
class Listed:
    """What some sources hold, and what is to be said of that."""

    tracks: tuple[Track, ...]
    problems: list[str]
    notes: list[str]


def _run_name() -> str:
    return f"ingest {flow_run.parameters['sources'] or 'what is due'}"


@flow(name="ingest", flow_run_name=_run_name, validate_parameters=True)
def ingest(
    home: Path,
    sources: list[str],
    settings: Settings = Settings(),  # noqa: B008  frozen, and Prefect's UI shows the defaults
    limit: int | None = None,
    retry_failed: bool = False,
) -> State[IngestReport]:
    """Bring the tracks of some sources into the corpus.

    Parameters
    ----------
    home : Path
        The corpus's home.
    sources : list of str
        Addresses, files, folders, lists; none means the tracks of the corpus that failed and are due.
    settings : Settings
        All settings.
    limit : int, optional
        Most tracks of each source.
    retry_failed : bool
        Try again even what failed for good.

    Returns
    -------
    State
        Completed; Completed with failures, under that name; Failed, if no track stands. Its result is the
        `IngestReport`; see `report_of`.

    Raises
    ------
    SourceError
        If no source can be listed.
    NothingDoneError
        If not one track stands.
    """
    Corpus(home).prepare()
    watch = Watch(Corpus(home), settings)
    try:
        listed = list_sources(home, sources, settings, limit, watch)
        tracks = listed.tracks if sources else None
        found = plan_ingest(home, tracks, settings, retry_failed=retry_failed, now=datetime.now(UTC))
        notes = bring_in(home, found, settings, retry_failed=retry_failed)
        summaries = found.summaries(home, settings)
        watch.count(found, summaries)
    except Exception:
        watch.tell()
        raise
    report = IngestReport(summaries, listed.problems, [*listed.notes, *notes, *watch.tell()])
    publish_tracks(report.tracks)
    publish_links(sources)
    return final_state(report, is_asked=bool(sources or found.wanted))


def list_sources(home: Path, sources: list[str], settings: Settings, limit: int | None, watch: Watch) -> Listed:
    """List all sources; one that cannot be listed is a problem, and an error only if there is no other."""
    listing = list_source.with_options(**retry_options(settings.download))
    tracks: list[Track] = []
    problems: list[str] = []
    notes: list[str] = []
    for source in sources:
        try:
            found = listing(home, source, settings, limit)
        except SourceError as error:
            watch.listed[source] = str(error)
            if len(sources) == 1:
                raise
            problems.append(str(error))
        else:
            watch.listed[source] = None
            tracks.extend(found.tracks)
            problems.extend(found.problems)
            notes.extend(found.notes)
    if sources and not tracks:
        none = f"there is no track in {', '.join(sources)}"
        raise SourceError(problems_message("not one of these sources can be listed", problems or [none]))
    return Listed(unique_tracks(tracks), problems, notes)


def bring_in(home: Path, found: IngestPlan, settings: Settings, *, retry_failed: bool) -> list[str]:
    """Bring in what is wanted, a chunk after the other; return what is odd."""
    remove_leftover_downloads(home, found.cached, settings)
    if not found.wanted:
        return []
    wanted, notes = interleaved_by_host(found.wanted), []
    # A single chunk is no flow of its own: that would only be one more thing to click on, and cost a second.
    work = ingest_chunk if len(wanted) > CHUNK else ingest_chunk.fn
    progress = publish_progress(0, len(wanted))
    with cluster_settings(settings) as placed:
        for first in range(0, len(wanted), CHUNK):
            notes += work(home, wanted[first : first + CHUNK], placed, retry_failed)
            publish_progress(min(first + CHUNK, len(wanted)), len(wanted), progress)
    return notes


def final_state(report: IngestReport, *, is_asked: bool = True) -> State[IngestReport]:
    """Return the truth about an ingest; where nothing was asked for and nothing was due, that is no failure."""
    if not is_asked:
        return Completed(message="nothing is due", data=report)
    message = outcome_counts(report.tracks)
    if report.tracks and not report.done:
        first = next((track["error"]["message"] for track in report.tracks if track["error"]), "")
        return Failed(message=message, data=NothingDoneError(f"no track stands ({message}): {first}", report))
    if len(report.done) < len(report.tracks) or report.problems:
        return Completed(name=WITH_FAILURES, message=message, data=report)
    return Completed(message=message, data=report)


def report_of(state: State[Any]) -> IngestReport:
    """Return the report of an ingest, whatever state it ended in; raise what stopped it."""
    result: IngestReport | Exception = state.result(raise_on_failure=False)
    if isinstance(result, NothingDoneError):
        return result.report
    if isinstance(result, Exception):
        raise result
    return result

"""The steps of an ingest: from sources to features.

Tracks are ingested in batches, which are small enough for Prefect's UI and large enough to use all cores. The memory
that Prefect uses per task is released after each batch. Within a batch, tracks that are locked by another process of
this home come last, because most of them are finished by then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from flows.execution.task_runners import cluster_settings, jobs_per_task, results
from flows.ingest_alerts import IngestAlerts
from flows.ingest_report import IngestReport, upgrade_notes
from songform.errors import SourceError, TrackError
from tasks.ingest.extract_tracks import extract_tracks
from tasks.ingest.failures.classify import track_label
from tasks.ingest.failures.retries import retry_options
from tasks.ingest.fetch.download import Download
from tasks.ingest.fetch.host_rate_limiter import interleaved_by_host
from tasks.ingest.fetch_audio import existing_audio, fetch_audio, remove_leftover_downloads
from tasks.ingest.ingest_plan import IngestPlan, plan_ingest
from tasks.ingest.known_copies import KnownTracks, replace_known_copies, set_copies_aside
from tasks.ingest.list_source import list_source
from tasks.ingest.prefect_artifacts import publish_progress
from tasks.ingest.sources.listing import problems_message, unique_tracks
from tasks.ingest.track_locks import locked_tracks
from tasks.ingest.track_outcomes import record_failure
from tasks.process_pool import WorkerLostError
from tasks.settings import Settings
from tasks.store.corpus import Corpus
from tasks.store.tracks import Track

__all__ = ["ingest_batch", "ingest_tracks"]

BATCH_SIZE = 100  # number of tracks


@dataclass(frozen=True)
class Listed:
    """Tracks of some sources, with the problems and notes of the listing."""

    tracks: tuple[Track, ...]
    problems: list[str]
    notes: list[str]


def ingest_batch(
    home: Path, tracks: list[Track], settings: Settings, known: KnownTracks, *, retry_failed: bool, upgrade: bool
) -> list[str]:
    """Download tracks and extract their features; return notes about unusual tracks.

    Each track is locked, so that only one process works on it at a time.
    """
    corpus, keys = Corpus(home), [track.key for track in tracks]
    with locked_tracks(corpus, keys) as ours:
        own = [track for track in tracks if track.key in ours]
        notes = fetch_and_extract(home, own, settings, known, retry_failed=retry_failed, upgrade=upgrade)
    others = [track for track in tracks if track.key not in ours]
    with locked_tracks(corpus, [track.key for track in others], wait=True):
        return notes + fetch_and_extract(home, others, settings, known, retry_failed=retry_failed, upgrade=upgrade)


def ingest_tracks(
    home: Path,
    sources: list[str],
    settings: Settings,
    limit: int | None = None,
    retry_failed: bool = False,
    *,
    verify: bool = False,
    upgrade: bool = False,
    batch: Callable[..., list[str]] = ingest_batch,
) -> IngestReport:
    """Add the tracks of some sources to the corpus; see `flows.ingest.ingest`.

    Parameters
    ----------
    home, sources, settings, limit, retry_failed, verify, upgrade
        As for `flows.ingest.ingest`.
    batch : callable
        Function that ingests each batch, if there are several: a flow passes the flow of a batch.

    Returns
    -------
    IngestReport
        Outcomes of the tracks, also if none of them was ingested.

    Raises
    ------
    SourceError
        If no source can be listed.
    """
    Corpus(home).prepare()
    alerts = IngestAlerts(Corpus(home), settings)
    try:
        listed = list_sources(home, sources, settings, limit, alerts)
        known = KnownTracks(home, settings)
        tracks, copies = replace_known_copies(listed.tracks, known)
        now = datetime.now(UTC)
        found = plan_ingest(
            home,
            tracks if sources else None,
            settings,
            retry_failed=retry_failed,
            verify=verify,
            upgrade=upgrade,
            now=now,
        )
        notes = copies + ingest_in_batches(
            home, found, settings, known, retry_failed=retry_failed, upgrade=upgrade, batch=batch
        )
        summaries = found.summaries(home, settings)
        alerts.count(found, summaries)
    except Exception:
        alerts.send()
        raise
    notes = [*listed.notes, *found.notes, *notes, *upgrade_notes(found.without_spectrum), *alerts.send()]
    return IngestReport(summaries, listed.problems, notes, found.without_spectrum, is_due=bool(sources or found.wanted))


def list_sources(home: Path, sources: list[str], settings: Settings, limit: int | None, alerts: IngestAlerts) -> Listed:
    """List all sources. A source that cannot be listed is a problem, or an error if no source contains a track."""
    listing = list_source.with_options(**retry_options(settings.download))
    tracks: list[Track] = []
    problems: list[str] = []
    notes: list[str] = []
    for source in sources:
        try:
            found = listing(home, source, settings, limit)
        except SourceError as error:
            alerts.listed[source] = str(error)
            if len(sources) == 1:
                raise
            problems.append(str(error))
        else:
            alerts.listed[source] = None
            tracks.extend(found.tracks)
            problems.extend(found.problems)
            notes.extend(found.notes)
    if sources and not tracks:
        none = f"there are no tracks in {', '.join(sources)}"
        raise SourceError(problems_message("none of these sources could be listed", problems or [none]))
    return Listed(unique_tracks(tracks), problems, notes)


def ingest_in_batches(
    home: Path,
    found: IngestPlan,
    settings: Settings,
    known: KnownTracks,
    *,
    retry_failed: bool,
    upgrade: bool,
    batch: Callable[..., list[str]],
) -> list[str]:
    """Ingest the tracks of a plan, one batch after the other; return notes about unusual tracks."""
    remove_leftover_downloads(home, found.cached, settings)
    if not found.wanted:
        return []
    wanted, notes = interleaved_by_host(found.wanted), []
    # A single batch is not a sub-flow, which would take a second and add a level to Prefect's UI.
    work = batch if len(wanted) > BATCH_SIZE else ingest_batch
    progress = publish_progress(0, len(wanted))
    with cluster_settings(settings) as placed:
        for first in range(0, len(wanted), BATCH_SIZE):
            notes += work(
                home, wanted[first : first + BATCH_SIZE], placed, known, retry_failed=retry_failed, upgrade=upgrade
            )
            publish_progress(min(first + BATCH_SIZE, len(wanted)), len(wanted), progress)
    return notes


def fetch_and_extract(
    home: Path, tracks: list[Track], settings: Settings, known: KnownTracks, *, retry_failed: bool, upgrade: bool
) -> list[str]:
    """Download the tracks whose audio is missing, and extract all features; return notes about unusual tracks."""
    # Another process may have ingested some of the tracks since the plan was made.
    now = datetime.now(UTC)
    wanted = plan_ingest(home, tracks, settings, retry_failed=retry_failed, upgrade=upgrade, now=now).wanted
    notes = fetch_tracks(home, wanted, settings)
    fetched = [(track, audio) for track in wanted if (audio := existing_audio(home, track, settings)) is not None]
    distinct = set_copies_aside(fetched, known)
    parts = jobs_per_task(distinct.jobs, settings)
    calls = [
        {"home": home, "jobs": part, "settings": settings, "n_tracks": len(part), "hashes": distinct.hashes}
        for part in parts
    ]
    for part, result in zip(parts, results(extract_tracks, calls, settings), strict=True):
        record_loss(home, [track for track, _ in part], settings, result)
        done = [] if isinstance(result, Exception) else [record for record in result if record.status == "done"]
        known.add(done)
        notes += [f"{track_label(record)}: {note}" for record in done for note in record.notes]
    return notes + distinct.notes


def fetch_tracks(home: Path, tracks: Sequence[Track], settings: Settings) -> list[str]:
    """Download the tracks whose audio is missing; return notes about unusual tracks."""
    fetch = fetch_audio.with_options(**retry_options(settings.download))
    missing = [track for track in tracks if existing_audio(home, track, settings) is None]
    calls = [{"home": home, "track": track, "settings": settings} for track in missing]
    notes: list[str] = []
    for track, result in zip(missing, results(fetch, calls, settings), strict=True):
        record_loss(home, [track], settings, result)
        if isinstance(result, Download):
            notes.extend(result.warnings)
    return notes


def record_loss(home: Path, tracks: Sequence[Track], settings: Settings, result: object) -> None:
    """Record the failure of tracks whose task could not record it, because the worker died.

    Raises
    ------
    Exception
        Exception of the task, if it is a defect or the failure could not be recorded.
    """
    if isinstance(result, WorkerLostError):
        for track in tracks:
            msg = (
                f"{track.title} crashed the workers that processed it, probably because they ran out of memory; "
                "give the workers more memory, and check their logs"
            )
            error = TrackError(msg, "environment")
            record_failure(Corpus(home), track, error, settings=settings.download, attempted=False)
    elif isinstance(result, Exception) and not isinstance(result, TrackError):
        raise result

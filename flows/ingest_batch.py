"""Chunks: a hundred tracks at a time, fetched and extracted.

Few enough to be seen in Prefect's UI, many enough to fill all cores; and what Prefect keeps of each task is let go with
its chunk. Tracks that another process of this home is working on are left for last: mostly they stand by then.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from prefect import flow

from flows.execution.task_runners import batches, results
from songform.errors import TrackError
from tasks.ingest.extract_tracks import extract_tracks
from tasks.ingest.failures.retries import retry_options
from tasks.ingest.fetch.download import Download
from tasks.ingest.fetch_audio import existing_audio, fetch_audio
from tasks.ingest.ingest_plan import plan_ingest
from tasks.ingest.process_pool import WorkerLostError
from tasks.ingest.track_locks import locked_tracks
from tasks.ingest.track_records import record_failure
from tasks.settings import Settings
from tasks.store.corpus import Corpus
from tasks.store.tracks import Track

__all__ = ["CHUNK", "ingest_chunk"]

CHUNK = 100


@flow(name="ingest-chunk", flow_run_name="ingest {tracks[0].title} and others", validate_parameters=False)
def ingest_chunk(home: Path, tracks: list[Track], settings: Settings, retry_failed: bool = False) -> list[str]:
    """Bring tracks in, each by one process at a time; return what is odd about them."""
    corpus, keys = Corpus(home), [track.key for track in tracks]
    with locked_tracks(corpus, keys) as ours:
        notes = _bring_in(home, [track for track in tracks if track.key in ours], settings, retry_failed=retry_failed)
    others = [track for track in tracks if track.key not in ours]
    with locked_tracks(corpus, [track.key for track in others], wait=True):
        return notes + _bring_in(home, others, settings, retry_failed=retry_failed)


def _bring_in(home: Path, tracks: list[Track], settings: Settings, *, retry_failed: bool) -> list[str]:
    """Fetch what must be fetched, then extract all."""
    # What was wanted a while ago may have been brought in by another process since.
    wanted = plan_ingest(home, tracks, settings, retry_failed=retry_failed, now=datetime.now(UTC)).wanted
    notes = _fetch(home, wanted, settings)
    jobs = [(track, audio) for track in wanted if (audio := existing_audio(home, track, settings)) is not None]
    _extract(home, jobs, settings)
    return notes


def _fetch(home: Path, tracks: Sequence[Track], settings: Settings) -> list[str]:
    fetch = fetch_audio.with_options(**retry_options(settings.download))
    missing = [track for track in tracks if existing_audio(home, track, settings) is None]
    calls = [{"home": home, "track": track, "settings": settings} for track in missing]
    notes: list[str] = []
    for track, result in zip(missing, results(fetch, calls, settings), strict=True):
        _record_loss(home, [track], settings, result)
        if isinstance(result, Download):
            notes.extend(result.warnings)
    return notes


def _extract(home: Path, jobs: list[tuple[Track, Path]], settings: Settings) -> None:
    parts = batches(jobs, settings)
    calls = [{"home": home, "jobs": part, "settings": settings, "n_tracks": len(part)} for part in parts]
    for part, result in zip(parts, results(extract_tracks, calls, settings), strict=True):
        _record_loss(home, [track for track, _ in part], settings, result)


def _record_loss(home: Path, tracks: Sequence[Track], settings: Settings, result: object) -> None:
    """Write down what a task could not, because its worker died; a track's failure it has written down itself.

    Raises
    ------
    Exception
        Of the task, if not even the failure could be written down, or by a defect.
    """
    if isinstance(result, WorkerLostError):
        for track in tracks:
            msg = (
                f"{track.title} took down the workers that had it, most often because memory ran out; "
                "give the workers more memory, and look at their logs"
            )
            error = TrackError(msg, "environment")
            record_failure(Corpus(home), track, error, settings=settings.download, attempted=False)
    elif isinstance(result, Exception) and not isinstance(result, TrackError):
        raise result

"""Ingest: from sources to features, each track once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.futures import PrefectFuture, wait
from prefect.task_runners import ThreadPoolTaskRunner

from songform.corpus import Corpus
from songform.errors import SourceError, TrackError
from songform.settings import DownloadSettings, Settings
from songform.sources import Track, TrackRecord
from tasks.features import extract_tracks
from tasks.ingestion import audio_at_hand, failed_tracks, fetch_audio, list_source, wanted_tracks
from tasks.listing import unique_tracks
from tasks.records import unwritten_record

__all__ = ["IngestReport", "ingest", "ingest_chunk"]

CHUNK = 100  # tracks at a time: few enough to be seen in Prefect's UI, many enough to fill all cores


@dataclass(frozen=True)
class IngestReport:
    """What became of the tracks of some sources.

    Parameters
    ----------
    tracks : list of dict
        A summary a track, in the sources' order.
    problems : list of str
        A sentence for each source, or part of one, that could not be listed.
    """

    tracks: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def done(self) -> list[dict[str, Any]]:
        """The tracks whose features stand."""
        return [track for track in self.tracks if track["status"] in ("done", "cached")]


@flow(name="ingest", flow_run_name="ingest {sources}", validate_parameters=True)
def ingest(
    home: Path,
    sources: list[str],
    settings: Settings = Settings(),  # noqa: B008  frozen, and Prefect's UI shows the defaults
    limit: int | None = None,
    retry_failed: bool = False,
) -> IngestReport:
    """Bring the tracks of some sources into the corpus.

    Parameters
    ----------
    home : Path
        The corpus's home.
    sources : list of str
        Addresses, files, folders, lists; none with `retry_failed` means the failed tracks of the corpus.
    settings : Settings
        All settings.
    limit : int, optional
        Most tracks of each source.
    retry_failed : bool
        Try failed tracks again even where nothing is likely to have changed.

    Raises
    ------
    SourceError
        If no source can be listed.
    """
    Corpus(home).prepare()
    tracks, problems = list_sources(sources, settings, limit)
    if retry_failed and not sources:
        tracks = list(failed_tracks(home))
    wanted = wanted_tracks(home, tracks, settings, retry_failed=retry_failed)
    # A single chunk is no flow of its own: that would only be one more thing to click on, and cost a second.
    bring_in = ingest_chunk if len(wanted) > CHUNK else ingest_chunk.fn
    for first in range(0, len(wanted), CHUNK):
        bring_in(home, wanted[first : first + CHUNK], settings)
    return IngestReport(_summaries(home, tracks, {track.key for track in wanted}), problems)


@flow(name="ingest-chunk", flow_run_name="ingest {tracks[0].title} and others", validate_parameters=False)
def ingest_chunk(home: Path, tracks: list[Track], settings: Settings) -> None:
    """Fetch what must be fetched, then extract all on all cores."""
    fetch = fetch_audio.with_options(
        retries=settings.download.attempts - 1, retry_delay_seconds=_pauses(settings.download), retry_jitter_factor=0.5
    )
    with ThreadPoolTaskRunner(max_workers=settings.download.workers) as runner:
        missing = [track for track in tracks if audio_at_hand(home, track, settings) is None]
        fetching = [runner.submit(fetch, {"home": home, "track": track, "settings": settings}) for track in missing]
        _raise_what_is_no_tracks_fault(wait(fetching).done)
    jobs = [(track, audio) for track in tracks if (audio := audio_at_hand(home, track, settings)) is not None]
    if jobs:
        extract_tracks(home, jobs, settings, len(jobs))


def list_sources(sources: list[str], settings: Settings, limit: int | None) -> tuple[list[Track], list[str]]:
    """List all sources; one that cannot be listed is a problem, and an error only if there is no other."""
    tracks: list[Track] = []
    problems: list[str] = []
    for source in sources:
        try:
            listing = list_source(source, settings, limit)
        except SourceError as error:
            if len(sources) == 1:
                raise
            problems.append(str(error))
        else:
            tracks.extend(listing.tracks)
            problems.extend(listing.problems)
    if sources and not tracks:
        raise SourceError(problems[0] if problems else f"there is no track in {', '.join(sources)}")
    return list(unique_tracks(tracks)), problems


def _raise_what_is_no_tracks_fault(fetched: Iterable[PrefectFuture[Path]]) -> None:
    """Raise the first error that is not in a track's record: most often, records cannot be written at all."""
    for future in fetched:
        error = future.state.result(raise_on_failure=False)
        if isinstance(error, Exception) and not isinstance(error, TrackError):
            raise error


def _pauses(settings: DownloadSettings) -> list[float]:
    return [settings.retry_seconds * 2**attempt for attempt in range(settings.attempts - 1)]


def _summaries(home: Path, tracks: list[Track], wanted: set[str]) -> list[dict[str, Any]]:
    """Summarise what became of each track, wanted or left alone."""
    corpus = Corpus(home)
    return [_summary(track, corpus.record(track.key), wanted=track.key in wanted) for track in tracks]


def _summary(track: Track, record: TrackRecord | None, *, wanted: bool) -> dict[str, Any]:
    if record is None:
        message = f"nothing could be written down of {track.title}; make room on the disk, or mend its permissions"
        record = unwritten_record(track, TrackError(message, "environment"))
    if record.status == "failed" or (wanted and record.error):
        return record.summary("failed")
    if wanted:
        return record.summary("done")
    # An older refresh by other settings may have failed; that says nothing of the tables that stand.
    return record.model_copy(update={"error": None}).summary("cached")

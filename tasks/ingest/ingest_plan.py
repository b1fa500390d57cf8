"""Plan of an ingest: which tracks are done, which are ingested now, and which are not retried now.

A track is wanted if its tables do not exist, unless it failed or was skipped and its retry is not due
(`tasks.ingest.failures.retries`). The plan keeps the records, so that finished tracks are summarized without reading
anything a second time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

from songform.errors import TrackError
from tasks.ingest.failures.retries import is_due, needs_manual_retry
from tasks.ingest.known_copies import known_originals
from tasks.ingest.sources.listing import unique_tracks
from tasks.ingest.track_outcomes import unwritten_record
from tasks.settings import Settings
from tasks.store.corpus import Corpus
from tasks.store.tables import features_config, has_feature_tables, has_features
from tasks.store.tracks import Track, TrackRecord

__all__ = ["IngestPlan", "is_wanted", "plan_ingest"]


@dataclass(frozen=True)
class IngestPlan:
    """Tracks of an ingest, grouped by what has to be done.

    Parameters
    ----------
    tracks : tuple of Track
        All tracks without duplicates, in the order of the sources. Each is also in one of the following groups.
    wanted : tuple of Track
        Tracks to ingest now.
    cached : tuple of Track
        Tracks whose tables exist.
    deferred : tuple of Track
        Failed or skipped tracks that are not retried now, or only on request.
    records : dict of TrackRecord
        Records of the tracks that are in the corpus, by key.
    """

    tracks: tuple[Track, ...]
    wanted: tuple[Track, ...]
    cached: tuple[Track, ...]
    deferred: tuple[Track, ...]
    records: Mapping[str, TrackRecord] = field(repr=False)

    def summaries(self, home: Path, settings: Settings) -> list[dict[str, Any]]:
        """Summarize the outcome of each track after the ingest; only the records of wanted tracks are read again.

        A wanted track that turned out to be a copy of a known track is summarized as that track.
        """
        corpus = Corpus(home)
        wanted, cached = ({track.key for track in tracks} for tracks in (self.wanted, self.cached))
        originals = cache(partial(known_originals, corpus))

        def summary(track: Track) -> dict[str, Any]:
            if track.key in wanted:
                record = corpus.record(track.key)
                original = originals().get(track.key) if record is None else None
                return _outcome(track, record, corpus, settings) if original is None else _cached(original)
            record = self.records[track.key]
            if track.key in cached:
                return _cached(record)
            return record.summary("skipped" if record.status == "skipped" else "failed")

        found = [summary(track) for track in self.tracks]
        return list({document["key"]: document for document in found}.values())


def plan_ingest(
    home: Path, tracks: Sequence[Track] | None, settings: Settings, *, retry_failed: bool = False, now: datetime
) -> IngestPlan:
    """Group tracks by what has to be done; every record is read at most once.

    Parameters
    ----------
    home : Path
        Home of the corpus.
    tracks : sequence of Track, optional
        The listed tracks. Default: all tracks of the corpus whose records contain an error.
    settings : Settings
        All settings; they determine the paths of the tables.
    retry_failed : bool
        Whether to retry permanent failures, too. Scheduled retries still wait until they are due.
    now : datetime
        Current time, with its time zone.

    Raises
    ------
    CorpusError
        If a record cannot be read.
    """
    corpus = Corpus(home)
    if tracks is None:
        known = {record.key: record for record in corpus.records() if record.error is not None}
        tracks = tuple(known.values())
    else:
        tracks = unique_tracks(tracks)
        found = ((track.key, corpus.record(track.key)) for track in tracks)
        known = {key: record for key, record in found if record is not None}
    groups: dict[str, list[Track]] = {"wanted": [], "cached": [], "deferred": []}
    config = features_config(settings)
    for track in tracks:
        record = known.get(track.key)
        if has_feature_tables(corpus, record, config):
            groups["cached"].append(track)
        else:
            groups["wanted" if is_wanted(record, now, retry_failed=retry_failed) else "deferred"].append(track)
    return IngestPlan(tuple(tracks), **{name: tuple(group) for name, group in groups.items()}, records=known)


def is_wanted(record: TrackRecord | None, now: datetime, *, retry_failed: bool = False) -> bool:
    """Return whether a track without tables is ingested now: if it did not fail, or if its retry is due."""
    if record is None or record.error is None:
        return True
    return is_due(record, now) or (retry_failed and needs_manual_retry(record))


def _cached(record: TrackRecord) -> dict[str, Any]:
    """Summarize a track whose tables exist."""
    # The error may come from an ingest with other settings; it does not concern the existing tables.
    return record.summary("cached") | {"error": None, "next_retry_at": None}


def _outcome(track: Track, record: TrackRecord | None, corpus: Corpus, settings: Settings) -> dict[str, Any]:
    """Summarize the outcome of a wanted track."""
    if record is None:
        message = (
            f"the outcome of {track.title} could not be recorded; "
            "free some disk space or fix the permissions of the home folder"
        )
        record = unwritten_record(track, TrackError(message, "environment"))
    if record.error is None:
        # A record with neither error nor tables belongs to other settings; it was kept because the host is paused.
        return record.summary("done" if has_features(corpus, record, settings) else "skipped")
    return record.summary("skipped" if record.status == "skipped" else "failed")

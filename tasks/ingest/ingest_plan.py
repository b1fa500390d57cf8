"""The plan of an ingest: which of its tracks are done, which are not retried now, and which are wanted.

A track is wanted if its tables do not exist, unless it failed, or was skipped, and is not due
(`tasks.ingest.failures.retries`). What is found in the records is kept: 5,000 finished tracks are summarised without a
second look at anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from songform.errors import TrackError
from tasks.ingest.failures.retries import is_due, needs_manual_retry
from tasks.ingest.sources.listing import unique_tracks
from tasks.ingest.track_outcomes import unwritten_record
from tasks.settings import Settings
from tasks.store.corpus import Corpus
from tasks.store.tables import features_config, has_feature_tables, has_features
from tasks.store.tracks import Track, TrackRecord

__all__ = ["IngestPlan", "is_wanted", "plan_ingest"]


@dataclass(frozen=True)
class IngestPlan:
    """What an ingest finds of its tracks.

    Parameters
    ----------
    tracks : tuple of Track
        All, each once, in the sources' order. Each is also in one of the next three.
    wanted, cached, deferred : tuple of Track
        To be ingested; those whose tables exist; those that failed and are not retried now, or only on request.
    records : dict of TrackRecord
        What the corpus knew, by key; a track that it did not know is not in it.
    """

    tracks: tuple[Track, ...]
    wanted: tuple[Track, ...]
    cached: tuple[Track, ...]
    deferred: tuple[Track, ...]
    records: Mapping[str, TrackRecord] = field(repr=False)

    def summaries(self, home: Path, settings: Settings) -> list[dict[str, Any]]:
        """Summarise what became of each track, after the wanted ones were worked on; only their records are read."""
        corpus = Corpus(home)
        wanted, cached = ({track.key for track in tracks} for tracks in (self.wanted, self.cached))

        def summary(track: Track) -> dict[str, Any]:
            if track.key in wanted:
                return _outcome(corpus, track, settings)
            record = self.records[track.key]
            if track.key in cached:
                # An older refresh by other settings may have failed; that says nothing of the tables that exist.
                return record.summary("cached") | {"error": None, "next_retry_at": None}
            return record.summary("skipped" if record.status == "skipped" else "failed")

        return [summary(track) for track in self.tracks]


def plan_ingest(
    home: Path, tracks: Sequence[Track] | None, settings: Settings, *, retry_failed: bool = False, now: datetime
) -> IngestPlan:
    """Find out what is to be done; every record is read once at most.

    Parameters
    ----------
    home : Path
        The corpus's home.
    tracks : sequence of Track, optional
        As they were listed; None means all tracks of the corpus whose records tell of a failure.
    settings : Settings
        All settings: they determine the tables.
    retry_failed : bool
        Want those that failed for good, too. What is not due yet is left alone even so.
    now : datetime
        The time, with its zone.

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
    """Return whether a track without tables is wanted: unless its failure lasts, or is to be tried again later."""
    if record is None or record.error is None:
        return True
    return is_due(record, now) or (retry_failed and needs_manual_retry(record))


def _outcome(corpus: Corpus, track: Track, settings: Settings) -> dict[str, Any]:
    """Summarise what became of a wanted track."""
    record = corpus.record(track.key)
    if record is None:
        message = f"nothing could be written down of {track.title}; make room on the disk, or mend its permissions"
        record = unwritten_record(track, TrackError(message, "environment"))
    if record.error is None:
        # Without an error and without tables: its host is paused, and the record of other settings' tables was kept.
        return record.summary("done" if has_features(corpus, record, settings) else "skipped")
    return record.summary("skipped" if record.status == "skipped" else "failed")

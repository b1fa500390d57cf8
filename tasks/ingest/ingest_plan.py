"""Plan of an ingest: which tracks are done, which are ingested now, and which are not retried now.

A track is wanted if its tables do not exist, unless it failed or was skipped and its retry is not due
(`tasks.ingest.failures.retries`). The plan keeps the records, so that finished tracks are summarized without reading
anything a second time. A damaged record or table of a track is renamed, and the track is ingested again.

Earlier versions of songform wrote no semitone spectrum. A track that they ingested is done, and is wanted only if the
upgrade of such tracks is requested.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from songform.errors import TrackError, UnreadableFileError
from tasks.ingest.failures.retries import is_due, needs_manual_retry
from tasks.ingest.known_copies import known_originals
from tasks.ingest.sources.listing import unique_tracks
from tasks.ingest.track_outcomes import unwritten_record
from tasks.settings import Settings
from tasks.store.corpus import Corpus
from tasks.store.damaged_files import set_aside_error
from tasks.store.tables import (
    check_features,
    check_overview,
    check_spectrum,
    features_config,
    has_feature_tables,
    has_features,
    has_spectrum,
    lacks_spectrum,
    lost_spectrum,
    size_errors,
    spectrum_config,
)
from tasks.store.tracks import Track, TrackRecord

__all__ = ["IngestPlan", "is_wanted", "plan_ingest"]

# What happens after a damaged file was renamed, as the end of a sentence.
_AGAIN = "the track is ingested again"
_LATER = "the track is ingested again when its failure is retried"


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
    notes : tuple of str
        One sentence per damaged file.
    without_spectrum : tuple of str
        Keys of the tracks in `cached` that have no semitone spectrum.
    """

    tracks: tuple[Track, ...]
    wanted: tuple[Track, ...]
    cached: tuple[Track, ...]
    deferred: tuple[Track, ...]
    records: Mapping[str, TrackRecord] = field(repr=False)
    notes: tuple[str, ...] = ()
    without_spectrum: tuple[str, ...] = ()

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
    home: Path,
    tracks: Sequence[Track] | None,
    settings: Settings,
    *,
    retry_failed: bool = False,
    verify: bool = False,
    upgrade: bool = False,
    now: datetime,
) -> IngestPlan:
    """Group tracks by what has to be done; every record is read at most once.

    Parameters
    ----------
    home : Path
        Home of the corpus.
    tracks : sequence of Track, optional
        The listed tracks. Default: all tracks of the corpus whose records contain an error and, for an upgrade, those
        without a semitone spectrum.
    settings : Settings
        All settings; they determine the paths of the tables.
    retry_failed : bool
        Whether to retry permanent failures, too. Scheduled retries still wait until they are due.
    verify : bool
        Whether to read the tables of finished tracks completely, and not only their ends, to find damaged ones.
    upgrade : bool
        Whether to ingest finished tracks without a semitone spectrum again.
    now : datetime
        Current time, with its time zone.

    Raises
    ------
    CorpusError
        If a damaged file cannot be renamed.
    """
    corpus, config, spectra = Corpus(home), features_config(settings), spectrum_config(settings)
    known, notes, blocked = (
        _unfinished(corpus, settings, upgrade=upgrade) if tracks is None else _listed(corpus, unique_tracks(tracks))
    )
    tracks = tuple(known.values()) if tracks is None else unique_tracks(tracks)
    groups: dict[str, list[Track]] = {"wanted": [], "cached": [], "deferred": []}
    without: list[str] = []
    for track in tracks:
        record = known.get(track.key)
        is_done = has_feature_tables(corpus, record, config)
        wanted = track.key not in blocked and is_wanted(record, now, retry_failed=retry_failed)
        set_aside = partial(_set_aside_damaged, corpus, record, settings, wanted=wanted, whole=verify)
        damage = set_aside(
            dict(zip(corpus.table_names(config, track.key), (check_features, check_overview), strict=True))
        )
        notes += damage + set_aside({corpus.spectrum_name(spectra, track.key): check_spectrum})
        if record is None or not is_done or damage:
            groups["wanted" if wanted else "deferred"].append(track)
            continue
        is_asked = lost_spectrum(corpus, record, spectra) or (upgrade and not has_spectrum(corpus, record, spectra))
        groups["wanted" if wanted and is_asked else "cached"].append(track)
        if not (wanted and is_asked) and not has_spectrum(corpus, record, spectra):
            without.append(track.key)
    divided = {name: tuple(group) for name, group in groups.items()}
    return IngestPlan(tracks, **divided, records=known, notes=tuple(notes), without_spectrum=tuple(without))


class _Known(NamedTuple):
    """Records by key, one sentence per damaged file, and the keys of the tracks whose records are not accessible."""

    records: dict[str, TrackRecord]
    notes: list[str]
    blocked: set[str]


def _unfinished(corpus: Corpus, settings: Settings, *, upgrade: bool) -> _Known:
    """Return the records that contain an error and, for an upgrade, those of tracks without a semitone spectrum."""
    found = corpus.read_records()
    asked = {record.key for record in found.records if record.error is not None}
    if upgrade:
        asked.update(lacks_spectrum(corpus, found.records, settings))
    return _Known({record.key: record for record in found.records if record.key in asked}, found.problems, set())


def _listed(corpus: Corpus, tracks: Sequence[Track]) -> _Known:
    """Return the records of some tracks; a damaged record is renamed, as if the track were new."""
    known = _Known({}, [], set())
    for track in tracks:
        try:
            record = corpus.record(track.key)
        except UnreadableFileError as error:
            known.notes.append(set_aside_error(error, _AGAIN))
            if error.is_damaged:
                continue
            record = unwritten_record(track, TrackError(str(error), "environment"))
            known.blocked.add(track.key)
        if record is not None:
            known.records[track.key] = record
    return known


def _set_aside_damaged(
    corpus: Corpus,
    record: TrackRecord | None,
    settings: Settings,
    checks: Mapping[str, Callable[..., None]],
    *,
    wanted: bool,
    whole: bool,
) -> list[str]:
    """Rename the damaged tables of a track, given a check for each; return one sentence about each damaged one.

    A missing table is not damaged.
    """
    if record is None:
        return []
    found = size_errors(corpus, record, *checks)
    for name, check in checks.items():
        if corpus.has_files(record, name):
            try:
                check(corpus, record.key, settings, whole=whole)
            except UnreadableFileError as error:
                found.append(error)
    return [set_aside_error(error, _AGAIN if wanted else _LATER) for error in found]


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

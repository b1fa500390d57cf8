"""Tracks whose address has changed, recognized by their content.

A track without an id or a guid is identified by its address. If the publisher changes the address, for example to one
with `?updated=123`, the track is downloaded again under a new key. If the downloaded file has the SHA-256 of the file
from which the features of another downloaded track were extracted, it is the same recording. Then no second track is
made: the new key is added to the `copies` in the record of the known track, and later ingests do not download it again.

An ingest reads the records of the home at most once (`KnownTracks`), and hashes a download once: the extraction uses
the hash that was computed here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from songform.errors import UnreadableFileError
from songform.plain_text import plain_text
from tasks.settings import Settings
from tasks.store.corpus import Corpus
from tasks.store.tables import features_config, has_feature_tables
from tasks.store.tracks import Track, TrackRecord

__all__ = ["Distinct", "KnownTracks", "known_originals", "replace_known_copies", "set_copies_aside"]

MAX_COPIES = 100  # keys per record; some publishers change the address every day
_MAX_NAMED = 5  # copies that a note names

Job = tuple[Track, Path]


class KnownTracks:
    """Tracks of a home by the content of their audio, and by the keys of their copies.

    The records are read once, when they are first needed. What this ingest adds is known from `add` and from
    `set_copies_aside`; what other processes add meanwhile is not known.

    Parameters
    ----------
    home : Path
        Home of the corpus.
    settings : Settings
        All settings; content is known if its features were extracted with the same settings.
    """

    # Prefect stores the attributes of a flow's parameters with each run: here, these would be all records of a home.
    # It stores only the name of a class without a `__dict__`.
    __slots__ = ("_config", "_keys", "_records", "corpus")

    def __init__(self, home: Path, settings: Settings) -> None:
        self.corpus, self._config = Corpus(home), features_config(settings)
        self._records: list[TrackRecord] | None = None
        self._keys: dict[str, str] | None = None

    def originals(self) -> dict[str, TrackRecord]:
        """Return the records of the tracks that have copies, by the keys of the copies."""
        return _by_copies(self._read_once())

    def add(self, records: Iterable[TrackRecord]) -> None:
        """Add the tracks that were just ingested."""
        if self._records is not None:  # otherwise they are read with the other records
            self._keys_by_content().update(self._by_content(records))

    def has_record(self, key: str) -> bool:
        """Return whether a track has a record, even a damaged one, which the plan of the ingest renames."""
        try:
            return self.corpus.record(key) is not None
        except UnreadableFileError:
            return True

    def has_tables(self, key: str) -> bool:
        """Return whether a track has features and an overview."""
        try:
            return has_feature_tables(self.corpus, self.corpus.record(key), self._config)
        except UnreadableFileError:  # as in `with_content`
            return False

    def with_content(self, sha256: str) -> TrackRecord | None:
        """Return the current record of the downloaded track with this content and with tables, or None."""
        key = self._keys_by_content().get(sha256)
        try:
            record = self.corpus.record(key) if key is not None else None
        except UnreadableFileError:  # another program has damaged it during the ingest
            return None
        return record if record is not None and record.audio_sha256 == sha256 and self._is_usable(record) else None

    def _read_once(self) -> list[TrackRecord]:
        if self._records is None:
            self._records = self.corpus.records()
        return self._records

    def _keys_by_content(self) -> dict[str, str]:
        """Return the keys of the tracks by the hashes of their audio; it is computed once."""
        if self._keys is None:
            self._keys = self._by_content(self._read_once())
        return self._keys

    def _by_content(self, records: Iterable[TrackRecord]) -> dict[str, str]:
        return {hashed: record.key for record in records if (hashed := record.audio_sha256) and self._is_usable(record)}

    def _is_usable(self, record: TrackRecord) -> bool:
        return record.path is None and has_feature_tables(self.corpus, record, self._config)


class Distinct(NamedTuple):
    """Downloads that are not copies of known tracks.

    Parameters
    ----------
    jobs : list of (Track, Path)
        Tracks and their audio files.
    hashes : dict of str to str
        SHA-256 of the files that were hashed to find out, by the keys of the tracks.
    notes : list of str
        One sentence that names the copies, or nothing.
    """

    jobs: list[Job]
    hashes: dict[str, str]
    notes: list[str]


def replace_known_copies(tracks: Sequence[Track], known: KnownTracks) -> tuple[tuple[Track, ...], list[str]]:
    """Replace the tracks that earlier ingests recognized as copies by the tracks that they are copies of.

    Parameters
    ----------
    tracks : sequence of Track
        The listed tracks.
    known : KnownTracks
        Tracks of the home.

    Returns
    -------
    tracks : tuple of Track
        The tracks in the same order.
    notes : list of str
        One sentence that names the copies, or nothing.
    """
    if not any(_has_address_key(track) and not known.has_record(track.key) for track in tracks):
        return tuple(tracks), []  # reading all records takes a while, and is rarely needed
    originals = known.originals()
    copies = [(track, originals[track.key]) for track in tracks if track.key in originals]
    keys = {track.key: original.key for track, original in copies}
    return tuple(track.model_copy(update={"key": keys.get(track.key, track.key)}) for track in tracks), _notes(copies)


def known_originals(corpus: Corpus) -> dict[str, TrackRecord]:
    """Return the records of tracks that have copies, by the keys of the copies."""
    return _by_copies(corpus.records())


def set_copies_aside(jobs: Sequence[Job], known: KnownTracks) -> Distinct:
    """Remove downloads that are copies of known tracks, and record the copies.

    Parameters
    ----------
    jobs : sequence of (Track, Path)
        Tracks and their audio files.
    known : KnownTracks
        Tracks of the home.

    Returns
    -------
    Distinct
        The other tracks, in the same order.
    """
    hashes = {track.key: _sha256(audio) for track, audio in jobs if _has_address_key(track)}
    kept, copies = list[Job](), list[tuple[Track, TrackRecord]]()
    for track, audio in jobs:
        original = known.with_content(hashes[track.key]) if track.key in hashes else None
        if original is None or original.key == track.key or known.has_tables(track.key):  # an upgrade of a known track
            kept.append((track, audio))
        else:
            copies.append((track, original))
            _record_copy(known.corpus, track, original)
            audio.unlink(missing_ok=True)
    return Distinct(kept, hashes, _notes(copies))


def _by_copies(records: Iterable[TrackRecord]) -> dict[str, TrackRecord]:
    return {key: record for record in records for key in record.copies}


def _has_address_key(track: Track) -> bool:
    return track.path is None and track.key.startswith("web-")


def _record_copy(corpus: Corpus, track: Track, original: TrackRecord) -> None:
    copies = (*(key for key in original.copies if key != track.key), track.key)
    corpus.save_record(original.model_copy(update={"copies": copies[-MAX_COPIES:]}))
    corpus.record_path(track.key).unlink(missing_ok=True)  # the record of an earlier failure


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _notes(copies: Iterable[tuple[Track, TrackRecord]]) -> list[str]:
    named = [
        f"{plain_text(track.title)} ({plain_text(track.source, 400)}) is a copy of {plain_text(original.title)} "
        f"({plain_text(original.source, 400)})"
        for track, original in copies
    ]
    if not named:
        return []
    more = f"; and {len(named) - _MAX_NAMED} more" if len(named) > _MAX_NAMED else ""
    return [f"tracks with the audio of known tracks are not added again: {'; '.join(named[:_MAX_NAMED])}{more}"]

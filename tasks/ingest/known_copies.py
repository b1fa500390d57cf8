"""Tracks whose address has changed, recognized by their content.

A track without an id or a guid is identified by its address. If the publisher changes the address, for example to one
with `?updated=123`, the track is downloaded again under a new key. If the downloaded file has the SHA-256 of the file
from which the features of another downloaded track were extracted, it is the same recording. Then no second track is
made: the new key is added to the `copies` in the record of the known track, and later ingests do not download it again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from songform.plain_text import plain_text
from tasks.settings import Settings
from tasks.store.corpus import Corpus
from tasks.store.tables import features_config, has_feature_tables
from tasks.store.tracks import Track, TrackRecord

__all__ = ["known_originals", "replace_known_copies", "set_copies_aside"]

MAX_COPIES = 100  # keys per record; some publishers change the address every day
_MAX_NAMED = 5  # copies that a note names

Job = tuple[Track, Path]


def replace_known_copies(home: Path, tracks: Sequence[Track]) -> tuple[tuple[Track, ...], list[str]]:
    """Replace the tracks that earlier ingests recognized as copies by the tracks that they are copies of.

    Parameters
    ----------
    home : Path
        Home of the corpus.
    tracks : sequence of Track
        The listed tracks.

    Returns
    -------
    tracks : tuple of Track
        The tracks in the same order.
    notes : list of str
        One sentence that names the copies, or nothing.
    """
    corpus = Corpus(home)
    if not any(_has_address_key(track) and corpus.record(track.key) is None for track in tracks):
        return tuple(tracks), []  # reading all records takes a while, and is rarely needed
    originals = known_originals(corpus)
    copies = [(track, originals[track.key]) for track in tracks if track.key in originals]
    keys = {track.key: original.key for track, original in copies}
    return tuple(track.model_copy(update={"key": keys.get(track.key, track.key)}) for track in tracks), _notes(copies)


def known_originals(corpus: Corpus) -> dict[str, TrackRecord]:
    """Return the records of tracks that have copies, by the keys of the copies."""
    return {key: record for record in corpus.records() for key in record.copies}


def set_copies_aside(home: Path, jobs: Sequence[Job], settings: Settings) -> tuple[list[Job], list[str]]:
    """Remove downloads that are copies of known tracks, and record the copies.

    Parameters
    ----------
    home : Path
        Home of the corpus.
    jobs : sequence of (Track, Path)
        Tracks and their audio files.
    settings : Settings
        All settings; a track is known if its features were extracted with the same settings.

    Returns
    -------
    jobs : list of (Track, Path)
        The other tracks, in the same order.
    notes : list of str
        One sentence that names the copies, or nothing.
    """
    corpus = Corpus(home)
    doubtful = {track.key: _sha256(audio) for track, audio in jobs if _has_address_key(track)}
    if not doubtful:
        return list(jobs), []
    originals = _by_content(corpus, settings)
    copies = [(track, originals[doubtful[track.key]]) for track, _ in jobs if doubtful.get(track.key) in originals]
    copies = [(track, original) for track, original in copies if track.key != original.key]
    for track, original in copies:
        _record_copy(corpus, track, original.key)
    keys = {track.key for track, _ in copies}
    for track, audio in jobs:
        if track.key in keys:
            audio.unlink(missing_ok=True)
    return [job for job in jobs if job[0].key not in keys], _notes(copies)


def _has_address_key(track: Track) -> bool:
    return track.path is None and track.key.startswith("web-")


def _by_content(corpus: Corpus, settings: Settings) -> dict[str, TrackRecord]:
    config = features_config(settings)
    return {
        record.audio_sha256: record
        for record in corpus.records()
        if record.audio_sha256 and record.path is None and has_feature_tables(corpus, record, config)
    }


def _record_copy(corpus: Corpus, track: Track, original: str) -> None:
    record = corpus.record(original)
    if record is None:
        return
    copies = (*(key for key in record.copies if key != track.key), track.key)
    corpus.save_record(record.model_copy(update={"copies": copies[-MAX_COPIES:]}))
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

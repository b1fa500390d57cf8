"""Lookup of tracks in the corpus by key, by address, by file or by folder.

The lookup does not use the network. Therefore the address of a playlist matches no track, but the address of each of
its tracks does.
"""

from __future__ import annotations

import re
from pathlib import Path

from songform.errors import SourceError, UnreadableFileError
from songform.plain_text import plain_text
from tasks.ingest.sources.local_files import FileHashes, local_listing, local_path
from tasks.store.corpus import Corpus
from tasks.store.tracks import TrackRecord

__all__ = ["find_tracks"]

_KEY = re.compile(r"[a-z0-9_]+-[A-Za-z0-9_-]+")


def find_tracks(
    corpus: Corpus, source: str, problems: list[str] | None = None
) -> list[tuple[TrackRecord, Path | None]]:
    """Return the records of the tracks that a SOURCE refers to, each with its audio file if it is a local file.

    Parameters
    ----------
    corpus : Corpus
        Corpus that is searched.
    source : str
        Key or address of a track, path of an audio file, or path of a folder, for those of its files that are in the
        corpus.
    problems : list of str, optional
        List to which one sentence per record that cannot be read is added.

    Raises
    ------
    SourceError
        If the corpus has no such track.
    UnreadableFileError
        If the record of the only such track cannot be read.
    """
    source = source.strip()
    record = corpus.record(source) if _KEY.fullmatch(source) else None
    if record is not None:
        return [(record, None if record.path is None else Path(record.path))]
    if "://" in source:
        return _by_address(corpus, source, problems)
    path = _path(source)
    hashes = FileHashes(corpus)
    listed = local_listing(path, hashes=hashes).tracks
    errors: list[UnreadableFileError] = []
    tracks: list[tuple[TrackRecord, Path | None]] = []
    for track in listed:
        try:
            record = corpus.record(track.key)
        except UnreadableFileError as error:
            errors.append(error)
        else:
            tracks += [(record, Path(track.path or ""))] if record is not None else []
    if errors and not tracks:
        raise errors[0]
    if problems is not None:
        problems += map(str, errors)
    if not tracks:
        shown = plain_text(path, 400)
        what = f"no song of {shown} is" if path.is_dir() else f"{shown} is not"
        raise SourceError(f"{what} in the corpus; add it with songform ingest")
    hashes.save()
    return tracks


def _path(source: str) -> Path:
    try:
        return local_path(source)
    except SourceError as error:
        if not _KEY.fullmatch(source):
            raise
        msg = f"{source} is neither a file nor the key of a track in the corpus; songform --json status lists the keys"
        raise SourceError(msg) from error


def _by_address(corpus: Corpus, address: str, problems: list[str] | None) -> list[tuple[TrackRecord, Path | None]]:
    known = corpus.read_records()
    if problems is not None:
        problems += known.problems
    for record in known.records:
        if record.source.rstrip("/") == address.rstrip("/"):
            return [(record, None)]
    if known.errors:
        raise known.errors[0]
    msg = (
        f"no track in the corpus has the address {plain_text(address, 400)}; songform --json status lists the "
        "address and the key of each track"
    )
    raise SourceError(msg)

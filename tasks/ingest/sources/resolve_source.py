"""Listing of the tracks of any SOURCE.

A SOURCE is one of

- an http(s) address of a track, a playlist or a podcast feed (`tasks.ingest.sources.playlists`);
- an audio file or a folder (`tasks.ingest.sources.local_files`);
- a list: a text file (.txt, .list, .m3u, .m3u8) with one SOURCE per line. Blank lines and lines that begin with # are
  ignored, and relative paths are relative to the list. A list may contain other lists; each list is read once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from songform.errors import ParameterError, SourceError
from songform.plain_text import plain_text
from tasks.ingest.sources.listing import DuplicateFiles, Listing, unique_tracks
from tasks.ingest.sources.local_files import FileHashes, local_listing, local_path
from tasks.ingest.sources.playlists import web_listing
from tasks.settings import DownloadSettings
from tasks.store.tracks import Track

__all__ = ["list_tracks"]

LIST_SUFFIXES = frozenset({".txt", ".list", ".m3u", ".m3u8"})

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


def list_tracks(
    source: str, *, limit: int | None = None, settings: DownloadSettings, hashes: FileHashes | None = None
) -> Listing:
    """List the tracks of a SOURCE.

    Parameters
    ----------
    source : str
        Address or path, as given by the user.
    limit : int > 0, optional
        Maximum number of tracks to list.
    settings : DownloadSettings
        Settings with timeouts, limits and permissions.
    hashes : FileHashes, optional
        Cache of the hashes of local files. Default: every file is read.

    Returns
    -------
    Listing
        Listing with at least one track. Its `problems` describe lines, files and lists that could not be listed.

    Raises
    ------
    SourceError
        If no track can be listed.
    ParameterError
        If the limit is not positive.
    """
    if limit is not None and limit < 1:
        raise ParameterError(f"limit must be a positive number of tracks, not {limit}; leave it out to list all")
    return _Lister(limit, settings, hashes).listing(source)


@dataclass(frozen=True)
class _Lister:
    """Lister of a source and of the sources in its lists; it reads each list once."""

    limit: int | None
    settings: DownloadSettings
    hashes: FileHashes | None
    lists: set[Path] = field(default_factory=set)

    def listing(self, source: str, folder: Path | None = None) -> Listing:
        source = source.strip()
        if not source:
            raise SourceError("the source is an empty string; give an address, an audio file, a folder or a list")
        scheme = _SCHEME.match(source)
        if scheme and scheme[1].lower() in ("http", "https"):
            return web_listing(source, limit=self.limit, settings=self.settings)
        if scheme:
            raise SourceError(
                f"{plain_text(source, 400)} begins with {scheme[1]}://, which songform does not support; "
                "give an http or https address, or a path"
            )
        path = local_path(source, folder)
        if path.suffix.lower() in LIST_SUFFIXES and path.is_file():
            return self._list_file(path) if path.resolve() not in self.lists else Listing(path.stem, ())
        return local_listing(path, self.limit, self.hashes)

    def _list_file(self, path: Path) -> Listing:
        """List the sources in the lines of a list; a line that fails is a problem and does not affect the others."""
        problems: list[str] = []
        notes: list[str] = []
        duplicates = DuplicateFiles()
        self.lists.add(path.resolve())

        def tracks() -> Iterator[Track]:
            for number, line in _lines(path):
                try:
                    listing = self.listing(line, path.parent)
                except SourceError as error:
                    problems.append(f"{path}, line {number}: {error}")
                else:
                    problems.extend(listing.problems)
                    notes.extend(listing.notes)
                    yield from listing.tracks

        found = unique_tracks(duplicates.observe(tracks()), self.limit)
        notes += duplicates.notes()
        listing = Listing(plain_text(path.stem), found, problems=tuple(problems), notes=tuple(notes))
        return listing.require_tracks(str(path))


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SourceError(f"the list {path} cannot be read ({error.strerror}); check its permissions") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")  # the usual encoding of .m3u files before .m3u8 existed
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line.strip()

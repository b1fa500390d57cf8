"""Listing of the tracks of any SOURCE.

A SOURCE is one of

- an http(s) address of a track, a playlist or a podcast feed (`tasks.ingest.sources.playlists`);
- an audio file or a folder (`tasks.ingest.sources.local_files`);
- a file that is a list or a feed: M3U, PLS, XSPF, OPML, JSON Feed, RSS or Atom (`tasks.ingest.lists`);
- a text file (.txt, .list) with one SOURCE per line. Blank lines and lines that begin with # are ignored.

Relative paths in a file are relative to it. A list may contain other lists; each list is read once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from songform.errors import ParameterError, SourceError, TrackError
from songform.plain_text import plain_text
from tasks.ingest.lists.addresses import is_media_file, is_web_address
from tasks.ingest.lists.documents import ListDocument, ListItem
from tasks.ingest.lists.encoding import decoded
from tasks.ingest.lists.recognize import LIST_SUFFIXES, read_list
from tasks.ingest.sources.list_items import item_track
from tasks.ingest.sources.listing import DuplicateFiles, Listing, unique_tracks
from tasks.ingest.sources.local_files import FileHashes, local_entry, local_listing, local_path
from tasks.ingest.sources.playlists import web_listing
from tasks.settings import DownloadSettings
from tasks.store.tracks import Track

__all__ = ["is_local_file", "list_tracks"]

TEXT_SUFFIXES = frozenset({".txt", ".list"})
MAX_DEPTH = 4  # lists within lists: a text file that names an OPML list that names a feed has three
MAX_LIST_BYTES = 64 * 2**20  # as for a list from the web

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")

Requesting = Callable[[str], AbstractContextManager[None]]
"""Function that returns a context for the requests to an address, such as a rate limiter's slot."""


def is_local_file(source: str) -> bool:
    """Return whether a SOURCE is an existing file that is not a list, so that it can be listed without requests."""
    source = source.strip()
    try:
        path = None if _SCHEME.match(source) else local_path(source)
    except SourceError:
        return False
    return path is not None and path.is_file() and not _is_list(path)


def _is_list(path: Path) -> bool:
    return path.suffix.lower() in TEXT_SUFFIXES | LIST_SUFFIXES


def list_tracks(
    source: str,
    *,
    limit: int | None = None,
    settings: DownloadSettings,
    hashes: FileHashes | None = None,
    requesting: Requesting | None = None,
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
    requesting : callable, optional
        Function that returns a context in which an address is listed. It is not used for the addresses in text files.

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
    return _Lister(limit, settings, hashes, requesting or _at_once).listing(source)


@dataclass(frozen=True)
class _Lister:
    """Lister of a source and of the sources in its lists; it reads each list once."""

    limit: int | None
    settings: DownloadSettings
    hashes: FileHashes | None
    requesting: Requesting
    lists: set[Path | str] = field(default_factory=set)

    def listing(self, source: str, folder: Path | None = None, depth: int = 0) -> Listing:
        """List a SOURCE; `depth` is the number of lists that it is in."""
        source = source.strip()
        if not source:
            raise SourceError("the source is an empty string; give an address, an audio file, a folder or a list")
        if depth > MAX_DEPTH:
            raise SourceError(
                f"{plain_text(source, 400)} is nested in more than {MAX_DEPTH} lists, one inside the other; "
                "give it as a source itself"
            )
        scheme = _SCHEME.match(source)
        if scheme and scheme[1].lower() in ("http", "https"):
            return self._address(source, depth)
        if scheme:
            raise SourceError(
                f"{plain_text(source, 400)} begins with {scheme[1]}://, which songform does not support; "
                "give an http or https address, or a path"
            )
        return self._path(local_path(source, folder), depth)

    def _address(self, url: str, depth: int) -> Listing:
        if not self._is_new(url):
            return Listing(plain_text(url), ())
        with self.requesting(url):
            found = web_listing(url, limit=self.limit, settings=self.settings)
        if not found.sources:
            return found
        inner = ((url, partial(self.listing, address, None, depth + 1)) for address in found.sources)
        return self._collected(found.title, url, [(url, lambda: found), *inner])

    def _path(self, path: Path, depth: int) -> Listing:
        if not _is_list(path) or not path.is_file():
            return local_listing(path, self.limit, self.hashes)
        if not self._is_new(path.resolve()):
            return Listing(path.stem, ())
        return self._text(path, depth) if path.suffix.lower() in TEXT_SUFFIXES else self._document(path, depth)

    def _is_new(self, name: Path | str) -> bool:
        is_new = name not in self.lists
        self.lists.add(name)
        return is_new

    def _text(self, path: Path, depth: int) -> Listing:
        """List the sources in the lines of a text file."""
        lister = replace(self, requesting=_at_once)
        lines = decoded(_content(path)).splitlines()
        sources = ((number, line.strip()) for number, line in enumerate(lines, 1))
        parts = (
            (f"{path}, line {number}", partial(lister.listing, line, path.parent, depth + 1))
            for number, line in sources
            if line and not line.startswith("#")
        )
        return self._collected(plain_text(path.stem), str(path), parts)

    def _document(self, path: Path, depth: int) -> Listing:
        """List the items of a local list or feed."""
        document = _read_document(path)
        title = plain_text(document.title) or plain_text(path.stem)
        parts = (
            (f"{path}, {item.place}", partial(self._item, item, document.key_title, path.parent, depth + 1))
            for item in document.items
        )
        found = self._collected(title, str(path), parts, document.problems)
        return replace(found, notes=(*document.notes, *found.notes))

    def _item(self, item: ListItem, key_title: str, folder: Path, depth: int) -> Listing:
        """List an item of a local list; the address of an audio file needs no request."""
        if is_web_address(item.address) and (is_media_file(item.address) or not item.is_source):
            track = item_track(item, key_title)
            return Listing(track.title, (track,))
        if is_web_address(item.address) or (_SCHEME.match(item.address) and not item.address.startswith("file:")):
            return self.listing(item.address, folder, depth)
        return self._path(local_entry(item.address, folder), depth)

    def _collected(
        self, title: str, source: str, parts: Iterable[tuple[str, Callable[[], Listing]]], problems: Iterable[str] = ()
    ) -> Listing:
        """Return the listing of all parts of a list; a part that fails is a problem and does not affect the others."""
        failed, notes, duplicates = list(problems), list[str](), DuplicateFiles()

        def tracks() -> Iterator[Track]:
            for name, list_part in parts:
                try:
                    listing = list_part()
                except SourceError as error:
                    failed.append(f"{name}: {error}")
                else:
                    failed.extend(listing.problems)
                    notes.extend(listing.notes)
                    yield from listing.tracks

        found = unique_tracks(duplicates.observe(tracks()), self.limit)
        notes += duplicates.notes()
        return Listing(title, found, problems=tuple(failed), notes=tuple(notes)).require_tracks(source)


def _at_once(_: str) -> AbstractContextManager[None]:
    return nullcontext()


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_LIST_BYTES + 1)
    except OSError as error:
        raise SourceError(f"the list {path} cannot be read ({error.strerror}); check its permissions") from error
    if len(content) > MAX_LIST_BYTES:
        raise SourceError(f"{path} is too large for a list: more than {MAX_LIST_BYTES >> 20} MB; check that it is one")
    return content


def _read_document(path: Path) -> ListDocument:
    content = _content(path)
    try:
        document = read_list(content, name=str(path))
    except TrackError as error:
        raise SourceError(str(error)) from error
    if document is not None:
        return document
    shown = plain_text(path, 400)
    if path.suffix.lower() in (".m3u", ".m3u8"):
        msg = f"{shown} is a manifest of an HLS stream, not a list of files; give the address that it came from"
        raise SourceError(msg)
    raise SourceError(f"{shown} is not a list that songform reads (M3U, PLS, XSPF, OPML, JSON Feed, RSS, Atom)")

"""Listing of local audio files: a single file, or all files of a folder and its subfolders.

The key of a local file is the SHA-256 of its content, so a file may be renamed and moved, and a copy of it is the same
track. In a folder, the files that are audio by their suffix or their content (`tasks.ingest.sources.audio_content`) are
listed, and the others are counted in a note. Hidden files and folders are ignored, and links to folders are not
followed.

`FileHashes` caches hashes in `data/local-files.json`: a file with the same path, size and modification time (in ns) is
not read again. For a file that is not audio, the hash is empty. As in git's index [1]_, a file that was modified a
moment ago is not cached, because it may change again without a new modification time. If the cache is damaged or cannot
be written, files are read again.

References
----------
.. [1] "Racy Git", Documentation/technical/racy-git.txt in git's sources.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from songform.errors import SourceError, TrackError
from songform.plain_text import plain_text
from tasks.ingest.sources.audio_content import SkippedFiles, has_audio_suffix, is_audio
from tasks.ingest.sources.listing import DuplicateFiles, Listing, unique_tracks
from tasks.store.atomic_files import write_json
from tasks.store.corpus import Corpus
from tasks.store.tracks import Track, file_key

__all__ = ["FileHashes", "local_entry", "local_listing", "local_path"]

SETTLED_NS = 2_000_000_000  # coarsest resolution of modification times, that of FAT

NO_AUDIO = ""  # in place of the hash of a file that is not audio

_SIMILARITY = 0.75  # minimum ratio of two stems, of which one may be a misspelling of the other

_SHA256 = re.compile(r"([0-9a-f]{64})?")

Entry = tuple[int, int, str]  # size in bytes, modification time in ns, SHA-256 or NO_AUDIO


class FileHashes:
    """SHA-256 hashes of local files, cached between runs.

    Parameters
    ----------
    corpus : Corpus
        Corpus that stores the cache.
    now : callable
        Function that returns the time in ns since 1970; tests replace it.
    """

    def __init__(self, corpus: Corpus, *, now: Callable[[], int] = time.time_ns) -> None:
        self._path, self._now = corpus.data / "local-files.json", now
        self._known = _entries(self._path)
        self._news: dict[str, Entry] = {}

    def sha256(self, path: Path) -> str:
        """Return the SHA-256 of a file's content in hex digits; the content is read only if it may have changed.

        Parameters
        ----------
        path : Path
            Absolute path of the file.

        Raises
        ------
        OSError
            If the file cannot be read.
        """
        known = self._cached(path)
        if known:
            return known
        asked = self._now()
        with path.open("rb") as file:
            before = _stamp(os.fstat(file.fileno()))
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            after = _stamp(os.fstat(file.fileno()))
        if before == after:
            self._remember(path, before, asked, sha256)
        return sha256

    def is_audio(self, path: Path) -> bool:
        """Return whether a file is audio by its content; it is examined only if it may have changed.

        Raises
        ------
        OSError
            If the file cannot be read.
        """
        known = self._cached(path)
        if known is not None:
            return known != NO_AUDIO
        asked, stamp = self._now(), _stamp(path.stat())
        found = is_audio(path)
        if not found:
            self._remember(path, stamp, asked, NO_AUDIO)
        return found

    def _cached(self, path: Path) -> str | None:
        entry = self._known.get(str(path))
        return entry[2] if entry is not None and entry[:2] == _stamp(path.stat()) else None

    def _remember(self, path: Path, stamp: tuple[int, int], asked: int, sha256: str) -> None:
        if stamp[1] <= asked - SETTLED_NS and _is_text(path):
            self._known[str(path)] = self._news[str(path)] = (*stamp, sha256)

    def save(self) -> None:
        """Write the new hashes to the cache, and keep those that other processes have written.

        Hashes of deleted files are removed, unless the whole folder is missing: a disk may be disconnected.
        """
        if not self._news:
            return
        entries = {name: entry for name, entry in {**_entries(self._path), **self._news}.items() if not _is_gone(name)}
        with suppress(OSError):  # the cache is optional; an error that matters is reported when the records are written
            write_json(self._path, entries)
            self._news = {}


def _is_text(path: Path) -> bool:
    """Return whether the name of a file can be written to the cache."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _stamp(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns


def _entries(path: Path) -> dict[str, Entry]:
    """Read the cache, and ignore invalid entries."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    items = document.items() if isinstance(document, dict) else ()
    return {name: (entry[0], entry[1], entry[2]) for name, entry in items if _is_entry(entry)}


def _is_entry(value: Any) -> bool:
    return (
        isinstance(value, list)
        and [type(part) for part in value] == [int, int, str]
        and _SHA256.fullmatch(value[2]) is not None
    )


def _is_gone(name: str) -> bool:
    path = Path(name)
    try:
        return not path.exists() and path.parent.exists()
    except (OSError, ValueError):  # not a valid file name
        return True


def local_path(source: str, folder: Path | None = None) -> Path:
    """Return the absolute path of an existing file or folder.

    Parameters
    ----------
    source : str
        Path; `~` is expanded.
    folder : Path, optional
        Folder to which a relative path refers. Default: the working folder.

    Raises
    ------
    SourceError
        If the path does not exist or cannot be accessed.
    """
    try:
        path = Path(os.path.abspath((folder or Path()) / Path(source).expanduser()))  # noqa: PTH100  resolve() would follow links
    except RuntimeError as error:
        raise SourceError(f"{plain_text(source)} contains an unknown user name after ~; check its spelling") from error
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SourceError(f"{_shown(path)} does not exist; {_hint(source, path)}") from error
    except (OSError, ValueError) as error:
        raise SourceError(_unreadable(path, error)) from error
    return path


def local_entry(entry: str, folder: Path) -> Path:
    """Return the absolute path of an entry of a playlist.

    Players write an entry as a path, as a path with backslashes, as a percent-encoded relative address, or as a `file:`
    address. The first of these that exists is returned.

    Parameters
    ----------
    entry : str
        Entry as written.
    folder : Path
        Folder of the playlist.

    Raises
    ------
    SourceError
        If none exists.
    """
    local = re.sub(r"(?i)^file:(//(localhost)?(?=/))?", "", entry)
    forms = [local, unquote(local)] if local == entry else [unquote(local), local]
    for form in (*forms, *(form.replace("\\", "/") for form in forms)):
        with suppress(SourceError):
            return local_path(form, folder)
    return local_path(local, folder)


def local_listing(path: Path, limit: int | None = None, hashes: FileHashes | None = None) -> Listing:
    """List an audio file, or the audio files of a folder, sorted by path; a note counts the others.

    Parameters
    ----------
    path : Path
        Absolute path, as returned by `local_path`.
    limit : int, optional
        Maximum number of tracks to list; further files are not read.
    hashes : FileHashes, optional
        Cache of hashes, to which new ones are added. Default: every file is read.

    Raises
    ------
    SourceError
        If the file is not audio or cannot be read, or if the folder contains no track.
    """
    if path.is_dir():
        return _folder_listing(path, limit, hashes)
    if not _is_audio_file(path, hashes):
        raise SourceError(
            f"{_shown(path)} is neither a folder, a list (txt, list, m3u, pls, xspf, opml, rss, json) nor a file with "
            "audio that ffmpeg decodes; check it in a player, or convert it"
        )
    track = _track(path, hashes)
    return Listing(track.title, (track,))


def _folder_listing(path: Path, limit: int | None, hashes: FileHashes | None) -> Listing:
    problems: list[str] = []
    duplicates, skipped = DuplicateFiles(), SkippedFiles()
    tracks = unique_tracks(duplicates.observe(_tracks(path, hashes, problems, skipped)), limit)
    notes = (*skipped.notes(_shown(path)), *duplicates.notes())
    listing = Listing(plain_text(path.name) or str(path), tracks, problems=tuple(problems), notes=notes)
    if not tracks and not problems and notes:
        raise SourceError(f"{_shown(path)} contains no tracks: {notes[0]}; check that it is the right source")
    return listing.require_tracks(_shown(path))


def _tracks(folder: Path, hashes: FileHashes | None, problems: list[str], skipped: SkippedFiles) -> Iterator[Track]:
    for path in _files(folder, problems):
        try:
            if has_audio_suffix(path) and _is_special(path):
                problems.append(f"{_shown(path)} is a pipe or a device, not a file; move it out of this folder")
            elif _is_audio_file(path, hashes):
                yield _track(path, hashes)
            else:
                skipped.add(path)
        except SourceError as error:
            problems.append(str(error))


def _is_audio_file(path: Path, hashes: FileHashes | None) -> bool:
    """Return whether a path is listed; a pipe or a device is not, because opening it could block forever."""
    if _is_special(path):
        return False
    if has_audio_suffix(path):
        return True
    try:
        return is_audio(path) if hashes is None else hashes.is_audio(path)
    except (OSError, ValueError):
        return False
    except TrackError as error:
        raise SourceError(f"{_shown(path)} cannot be examined: {error}") from error


def _files(folder: Path, problems: list[str]) -> list[Path]:
    """Return the files of a folder and its subfolders, sorted by path."""
    found: list[Path] = []
    walk = os.walk(folder, onerror=lambda error: problems.append(_unreadable(Path(error.filename), error)))
    for parent, folders, names in walk:
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(parent, name) for name in names if not name.startswith(".")]
    return sorted(found)


def _is_special(path: Path) -> bool:
    return path.exists() and not path.is_file()


def _track(path: Path, hashes: FileHashes | None) -> Track:
    try:
        str(path).encode()
        sha256 = hashes.sha256(path) if hashes is not None else _sha256(path)
    except UnicodeEncodeError as error:
        raise SourceError(f"the name of {_shown(path)} is not valid UTF-8 text; rename the file") from error
    except OSError as error:
        raise SourceError(_unreadable(path, error)) from error
    return Track(key=file_key(sha256), title=plain_text(path.stem) or path.name, source=str(path), path=str(path))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _unreadable(path: Path, error: Exception) -> str:
    reason = getattr(error, "strerror", None) or error
    return f"{_shown(path)} cannot be read ({reason}); check its name and its permissions"


def _hint(source: str, path: Path) -> str:
    """Return a suggestion for a path that does not exist: a file with a similar name, or to add a scheme."""
    try:
        siblings = [sibling.name for sibling in path.parent.iterdir()]
    except OSError:
        siblings = []
    if "\N{REPLACEMENT CHARACTER}" in path.name:  # the command line replaced bytes by it
        return "if its name contains bytes that are not UTF-8 text, rename it"
    similar = _similar_name(path.name, siblings)
    if similar is not None:
        return f"did you mean {_shown(path.with_name(similar))}?"
    if "/" in source and "." in source.split("/", maxsplit=1)[0].strip("."):
        return "check its spelling; if it is an address, begin it with https://"
    return "check its spelling"


def _similar_name(name: str, others: Iterable[str]) -> str | None:
    """Return the name with the most similar stem, because different names often have the same suffix."""
    names = defaultdict(list)
    for other in others:
        names[Path(other).stem.casefold()].append(other)
    stems = difflib.get_close_matches(Path(name).stem.casefold(), sorted(names), n=1, cutoff=_SIMILARITY)
    return difflib.get_close_matches(name, sorted(names[stems[0]]), n=1, cutoff=0.0)[0] if stems else None


def _shown(path: Path) -> str:
    return plain_text(path, 400)

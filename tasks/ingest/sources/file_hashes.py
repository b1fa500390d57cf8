"""Hashes of local files, remembered: only what has changed is read again.

A file is known by its path, its size and the time of its last change, in ns. They lie in `data/local-files.json`
beside the SHA-256 of the content they stood for; git's index knows files in the same way, and takes the same care
[1]_: a file that was changed a moment ago may be changed again within one tick of the file system's clock, so its hash
is not remembered yet.

The index only saves time. One that is spoilt, or cannot be written, is as good as none.

References
----------
.. [1] "Racy Git", Documentation/technical/racy-git.txt in git's sources.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tasks.store.atomic_files import write_json
from tasks.store.corpus import Corpus

__all__ = ["FileHashes"]

SETTLED_NS = 2_000_000_000  # the longest tick of a file system's clock: FAT's

_SHA256 = re.compile(r"[0-9a-f]{64}")

Entry = tuple[int, int, str]  # size in bytes, time of the last change in ns, SHA-256


class FileHashes:
    """The SHA-256 of local files, remembered from one run to the next.

    Parameters
    ----------
    corpus : Corpus
        In which they are remembered.
    now : callable
        The clock, in ns since 1970; tests have their own.
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
            Absolute.

        Raises
        ------
        OSError
            If the file cannot be read.
        """
        size, changed = _stamp(path.stat())
        entry = self._known.get(str(path))
        if entry is not None and entry[:2] == (size, changed):
            return entry[2]
        asked = self._now()
        with path.open("rb") as file:
            before = _stamp(os.fstat(file.fileno()))
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            after = _stamp(os.fstat(file.fileno()))
        if before == after and before[1] <= asked - SETTLED_NS:
            self._known[str(path)] = self._news[str(path)] = (*before, sha256)
        return sha256

    def save(self) -> None:
        """Remember what was hashed, beside what other processes have remembered meanwhile.

        Files that are gone are forgotten; but not those of a whole folder that is gone, for a disk may come back.
        """
        if not self._news:
            return
        entries = {name: entry for name, entry in {**_entries(self._path), **self._news}.items() if not _is_gone(name)}
        with suppress(OSError):  # whatever keeps it from being written will be said by what has to be
            write_json(self._path, entries)
            self._news = {}


def _stamp(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns


def _entries(path: Path) -> dict[str, Entry]:
    """Read an index, without whatever in it makes no sense."""
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
    except (OSError, ValueError):  # a name that no file can have
        return True

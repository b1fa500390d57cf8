"""Damaged files of a home: they are renamed and kept, and the next command that needs them makes them again.

A damaged file or folder `<name>` becomes `<name>.damaged-1` in the same folder, or `.damaged-2` if that exists, and so
on. No other code of songform opens files with such names, and songform never deletes them.
"""

from __future__ import annotations

import errno
import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path

from songform.errors import CorpusError, UnreadableFileError

__all__ = ["is_content_fault", "set_aside", "set_aside_error", "set_aside_files"]

_NAME = re.compile(r".+\.damaged-\d+", re.DOTALL)
_CONTENT_FAULTS = (None, errno.EISDIR, errno.EINVAL)  # libraries report invalid content as an OSError without a number


def is_content_fault(error: Exception) -> bool:
    """Return whether the content of a file is the cause of an error, and not, for example, its permissions."""
    if isinstance(error, OSError):
        return error.errno in _CONTENT_FAULTS
    return not isinstance(error, MemoryError)


def set_aside(path: Path) -> Path:
    """Rename a damaged file or folder, and return its new path.

    Raises
    ------
    CorpusError
        If it cannot be renamed.
    """
    free = next(other for other in _other_names(path) if not os.path.lexists(other))
    try:
        return path.rename(free)
    except FileNotFoundError:  # another process has renamed it
        return free
    except OSError as error:
        msg = (
            f"{path} is damaged and cannot be renamed ({error.strerror or error}); "
            "fix the permissions of its folder, or move the file away"
        )
        raise CorpusError(msg) from error


def set_aside_error(error: UnreadableFileError, what_next: str) -> str:
    """Rename the damaged file of an error, and return one sentence about it.

    Parameters
    ----------
    error : UnreadableFileError
        The error. If the content of the file is not the cause, the file is not renamed.
    what_next : str
        What happens next or what the user has to do, as the end of a sentence.
    """
    if not error.is_damaged:
        return str(error)
    reason = str(error).rpartition("; ")[0]
    return f"{reason}; it was renamed to {set_aside(error.path).name}, and {what_next}"


def set_aside_files(folder: Path) -> list[Path]:
    """Return the damaged files and folders that were renamed in a folder and its subfolders, sorted by path."""
    found: list[Path] = []
    for place, folders, names in os.walk(folder):
        aside = [name for name in (*folders, *names) if _NAME.fullmatch(name)]
        folders[:] = [name for name in folders if name not in aside]
        found += (Path(place, name) for name in aside)
    return sorted(found)


def _other_names(path: Path) -> Iterator[Path]:
    return (path.with_name(f"{path.name}.damaged-{number}") for number in itertools.count(1))

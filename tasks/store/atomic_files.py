"""Atomic writes, and removal of stale temporary files.

A file is written under a temporary name in the folder of its target, flushed to disk and then renamed. After a power
failure, the folder holds the old file, the new file or neither, but never a partial one.

A temporary name contains the process id and the machine id: ``.<target>.<process>-<machine>.<word>.tmp``. Several
machines may share a home, and a process id is only meaningful on its own machine. Files left by a process of this
machine are removed once that process has ended. Files left by another machine are removed when they are two days old,
because no write of songform takes that long. Ages are measured by the clock of the disk, which may belong to another
machine: the modification time of a newly created file is the current time.

The machine id is a hash of the host name, the system's id from its installation, and the process namespace (each
container numbers its own processes). None of these changes on a restart.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import re
import secrets
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

__all__ = [
    "atomic_path",
    "machine",
    "moved",
    "remove_partial_files",
    "remove_stale_temporaries",
    "target_path",
    "temporary_path",
    "write_json",
]

MAX_AGE_SECONDS = 2 * 86_400.0  # of temporary files of other machines

_NAME = re.compile(r"\..*\.(\d{1,20})(?:-([0-9a-f]{8}))?\.[^.]*\.tmp", re.DOTALL)
_SYSTEM_ID = Path("/etc/machine-id")  # systemd's, unchanged by restarts; see machine-id(5)
_PROCESSES = Path("/proc/self/ns/pid")  # Linux; see pid_namespaces(7)


@cache
def machine() -> str:
    """Return the id of this machine and its process namespace: eight hex digits."""
    known = [socket.gethostname(), "", ""]
    with suppress(OSError):
        known[1] = _SYSTEM_ID.read_text(encoding="utf-8").strip()
    with suppress(OSError):
        known[2] = str(_PROCESSES.stat().st_ino)
    return hashlib.sha256("\n".join(known).encode()).hexdigest()[:8]


def temporary_path(target: Path, word: str | None = None) -> Path:
    """Return a temporary path in the folder of a target.

    Parameters
    ----------
    target : Path
        Path of the file or folder that the temporary one will be renamed to.
    word : str, optional
        Last part of the name, without dots. Within one process, the same word gives the same path. By default the word
        is random, so that each call returns a new path.
    """
    return target.with_name(f".{target.name}.{os.getpid()}-{machine()}.{word or secrets.token_hex(4)}.tmp")


def target_path(path: Path) -> Path:
    """Return a path in which each temporary name is replaced by the name of its target, to show it to a person."""
    found = [(name, _NAME.fullmatch(name)) for name in path.parts]
    return Path(*(match.string[1 : match.start(1) - 1] if match else name for name, match in found))


def remove_stale_temporaries(folder: Path, *, now: float) -> None:
    """Remove the temporary files and folders that no process uses anymore.

    Parameters
    ----------
    folder : Path
        Folder to search, with all its subfolders. Other processes may write and remove files in it meanwhile.
    now : float
        Current time by the clock of the disk, in seconds since 1970: the modification time of a new file.
    """
    for path in list(_temporaries(folder)):
        if _is_stale(path, now):
            shutil.rmtree(path, ignore_errors=True)  # does nothing if the path is a file or has been removed
            with suppress(OSError):
                path.unlink()


def remove_partial_files(folder: Path, stem: str) -> None:
    """Remove the temporary files that ended processes of this machine left in a folder.

    Parameters
    ----------
    folder : Path
        Folder of the files; its subfolders are not searched.
    stem : str
        Names of the files up to their first dot.
    """
    for path in folder.glob(f".{glob.escape(stem)}.*.tmp"):
        if _is_stale(path, now=0.0):  # by this time, no file of another machine is old enough
            path.unlink(missing_ok=True)


def _temporaries(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):  # skips folders that are removed meanwhile
        found = [name for name in (*folders, *files) if name.startswith(".") and name.endswith(".tmp")]
        folders[:] = [name for name in folders if name not in found]
        yield from (Path(place, name) for name in found)


def _is_stale(path: Path, now: float) -> bool:
    owner = _NAME.fullmatch(path.name)
    if owner is None:
        return True
    process, of_machine = owner.groups()
    if of_machine not in (None, machine()):
        return _latest_change(path) < now - MAX_AGE_SECONDS
    return not _is_alive(int(process))


def _latest_change(path: Path) -> float:
    """Return the latest modification time of a file, or of a folder and its files, in seconds since 1970."""
    places = [path, *(Path(place, name) for place, _, files in os.walk(path) for name in files)]
    latest = 0.0
    for place in places:
        with suppress(OSError):
            latest = max(latest, place.lstat().st_mtime)
    return latest


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Write a file atomically: yield a temporary path, and rename it to the target when the `with` block ends.

    The file is flushed to disk before it is renamed, and the folder afterward. If the block raises, the temporary file
    is removed and the target stays as it was.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_path(target)
    try:
        yield temporary
        _fsync(temporary)
        os.replace(temporary, target)  # noqa: PTH105  the call that POSIX defines as atomic
        _fsync(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


def moved(source: Path, target: Path) -> Path:
    """Move a file within one disk, flush the move to disk, and return the target."""
    target.parent.mkdir(parents=True, exist_ok=True)
    _fsync(source)
    os.replace(source, target)  # noqa: PTH105  as above
    _fsync(target.parent)
    return target


def write_json(path: Path, value: Any) -> None:
    """Write a JSON document atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

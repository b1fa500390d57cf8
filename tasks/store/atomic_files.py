"""Files that are written whole or not at all.

A file is written beside its target under a temporary name, flushed to disk and renamed: after a power cut there is the
old file, the new one, or none, but never half of one.

The temporary name contains the process and the machine: ``.<target>.<process>-<machine>.<word>.tmp``. The number of a
process has a meaning on its own machine only, and several machines may share a home. So files left by a process of this
machine are removed as soon as that process has ended, and files left by another machine when they are two days old:
nothing that songform writes takes that long. Ages are measured by the clock of the disk, which may be that of another
machine: a file that has just been created there is the reference.

A machine is identified by its name, by the id that its system was given when it was installed, and by its process
namespace, because each container counts its own processes. None of these changes on a restart.
"""

from __future__ import annotations

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

__all__ = ["atomic_path", "machine", "moved", "remove_stale_temporaries", "temporary_path", "write_json"]

MAX_AGE_SECONDS = 2 * 86_400.0  # for what another machine has begun

_NAME = re.compile(r"\..*\.(\d{1,20})(?:-([0-9a-f]{8}))?\.[^.]*\.tmp", re.DOTALL)
_SYSTEM_ID = Path("/etc/machine-id")  # systemd's, the same from one start to the next; see machine-id(5)
_PROCESSES = Path("/proc/self/ns/pid")  # Linux; see pid_namespaces(7)


@cache
def machine() -> str:
    """Return eight hex digits that stand for this machine, as far as processes are concerned."""
    known = [socket.gethostname(), "", ""]
    with suppress(OSError):
        known[1] = _SYSTEM_ID.read_text(encoding="utf-8").strip()
    with suppress(OSError):
        known[2] = str(_PROCESSES.stat().st_ino)
    return hashlib.sha256("\n".join(known).encode()).hexdigest()[:8]


def temporary_path(target: Path, word: str | None = None) -> Path:
    """Return a path beside a target for what will become it.

    Parameters
    ----------
    target : Path
        The file or folder.
    word : str, optional
        What is done, without dots: the path is the same for all of this process. Left out, it is never the same again.
    """
    return target.with_name(f".{target.name}.{os.getpid()}-{machine()}.{word or secrets.token_hex(4)}.tmp")


def remove_stale_temporaries(folder: Path, *, now: float) -> None:
    """Remove the temporary files and folders below a folder that nobody works on.

    Parameters
    ----------
    folder : Path
        It is looked through as a whole, while others may write and remove there.
    now : float
        The time of the disk, in s since 1970: that of a file which has just been made there.
    """
    for path in list(_temporaries(folder)):
        if _is_left(path, now):
            shutil.rmtree(path, ignore_errors=True)  # says nothing of a file, nor of what is gone already
            with suppress(OSError):
                path.unlink()


def _temporaries(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):  # what vanishes meanwhile is passed over
        found = [name for name in (*folders, *files) if name.startswith(".") and name.endswith(".tmp")]
        folders[:] = [name for name in folders if name not in found]
        yield from (Path(place, name) for name in found)


def _is_left(path: Path, now: float) -> bool:
    owner = _NAME.fullmatch(path.name)
    if owner is None:
        return True
    process, of_machine = owner.groups()
    if of_machine not in (None, machine()):
        return _latest_change(path) < now - MAX_AGE_SECONDS
    return not _is_alive(int(process))


def _latest_change(path: Path) -> float:
    """Return when a file, or anything in a folder, was changed last, in s since 1970."""
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
    """Give a temporary path beside the target; rename it to the target when the block ends well.

    The file is flushed to disk before the rename, and the folder after it. If the block raises, nothing is left.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_path(target)
    try:
        yield temporary
        _fsync(temporary)
        os.replace(temporary, target)  # noqa: PTH105  the call whose atomicity POSIX promises, by its own name
        _fsync(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


def moved(source: Path, target: Path) -> Path:
    """Move a file within one disk so that it is there even after a power cut; return the target."""
    target.parent.mkdir(parents=True, exist_ok=True)
    _fsync(source)
    os.replace(source, target)  # noqa: PTH105  as above
    _fsync(target.parent)
    return target


def write_json(path: Path, value: Any) -> None:
    """Write a JSON document whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

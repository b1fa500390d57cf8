"""Temporaries: hidden names for what is not finished yet, and the removal of what nobody will ever finish.

A name tells who is at work: ``.<target>.<process>-<machine>.<word>.tmp``. The number of a process means something on
its own machine alone, and a home may be shared by several. So what a process of this machine has left is removed as
soon as there is no such process, and what another machine has left only when it is two days old: nothing that songform
writes takes that long.

A machine is known by its name, by the id that its system was given when it was installed, and by the space in which its
processes are counted, for each container counts its own. None of these changes when it is started anew.

How old a file is, is told by the clock of the disk that it lies on, which may be another machine's: a file that has
just been made is the measure.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import socket
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["machine", "remove_stale_temporaries", "temporary_path"]

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

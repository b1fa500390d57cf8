"""Files that are written whole or not at all.

A file is written beside its target, flushed to disk and renamed: after a power cut there is the old file, the new one,
or none, but never half of one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tasks.store.temp_files import temporary_path

__all__ = ["atomic_path", "moved", "write_json"]


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

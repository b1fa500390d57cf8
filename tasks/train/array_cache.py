"""Disk cache of arrays that several steps of one training run use; it is removed when the run ends.

The arrays are not kept in memory, because a corpus may have thousands of tracks. Large arrays are mapped into memory:
the parts of them that are used are read when they are used.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.store.atomic_files import temporary_path
from tasks.store.corpus import Corpus
from tasks.train.training_plan import Plan

__all__ = ["ArrayCache", "array_folder"]

Arrays = Mapping[str, NDArray[Any]]

_LEAST_MAPPED = 1 << 16  # bytes; each mapped array needs an open file, so smaller arrays are read


@contextmanager
def array_folder(home: Path, plan: Plan) -> Iterator[Path]:
    """Create a folder for the arrays of one training run, and remove it when the `with` block ends.

    The folder lies next to the bundle and has a temporary name. If the process is killed, the next command removes it.
    """
    folder = temporary_path(Corpus(home).bundle_path(plan.bundle_id), "arrays")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class ArrayCache:
    """Cache of named groups of arrays; each group is a folder with one `.npy` file per array.

    Parameters
    ----------
    folder : Path, optional
        Folder from `array_folder`. Without a folder, nothing is cached.
    """

    folder: Path | None = None

    def get(self, name: str, compute: Callable[[], Arrays]) -> Arrays:
        """Return the cached arrays of this name, or compute and cache them. Cached arrays may be read-only."""
        path = self.folder / name if self.folder else None
        if path and path.is_dir():
            return _read(path)
        arrays = compute()
        return _read(path) if path and _save(path, arrays) else arrays


def _read(path: Path) -> Arrays:
    return {file.stem: _array(file) for file in sorted(path.iterdir())}


def _array(file: Path) -> NDArray[Any]:
    mode: Any = "r" if file.stat().st_size >= _LEAST_MAPPED else None
    array: NDArray[Any] = np.load(file, mmap_mode=mode, allow_pickle=False)
    return array.view(np.ndarray)


def _save(path: Path, arrays: Arrays) -> bool:
    """Write the arrays atomically. If the disk is full, nothing is cached, and the return value is false."""
    unfinished = path.with_name(f"{path.name}.tmp")
    try:
        unfinished.mkdir()
        for name, array in arrays.items():
            np.save(unfinished / f"{name}.npy", array, allow_pickle=False)
        unfinished.rename(path)
    except OSError:
        shutil.rmtree(unfinished, ignore_errors=True)
        return False
    return True

"""Disk cache of arrays that several steps of one training run use; it is removed when the run ends.

The arrays are not kept in memory, because a corpus may have thousands of tracks. Those of one track are read when they
are needed.
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
    """Cache of named groups of arrays.

    Parameters
    ----------
    folder : Path, optional
        Folder from `array_folder`. Without a folder, nothing is cached.
    """

    folder: Path | None = None

    def get(self, name: str, compute: Callable[[], Arrays]) -> Arrays:
        """Return the cached arrays of this name, or compute and cache them."""
        path = self.folder / f"{name}.npz" if self.folder else None
        if path and path.is_file():
            with np.load(path, allow_pickle=False) as archive:
                return {key: archive[key] for key in archive.files}
        arrays = compute()
        if path:
            _save(path, arrays)
        return arrays


def _save(path: Path, arrays: Arrays) -> None:
    """Write the arrays atomically. If the disk is full, nothing is cached."""
    unfinished = path.with_suffix(".tmp")
    try:
        with unfinished.open("wb") as file:
            named: dict[str, Any] = dict(arrays)
            np.savez(file, **named)
        unfinished.rename(path)
    except OSError:
        unfinished.unlink(missing_ok=True)

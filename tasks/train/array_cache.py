"""Arrays that several steps of one training need: computed once, and kept on disk until it ends.

A corpus may have thousands of tracks, so the arrays are not kept in memory: one track's are read when they are needed.
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
    """Create a folder for the arrays of one training, and remove it when the block ends.

    It lies beside the bundle, under a temporary name: if the process is killed, the next command removes it.
    """
    folder = temporary_path(Corpus(home).bundle_path(plan.bundle_id), "arrays")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class ArrayCache:
    """Named groups of arrays in a folder.

    Parameters
    ----------
    folder : Path, optional
        From `array_folder`. Without a folder, nothing is kept.
    """

    folder: Path | None = None

    def get(self, name: str, compute: Callable[[], Arrays]) -> Arrays:
        """Return the arrays of this name: those on disk, else the computed ones, which are then kept."""
        path = self.folder / f"{name}.npz" if self.folder else None
        if path and path.is_file():
            with np.load(path, allow_pickle=False) as archive:
                return {key: archive[key] for key in archive.files}
        arrays = compute()
        if path:
            _save(path, arrays)
        return arrays


def _save(path: Path, arrays: Arrays) -> None:
    """Write the arrays whole or not at all; without room on the disk, they are computed again when needed."""
    unfinished = path.with_suffix(".tmp")
    try:
        with unfinished.open("wb") as file:
            named: dict[str, Any] = dict(arrays)
            np.savez(file, **named)
        unfinished.rename(path)
    except OSError:
        unfinished.unlink(missing_ok=True)

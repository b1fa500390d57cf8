"""Bundles of a home: detection of damage, and the most recent bundle."""

from __future__ import annotations

import json
from pathlib import Path

from songform.bundle import Bundle
from songform.errors import ModelError, first_line
from tasks.store.corpus import Corpus
from tasks.store.damaged_files import set_aside, set_aside_files

__all__ = ["bundle_fault", "is_lost", "newest_bundle", "set_aside_bundle"]

_RECORDS = ("training.json", "judgement.json")  # written by a training next to the files of `songform.bundle`


def bundle_fault(folder: Path) -> str | None:
    """Return what is wrong with the folder of a bundle, or None if it can be loaded or does not exist."""
    if not folder.exists():
        return None
    try:
        Bundle.verify(folder)
        for path in (folder / name for name in _RECORDS):
            if path.exists() and not isinstance(json.loads(path.read_text(encoding="utf-8")), dict):
                return f"{path.name} is not a JSON object"
    except ModelError as error:
        return first_line(error)
    except (OSError, ValueError, RecursionError) as error:
        return f"{path.name} cannot be read: {first_line(error)}"
    return None


def set_aside_bundle(folder: Path) -> list[str]:
    """Rename the folder of a bundle if it is damaged; return one sentence about it, or nothing."""
    fault = bundle_fault(folder)
    if fault is None:
        return []
    return [f"the model {folder} is damaged ({fault}); it was renamed to {set_aside(folder).name}"]


def is_lost(folder: Path) -> bool:
    """Return whether a bundle was damaged and has not been restored."""
    return not folder.exists() and any(path.name.startswith(folder.name) for path in set_aside_files(folder.parent))


def newest_bundle(corpus: Corpus) -> str | None:
    """Return the id of the most recent bundle that can be loaded, or None if there is none."""
    found = sorted(
        corpus.bundle_path("").glob("*/bundle.json"), key=lambda path: (path.stat().st_mtime, path), reverse=True
    )
    folders = (path.parent for path in found if "." not in path.parent.name)  # not temporary and not damaged
    return next((folder.name for folder in folders if bundle_fault(folder) is None), None)

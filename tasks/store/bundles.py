"""Bundles of a home: address and ids, detection of damage, and the most recent bundle."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from songform.bundle import Bundle
from songform.errors import ModelError, first_line
from tasks.store.corpus import Corpus
from tasks.store.damaged_files import set_aside, set_aside_files

__all__ = ["OWN_MODEL", "ModelInfo", "bundle_fault", "is_lost", "newest_bundle", "set_aside_bundle"]

_RECORDS = ("training.json", "judgement.json")  # written by a training next to the files of `songform.bundle`


@dataclass(frozen=True)
class ModelInfo:
    """Address and ids of a model.

    Parameters
    ----------
    uri : str
        MLflow address of the model, with its version instead of an alias, because aliases move. Empty for states fitted
        on the song itself.
    model_id : str
        Id of the bundle, which names the folder of the model's reports.
    run_id : str or None
        Id of the run that trained it, if any.
    is_champion : bool
        Whether it was the champion when this object was created.
    problems : tuple of str
        One sentence per damaged file that was found when the model was looked up.
    """

    uri: str
    model_id: str
    run_id: str | None
    is_champion: bool
    problems: tuple[str, ...] = field(default=(), compare=False)

    @property
    def name(self) -> str:
        """Name of the model on pages: its address, and the id of its bundle, which several versions may share."""
        return f"{self.uri} ({self.model_id})" if self.uri else "states fitted per song"


OWN_MODEL = ModelInfo("", "own", None, False)
"""Placeholder for states that are fitted on the song itself, if no model has been trained yet."""


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

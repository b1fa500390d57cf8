"""Bundles of a home: address and ids, detection of damage, the shipped bundle, and the most recent one."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from songform.bundle import Bundle
from songform.errors import ModelError, first_line
from songform.pretrained import PRETRAINED_FOLDER, pretrained_id
from tasks.settings import Settings
from tasks.store.atomic_files import temporary_path
from tasks.store.corpus import Corpus
from tasks.store.damaged_files import set_aside, set_aside_files

__all__ = [
    "OWN_MODEL",
    "PRETRAINED",
    "ModelInfo",
    "bundle_fault",
    "is_lost",
    "is_pretrained",
    "keep_pretrained",
    "newest_bundle",
    "other_setting",
    "set_aside_bundle",
    "write_bundle_folder",
]

PRETRAINED = "pretrained"
"""Address of the model that is shipped with songform, for `--model`."""

_RECORDS = ("training.json", "judgement.json")  # written by a training next to the files of `songform.bundle`


@dataclass(frozen=True)
class ModelInfo:
    """Address and ids of a model.

    Parameters
    ----------
    uri : str
        MLflow address of the model, with its version instead of an alias, because aliases move. Empty for states fitted
        on the song itself, and for the shipped model unless it was found in MLflow's registry.
    model_id : str
        Id of the bundle, which names the folder of the model's reports.
    run_id : str or None
        Id of the run that trained it, if any.
    is_champion : bool
        Whether it was the champion when this object was created.
    problems : tuple of str
        One sentence per damaged file that was found when the model was looked up.
    notes : tuple of str
        One sentence on why another model than usual was chosen.
    """

    uri: str
    model_id: str
    run_id: str | None
    is_champion: bool
    problems: tuple[str, ...] = field(default=(), compare=False)
    notes: tuple[str, ...] = field(default=(), compare=False)

    @property
    def is_pretrained(self) -> bool:
        """Whether this is a model that was shipped with songform."""
        return is_pretrained(self.model_id)

    @property
    def name(self) -> str:
        """Name of the model on pages: its address, and the id of its bundle, which several versions may share."""
        if self.uri:
            return f"{self.uri} ({self.model_id})"
        return f"the model shipped with songform ({self.model_id})" if self.is_pretrained else "states fitted per song"

    @property
    def address(self) -> str:
        """Value of `--model` that selects this model; empty for states that are fitted on the song itself."""
        return self.uri or (PRETRAINED if self.is_pretrained else "")


OWN_MODEL = ModelInfo("", "own", None, False)
"""Placeholder for states that are fitted on the song itself, if no model can be used with the settings."""


def is_pretrained(model_id: str) -> bool:
    """Return whether the id of a bundle is that of a model that was shipped with songform."""
    return model_id.startswith(f"{PRETRAINED}-")


def keep_pretrained(corpus: Corpus) -> tuple[Path, list[str]]:
    """Copy the shipped model to the bundles of a home, so that its reports stay reproducible after an upgrade.

    Returns
    -------
    folder : Path
        Folder of the copy.
    problems : list of str
        One sentence if an earlier copy was damaged.
    """
    folder = corpus.bundle_path(pretrained_id())
    problems = [f"{problem}, and copied again" for problem in set_aside_bundle(folder)]
    if not folder.exists():
        with write_bundle_folder(folder, replace=False) as temporary:
            for path in sorted(PRETRAINED_FOLDER.iterdir()):
                if path.suffix in (".json", ".npz"):
                    shutil.copyfile(path, temporary / path.name)
    return folder, problems


@contextmanager
def write_bundle_folder(folder: Path, *, replace: bool = True) -> Iterator[Path]:
    """Write the folder of a bundle atomically: yield a temporary folder, which replaces it after the `with` block.

    With `replace=False`, a folder that another process has written meanwhile is kept.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_path(folder, "bundle")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir()
        yield temporary
        for path in [*temporary.iterdir(), temporary]:
            descriptor = os.open(path, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)
        if (
            replace and folder.exists()
        ):  # renamed before it is removed, because a partly removed bundle would count as complete
            shutil.rmtree(folder.rename(temporary.with_suffix(".old.tmp")), ignore_errors=True)
        try:
            temporary.rename(folder)
        except OSError:  # the folder exists
            if replace or not folder.exists():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def other_setting(bundle: Bundle, settings: Settings) -> tuple[str, Any, Any] | None:
    """Return the first setting of frames or features that a bundle was not trained with.

    Returns
    -------
    tuple of str, object and object, or None
        Name of the setting, its value in training, and its present value; None if all are the same.
    """
    for section in ("frames", "features"):
        for name, value in settings.model_dump(mode="json")[section].items():
            trained = bundle.settings.get(section, {}).get(name, value)
            if trained != value:
                return f"{section}.{name}", trained, value
    return None


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
    """Return the id of the most recent trained bundle that can be loaded, or None if there is none."""
    found = sorted(
        corpus.bundle_path("").glob("*/bundle.json"), key=lambda path: (path.stat().st_mtime, path), reverse=True
    )
    folders = (path.parent for path in found if "." not in path.parent.name)  # not temporary and not damaged
    folders = (folder for folder in folders if not is_pretrained(folder.name))
    return next((folder.name for folder in folders if bundle_fault(folder) is None), None)

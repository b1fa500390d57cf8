"""The model that is shipped with songform, so that the first song needs no training.

The folder of this module is the folder of a bundle (`songform.bundle`): the model that analyzes songs. The folder
`lstm` contains another bundle, from whose network trainings with the default settings start. `card.json` describes the
songs that both were trained on, the command that made them, and their scores.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from songform.bundle import Bundle

__all__ = ["PRETRAINED_FILES", "PRETRAINED_FOLDER", "START_FOLDER", "pretrained_bundle", "pretrained_id"]

PRETRAINED_FOLDER = Path(__file__).parent
"""Folder of the model that analyzes songs."""
START_FOLDER = PRETRAINED_FOLDER / "lstm"
"""Folder of the model from whose network trainings with the default settings start."""
PRETRAINED_FILES = ("bundle.json", "states.npz", "sequence.npz", "network.npz")
"""Files of the bundle; those of the network are absent if the model consists of clusters alone."""


def pretrained_bundle(*, network: bool = True) -> Bundle:
    """Return the shipped model.

    Parameters
    ----------
    network : bool
        Whether to load its network, if it has one.

    Examples
    --------
    >>> pretrained_bundle().states.states
    ('Calm', 'BuildUp', 'Energetic', 'Transition', 'Repetitive')
    """
    return Bundle.load(PRETRAINED_FOLDER, network=network)


def pretrained_id() -> str:
    """Return the id of the shipped model: `pretrained-`, and eight hex digits that depend on its files."""
    found = hashlib.sha256()
    for folder in (PRETRAINED_FOLDER, START_FOLDER):
        for name in PRETRAINED_FILES:
            path = folder / name
            if path.is_file():
                found.update(name.encode() + b"\0" + path.read_bytes())
    return f"pretrained-{found.hexdigest()[:8]}"

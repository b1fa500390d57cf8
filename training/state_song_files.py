"""Files of composed songs, so that songs that were played once need not be played again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.state_songs import INPUTS, StateSong

__all__ = ["kept_songs"]


def kept_songs(path: Path, make: Callable[[], Iterable[StateSong]]) -> list[StateSong]:
    """Read songs from a file; if there is none, make them and write it."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp.npz")
        np.savez(temporary, **_arrays(list(make())))
        temporary.rename(path)
    with np.load(path, allow_pickle=False) as arrays:
        return _songs(dict(arrays))


def _arrays(songs: Sequence[StateSong]) -> dict[str, NDArray[Any]]:
    about = [{"name": song.name, "family": song.family, "contrast": song.contrast} for song in songs]
    columns = {name: np.concatenate([song.inputs[name] for song in songs]) for name in INPUTS}
    return {
        **columns,
        "about": np.array(json.dumps(about)),
        "lengths": np.array([len(song.truth) for song in songs]),
        "vectors": np.concatenate([song.vectors for song in songs]),
        "truth": np.concatenate([song.truth for song in songs]),
    }


def _songs(arrays: dict[str, NDArray[Any]]) -> list[StateSong]:
    edges = np.cumsum(arrays["lengths"])[:-1]
    parts = {name: np.split(arrays[name], edges) for name in (*INPUTS, "vectors", "truth")}
    return [
        StateSong(
            **about,
            inputs={name: parts[name][number] for name in INPUTS},
            vectors=parts["vectors"][number],
            truth=parts["truth"][number],
        )
        for number, about in enumerate(json.loads(str(arrays["about"])))
    ]

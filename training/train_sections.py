"""Training of the boundary networks: `python -m training.train_sections FOLDER ... [--home HOME] [--held-out N]`.

The folder has songs and the sections that people heard in them (see `training.labeled_songs`). Without ``--held-out``,
the networks are trained on all songs and written to ``songform/sections/``. With it, every N-th song is kept apart,
nothing is written, and the scores of these songs are printed. Several renderings of a song must have the same name up
to the first hyphen; they are kept apart together.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from songform.beats.beat_tracking import find_beats
from songform.errors import SongformError
from songform.learning.temporal_network import ensemble_arrays
from songform.learning.temporal_training import Example, TrainingPlan, fit_temporal_network
from songform.sections import section_finding
from songform.sections.repetition import RepetitionModel
from songform.sections.section_finding import BoundaryModel, standardized
from training.labeled_songs import labeled_songs, split_by_composition
from training.repetition_examples import trained_repetition
from training.section_examples import BarSong, bar_song
from training.section_scores import print_section_scores

__all__ = ["bar_songs", "main", "trained_model"]

SEED = 20_261_130
N_NETWORKS = 3
EPOCHS = 28
PLAN = TrainingPlan(width=48, kernel_size=3, dropout=0.3, crop=160)
NETWORK = Path(section_finding.__file__).with_name("boundary_network.npz")


def main(arguments: Sequence[str] | None = None) -> None:
    """Train the networks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER", help="songs and labels, or a home")
    parser.add_argument("--home", type=Path, default=Path("build/training"), help="home for the tables of the songs")
    parser.add_argument("--held-out", type=int, default=0, metavar="N", help="keep every N-th song apart")
    options = parser.parse_args(arguments)
    if options.held_out and options.held_out < 2:
        parser.error("--held-out must be at least 2; with 1, no song is left to train on")
    try:
        songs = list(bar_songs(options.folders, options.home))
    except SongformError as error:
        parser.exit(1, f"{error}\n")
    if not songs:
        parser.exit(1, "these folders have no song of at least 16 bars with a file SONG.lab beside it\n")
    if options.held_out:
        train, test = split_by_composition(songs, options.held_out)
        if not train:
            parser.exit(1, "these folders have only one song, and with --held-out none is left to train on\n")
        model, _ = trained_model(train)
        repetition = RepetitionModel.from_arrays(trained_repetition(train, model, seed=SEED))
        print_section_scores(test, model, repetition)
    else:
        model, arrays = trained_model(songs)
        _write(arrays, trained_repetition(songs, model, seed=SEED), n_songs=len(songs))


def bar_songs(folders: Sequence[Path], home: Path) -> Iterator[BarSong]:
    """Yield the songs of some folders that people labeled and that have sections."""
    for song in labeled_songs(folders, home):
        bars = bar_song(song, find_beats(song.features, song.overview, song.spectrum)) if song.people else None
        if bars is not None:
            yield bars


def trained_model(
    songs: Sequence[BarSong], *, epochs: int = EPOCHS, seed: int = SEED, n_networks: int = N_NETWORKS
) -> tuple[BoundaryModel, dict[str, NDArray[Any]]]:
    """Train the networks on songs.

    Returns
    -------
    model : BoundaryModel
        The networks, with weights of 16 bits.
    arrays : dict
        Their weights, for `np.savez`.
    """
    everything = np.concatenate([song.features for song in songs])
    arrays = {"center": everything.mean(axis=0), "scale": everything.std(axis=0) + np.float32(1e-6)}
    examples = [_example(song, arrays["center"], arrays["scale"]) for song in songs]
    n_steps = max(1, epochs * len(songs) // PLAN.batch_size)
    members = []
    for number in range(n_networks):
        network = fit_temporal_network(examples, replace(PLAN, n_steps=n_steps, seed=seed + number))
        members.append(network.get_weights())
        print(f"network {number + 1} of {n_networks} is trained", flush=True)
    arrays |= ensemble_arrays(members, PLAN.dilations)
    return BoundaryModel.from_arrays(arrays), arrays


def _example(song: BarSong, center: NDArray[np.float32], scale: NDArray[np.float32]) -> Example:
    """Return the example of a song; boundaries count twice, because they are rare."""
    targets = song.targets.astype(np.float32)
    weights = 1 + targets
    weights[[0, -1]] = 0
    return Example(standardized(song.features, center, scale), targets[:, None], weights)


def _write(boundaries: dict[str, NDArray[Any]], repetition: dict[str, NDArray[Any]], *, n_songs: int) -> None:
    """Write the networks, and what they were trained on."""
    np.savez_compressed(NETWORK, **boundaries)
    np.savez_compressed(NETWORK.with_name("repetition_network.npz"), **repetition)
    about = {
        "command": "make train-sections CORPUS=FOLDER",
        "songs": n_songs,
        "networks": N_NETWORKS,
        "epochs": EPOCHS,
        "seed": SEED,
        "weights": sum(array.size for array in (*boundaries.values(), *repetition.values())),
    }
    NETWORK.with_suffix(".json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

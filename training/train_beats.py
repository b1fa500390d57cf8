"""Training of the beat network: `python -m training.train_beats FOLDER ... [--home HOME] [--held-out N]`.

The folder has songs in 4/4 or 3/4 with their beats (see `training.labeled_songs`); click tracks and composed songs are
added. Without ``--held-out``, the network is trained on all songs and written to ``songform/beats/``. With it, every
N-th song is kept apart, nothing is written, and the scores of these songs are printed.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from songform.beats import beat_tracking
from songform.errors import SongformError
from songform.learning.temporal_network import Ensemble, ensemble_arrays
from songform.learning.temporal_training import TrainingPlan, fit_temporal_network
from training.beat_examples import TatumSong, beat_example, tatum_song, triplet_example, waltz_example
from training.beat_scores import print_beat_scores
from training.click_tracks import click_tracks, composed_songs
from training.labeled_songs import LabeledSong, labeled_songs, split_by_composition

__all__ = ["main", "trained_network"]

SEED = 20_261_130
N_CLICK_TRACKS, N_COMPOSED = 800, 200
N_NETWORKS = 1
PLAN = TrainingPlan()
EPOCHS = 10
SONG_SHARE = 2.0  # how often an example of a song of the folder is chosen, relative to the others
FAST_SONG_SHARE, FAST = 5.0, 108.0  # the same for songs of more beats per minute, which are rare in corpora of ballads
OTHER_SHARE = 3.0  # the same for click tracks and composed songs: clicks must not become beats of half the tempo
_VERSIONS = (waltz_example, triplet_example)
NETWORK = Path(beat_tracking.__file__).with_name("beat_network.npz")


def main(arguments: Sequence[str] | None = None) -> None:
    """Train the network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER", help="songs and labels, or a home")
    parser.add_argument("--home", type=Path, default=Path("build/training"), help="home for the tables of the songs")
    parser.add_argument("--held-out", type=int, default=0, metavar="N", help="keep every N-th song apart")
    options = parser.parse_args(arguments)
    if options.held_out == 1:
        parser.error("--held-out must be at least 2; with 1, no song is left to train on")
    try:
        songs = _tatums(labeled_songs(options.folders, options.home))
    except SongformError as error:
        parser.exit(1, f"{error}\n")
    if not songs:
        parser.exit(1, "these folders have no song with a regular beat and a file SONG.beats beside it\n")
    others = [*_tatums(click_tracks(N_CLICK_TRACKS, SEED)), *_tatums(composed_songs(N_COMPOSED, SEED))]
    if options.held_out:
        train, test = split_by_composition(songs, options.held_out)
        train_others, test_others = split_by_composition(others, options.held_out)
        print_beat_scores([*test, *test_others], trained_network(train, train_others)[0])
    else:
        _write(trained_network(songs, others)[1], n_songs=len(songs), n_others=len(others))


def _tatums(songs: Iterable[LabeledSong]) -> list[TatumSong]:
    return [found for song in songs if (found := tatum_song(song)) is not None]


def trained_network(
    songs: Sequence[TatumSong],
    others: Sequence[TatumSong],
    *,
    epochs: int = EPOCHS,
    seed: int = SEED,
    n_networks: int = N_NETWORKS,
) -> tuple[Ensemble, dict[str, NDArray[Any]]]:
    """Train on songs, on their versions in 3/4 and with triplets, and on other songs.

    Returns
    -------
    network : Ensemble
        The networks, with weights of 16 bits.
    arrays : dict
        Their weights, for `np.savez`.
    """
    versions = [make(song, 2 + number % 3) for make in _VERSIONS for number, song in enumerate(songs)]
    made = [version for version in versions if version is not None]
    examples = [*map(beat_example, [*songs, *others]), *made]
    shares = [*map(_song_share, songs)] + [OTHER_SHARE] * len(others) + [1.0] * len(made)
    plan = replace(PLAN, n_steps=max(1, int(epochs * sum(shares) / PLAN.batch_size)))
    members = []
    for number in range(n_networks):
        network = fit_temporal_network(
            examples,
            replace(plan, seed=seed + number),
            shares=shares,
            on_step=_printed_step,
        )
        members.append(network.get_weights())
    arrays = ensemble_arrays(members, plan.dilations)
    return Ensemble.from_arrays(arrays), arrays


def _song_share(song: TatumSong) -> float:
    """Return how often a song is chosen: slow and fast songs should be equally hard to mistake for each other."""
    beats_per_minute = 60 / float(np.median(np.diff(song.beats.times)))
    return FAST_SONG_SHARE if beats_per_minute > FAST else SONG_SHARE


def _printed_step(step: int, loss: float) -> None:
    if step % 200 == 0:
        print(f"step {step}: loss {loss:.3f}", flush=True)


def _write(arrays: dict[str, NDArray[Any]], *, n_songs: int, n_others: int) -> None:
    """Write the network, and what it was trained on."""
    np.savez_compressed(NETWORK, **arrays)
    about = {
        "command": "make train-beats CORPUS=FOLDER",
        "songs": n_songs,
        "click_tracks": N_CLICK_TRACKS,
        "composed_songs": N_COMPOSED,
        "without_pulse": N_CLICK_TRACKS + N_COMPOSED - n_others,
        "networks": N_NETWORKS,
        "epochs": EPOCHS,
        "seed": SEED,
        "weights": sum(array.size for array in arrays.values()),
    }
    NETWORK.with_suffix(".json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

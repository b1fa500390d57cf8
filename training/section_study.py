"""What the boundary networks need: `python -m training.section_study FOLDER ... [--home HOME] [--held-out N]`.

Prints the scores on every N-th song for networks that were trained on fewer songs, and for networks without some of
their inputs. Each row is one network, so that differences of less than 0.02 mean nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from songform.sections.repetition import RepetitionModel
from songform.sections.section_finding import BarSimilarity
from training.labeled_songs import split_by_composition
from training.repetition_examples import trained_repetition
from training.section_examples import BarSong
from training.section_scores import MEASURES, section_scores
from training.train_sections import SEED, bar_songs, trained_model

__all__ = ["main"]

SIZES = (25, 50, 100, 200, 400)
POSITION = slice(49, 57)  # columns of the position in the song, and of the position in units of 2, 4 and 8 bars


def main(arguments: Sequence[str] | None = None) -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER", help="songs and labels, or a home")
    parser.add_argument("--home", type=Path, default=Path("build/training"), help="home for the tables of the songs")
    parser.add_argument("--held-out", type=int, default=6, metavar="N", help="score every N-th song")
    options = parser.parse_args(arguments)
    if options.held_out < 2:
        parser.error("--held-out must be at least 2; with 1, no song is left to train on")
    train, test = split_by_composition(list(bar_songs(options.folders, options.home)), options.held_out)
    if not train:
        parser.exit(1, "these folders must have at least two songs of 16 bars with a file SONG.lab beside each\n")
    order = np.random.default_rng(0).permutation(len(train))
    print(f"{len(test)} songs are scored.")
    print("\n| trained on | F at 0.5 s | F at 3 s | pairwise F | V |\n|---|--:|--:|--:|--:|")
    for size in sorted({min(size, len(train)) for size in SIZES}):
        chosen = [train[number] for number in order[:size]]
        _print_row(f"{size} songs", chosen, test)
    for name, variant in VARIANTS.items():
        _print_row(f"{len(chosen)} songs, {name}", [variant(song) for song in chosen], [variant(song) for song in test])


def _print_row(name: str, train: Sequence[BarSong], test: Sequence[BarSong]) -> None:
    epochs = max(30, 30 * 200 // len(train))  # fewer songs are seen more often
    model, _ = trained_model(train, epochs=epochs, n_networks=1)
    repetition = RepetitionModel.from_arrays(trained_repetition(train, model, seed=SEED))
    scores = [section_scores(song, model(song.features), repetition)["songform"] for song in test]
    means = (np.mean([score[measure] for score in scores]) for measure in MEASURES)
    print(f"| {name} | {' | '.join(f'{mean:.3f}' for mean in means)} |", flush=True)


def _with_similarity(song: BarSong, name: str) -> BarSong:
    """Return a song whose boundaries are found from one kind of similarity only; the letters still use both."""
    matrix = getattr(song.similarity, name)
    features = BarSimilarity(song.similarity.bars, matrix, matrix).boundary_features()
    return replace(song, features=features)


def _without_position(song: BarSong) -> BarSong:
    features = song.features.copy()
    features[:, POSITION] = 0
    return replace(song, features=features)


VARIANTS: dict[str, Callable[[BarSong], BarSong]] = {
    "timbre only": lambda song: _with_similarity(song, "timbre"),
    "harmony only": lambda song: _with_similarity(song, "harmony"),
    "without the position in the song": _without_position,
}


if __name__ == "__main__":
    main()

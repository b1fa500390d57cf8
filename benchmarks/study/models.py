"""Study of networks, baselines and adapted models on true states: `make study-models`; docs/models.md has the results.

    python -m benchmarks.study.models [--home FOLDER] [--seeds N]

Every model is scored on songs whose sounds it was not trained on: all songs of one family of sounds are left out
(`training.state_songs`), each family in turn. The songs of the tests are played for this study alone. They are kept in
the folder, like those of `make pretrained`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, log_loss
from sklearn.neighbors import NearestCentroid

from songform.learning.calibration import expected_calibration_error, tempered
from songform.structure.naming import STATES
from songform.structure.states import StateModel, fit_states, state_sequence
from training.pretrained_model import (
    Choice,
    Recipe,
    chosen,
    cluster_probabilities,
    fitted_states,
    input_scaler,
    joined,
    network_inputs,
    path_f1,
    sequence_probabilities,
    trained_sequence,
)
from training.state_songs import FAMILIES, StateSong
from training.train_pretrained import RECIPE, TEST_SEED, TEST_SONGS, even_songs, training_songs, tuning_songs

__all__ = ["main"]

NETWORKS = (
    Recipe(name="lstm", inputs=("features",)),
    Recipe(name="causal-lstm", inputs=("features",)),
    Recipe(name="bilstm", inputs=("features",)),
    RECIPE,
    Recipe(name="bilstm", inputs=("features", "normalized", "context")),
)
CORPORA = (3, 10, 30)
REFERENCE_SEED = 81_000

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Fold:
    """Songs of one family left out.

    Attributes
    ----------
    family : str
        The family that is left out.
    train, tuning : list of StateSong
        Songs of the other families.
    test : list of StateSong
        Songs of the family.
    """

    family: str
    train: list[StateSong]
    tuning: list[StateSong]
    test: list[StateSong]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description="Study of networks, baselines and adapted models on true states.")
    parser.add_argument("--home", type=Path, default=Path("build/pretrained"), help="folder for the played songs")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds per network")
    options = parser.parse_args(arguments)
    train, tuning = training_songs(options.home), tuning_songs(options.home)
    test = list(even_songs(options.home, "test", TEST_SONGS, TEST_SEED))
    folds = [_fold(family, train, tuning, test) for family in FAMILIES]
    print_models(folds, options.seeds)
    print_joint(folds)
    print_corpora(options.home, folds)


def print_models(folds: Sequence[Fold], n_seeds: int) -> None:
    """Print the scores of each model on each family that was left out."""
    print(f"\nTrue states of songs of a family that was left out; mean (and range) over {n_seeds} seeds\n")
    print(f"| model | inputs | {' | '.join(f'{family}: accuracy | macro-F1 | log-loss' for family in FAMILIES)} |")
    print(f"|---|---|{'--:|--:|--:|' * len(folds)}")
    for name, inputs, probabilities in _models(n_seeds):
        cells = [_cells([_scores(fold.test, run) for run in probabilities(fold)]) for fold in folds]
        print(f"| {name} | {inputs} | {' | '.join(cells)} |", flush=True)


def print_joint(folds: Sequence[Fold]) -> None:
    """Print the scores of state model and network together, with parameters chosen without the family."""
    print("\nState model and network together; all parameters chosen on families left out of training\n")
    print("| family left out | contrast | weight | temperature | state model alone | together | calibration error |")
    print("|---|---|--:|--:|--:|--:|--:|")
    for fold in folds:
        choice = chosen(RECIPE, fold.train, fold.tuning)
        states = fitted_states(fold.train)
        sequence = trained_sequence(replace(RECIPE, n_stages=choice.n_stages), fold.train)
        for name, songs in (("strong", _of(fold.test, 1.0)), ("soft", _of(fold.test, 0.4))):
            clusters = cluster_probabilities(states, songs)
            both = joined(clusters, sequence_probabilities(sequence, songs), choice.weight)
            error = _calibration_error(states, songs, both, choice)
            print(
                f"| {fold.family} | {name} | {choice.weight:g} | {choice.temperature:.2f} | "
                f"{path_f1(states, songs, clusters):.3f} | {path_f1(states, songs, both):.3f} | {error:.3f} |",
                flush=True,
            )


def print_corpora(home: Path, folds: Sequence[Fold]) -> None:
    """Print how right the names are on songs of other kinds, for states that few songs of one kind have adapted."""
    print("\nMacro-F1 of the state model on the other families, for states fitted to few songs of one family\n")
    print("| songs | family | fitted on them alone | adapted from the model of the other families |")
    print("|--:|---|--:|--:|")
    for n_songs in CORPORA:
        for fold in folds:
            own = [song.vectors.astype(np.float64) for song in _family(fold, home)[:n_songs]]
            prior = fitted_states(fold.train)
            alone, adapted = fit_states(own), fit_states(own, prior=prior)
            others = [song for other in folds if other is not fold for song in other.test]
            scores = [path_f1(model, others, cluster_probabilities(model, others)) for model in (alone, adapted)]
            print(f"| {n_songs} | {fold.family} | {scores[0]:.3f} | {scores[1]:.3f} |", flush=True)


def _models(n_seeds: int) -> Iterator[tuple[str, str, Callable[[Fold], list[list[Array]]]]]:
    """Yield name, inputs, and the function that returns the probabilities for the test songs, once per seed."""
    names = ("features", "normalized")
    yield "majority", "", lambda fold: [_constant(fold)]
    for inputs in (("features",), names):
        yield "logistic regression", " and ".join(inputs), partial(_logistic, inputs=inputs)
    yield "nearest centroid", " and ".join(names), partial(_centroid, inputs=names)
    yield "state model", "unit vectors", lambda fold: [cluster_probabilities(fitted_states(fold.train), fold.test)]
    for recipe in NETWORKS:
        yield recipe.name, " and ".join(recipe.inputs), partial(_network, recipe=recipe, n_seeds=n_seeds)


def _fold(family: str, train: Sequence[StateSong], tuning: Sequence[StateSong], test: Sequence[StateSong]) -> Fold:
    seen, chosen_with = ([song for song in songs if song.family != family] for songs in (train, tuning))
    return Fold(family, seen, chosen_with, [song for song in test if song.family == family])


def _family(fold: Fold, home: Path) -> list[StateSong]:
    """Return songs of the family that is left out, as composed, which are not among the test songs."""
    return [song for song in tuning_songs(home) if song.family == fold.family and song.contrast == 1]


def _of(songs: Sequence[StateSong], contrast: float) -> list[StateSong]:
    return [song for song in songs if song.contrast == contrast]


def _constant(fold: Fold) -> list[Array]:
    shares = np.bincount(np.concatenate([song.truth for song in fold.train]), minlength=len(STATES)).astype(float)
    return [np.tile(shares / shares.sum(), (len(song.truth), 1)) for song in fold.test]


def _logistic(fold: Fold, *, inputs: Sequence[str]) -> list[list[Array]]:
    scaler = input_scaler(fold.train)
    model = LogisticRegression(max_iter=300)
    model.fit(*_units(fold.train, inputs, scaler))
    return [[model.predict_proba(network_inputs(song, inputs, scaler)) for song in fold.test]]


def _centroid(fold: Fold, *, inputs: Sequence[str]) -> list[list[Array]]:
    scaler = input_scaler(fold.train)
    model = NearestCentroid().fit(*_units(fold.train, inputs, scaler))
    answers = [model.predict(network_inputs(song, inputs, scaler)) for song in fold.test]
    return [[np.eye(len(STATES))[answer] for answer in answers]]


def _network(fold: Fold, *, recipe: Recipe, n_seeds: int) -> list[list[Array]]:
    """Train a network with each seed."""
    runs = (trained_sequence(replace(recipe, seed=100 * seed), fold.train) for seed in range(n_seeds))
    return [sequence_probabilities(sequence, fold.test) for sequence in runs]


def _units(
    songs: Sequence[StateSong], inputs: Sequence[str], scaler: tuple[Array, Array]
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    columns = np.concatenate([network_inputs(song, inputs, scaler) for song in songs])
    return np.clip(columns, -5, 5), np.concatenate([song.truth for song in songs])


def _scores(songs: Sequence[StateSong], probabilities: Sequence[Array]) -> tuple[float, float, float]:
    truth, rows = np.concatenate([song.truth for song in songs]), np.concatenate(probabilities)
    answer = rows.argmax(axis=1)
    f1 = f1_score(truth, answer, labels=range(len(STATES)), average="macro", zero_division=0.0)
    loss = log_loss(truth, np.clip(rows, 1e-6, 1), labels=range(len(STATES)))
    return float(accuracy_score(truth, answer)), float(f1), float(loss)


def _cells(runs: Sequence[tuple[float, float, float]]) -> str:
    """Return mean and, with several runs, range of each score."""
    columns = np.array(runs).T
    if len(runs) == 1:
        return " | ".join(f"{column[0]:.3f}" for column in columns)
    return " | ".join(f"{column.mean():.3f} ({column.min():.3f} to {column.max():.3f})" for column in columns)


def _calibration_error(
    states: StateModel, songs: Sequence[StateSong], probabilities: Sequence[Array], choice: Choice
) -> float:
    """Return the calibration error of the confidence of the most probable state sequences."""
    paths = [state_sequence(states, each) for each in probabilities]
    scaled = [tempered(each, choice.temperature) for each in probabilities]
    confidence = np.concatenate([each[np.arange(len(path)), path] for each, path in zip(scaled, paths, strict=True)])
    is_right = np.concatenate([path == song.truth for path, song in zip(paths, songs, strict=True)])
    return expected_calibration_error(confidence, is_right)


if __name__ == "__main__":
    main()

"""Table `truth`: each network and baseline on true states, with each family of sounds left out in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.study.models.baselines import centroid, logistic, majority
from benchmarks.study.models.folds import Fold, cells, scores
from songform.structure.naming import STATES
from training.pretrained_model import (
    Recipe,
    cluster_probabilities,
    fitted_states,
    sequence_probabilities,
    trained_sequence,
)
from training.state_songs import FAMILIES
from training.train_pretrained import LSTM, RECIPE

__all__ = ["print_truth"]

NETWORKS = (
    LSTM,
    *(replace(RECIPE, inputs=RECIPE.inputs[:n_groups], n_stages=3) for n_groups in (1, 2)),
    replace(RECIPE, inputs=(*RECIPE.inputs, "context"), n_stages=3),
)
"""Networks and their inputs. With the input `features`, the causal LSTM is the LSTM. Networks of two directions hardly
improve after three stages."""

Array = NDArray[np.float64]
Model = Callable[[Fold], list[Array]]
"""Function that returns the probabilities of the test units of a fold, once per seed."""


def print_truth(folds: Sequence[Fold], n_seeds: int) -> None:
    """Print the scores of each model on each family that was left out."""
    print(f"\nTrue states of songs of a family that was left out; networks: mean (and range) over {n_seeds} seeds\n")
    print(f"| model | inputs | {' | '.join(f'{family}: accuracy | macro-F1 | log-loss' for family in FAMILIES)} |")
    print(f"|---|---|{'--:|--:|--:|' * len(folds)}")
    for name, inputs, model in _models(n_seeds):
        runs = [cells([scores(_truth(fold), rows) for rows in model(fold)]) for fold in folds]
        print(f"| {name} | {inputs} | {' | '.join(runs)} |", flush=True)


def _models(n_seeds: int) -> Iterator[tuple[str, str, Model]]:
    """Yield name and inputs of each model, and the model."""
    yield "majority", "", lambda fold: [majority(fold.train, fold.test)]
    yield "persistence", "the true state of the previous unit", lambda fold: [_persistence(fold)]
    for inputs in dict.fromkeys(recipe.inputs for recipe in NETWORKS):
        yield "logistic regression", _listed(inputs), partial(_logistic, inputs=inputs)
    yield "nearest centroid", _listed(RECIPE.inputs), lambda fold: [centroid(fold.train, fold.test, RECIPE.inputs)]
    yield "state model", "unit vectors", _state_model
    for recipe in NETWORKS:
        yield recipe.name, _listed(recipe.inputs), partial(_network, recipe=recipe, n_seeds=n_seeds)


def _truth(fold: Fold) -> NDArray[np.intp]:
    return np.concatenate([song.truth for song in fold.test])


def _persistence(fold: Fold) -> Array:
    return np.eye(len(STATES))[np.concatenate([np.r_[song.truth[:1], song.truth[:-1]] for song in fold.test])]


def _logistic(fold: Fold, *, inputs: Sequence[str]) -> list[Array]:
    return [logistic(fold.train, fold.test, inputs)]


def _state_model(fold: Fold) -> list[Array]:
    return [np.concatenate(cluster_probabilities(fitted_states(fold.train), fold.test))]


def _network(fold: Fold, *, recipe: Recipe, n_seeds: int) -> list[Array]:
    """Train a network with each seed."""
    runs = (trained_sequence(replace(recipe, seed=100 * seed), fold.train) for seed in range(n_seeds))
    return [np.concatenate(sequence_probabilities(sequence, fold.test)) for sequence in runs]


def _listed(inputs: Sequence[str]) -> str:
    return ", ".join(inputs)

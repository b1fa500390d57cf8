"""Songs with one family of sounds left out, and scores of models on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, f1_score, log_loss

from songform.structure.naming import STATES
from training.state_songs import FAMILIES, StateSong
from training.train_pretrained import TEST_SEED, TEST_SONGS, even_songs, training_songs, tuning_songs

__all__ = ["Fold", "Scores", "all_folds", "cells", "scores"]

Array = NDArray[np.float64]
Scores = tuple[float, float, float]
"""Three scores of a model: of most tables, accuracy, macro-F1 and log-loss."""


@dataclass(frozen=True)
class Fold:
    """Songs with one family left out.

    Attributes
    ----------
    family : str
        The family that is left out.
    train, tuning : list of StateSong
        Songs of the other families, to train on and to choose parameters with.
    test : list of StateSong
        Songs of the family that is left out.
    """

    family: str
    train: list[StateSong]
    tuning: list[StateSong]
    test: list[StateSong]


def all_folds(home: Path) -> list[Fold]:
    """Return one fold per family; songs that are not in the folder `home` are composed and played."""
    train, tuning = training_songs(home), tuning_songs(home)
    test = list(even_songs(home, "test", TEST_SONGS, TEST_SEED))
    return [
        Fold(
            family,
            [song for song in train if song.family != family],
            [song for song in tuning if song.family != family],
            [song for song in test if song.family == family],
        )
        for family in FAMILIES
    ]


def scores(truth: NDArray[np.intp], probabilities: Array) -> Scores:
    """Return accuracy, macro-F1 and log-loss of the most probable states of units."""
    answer, states = probabilities.argmax(axis=1), range(len(STATES))
    f1 = f1_score(truth, answer, labels=states, average="macro", zero_division=0.0)
    loss = log_loss(truth, np.clip(probabilities, 1e-6, 1), labels=states)
    return float(accuracy_score(truth, answer)), float(f1), float(loss)


def cells(runs: Sequence[Scores]) -> str:
    """Return the cells of a table: the mean of each score and, with several runs, its range."""
    columns = np.array(runs).T
    if len(runs) == 1:
        return " | ".join(f"{column[0]:.3f}" for column in columns)
    return " | ".join(f"{column.mean():.3f} ({column.min():.3f} to {column.max():.3f})" for column in columns)

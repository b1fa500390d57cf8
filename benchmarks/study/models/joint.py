"""Table `joint`: state model and network together, as they are shipped, and the calibration of their confidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.study.models.folds import Fold
from songform.learning.calibration import expected_calibration_error, tempered
from songform.structure.states import StateModel, state_sequence
from training.pretrained_model import (
    chosen,
    cluster_probabilities,
    fitted_states,
    joined,
    path_f1,
    sequence_probabilities,
    trained_sequence,
)
from training.state_songs import SOFT, StateSong
from training.train_pretrained import RECIPE

__all__ = ["print_joint"]

Array = NDArray[np.float64]


def print_joint(folds: Sequence[Fold]) -> None:
    """Print the scores of state model and network together, with parameters chosen without the family."""
    print("\nState model and network together; all parameters chosen on families left out of training\n")
    print("| family left out | contrast | weight | temperature | state model alone | together | calibration error |")
    print("|---|---|--:|--:|--:|--:|--:|")
    for fold in folds:
        choice = chosen(RECIPE, fold.train, fold.tuning)
        states = fitted_states(fold.train)
        sequence = trained_sequence(replace(RECIPE, n_stages=choice.n_stages), fold.train)
        for name, contrast in (("strong", 1.0), ("soft", SOFT)):
            songs = [song for song in fold.test if song.contrast == contrast]
            clusters = cluster_probabilities(states, songs)
            both = joined(clusters, sequence_probabilities(sequence, songs), choice.weight)
            alone, together = path_f1(states, songs, clusters), path_f1(states, songs, both)
            error = _calibration_error(states, songs, both, choice.temperature)
            print(
                f"| {fold.family} | {name} | {choice.weight:g} | {choice.temperature:.2f} | "
                f"{alone:.3f} | {together:.3f} | {error:.3f} |",
                flush=True,
            )


def _calibration_error(
    states: StateModel, songs: Sequence[StateSong], probabilities: Sequence[Array], temperature: float
) -> float:
    """Return the calibration error of the confidence of the most probable state sequences."""
    paths = [state_sequence(states, each) for each in probabilities]
    scaled = [tempered(each, temperature) for each in probabilities]
    confidence = np.concatenate([each[np.arange(len(path)), path] for each, path in zip(scaled, paths, strict=True)])
    is_right = np.concatenate([path == song.truth for path, song in zip(paths, songs, strict=True)])
    return expected_calibration_error(confidence, is_right)

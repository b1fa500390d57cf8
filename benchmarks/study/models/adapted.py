"""Table `corpora`: how right models are that few songs of one kind have adapted, on songs of another kind.

The prior is trained without the family of the test songs, so that neither it nor the corpus contains their sounds. The
model is adapted as `songform train` does it: states first, then the network on the labels of the states, then its
weight on composed songs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.study.models.folds import Fold, Scores, cells
from songform.learning.keras_files import numpy_network
from songform.learning.networks import fit_network
from songform.learning.sequence_model import SequenceModel
from songform.learning.stretches import Stretch, Stretches
from songform.structure.naming import STATES
from songform.structure.states import StateModel, fit_states, state_sequence
from tasks.train.reference_songs import WEIGHTS
from training.pretrained_model import (
    cluster_probabilities,
    fitted_states,
    joined,
    network_inputs,
    path_f1,
    sequence_probabilities,
    trained_sequence,
)
from training.state_song_files import kept_songs
from training.state_songs import FAMILIES, SHAPE, StateSong, state_songs
from training.train_pretrained import LSTM

__all__ = ["print_corpora"]

CORPORA = (3, 10, 30)
CORPUS_SEED, WEIGHT_SEED = 81_000, 82_000
MOST_UNITS = 128

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Model:
    """State model, network, and the weight of the network."""

    states: StateModel
    sequence: SequenceModel
    weight: float = 0.0

    def f1(self, songs: Sequence[StateSong], weight: float | None = None) -> float:
        """Return the macro-F1 of the states of some songs."""
        weight = self.weight if weight is None else weight
        both = joined(cluster_probabilities(self.states, songs), sequence_probabilities(self.sequence, songs), weight)
        return path_f1(self.states, songs, both)


def print_corpora(home: Path, folds: Sequence[Fold]) -> None:
    """Print the scores on songs of a family that neither the prior nor the corpus contains."""
    print("\nMacro-F1 on songs of a family that neither the prior nor the corpus contains;")
    print("mean (and range) over corpora of the other families and of the instruments reference\n")
    print("| test songs | songs of the corpus | states of the corpus alone | adapted states | adapted model |")
    print("|---|--:|--:|--:|--:|")
    for fold in folds:
        prior = Model(fitted_states(fold.train), trained_sequence(LSTM, fold.train))
        weight_songs = _songs(home, "reference", 4, WEIGHT_SEED)
        kinds = (*(family for family in FAMILIES if family != fold.family), "reference")
        corpora = [_songs(home, kind, max(CORPORA), CORPUS_SEED) for kind in kinds]
        for n_songs in CORPORA:
            runs = [_scores(prior, corpus[:n_songs], weight_songs, fold.test) for corpus in corpora]
            print(f"| {fold.family} | {n_songs} | {cells(runs)} |", flush=True)


def _songs(home: Path, kind: str, n_songs: int, seed: int) -> list[StateSong]:
    make = partial(state_songs, kind, n_songs, seed, contrast=1.0)
    return kept_songs(home / f"corpus-{seed}-{kind}.npz", make)


def _scores(
    prior: Model, corpus: Sequence[StateSong], weight_songs: Sequence[StateSong], test: Sequence[StateSong]
) -> Scores:
    """Return the macro-F1 of the states of the corpus alone, of the adapted states, and of the adapted model."""
    vectors = [song.vectors.astype(np.float64) for song in corpus]
    alone, states = fit_states(vectors), fit_states(vectors, prior=prior.states)
    model = Model(states, _adapted_sequence(prior.sequence, states, corpus))
    weight = max(WEIGHTS, key=lambda each: (model.f1(weight_songs, each), -each))
    named = path_f1(alone, test, cluster_probabilities(alone, test))
    return named, model.f1(test, 0.0), model.f1(test, weight)


def _adapted_sequence(start: SequenceModel, states: StateModel, corpus: Sequence[StateSong]) -> SequenceModel:
    """Train the network further on the labels that the states give to the corpus; a tenth of the songs is validated."""
    scaler = start.center, start.scale
    labels = [state_sequence(states, each) for each in cluster_probabilities(states, corpus)]
    whole = [
        Stretch(network_inputs(song, LSTM.inputs, scaler), path) for song, path in zip(corpus, labels, strict=True)
    ]
    n_validated = max(1, len(whole) // 10)
    network, _ = fit_network(
        _stretches(whole[n_validated:]),
        _stretches(whole[:n_validated]),
        n_inputs=whole[0].inputs.shape[1],
        n_states=len(STATES),
        start=start.network.weights,
    )
    return SequenceModel(numpy_network(network), *scaler, SHAPE, inputs=LSTM.inputs)


def _stretches(whole: Sequence[Stretch]) -> Stretches:
    return Stretches.of([piece for stretch in whole for piece in stretch.pieces(MOST_UNITS)])

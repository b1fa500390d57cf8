"""Training of the model that is shipped with songform, and the choice of its parameters on families that were left out.

The state model and the network learn the true states of composed songs. The length of the training, the weight of the
network and the temperature of the probabilities are chosen on the songs of one family of sounds, while the model is
trained on the others, for each family in turn: on more songs of the same sounds, a network looks better than it is on
other music.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from songform.learning.calibration import best_temperature
from songform.learning.classification_metrics import macro_f1
from songform.learning.keras_files import numpy_network
from songform.learning.networks import fit_network
from songform.learning.sequence_model import SequenceModel
from songform.learning.stretches import Stretch, Stretches
from songform.structure.naming import STATES
from songform.structure.states import StateModel, labeled_states, state_posterior, state_sequence
from songform.structure.viterbi import joint_posterior
from training.state_songs import SHAPE, StateSong

__all__ = [
    "WEIGHTS",
    "Choice",
    "Recipe",
    "chosen",
    "cluster_probabilities",
    "fitted_states",
    "input_scaler",
    "joined",
    "network_inputs",
    "path_f1",
    "sequence_probabilities",
    "trained_sequence",
    "trained_stages",
]

WEIGHTS = (0.0, 0.15, 0.25, 0.35, 0.5, 0.75, 1.0)

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Recipe:
    """Parameters of the training of a network.

    Attributes
    ----------
    name : str
        Name in `songform.learning.networks.NETWORKS`.
    inputs : tuple of str
        Groups of inputs; see `songform.learning.sequence_inputs`.
    n_stages, stage_epochs : int
        Maximum number of stages, and number of epochs of a stage.
    batch_size, most_units : int
        Number of stretches in a batch, and maximum number of units of a stretch.
    learning_rate : float
        Adam's step size.
    seed : int
        Random seed.
    """

    name: str = "bilstm"
    inputs: tuple[str, ...] = ("features", "normalized")
    n_stages: int = 5
    stage_epochs: int = 6
    batch_size: int = 32
    most_units: int = 128
    learning_rate: float = 0.001
    seed: int = 0


@dataclass(frozen=True)
class Choice:
    """Parameters that were chosen on families that were left out.

    Attributes
    ----------
    n_stages : int
        Number of stages of the training, and
    weight : float
        weight of the network, with the highest mean macro-F1 over the families.
    temperature : float
        Temperature with the smallest log-loss on all families together.
    macro_f1 : dict of str to float
        Macro-F1 on each family.
    tried : dict of str to list of float
        Mean macro-F1 over the families for each weight, after each stage.
    """

    n_stages: int
    weight: float
    temperature: float
    macro_f1: dict[str, float]
    tried: dict[str, list[float]]


@dataclass(frozen=True)
class _LeftOut:
    """Songs of a family that was left out, and the probabilities of their states."""

    states: StateModel
    songs: list[StateSong]
    clusters: list[Array]
    stages: list[list[Array]]

    def joint(self, stage: int, weight: float) -> list[Array]:
        return joined(self.clusters, self.stages[stage], weight)

    def f1(self, stage: int, weight: float) -> float:
        return path_f1(self.states, self.songs, self.joint(stage, weight))


def fitted_states(songs: Sequence[StateSong]) -> StateModel:
    """Fit the state model to the true states of songs."""
    vectors = [song.vectors.astype(np.float64) for song in songs]
    return labeled_states(vectors, [song.truth for song in songs], STATES)


def input_scaler(songs: Sequence[StateSong]) -> tuple[Array, Array]:
    """Return the mean and the standard deviation of each feature column over the frames of songs."""
    units = np.concatenate([song.inputs["features"] for song in songs]).astype(np.float64)
    mean, spread = np.split(units, 2, axis=1)
    center = mean.mean(axis=0)
    # The variance of the frames is that of the means of the units, and the mean variance within the units.
    return center, np.sqrt(mean.var(axis=0) + np.square(spread).mean(axis=0))


def network_inputs(song: StateSong, names: Sequence[str], scaler: tuple[Array, Array]) -> NDArray[np.float32]:
    """Return what `songform.learning.sequence_inputs.song_inputs` returns for the song of these inputs."""
    center, scale = scaler
    shift, factor = np.concatenate([center, np.zeros_like(center)]), np.concatenate([scale, scale])
    groups = song.inputs | {"features": (song.inputs["features"] - shift) / factor}
    return np.hstack([groups[name] for name in names]).astype(np.float32)


def trained_stages(recipe: Recipe, songs: Sequence[StateSong]) -> Iterator[SequenceModel]:
    """Train a network on the true states of songs, and yield it after each stage.

    Each stage continues with the weights of the previous one.
    """
    scaler = input_scaler(songs)
    start = None
    for stage in range(recipe.n_stages):
        network, _ = fit_network(
            _stretches(songs, recipe, scaler, seed=recipe.seed + stage),
            None,
            n_inputs=network_inputs(songs[0], recipe.inputs, scaler).shape[1],
            n_states=len(STATES),
            name=recipe.name,
            epochs=recipe.stage_epochs,
            patience=recipe.stage_epochs,
            learning_rate=recipe.learning_rate,
            seed=recipe.seed + stage,
            start=start,
        )
        start = network.get_weights()
        converted = numpy_network(network)
        assert converted is not None  # all networks of the registry can be converted
        yield SequenceModel(converted, *scaler, SHAPE, inputs=recipe.inputs)


def trained_sequence(recipe: Recipe, songs: Sequence[StateSong]) -> SequenceModel:
    """Train a network for all stages of a recipe."""
    *_, last = trained_stages(recipe, songs)
    return last


def chosen(recipe: Recipe, train: Sequence[StateSong], tuning: Sequence[StateSong]) -> Choice:
    """Leave out each family in turn, and choose the number of stages, weight and temperature on its songs.

    Parameters
    ----------
    recipe : Recipe
        Parameters of the training.
    train, tuning : sequence of StateSong
        Songs to train on, and songs to choose with, of all families.
    """
    families = sorted({song.family for song in train})
    left_out = {family: _left_out(recipe, family, train, tuning) for family in families}
    tried = {
        weight: [
            float(np.mean([each.f1(stage, weight) for each in left_out.values()])) for stage in range(recipe.n_stages)
        ]
        for weight in WEIGHTS
    }
    weight = max(tried, key=lambda each: max(tried[each]))
    stage = int(np.argmax(tried[weight]))
    joint = np.concatenate([np.concatenate(each.joint(stage, weight)) for each in left_out.values()])
    truth = np.concatenate([song.truth for each in left_out.values() for song in each.songs])
    return Choice(
        n_stages=stage + 1,
        weight=weight,
        temperature=best_temperature(joint, truth),
        macro_f1={family: each.f1(stage, weight) for family, each in left_out.items()},
        tried={f"{each:g}": scores for each, scores in tried.items()},
    )


def _left_out(recipe: Recipe, family: str, train: Sequence[StateSong], tuning: Sequence[StateSong]) -> _LeftOut:
    seen = [song for song in train if song.family != family]
    songs = [song for song in tuning if song.family == family]
    states = fitted_states(seen)
    stages = [sequence_probabilities(sequence, songs) for sequence in trained_stages(recipe, seen)]
    print(f"{recipe.name}: trained without the family {family}", file=sys.stderr)
    return _LeftOut(states, songs, cluster_probabilities(states, songs), stages)


def cluster_probabilities(states: StateModel, songs: Sequence[StateSong]) -> list[Array]:
    """Return the probabilities of the state model in each unit of each song."""
    return [state_posterior(states, song.vectors.astype(np.float64)) for song in songs]


def sequence_probabilities(sequence: SequenceModel, songs: Sequence[StateSong]) -> list[Array]:
    """Return the probabilities of a network in each unit of each song."""
    scaler = sequence.center, sequence.scale
    return [sequence.unit_probabilities(network_inputs(song, sequence.inputs, scaler)) for song in songs]


def joined(clusters: Sequence[Array], network: Sequence[Array], weight: float) -> list[Array]:
    """Combine the probabilities of the state model and of the network; see `joint_posterior`."""
    return [joint_posterior(one, other, weight) for one, other in zip(clusters, network, strict=True)]


def path_f1(states: StateModel, songs: Sequence[StateSong], probabilities: Sequence[Array]) -> float:
    """Return the macro-F1 of the most probable state sequences."""
    paths = [state_sequence(states, each) for each in probabilities]
    return macro_f1(np.concatenate([song.truth for song in songs]), np.concatenate(paths))


def _stretches(songs: Sequence[StateSong], recipe: Recipe, scaler: tuple[Array, Array], *, seed: int) -> Stretches:
    whole = (Stretch(network_inputs(song, recipe.inputs, scaler), song.truth) for song in songs)
    pieces = [piece for stretch in whole for piece in stretch.pieces(recipe.most_units)]
    return Stretches.of(pieces, batch_size=recipe.batch_size, seed=seed)

"""Start of a training from the network that is shipped with songform."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from songform.bundle import Bundle, SequenceModel
from songform.learning.recurrent_network import RecurrentNetwork
from songform.pretrained import PRETRAINED_FOLDER, START_FOLDER, pretrained_id
from songform.structure.states import StateModel
from tasks.settings import Settings
from tasks.train.window_source import window_shape

__all__ = ["RANDOM_START", "ShippedNetwork", "shipped_network"]

RANDOM_START = "random"
"""Start of a training that does not begin with the shipped network."""


@dataclass(frozen=True, eq=False)
class ShippedNetwork:
    """Network from which a training starts, and the scaler of its inputs.

    Parameters
    ----------
    weights : sequence of np.ndarray
        Weights, in the order of Keras's `get_weights`.
    center, scale : np.ndarray, shape=(n_columns,)
        Mean and standard deviation of each feature column. The weights have a meaning only with these.
    model_id : str
        Id of the shipped model.
    """

    weights: tuple[NDArray[np.float32], ...]
    center: NDArray[np.float64]
    scale: NDArray[np.float64]
    model_id: str


def shipped_network(settings: Settings, states: StateModel, columns: tuple[str, ...]) -> ShippedNetwork | None:
    """Return the shipped network if a network with these settings can start from it.

    Parameters
    ----------
    settings : Settings
        All settings. With `states.prior_songs = 0`, nothing that is shipped affects a training.
    states : StateModel
        States to be predicted.
    columns : tuple of str
        Feature columns of the corpus.

    Returns
    -------
    ShippedNetwork or None
        None if no shipped network has this architecture, and these inputs, units and states.
    """
    if not settings.states.prior_songs:
        return None
    wanted = _wanted(settings, states, columns)
    for folder in (PRETRAINED_FOLDER, START_FOLDER):
        bundle = Bundle.load(folder)
        sequence = bundle.sequence
        if sequence is None or not isinstance(sequence.network, RecurrentNetwork):
            continue
        if _facts(bundle, sequence) == wanted:
            return ShippedNetwork(sequence.network.weights, sequence.center, sequence.scale, pretrained_id())
    return None


def _facts(bundle: Bundle, sequence: SequenceModel) -> list[object]:
    """Return what must be the same, from the shipped model."""
    shape, ahead = sequence.shape, sequence.ahead_seconds if sequence.target == "ahead" else None
    lengths = (shape.pool_seconds, shape.every_unit, shape.sr, shape.frame_length, shape.hop_length)
    name = bundle.settings.get("model", {}).get("name")
    return [name, sequence.inputs, lengths, sequence.target, ahead, bundle.states.states, bundle.columns]


def _wanted(settings: Settings, states: StateModel, columns: tuple[str, ...]) -> list[object]:
    """Return what must be the same, from the settings and the corpus."""
    shape, sequences = window_shape(settings), settings.sequences
    ahead = sequences.ahead_seconds if sequences.moment == "ahead" else None
    lengths = (shape.pool_seconds, shape.every_unit, shape.sr, shape.frame_length, shape.hop_length)
    return [settings.model.name, sequences.inputs, lengths, sequences.moment, ahead, states.states, columns]

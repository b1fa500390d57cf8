"""Sequence model: a trained network and the parameters of its inputs.

===================  ==================================================================
`sequence.npz`       mean and standard deviation of each feature column
`network.npz`        the network, as arrays; it needs no TensorFlow
`network.keras`      the network, if it has other layers than LSTM layers, or if an
                     earlier version of songform saved it
===================  ==================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from songform.learning.keras_files import load_network, verify_network
from songform.learning.networks import Network, predictor
from songform.learning.recurrent_network import RecurrentNetwork
from songform.learning.sequence_inputs import SongTables, song_inputs
from songform.learning.sequences import Inputs, WindowShape, standard_inputs, window_probabilities

__all__ = ["SequenceModel"]

Array = NDArray[np.float64]

_SCALER, _NETWORK, _KERAS_NETWORK = "sequence.npz", "network.npz", "network.keras"


@dataclass(frozen=True)
class SequenceModel:
    """Trained network and the parameters of its inputs.

    Attributes
    ----------
    network : RecurrentNetwork or keras.Model
        A network from `songform.learning.networks`, usually converted by `songform.learning.keras_files`.
    center, scale : np.ndarray, shape=(n_columns,)
        Mean and standard deviation of each feature column over the training frames.
    shape : WindowShape
        Lengths of units and windows, and whether the network predicts a state at each unit.
    target : str
        `current` if the network predicts the state of the last unit of a window, `ahead` if it predicts a later state.
    ahead_seconds : float
        Time from the last sample on which a window depends to the state predicted with `ahead`, in seconds.
    inputs : tuple of str
        Groups of inputs; see `songform.learning.sequence_inputs`.
    """

    network: RecurrentNetwork | Network
    center: Array
    scale: Array
    shape: WindowShape
    target: str = "current"
    ahead_seconds: float = 2.0
    inputs: tuple[str, ...] = ("features",)

    def probabilities(self, song: SongTables) -> Array:
        """Return the probability of each state in each unit of the song, shape (n_units, n_states).

        Raises
        ------
        ModelError
            If the song lacks a table that the inputs are computed from.
        """
        inputs = song_inputs(self.inputs, song, self.shape, center=self.center, scale=self.scale)
        if self.shape.every_unit:
            return self.unit_probabilities(inputs)
        return window_probabilities(
            predictor(self.network), inputs, self.shape.n_steps, padding=self._padding(song, inputs)
        )

    def unit_probabilities(self, inputs: Inputs) -> Array:
        """Return the probabilities at each unit of a song, if the network predicts a state at each unit.

        Parameters
        ----------
        inputs : np.ndarray of float32, shape=(n_units, n_inputs)
            From `songform.learning.sequence_inputs.song_inputs`.
        """
        return np.asarray(predictor(self.network)(inputs[None])[0], np.float64)

    def at(self, song: SongTables, times: Array) -> Array:
        """Return the probability of each state at given times in seconds, shape (n_times, n_states).

        With the target `ahead`, the probabilities at a time are those of the window whose target is at that time. All
        states are equally likely before the target of the first complete window.
        """
        probabilities = self.probabilities(song)
        probabilities[: self.shape.n_steps - 1] = 1 / probabilities.shape[1]
        half = self.shape.unit_seconds / 2
        targets = self.shape.moments(
            np.arange(len(probabilities)), target=self.target, ahead_seconds=self.ahead_seconds
        )
        nearest = np.clip(np.searchsorted(targets, times - half), 0, len(probabilities) - 1)
        found = probabilities[nearest]
        if self.target == "ahead":
            found[times < targets[0] - half] = 1 / probabilities.shape[1]
        return found

    def save(self, folder: Path) -> dict[str, Any]:
        """Write scaler and network to an existing folder, and return the other parameters as JSON values."""
        np.savez(folder / _SCALER, center=self.center, scale=self.scale)
        if isinstance(self.network, RecurrentNetwork):
            arrays: dict[str, Any] = self.network.arrays()
            np.savez(folder / _NETWORK, **arrays)
        else:
            self.network.save(folder / _KERAS_NETWORK)
        return {
            "shape": asdict(self.shape),
            "target": self.target,
            "ahead_seconds": self.ahead_seconds,
            "inputs": list(self.inputs),
        }

    @classmethod
    def load(cls, folder: Path, about: Mapping[str, Any]) -> SequenceModel:
        """Read a model from a folder; `about` is what `save` returned.

        Raises
        ------
        OSError, EOFError, ValueError, KeyError, TypeError, ModelError, zipfile.BadZipFile, zlib.error
            If a file or a parameter is missing or damaged.
        """
        center, scale = _scaler(folder)
        return cls(
            _network(folder),
            center,
            scale,
            WindowShape(**about["shape"]),
            about["target"],
            float(about["ahead_seconds"]),
            tuple(about.get("inputs", ("features",))),
        )

    @classmethod
    def verify(cls, folder: Path, about: Mapping[str, Any]) -> None:
        """Check that the files of a model can be read, without loading its network; errors as in `load`."""
        _scaler(folder)
        WindowShape(**about["shape"])
        saved_by_keras = folder / _KERAS_NETWORK
        verify_network(saved_by_keras if saved_by_keras.exists() else folder / _NETWORK)

    def _padding(self, song: SongTables, inputs: Inputs) -> Inputs:
        """Return the unit with which a song that is shorter than a window is padded, shape (1, n_inputs)."""
        if self.inputs != ("features",):
            return inputs[:1]
        first = song.features.iloc[:1].to_numpy(np.float64)
        return standard_inputs(first, self.center, self.scale, self.shape)


def _scaler(folder: Path) -> tuple[Array, Array]:
    # As in StateModel.load, the file is opened here, because np.load does not close a file that is not an archive.
    with (folder / _SCALER).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return arrays["center"], arrays["scale"]


def _network(folder: Path) -> RecurrentNetwork | Network:
    path = folder / _NETWORK
    if not path.exists() and (folder / _KERAS_NETWORK).exists():
        return load_network(folder / _KERAS_NETWORK)
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return RecurrentNetwork.from_arrays(dict(arrays))

"""Recurrent network in NumPy: inference with the weights of a Keras network, without TensorFlow.

The network is a stack of LSTM layers [1]_, each of which reads the sequence forward or in both directions [2]_, and a
dense layer with a softmax. It returns the probabilities at each step, or only those of the whole sequence. The tests
compare it with the Keras network of the same weights. Dropout has no effect after training, so it has no layer here.

The products of all inputs with the weights of a layer are computed at once. The steps of both directions are computed
together.

Conventions
-----------
Weights are 32-bit arrays in the order and with the shapes of Keras's `get_weights`. A gate of an LSTM layer with
`n_units` units has `n_units` columns; the gates are input, forget, candidate and output.

References
----------
.. [1] Hochreiter and Schmidhuber, "Long short-term memory", Neural Computation 9(8), 1997.
.. [2] Graves and Schmidhuber, "Framewise phoneme classification with bidirectional LSTM and other neural network
       architectures", Neural Networks 18, 2005.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from songform.errors import ParameterError

__all__ = ["LstmLayer", "RecurrentNetwork"]

Array = NDArray[np.float32]
_PER_DIRECTION = 3  # arrays: kernel, recurrent kernel, bias


@dataclass(frozen=True, eq=False)
class LstmLayer:
    """LSTM layer of one or two directions.

    Attributes
    ----------
    kernel : np.ndarray, shape=(n_directions, n_inputs, 4 * n_units)
        Weights of the inputs. The second direction, if there is one, reads the sequence backward.
    recurrent : np.ndarray, shape=(n_directions, n_units, 4 * n_units)
        Weights of the outputs of the previous step.
    bias : np.ndarray, shape=(n_directions, 4 * n_units)
        Biases.
    """

    kernel: Array
    recurrent: Array
    bias: Array

    def __call__(self, x: Array, *, every_step: bool) -> Array:
        """Return the outputs at each step, or after the last one.

        Parameters
        ----------
        x : np.ndarray, shape=(n_steps, n, n_inputs)
            Sequences, with the steps as the first axis.
        every_step : bool
            Whether to return the outputs at each step.

        Returns
        -------
        np.ndarray, shape=(n_steps, n, n_directions * n_units)
            Outputs; the first axis has one entry if `every_step` is false: the last output of each direction.
        """
        outputs = self._steps(self._projected(x))
        if not every_step:
            return np.concatenate(list(outputs[:, -1:]), axis=-1)
        backward = [direction[::-1] for direction in outputs[1:]]
        return np.concatenate([outputs[0], *backward], axis=-1)

    def _projected(self, x: Array) -> Array:
        """Return the products of inputs and weights in reading order, shape (n_directions, n_steps, n, 4 * n_units)."""
        flat = x.reshape(-1, x.shape[-1])
        gates = self._half
        products = np.stack([flat @ (kernel * gates) for kernel in self.kernel])
        products += (self.bias * gates)[:, None]
        products = products.reshape(len(self.kernel), *x.shape[:2], -1)
        products[1:] = products[1:, ::-1].copy()
        return products

    def _steps(self, projected: Array) -> Array:
        """Return the outputs of all steps in reading order, shape (n_directions, n_steps, n, n_units)."""
        n_directions, n_steps, n, _ = projected.shape
        n_units, recurrent = self.recurrent.shape[1], self.recurrent * self._half
        outputs = np.empty((n_directions, n_steps, n, n_units), np.float32)
        state, cell = np.zeros((2, n_directions, n, n_units), np.float32)
        for step in range(n_steps):
            z = projected[:, step]
            z += state @ recurrent
            np.tanh(z, out=z)
            # A sigmoid is a scaled tanh, so that one call computes all gates.
            gate = z.reshape(n_directions, n, 4, n_units) * np.float32(0.5) + np.float32(0.5)
            cell = gate[:, :, 1] * cell + gate[:, :, 0] * z[..., 2 * n_units : 3 * n_units]
            state = np.multiply(gate[:, :, 3], np.tanh(cell), out=outputs[:, step])
        return outputs

    @cached_property
    def _half(self) -> Array:
        """Factors of the columns: 1/2 for the gates with a sigmoid, which is tanh of half the value, and 1 else."""
        factors = np.full((4, self.recurrent.shape[1]), 0.5, np.float32)
        factors[2] = 1
        return factors.reshape(-1)


@dataclass(frozen=True, eq=False)
class RecurrentNetwork:
    """Stack of LSTM layers and a dense layer with a softmax.

    Attributes
    ----------
    weights : tuple of np.ndarray
        Weights of all layers, in the order of Keras's `get_weights`.
    bidirectional : tuple of bool
        Whether each LSTM layer reads the sequence in both directions.
    every_step : bool
        Whether the network returns the probabilities at each step. Otherwise, it returns those after the last step.
    """

    weights: tuple[Array, ...]
    bidirectional: tuple[bool, ...]
    every_step: bool

    def __post_init__(self) -> None:
        expected = sum(_PER_DIRECTION * (1 + both) for both in self.bidirectional) + 2
        if len(self.weights) != expected:
            raise ParameterError(
                f"a network of {len(self.bidirectional)} LSTM layers has {expected} arrays of weights, but there are "
                f"{len(self.weights)}; the file is probably damaged"
            )

    @classmethod
    def from_weights(
        cls, weights: Sequence[NDArray[Any]], bidirectional: Sequence[bool], *, every_step: bool
    ) -> RecurrentNetwork:
        """Return the network with the weights of a Keras network, in the order of its `get_weights`."""
        return cls(
            tuple(np.asarray(array, np.float32) for array in weights), tuple(map(bool, bidirectional)), every_step
        )

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> RecurrentNetwork:
        """Return the network that `arrays` returned; other arrays are ignored."""
        names = sorted(name for name in arrays if name.startswith("weights_"))
        return cls.from_weights(
            [arrays[name] for name in names], arrays["bidirectional"].tolist(), every_step=bool(arrays["every_step"])
        )

    def arrays(self, dtype: DTypeLike = np.float32) -> dict[str, NDArray[Any]]:
        """Return the arrays of the network by name, for `np.savez`; `dtype` is the type of the weights."""
        stored = {f"weights_{number:02}": array.astype(dtype) for number, array in enumerate(self.weights)}
        return {"bidirectional": np.array(self.bidirectional), "every_step": np.array(self.every_step), **stored}

    @property
    def n_inputs(self) -> int:
        """Number of values per step."""
        return int(self.weights[0].shape[0])

    @property
    def n_states(self) -> int:
        """Number of states."""
        return int(self.weights[-1].shape[0])

    def __call__(self, x: NDArray[np.floating]) -> Array:
        """Return probabilities.

        Parameters
        ----------
        x : np.ndarray, shape=(n, n_steps, n_inputs) or (n_steps, n_inputs)
            Sequences of equal length, or one sequence.

        Returns
        -------
        np.ndarray of float32, shape=(n, n_steps, n_states) or (n_steps, n_states)
            Probabilities; without the axis of the steps if `every_step` is false.
        """
        sequences = np.asarray(x, np.float32)
        if sequences.ndim == 2:
            single: Array = self(sequences[None])[0]
            return single
        steps = np.ascontiguousarray(sequences.transpose(1, 0, 2))
        last = len(self._layers) - 1
        for number, layer in enumerate(self._layers):
            steps = layer(steps, every_step=self.every_step or number < last)
        outputs = _softmax(steps @ self.weights[-2] + self.weights[-1])
        return np.ascontiguousarray(outputs.transpose(1, 0, 2)) if self.every_step else outputs[0]

    @cached_property
    def _layers(self) -> tuple[LstmLayer, ...]:
        arrays = iter(self.weights)
        layers = []
        for both in self.bidirectional:
            directions = [[next(arrays) for _ in range(_PER_DIRECTION)] for _ in range(1 + both)]
            layers.append(LstmLayer(*(np.stack(column) for column in zip(*directions, strict=True))))
        return tuple(layers)


def _softmax(x: Array) -> Array:
    odds = np.exp(x - x.max(axis=-1, keepdims=True))
    probabilities: Array = odds / odds.sum(axis=-1, keepdims=True)
    return probabilities

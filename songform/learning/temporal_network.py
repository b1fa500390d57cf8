"""Temporal convolutional network [1]_ in NumPy: inference with the weights of a Keras network, without TensorFlow.

The network maps a sequence of vectors to a sequence of outputs of the same length: a dense layer, residual blocks of
layer normalization, a dilated convolution with GELU and a dense layer, and at the end layer normalization and a dense
layer. The tests compare it with the Keras network of the same weights.

Conventions
-----------
Weights are arrays with the names and the shapes of Keras: ``kernel`` of a convolution has shape (width, n_in, n_out).

References
----------
.. [1] Bai, Kolter and Koltun, "An empirical evaluation of generic convolutional and recurrent networks for sequence
       modeling", arXiv:1803.01271, 2018.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

__all__ = [
    "Dense",
    "Ensemble",
    "Normalization",
    "ResidualBlock",
    "TemporalNetwork",
    "ensemble_arrays",
    "weight_arrays",
]

EPSILON = 1e-3  # of Keras's LayerNormalization

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Dense:
    """Dense layer.

    Attributes
    ----------
    kernel : np.ndarray, shape (n_in, n_out)
        Weights.
    bias : np.ndarray, shape (n_out,)
        Bias.
    """

    kernel: Array
    bias: Array

    def __call__(self, x: Array) -> Array:
        """Return the output for each row of `x`."""
        y: Array = x @ self.kernel + self.bias
        return y


@dataclass(frozen=True, eq=False)
class Normalization:
    """Layer normalization over the last axis.

    Attributes
    ----------
    gamma, beta : np.ndarray, shape (n,)
        Scale and offset.
    """

    gamma: Array
    beta: Array

    def __call__(self, x: Array) -> Array:
        """Return the normalized rows."""
        centered = x - x.mean(axis=-1, keepdims=True)
        deviation = np.sqrt(np.square(centered).mean(axis=-1, keepdims=True) + np.float32(EPSILON))
        y: Array = centered / deviation * self.gamma + self.beta
        return y


@dataclass(frozen=True, eq=False)
class ResidualBlock:
    """Normalization, dilated convolution, GELU and a dense layer, added to the input.

    Attributes
    ----------
    normalization : Normalization
        First layer.
    kernel : np.ndarray, shape (width, n_in, n_out)
        Weights of the convolution.
    bias : np.ndarray, shape (n_out,)
        Bias of the convolution.
    dilation : int
        Distance between the rows that a convolution combines.
    dense : Dense
        Last layer.
    """

    normalization: Normalization
    kernel: Array
    bias: Array
    dilation: int
    dense: Dense

    def __call__(self, x: Array) -> Array:
        """Return the output of the block, of the same shape as `x`."""
        y = self.normalization(x)
        reach = self.dilation * (len(self.kernel) // 2)
        padded = np.pad(y, ((reach, reach), (0, 0)))
        shifts = (padded[tap * self.dilation : tap * self.dilation + len(x)] for tap in range(len(self.kernel)))
        convolved = sum((rows @ weights for rows, weights in zip(shifts, self.kernel, strict=True)), self.bias)
        return x + self.dense(_gelu(convolved))


@dataclass(frozen=True, eq=False)
class TemporalNetwork:
    """The network.

    Attributes
    ----------
    first : Dense
        First layer.
    blocks : tuple of ResidualBlock
        Residual blocks.
    normalization : Normalization
        Last normalization.
    last : Dense
        Last layer.
    """

    first: Dense
    blocks: tuple[ResidualBlock, ...]
    normalization: Normalization
    last: Dense

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> TemporalNetwork:
        """Return the network that `weight_arrays` returned."""
        names = sorted(name for name in arrays if name.startswith("weights_"))
        return cls.from_weights([arrays[name] for name in names], arrays["dilations"].tolist())

    @classmethod
    def from_weights(cls, weights: Sequence[NDArray[Any]], dilations: Sequence[int]) -> TemporalNetwork:
        """Return the network with the weights of a Keras network, in the order of its `get_weights`."""
        arrays = iter([np.asarray(array, np.float32) for array in weights])

        def layer() -> tuple[Array, Array]:
            return next(arrays), next(arrays)

        first = Dense(*layer())
        blocks = tuple(
            ResidualBlock(Normalization(*layer()), *layer(), dilation, Dense(*layer())) for dilation in dilations
        )
        return cls(first, blocks, Normalization(*layer()), Dense(*layer()))

    def __call__(self, x: Array) -> Array:
        """Return the outputs, of shape (n, n_outputs), for rows of shape (n, n_inputs)."""
        y = self.first(np.asarray(x, np.float32))
        for block in self.blocks:
            y = block(y)
        return self.last(self.normalization(y))


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Several networks whose outputs are averaged.

    Attributes
    ----------
    networks : tuple of TemporalNetwork
        Networks of the same inputs and outputs.
    """

    networks: tuple[TemporalNetwork, ...]

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Ensemble:
        """Return the ensemble that `ensemble_arrays` returned; other arrays are ignored."""
        members = sorted({name.split("_")[0] for name in arrays if name.endswith("_dilations")})
        return cls(
            tuple(
                TemporalNetwork.from_arrays(
                    {name.removeprefix(f"{member}_"): arrays[name] for name in arrays if name.startswith(f"{member}_")}
                )
                for member in members
            )
        )

    def __call__(self, x: Array) -> Array:
        """Return the mean outputs, of shape (n, n_outputs), for rows of shape (n, n_inputs)."""
        outputs: Array = np.mean([network(x) for network in self.networks], axis=0)
        return outputs


def ensemble_arrays(members: Sequence[Sequence[NDArray[Any]]], dilations: Sequence[int]) -> dict[str, NDArray[Any]]:
    """Return the arrays of an ensemble by name, for `np.savez`.

    Parameters
    ----------
    members : sequence of sequence of np.ndarray
        Weights of each network; see `weight_arrays`.
    dilations : sequence of int
        Dilation of each block.
    """
    return {
        f"{number}_{name}": array
        for number, weights in enumerate(members)
        for name, array in weight_arrays(weights, dilations).items()
    }


def weight_arrays(weights: Sequence[NDArray[Any]], dilations: Sequence[int]) -> dict[str, NDArray[Any]]:
    """Return the arrays of a network by name, for `np.savez`.

    Parameters
    ----------
    weights : sequence of np.ndarray
        Weights in the order of Keras's `get_weights`; they are stored with 16 bits.
    dilations : sequence of int
        Dilation of each block.
    """
    stored = {f"weights_{number:02}": array.astype(np.float16) for number, array in enumerate(weights)}
    return {"dilations": np.array(dilations), **stored}


def _gelu(x: Array) -> Array:
    y: Array = x * np.float32(0.5) * (1 + erf(x * np.float32(np.sqrt(0.5))))
    return y

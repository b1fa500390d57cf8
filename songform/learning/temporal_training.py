"""Training of the temporal convolutional network of `songform.learning.temporal_network`, in Keras.

An example is a sequence of rows with a target for each. Each step trains on random crops of a batch of examples, with
noise added to their inputs. The learning rate falls from its start to 0 along half a cosine.

TensorFlow takes 10 to 20 s to import. Importing this module does not import it; the functions do.

References
----------
.. [1] Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019: AdamW.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Example", "TrainingPlan", "fit_temporal_network", "temporal_network"]

Array = NDArray[np.float32]
Network = Any  # keras.Model, which cannot be named without importing TensorFlow


@dataclass(frozen=True, eq=False)
class Example:
    """Sequence of rows, and what the network should return for them.

    Attributes
    ----------
    inputs : np.ndarray, shape (n, n_inputs)
        Inputs.
    targets : np.ndarray, shape (n, n_outputs)
        Probabilities.
    weights : np.ndarray, shape (n,)
        Weight of each row in the loss; 0 for a row whose target is unknown.
    """

    inputs: Array
    targets: Array
    weights: Array


@dataclass(frozen=True)
class TrainingPlan:
    """Parameters of the network and of its training.

    Attributes
    ----------
    width : int
        Number of channels.
    kernel_size : int
        Number of rows that a convolution combines.
    dilations : tuple of int
        Dilation of each block.
    dropout : float
        Share of the channels that are dropped in training.
    noise : float
        Standard deviation of the noise that is added to inputs.
    crop : int
        Rows of each sequence of a batch.
    batch_size : int
        Sequences per step.
    n_steps : int
        Number of steps.
    learning_rate : float
        Learning rate of the first step.
    seed : int
        Seed of the weights, of dropout, of crops and of noise.
    """

    width: int = 32
    kernel_size: int = 5
    dilations: tuple[int, ...] = (1, 2, 4, 8, 16, 32)
    dropout: float = 0.2
    noise: float = 0.1
    crop: int = 384
    batch_size: int = 16
    n_steps: int = 1000
    learning_rate: float = 2e-3
    seed: int = 0


def temporal_network(n_inputs: int, n_outputs: int, plan: TrainingPlan) -> Network:
    """Build an untrained network whose outputs are log-odds (one output) or unscaled log-probabilities (several)."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(plan.seed)
    inputs = keras.Input((None, n_inputs))
    x = layers.Dense(plan.width)(layers.Dropout(plan.dropout)(inputs))
    for dilation in plan.dilations:
        y = layers.LayerNormalization()(x)
        y = layers.Conv1D(plan.width, plan.kernel_size, dilation_rate=dilation, padding="same", activation="gelu")(y)
        x = layers.Add()([x, layers.Dense(plan.width)(layers.Dropout(plan.dropout)(y))])
    x = layers.Dropout(plan.dropout)(layers.LayerNormalization()(x))
    return keras.Model(inputs, layers.Dense(n_outputs)(x))


def fit_temporal_network(
    examples: Sequence[Example],
    plan: TrainingPlan,
    *,
    shares: Sequence[float] | None = None,
    on_step: Callable[[int, float], None] = lambda _step, _loss: None,
) -> Network:
    """Train a network. The same seed gives the same weights on the same machine.

    Parameters
    ----------
    examples : sequence of Example
        What to train on.
    plan : TrainingPlan
        Parameters.
    shares : sequence of float, optional
        How often each example is chosen, relative to the others; by default all are chosen equally often.
    on_step : callable
        Called after each step with its number, from 1, and the loss.
    """
    import keras

    n_outputs = examples[0].targets.shape[1]
    network = temporal_network(examples[0].inputs.shape[1], n_outputs, plan)
    rate = keras.optimizers.schedules.CosineDecay(plan.learning_rate, plan.n_steps)
    losses = keras.losses
    loss = (losses.BinaryCrossentropy if n_outputs == 1 else losses.CategoricalCrossentropy)(from_logits=True)
    network.compile(keras.optimizers.AdamW(rate, clipnorm=1.0), loss=loss)
    rng = np.random.default_rng(plan.seed)
    chance = np.ones(len(examples)) if shares is None else np.asarray(shares, float)
    for step in range(1, plan.n_steps + 1):
        chosen = rng.choice(len(examples), plan.batch_size, p=chance / chance.sum())
        inputs, targets, weights = _batch([examples[number] for number in chosen], plan, rng)
        on_step(step, float(network.train_on_batch(inputs, targets, sample_weight=weights)))
    return network


def _batch(examples: Sequence[Example], plan: TrainingPlan, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Return random crops of some examples; rows after the end of an example are 0."""
    shape = (len(examples), plan.crop)
    inputs = np.zeros((*shape, examples[0].inputs.shape[1]), np.float32)
    targets = np.zeros((*shape, examples[0].targets.shape[1]), np.float32)
    weights = np.zeros(shape, np.float32)
    for row, example in enumerate(examples):
        first = int(rng.integers(0, max(1, len(example.inputs) - plan.crop + 1)))
        n = min(plan.crop, len(example.inputs))
        part = slice(first, first + n)
        noise = rng.normal(0, plan.noise, example.inputs[part].shape)
        inputs[row, :n] = example.inputs[part] + noise
        targets[row, :n], weights[row, :n] = example.targets[part], example.weights[part]
    return inputs, targets, weights

"""Neural networks that predict the state of each unit of a song, or of a window.

`NETWORKS` maps each value of the setting `model.name` to an architecture. `lstm` and `causal-lstm` have three LSTM
layers [1]_ of 64, 32 and 16 units with dropout between them, and a softmax over the states. `bilstm` has two LSTM
layers of 64 and 32 units in each direction. All networks are trained with Adam on the categorical cross-entropy.
Training stops when the validation loss no longer decreases, and the best weights are restored.

TensorFlow takes 10 to 20 s to import. Importing this module does not import it; only the functions that build or train
a network do. Networks of LSTM layers are saved, loaded and used without it (`songform.learning.recurrent_network`).

References
----------
.. [1] Hochreiter and Schmidhuber, "Long short-term memory", Neural Computation 9(8), 1997.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from songform.errors import ParameterError
from songform.learning.recurrent_network import RecurrentNetwork

if TYPE_CHECKING:
    from songform.learning.sequences import Windows
    from songform.learning.stretches import Stretches

__all__ = [
    "NETWORKS",
    "VERSION",
    "Architecture",
    "NetworkBuilder",
    "bilstm_network",
    "check_no_leak",
    "fit_network",
    "lstm_network",
    "predictor",
]

VERSION = 2

Network = Any  # keras.Model, which cannot be named without importing TensorFlow
History = dict[str, list[float]]


class NetworkBuilder(Protocol):
    """Function that builds an untrained network; its arguments are those of `lstm_network`."""

    def __call__(self, n_inputs: int, n_states: int, *, every_unit: bool, learning_rate: float, seed: int) -> Network:
        """Return the compiled network."""


@dataclass(frozen=True)
class Architecture:
    """Entry of `NETWORKS`.

    Attributes
    ----------
    build : callable
        Function that builds the network.
    reads_backward : bool
        Whether the output at a unit depends on later units.
    needs_causal_inputs : bool
        Whether only inputs are accepted that do not depend on later sound.
    """

    build: NetworkBuilder
    reads_backward: bool = False
    needs_causal_inputs: bool = False


def lstm_network(
    n_inputs: int, n_states: int, *, every_unit: bool = False, learning_rate: float = 0.001, seed: int = 0
) -> Network:
    """Build the LSTM network, compiled but not trained.

    Parameters
    ----------
    n_inputs : int > 0
        Number of values per unit.
    n_states : int >= 2
        Number of states.
    every_unit : bool
        Whether the network predicts a state at each unit. Otherwise, it predicts one state per window.
    learning_rate : float > 0
        Adam's step size.
    seed : int
        Seed of the initial weights and of dropout.

    Returns
    -------
    keras.Model
        Maps sequences of shape (n, n_steps, n_inputs) to probabilities of shape (n, n_states), or with `every_unit` of
        shape (n, n_steps, n_states), for any n_steps.
    """
    layers = _Layers(seed)
    stack = [
        layers.lstm(64, every_step=True),
        layers.dropout(),
        layers.lstm(32, every_step=True),
        layers.dropout(),
        layers.lstm(16, every_step=every_unit),
        layers.softmax(n_states),
    ]
    return _network("songform_lstm", n_inputs, stack, every_unit=every_unit, learning_rate=learning_rate)


def bilstm_network(
    n_inputs: int, n_states: int, *, every_unit: bool = False, learning_rate: float = 0.001, seed: int = 0
) -> Network:
    """Build the bidirectional LSTM network, compiled but not trained; parameters and result as in `lstm_network`."""
    layers = _Layers(seed)
    stack = [
        layers.both_directions(64, every_step=True),
        layers.dropout(),
        layers.both_directions(32, every_step=every_unit),
        layers.dropout(),
        layers.softmax(n_states),
    ]
    return _network("songform_bilstm", n_inputs, stack, every_unit=every_unit, learning_rate=learning_rate)


NETWORKS: dict[str, Architecture] = {
    "lstm": Architecture(lstm_network),
    "bilstm": Architecture(bilstm_network, reads_backward=True),
    "causal-lstm": Architecture(lstm_network, needs_causal_inputs=True),
}
"""Architectures, by the value of the setting `model.name`."""


def check_no_leak(name: str, *, target: str, every_unit: bool, whole_song: Collection[str]) -> None:
    """Check that a network cannot read its target from its inputs.

    Parameters
    ----------
    name : str
        Name of the network in `NETWORKS`.
    target : str
        `current` or `ahead`.
    every_unit : bool
        Whether the network predicts a state at each unit of a whole song, or one state per window.
    whole_song : collection of str
        Those inputs of the network that depend on the whole song.

    Raises
    ------
    ParameterError
        If the inputs contain sound after the target, or the network accepts only inputs that do not.
    """
    architecture = NETWORKS[name]
    if whole_song and architecture.needs_causal_inputs:
        raise ParameterError(
            f"the network {name} accepts only inputs that do not depend on later sound, unlike {_listed(whole_song)}; "
            "use the input features, or the network lstm"
        )
    if target == "ahead" and whole_song:
        raise ParameterError(
            f"the inputs {_listed(whole_song)} are computed from the whole song, and would reveal the target ahead; "
            "use the input features, or the target current"
        )
    if target == "ahead" and every_unit and architecture.reads_backward:
        raise ParameterError(
            f"the network {name} reads the whole song, and would read the target ahead itself; "
            "use the network lstm, or sequences.every_unit = false"
        )


def fit_network(
    train: Windows | Stretches,
    validation: Windows | Stretches | None,
    *,
    n_inputs: int,
    n_states: int,
    name: str = "lstm",
    epochs: int = 50,
    patience: int = 5,
    learning_rate: float = 0.001,
    seed: int = 0,
    start: Sequence[NDArray[np.floating]] | None = None,
    on_epoch: Callable[[int, Mapping[str, float]], None] = lambda _epoch, _logs: None,
) -> tuple[Network, History]:
    """Train a network. The same seed gives the same weights.

    Parameters
    ----------
    train, validation : Windows or Stretches
        Batches of windows with one target each, or of stretches with a target at each unit. Without validation, the
        training loss determines when to stop.
    n_inputs, n_states : int
        Number of values per unit, and number of states.
    name : str
        Name of the network in `NETWORKS`.
    epochs, patience : int
        Maximum number of epochs, and number of epochs without a lower loss after which training stops.
    learning_rate : float > 0
        Adam's step size.
    seed : int
        Seed of the initial weights and of dropout.
    start : sequence of np.ndarray, optional
        Weights from which the training starts, in the order of Keras's `get_weights`; by default random weights.
    on_epoch : callable
        Called after each epoch with its number, starting from 1, and a dict of its losses and accuracies.

    Returns
    -------
    network : keras.Model
        The network with the weights of the best epoch. `songform.learning.keras_files.numpy_network` converts it.
    history : dict
        One value per epoch of `loss` and `accuracy`, and with validation also of `val_loss` and `val_accuracy`.

    Raises
    ------
    ParameterError
        If `NETWORKS` does not contain the name, or the shapes of the starting weights are not those of the network.
    """
    if name not in NETWORKS:
        raise ParameterError(f"name must be one of {', '.join(NETWORKS)}, not {name!r}")
    keras = _keras()
    every_unit = _has_every_unit(train)
    network = NETWORKS[name].build(n_inputs, n_states, every_unit=every_unit, learning_rate=learning_rate, seed=seed)
    if start is not None:
        _set_weights(network, start)
    stop = keras.callbacks.EarlyStopping(
        monitor="val_loss" if validation is not None else "loss", patience=patience, restore_best_weights=True
    )
    report = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: on_epoch(epoch + 1, dict(logs)))
    history = network.fit(
        _dataset(train, n_inputs, n_states),
        validation_data=_dataset(validation, n_inputs, n_states) if validation is not None else None,
        epochs=epochs,
        callbacks=[stop, report],
        shuffle=False,  # the stream is already shuffled
        verbose=0,
    )
    return network, {name: [float(value) for value in values] for name, values in history.history.items()}


def predictor(network: Network) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Return a function that maps sequences to the network's probabilities, without a progress bar."""
    if isinstance(network, RecurrentNetwork):
        return network
    return lambda sequences: np.asarray(network.predict_on_batch(sequences))


class _Layers:
    """Layers with the seeds of their initial weights and of dropout.

    Without explicit seeds, Keras takes them from Python's global generator, which other threads use as well.
    """

    def __init__(self, seed: int) -> None:
        self._seeds = iter(np.random.default_rng(seed).integers(1, 2**31 - 1, 16).tolist())
        self._keras = _keras()

    def lstm(self, units: int, *, every_step: bool) -> Any:
        """Return an LSTM layer."""
        return self._keras.layers.LSTM(
            units,
            return_sequences=every_step,
            kernel_initializer=self._keras.initializers.GlorotUniform(next(self._seeds)),
            recurrent_initializer=self._keras.initializers.Orthogonal(seed=next(self._seeds)),
            seed=next(self._seeds),
        )

    def both_directions(self, units: int, *, every_step: bool) -> Any:
        """Return an LSTM layer of two directions."""
        # Keras would give the backward layer the seeds of the forward one.
        backward = self.lstm(units, every_step=every_step)
        backward.go_backwards = True
        return self._keras.layers.Bidirectional(self.lstm(units, every_step=every_step), backward_layer=backward)

    def dropout(self) -> Any:
        """Return a layer that sets a fifth of its inputs to zero during training."""
        return self._keras.layers.Dropout(0.2, seed=next(self._seeds))

    def softmax(self, n_states: int) -> Any:
        """Return the last layer."""
        glorot = self._keras.initializers.GlorotUniform(next(self._seeds))
        return self._keras.layers.Dense(n_states, activation="softmax", kernel_initializer=glorot)


def _network(name: str, n_inputs: int, layers: list[Any], *, every_unit: bool, learning_rate: float) -> Network:
    keras = _keras()
    network = keras.Sequential([keras.Input((None, n_inputs)), *layers], name=name)
    return _compiled(network, learning_rate, every_unit=every_unit)


def _compiled(network: Network, learning_rate: float, *, every_unit: bool = False) -> Network:
    """Set optimizer, loss and metrics, which are the same for all networks."""
    keras = _keras()
    optimizer = keras.optimizers.Adam(learning_rate)
    if every_unit:  # the mean over the units of a batch that have a target
        loss = keras.losses.CategoricalCrossentropy(reduction="mean_with_sample_weight")
        network.compile(optimizer=optimizer, loss=loss, weighted_metrics=["accuracy"])
    else:
        network.compile(optimizer=optimizer, loss="categorical_crossentropy", metrics=["accuracy"])
    return network


def _set_weights(network: Network, start: Sequence[NDArray[np.floating]]) -> None:
    expected, given = ([tuple(array.shape) for array in arrays] for arrays in (network.get_weights(), start))
    if expected != given:
        raise ParameterError(
            f"the starting weights must have the shapes {expected}, not {given}; they probably belong to a network "
            "with other layers or inputs"
        )
    network.set_weights(list(start))


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names))


def _has_every_unit(batches: Windows | Stretches) -> bool:
    from songform.learning.stretches import Stretches

    return isinstance(batches, Stretches)


def _dataset(source: Windows | Stretches, n_inputs: int, n_states: int) -> Any:
    """Return a TensorFlow dataset of batches with one-hot targets, which prefetches one batch."""
    import tensorflow as tf

    one_hot = np.eye(n_states, dtype=np.float32)

    def batches() -> Any:
        for inputs, targets, *weights in source:
            yield inputs, one_hot[targets], *weights

    units = (None,) if _has_every_unit(source) else ()
    signature = [tf.TensorSpec((None, None, n_inputs), tf.float32), tf.TensorSpec((None, *units, n_states), tf.float32)]
    signature += [tf.TensorSpec((None, None), tf.float32)] * len(units)
    dataset = tf.data.Dataset.from_generator(batches, output_signature=tuple(signature))
    return dataset.apply(tf.data.experimental.assert_cardinality(len(source))).prefetch(1)


def _keras() -> Any:
    import keras

    return keras

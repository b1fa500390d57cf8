"""Neural networks that predict the state of a window.

`NETWORKS` maps each value of the setting `model.name` to the function that builds the network. `lstm` has three LSTM
layers [1]_ of 64, 32 and 16 units with dropout between them, and a softmax over the states. All networks are trained
with Adam on the categorical cross-entropy. Training stops when the validation loss no longer decreases, and the best
weights are restored.

TensorFlow takes 10 to 20 s to import. Importing this module does not import it; the functions do.

References
----------
.. [1] Hochreiter and Schmidhuber, "Long short-term memory", Neural Computation 9(8), 1997.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from songform.errors import ModelError, ParameterError
from songform.learning.sequences import Windows

__all__ = ["NETWORKS", "VERSION", "NetworkBuilder", "fit_network", "load_network", "lstm_network", "predictor"]

VERSION = 2

Network = Any  # keras.Model, which cannot be named without importing TensorFlow
History = dict[str, list[float]]


class NetworkBuilder(Protocol):
    """Function that builds an untrained network; its arguments are those of `lstm_network`."""

    def __call__(self, n_inputs: int, n_states: int, *, learning_rate: float, seed: int) -> Network:
        """Return the compiled network."""


def lstm_network(n_inputs: int, n_states: int, *, learning_rate: float = 0.001, seed: int = 0) -> Network:
    """Build the LSTM network, compiled but not trained.

    Parameters
    ----------
    n_inputs : int > 0
        Number of values per unit.
    n_states : int >= 2
        Number of states.
    learning_rate : float > 0
        Adam's step size.
    seed : int
        Seed of the initial weights and of dropout.

    Returns
    -------
    keras.Model
        Maps windows of shape (n, n_steps, n_inputs) to probabilities of shape (n, n_states), for any n_steps.
    """
    keras = _keras()
    # Without explicit seeds, Keras takes them from Python's global generator, which other threads use as well.
    seeds = iter(np.random.default_rng(seed).integers(1, 2**31 - 1, 12).tolist())

    def lstm(units: int, *, sequences: bool) -> Any:
        return keras.layers.LSTM(
            units,
            return_sequences=sequences,
            kernel_initializer=keras.initializers.GlorotUniform(next(seeds)),
            recurrent_initializer=keras.initializers.Orthogonal(seed=next(seeds)),
            seed=next(seeds),
        )

    network = keras.Sequential(
        [
            keras.Input((None, n_inputs)),
            lstm(64, sequences=True),
            keras.layers.Dropout(0.2, seed=next(seeds)),
            lstm(32, sequences=True),
            keras.layers.Dropout(0.2, seed=next(seeds)),
            lstm(16, sequences=False),
            keras.layers.Dense(
                n_states, activation="softmax", kernel_initializer=keras.initializers.GlorotUniform(next(seeds))
            ),
        ],
        name="songform_lstm",
    )
    return _compiled(network, learning_rate)


NETWORKS: dict[str, NetworkBuilder] = {"lstm": lstm_network}
"""Functions that build a network, by the value of the setting `model.name`."""


def fit_network(
    train: Windows,
    validation: Windows | None,
    *,
    n_inputs: int,
    n_states: int,
    name: str = "lstm",
    epochs: int = 50,
    patience: int = 5,
    learning_rate: float = 0.001,
    seed: int = 0,
    on_epoch: Callable[[int, Mapping[str, float]], None] = lambda _epoch, _logs: None,
) -> tuple[Network, History]:
    """Train a network. The same seed gives the same weights.

    Parameters
    ----------
    train, validation : Windows
        Streams of windows. Without validation, the training loss determines when to stop.
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
    on_epoch : callable
        Called after each epoch with its number, starting from 1, and a dict of its losses and accuracies.

    Returns
    -------
    network : keras.Model
        The network with the weights of the best epoch.
    history : dict
        One value per epoch of `loss` and `accuracy`, and with validation also of `val_loss` and `val_accuracy`.

    Raises
    ------
    ParameterError
        If `NETWORKS` does not contain the name.
    """
    if name not in NETWORKS:
        raise ParameterError(f"name must be one of {', '.join(NETWORKS)}, not {name!r}")
    keras = _keras()
    network = NETWORKS[name](n_inputs, n_states, learning_rate=learning_rate, seed=seed)
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


def load_network(path: Path) -> Network:
    """Read a network that Keras saved.

    Raises
    ------
    ModelError
        If the file is missing, damaged, or not a Keras model.
    """
    try:
        _check_whole(path)
        return _keras().models.load_model(path, compile=False)  # the optimizer is not needed for predictions
    except (OSError, ValueError, TypeError, KeyError, zipfile.BadZipFile) as error:
        msg = f"{path} cannot be loaded by Keras ({str(error).partition(chr(10))[0]}); train again"
        raise ModelError(msg) from error


def _check_whole(path: Path) -> None:
    """Verify the checksums of the archive. Keras does not always do so, and would load damaged weights."""
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        msg = f"its entry {damaged} is damaged"
        raise zipfile.BadZipFile(msg)


def predictor(network: Network) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Return a function that maps windows to the network's probabilities, without a progress bar."""
    return lambda windows: np.asarray(network.predict_on_batch(windows))


def _compiled(network: Network, learning_rate: float) -> Network:
    """Set optimizer, loss and metrics, which are the same for all networks."""
    optimizer = _keras().optimizers.Adam(learning_rate)
    network.compile(optimizer=optimizer, loss="categorical_crossentropy", metrics=["accuracy"])
    return network


def _dataset(windows: Windows, n_inputs: int, n_states: int) -> Any:
    """Return a TensorFlow dataset of the windows with one-hot targets, which prefetches one batch."""
    import tensorflow as tf

    def batches() -> Any:
        for inputs, targets in windows:
            yield inputs, np.eye(n_states, dtype=np.float32)[targets]

    signature = (tf.TensorSpec((None, None, n_inputs), tf.float32), tf.TensorSpec((None, n_states), tf.float32))
    dataset = tf.data.Dataset.from_generator(batches, output_signature=signature)
    return dataset.apply(tf.data.experimental.assert_cardinality(len(windows))).prefetch(1)


def _keras() -> Any:
    import keras

    return keras

"""Networks of Keras, read or converted for use without TensorFlow.

Earlier versions of songform saved networks as files of Keras: an archive with the configuration of the layers as JSON
and their weights as HDF5. If a file contains only LSTM layers, dropout layers and a softmax, it is read here, and
TensorFlow is not imported. Other networks are loaded by Keras.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from songform.errors import ModelError, first_line
from songform.learning.recurrent_network import RecurrentNetwork

__all__ = ["load_network", "numpy_network", "verify_network"]

Network = Any  # keras.Model, which cannot be named without importing TensorFlow

_WITHOUT_EFFECT = ("InputLayer", "Dropout")  # layers that change nothing after training
_STANDARD = {"activation": "tanh", "recurrent_activation": "sigmoid", "use_bias": True, "go_backwards": False}
_DIRECTIONS = ("forward_layer/cell", "backward_layer/cell")
_FAULTS = (OSError, EOFError, ValueError, TypeError, KeyError, zipfile.BadZipFile, zlib.error)


class _Layer(NamedTuple):
    """What has to be known of a layer: whether it is LSTM, Bidirectional or Dense, and whether it returns each step."""

    kind: str
    every_step: bool = False


def numpy_network(network: Network) -> RecurrentNetwork | None:
    """Return a trained network as one that needs no TensorFlow, or None if it has other layers than LSTM layers.

    Parameters
    ----------
    network : keras.Model
        Network of LSTM layers, bidirectional or not, dropout layers, and a dense layer with a softmax.
    """
    layers = _layers([(type(layer).__name__, layer.get_config()) for layer in network.layers])
    return _recurrent(layers, network.get_weights()) if layers else None


def load_network(path: Path) -> RecurrentNetwork | Network:
    """Read a network that Keras saved, without TensorFlow if it consists of LSTM layers.

    Raises
    ------
    ModelError
        If the file is missing, damaged, or not a Keras model.
    """
    try:
        verify_network(path)
        return _read(path) or _by_keras(path)
    except _FAULTS as error:
        msg = f"{path} cannot be loaded by Keras ({first_line(error)}); train again"
        raise ModelError(msg) from error


def verify_network(path: Path) -> None:
    """Verify the checksums of a network that Keras saved.

    Keras does not always do so, and would load damaged weights.

    Raises
    ------
    OSError, zipfile.BadZipFile
        If the file cannot be read or is damaged.
    """
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        msg = f"its entry {damaged} is damaged"
        raise zipfile.BadZipFile(msg)


def _read(path: Path) -> RecurrentNetwork | None:
    """Read a network of LSTM layers, or return None if the file has other layers or another structure."""
    import h5py  # type: ignore[import-untyped]  # noqa: PLC0415  installed with Keras

    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))
        weights = io.BytesIO(archive.read("model.weights.h5"))
    if config["class_name"] != "Sequential":
        return None
    configs = [(layer["class_name"], layer["config"]) for layer in config["config"]["layers"]]
    layers = _layers(configs)
    if not layers:
        return None
    with h5py.File(weights) as file:
        groups = [
            group for layer, name in zip(layers, _group_names(layers), strict=True) for group in _groups(layer, name)
        ]
        if any(group not in file for group in groups):
            return None
        return _recurrent(layers, [file[group][number][()] for group in groups for number in sorted(file[group])])


def _by_keras(path: Path) -> Network:
    import keras  # noqa: PLC0415  slow

    return keras.models.load_model(path, compile=False)  # the optimizer is not needed for predictions


def _layers(configs: Sequence[tuple[str, Mapping[str, Any]]]) -> list[_Layer]:
    """Return the layers of a network from their class names and configurations; empty if not all of them are known."""
    found = [_layer(*config) for config in configs if config[0] not in _WITHOUT_EFFECT]
    layers = [layer for layer in found if layer]
    *stack, last = layers or [_Layer("")]
    is_known = (
        len(layers) == len(found)
        and stack
        and last.kind == "Dense"
        and all(layer.kind != "Dense" for layer in stack)
        and all(layer.every_step for layer in stack[:-1])
    )
    return layers if is_known else []


def _layer(kind: str, config: Mapping[str, Any]) -> _Layer | None:
    """Return a layer from its class name and its configuration, as Keras stores them; None if it is not known."""
    if kind == "Bidirectional" and config["merge_mode"] == "concat":
        inner = _layer(config["layer"]["class_name"], config["layer"]["config"])
        return _Layer(kind, inner.every_step) if inner and inner.kind == "LSTM" else None
    if kind == "LSTM" and all(config[name] == value for name, value in _STANDARD.items()):
        return _Layer(kind, bool(config["return_sequences"]))
    if kind == "Dense" and config["activation"] == "softmax" and config["use_bias"]:
        return _Layer(kind)
    return None


def _recurrent(layers: Sequence[_Layer], weights: Sequence[Any]) -> RecurrentNetwork:
    stack = layers[:-1]
    both = [layer.kind == "Bidirectional" for layer in stack]
    return RecurrentNetwork.from_weights(weights, both, every_step=stack[-1].every_step)


def _group_names(layers: Sequence[_Layer]) -> list[str]:
    """Return the names under which Keras stores the layers: lstm, lstm_1, and so on for each class."""
    names: list[str] = []
    for number, layer in enumerate(layers):
        before = sum(other.kind == layer.kind for other in layers[:number])
        names.append(f"layers/{layer.kind.lower()}{f'_{before}' if before else ''}")
    return names


def _groups(layer: _Layer, name: str) -> list[str]:
    """Return the groups of the HDF5 file that contain the weights of a layer."""
    parts = {"LSTM": ("cell",), "Dense": ("",), "Bidirectional": _DIRECTIONS}[layer.kind]
    return ["/".join(filter(None, (name, part, "vars"))) for part in parts]

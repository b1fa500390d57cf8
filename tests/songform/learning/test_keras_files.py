"""Network files of earlier versions, which Keras saved, are read without TensorFlow."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from songform.errors import ModelError
from songform.learning.keras_files import load_network, numpy_network
from songform.learning.networks import NETWORKS, lstm_network, predictor
from songform.learning.recurrent_network import RecurrentNetwork

N_INPUTS, N_STATES = 3, 4

WITHOUT_TENSORFLOW = """
import sys
import numpy as np
from pathlib import Path
from songform.learning.keras_files import load_network
network = load_network(Path(sys.argv[1]))
print(network(np.ones((5, 3))).tolist())
assert not {"tensorflow", "keras"} & set(sys.modules)
"""


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("every_unit", [True, False])
def test_a_file_of_keras_is_read_with_the_same_weights(name, every_unit, rng, tmp_path):
    network = NETWORKS[name].build(N_INPUTS, N_STATES, every_unit=every_unit, learning_rate=0.001, seed=2)
    network.save(tmp_path / "network.keras")
    loaded = load_network(tmp_path / "network.keras")
    assert isinstance(loaded, RecurrentNetwork)
    x = rng.standard_normal((6, 7, N_INPUTS)).astype(np.float32)
    np.testing.assert_allclose(loaded(x), predictor(network)(x), atol=1e-5)


def test_reading_a_file_of_keras_does_not_import_tensorflow(tmp_path):
    network = lstm_network(N_INPUTS, N_STATES)
    network.save(tmp_path / "network.keras")
    command = [sys.executable, "-c", WITHOUT_TENSORFLOW, str(tmp_path / "network.keras")]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    np.testing.assert_allclose(eval(said), predictor(network)(np.ones((1, 5, 3), np.float32))[0], atol=1e-5)


def test_a_network_of_other_layers_is_loaded_by_keras(rng, tmp_path):
    import keras

    layers = [keras.Input((None, N_INPUTS)), keras.layers.GRU(2), keras.layers.Dense(N_STATES, activation="softmax")]
    network = keras.Sequential(layers)
    assert numpy_network(network) is None
    network.save(tmp_path / "network.keras")
    x = rng.standard_normal((6, 7, N_INPUTS)).astype(np.float32)
    np.testing.assert_array_equal(predictor(load_network(tmp_path / "network.keras"))(x), predictor(network)(x))


@pytest.mark.parametrize(
    "options", [{"activation": "relu"}, {"recurrent_activation": "hard_sigmoid"}, {"use_bias": False}]
)
def test_lstm_layers_with_other_options_are_not_converted(options):
    import keras

    lstm, dense = keras.layers.LSTM(2, **options), keras.layers.Dense(N_STATES, activation="softmax")
    assert numpy_network(keras.Sequential([keras.Input((None, N_INPUTS)), lstm, dense])) is None


def test_missing_or_damaged_network_file_raises_model_error(tmp_path):
    path = tmp_path / "network.keras"
    lstm_network(N_INPUTS, N_STATES).save(path)
    whole = bytearray(path.read_bytes())
    damaged = whole.copy()
    damaged[len(whole) // 2] ^= 255  # within the weights
    for content in (None, b"", b"garbage", whole[: len(whole) // 2], damaged):
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ModelError, match=r"network\.keras cannot be loaded .*\(.+\); train again$"):
            load_network(path)

"""The temporal convolutional network in NumPy: compared with Keras, and its reach."""

from __future__ import annotations

import numpy as np
import pytest

from songform.learning.temporal_network import TemporalNetwork

DILATIONS = (1, 2, 4)


def keras_network(n_inputs=7, width=8, n_outputs=3):
    import keras
    from keras import layers

    keras.utils.set_random_seed(3)
    inputs = keras.Input((None, n_inputs))
    x = layers.Dense(width)(inputs)
    for dilation in DILATIONS:
        y = layers.LayerNormalization()(x)
        y = layers.Conv1D(width, 5, dilation_rate=dilation, padding="same", activation="gelu")(y)
        x = layers.Add()([x, layers.Dense(width)(y)])
    outputs = layers.Dense(n_outputs)(layers.LayerNormalization()(x))
    network = keras.Model(inputs, outputs)
    rng = np.random.default_rng(0)
    network.set_weights([rng.normal(0, 0.5, weights.shape) for weights in network.get_weights()])
    return network


@pytest.fixture(scope="module")
def networks():
    network = keras_network()
    return network, TemporalNetwork.from_weights(network.get_weights(), DILATIONS)


@pytest.mark.parametrize("n", [1, 4, 200])
def test_outputs_equal_those_of_keras(networks, n):
    by_keras, ours = networks
    x = np.random.default_rng(n).normal(size=(n, 7)).astype(np.float32)
    np.testing.assert_allclose(ours(x), by_keras(x[None]).numpy()[0], atol=1e-5)


def test_a_row_changes_the_outputs_within_its_reach_only(networks):
    _, ours = networks
    x = np.random.default_rng(0).normal(size=(60, 7)).astype(np.float32)
    changed = x.copy()
    changed[30] += 1
    differs = np.any(ours(x) != ours(changed), axis=1)
    reach = 2 * sum(DILATIONS)
    assert differs[30 - reach : 31 + reach].all()
    assert not differs[: 30 - reach].any()
    assert not differs[31 + reach :].any()

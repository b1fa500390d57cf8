"""The network in NumPy, compared with the Keras network of the same weights."""

from __future__ import annotations

import numpy as np
import pytest

from songform.errors import ParameterError
from songform.learning.keras_files import numpy_network
from songform.learning.networks import NETWORKS
from songform.learning.recurrent_network import RecurrentNetwork

N_INPUTS, N_STATES = 6, 4


@pytest.fixture(scope="module", params=[(name, every) for name in NETWORKS for every in (True, False)], ids=str)
def networks(request):
    """Return a Keras network, and the network in NumPy. The weights are large, so that gates are saturated."""
    name, every_unit = request.param
    by_keras = NETWORKS[name].build(N_INPUTS, N_STATES, every_unit=every_unit, learning_rate=0.001, seed=1)
    rng = np.random.default_rng(3)
    by_keras.set_weights([array + 0.3 * rng.standard_normal(array.shape) for array in by_keras.get_weights()])
    ours = numpy_network(by_keras)
    assert ours is not None
    return by_keras, ours


@pytest.mark.parametrize("shape", [(5, 40), (1, 1), (3, 2)])
def test_probabilities_of_a_batch_equal_those_of_keras(networks, shape, rng):
    by_keras, ours = networks
    x = 2 * rng.standard_normal((*shape, N_INPUTS)).astype(np.float32)
    expected = np.asarray(by_keras(x))
    found = ours(x)
    assert found.dtype == np.float32
    assert found.std() > 0.02
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_one_sequence_gives_the_same_as_a_batch_of_one(networks, rng):
    _, ours = networks
    x = rng.standard_normal((30, N_INPUTS))
    np.testing.assert_array_equal(ours(x), ours(x[None])[0])
    assert (ours.n_inputs, ours.n_states) == (N_INPUTS, N_STATES)


def test_inputs_are_not_changed(networks, rng):
    _, ours = networks
    x = rng.standard_normal((2, 9, N_INPUTS)).astype(np.float32)
    before = x.copy()
    ours(x)
    np.testing.assert_array_equal(x, before)


def test_stored_network_gives_the_same_answers(networks, rng, tmp_path):
    _, ours = networks
    x = rng.standard_normal((2, 9, N_INPUTS))
    np.savez(tmp_path / "network.npz", **ours.arrays())
    with np.load(tmp_path / "network.npz", allow_pickle=False) as stored:
        loaded = RecurrentNetwork.from_arrays(dict(stored))
    np.testing.assert_array_equal(loaded(x), ours(x))
    small = RecurrentNetwork.from_arrays(ours.arrays(np.float16))
    np.testing.assert_allclose(small(x), ours(x), atol=0.01)


def test_missing_weights_are_an_error(networks):
    _, ours = networks
    arrays = ours.arrays()
    del arrays["weights_00"]
    with pytest.raises(ParameterError, match="arrays of weights"):
        RecurrentNetwork.from_arrays(arrays)


def test_only_a_network_of_one_direction_ignores_later_units(rng):
    """The first outputs of a shorter sequence are the same, except with a layer that reads backward."""
    x = rng.standard_normal((1, 20, N_INPUTS)).astype(np.float32)
    for name, architecture in NETWORKS.items():
        built = architecture.build(N_INPUTS, N_STATES, every_unit=True, learning_rate=0.001, seed=1)
        ours = numpy_network(built)
        is_causal = np.allclose(ours(x)[:, :12], ours(x[:, :12]), atol=1e-6)
        assert is_causal != architecture.reads_backward, name

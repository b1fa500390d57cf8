"""Training of the temporal network: reproducible, learns a toy, and equals the NumPy network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from songform.learning.temporal_network import TemporalNetwork, weight_arrays
from songform.learning.temporal_training import Example, TrainingPlan, _batch, fit_temporal_network, temporal_network

PLAN = TrainingPlan(
    width=8, kernel_size=3, dilations=(1, 2), crop=40, batch_size=4, n_steps=80, learning_rate=1e-2, dropout=0.0
)


def toy(seed, n=100, n_outputs=1):
    """Return an example whose targets tell whether the previous input was positive."""
    x = np.random.default_rng(seed).normal(size=(n, 2)).astype(np.float32)
    positive = np.roll(x[:, 0], 1) > 0
    targets = np.stack([positive, ~positive], axis=1).astype(np.float32)
    weights = np.ones(n, np.float32)
    weights[0] = 0
    return Example(x, targets[:, :n_outputs], weights)


def fitted(plan=PLAN, n_outputs=1, **options):
    losses = []
    examples = [toy(seed, n_outputs=n_outputs) for seed in range(6)]
    network = fit_temporal_network(examples, plan, on_step=lambda _, loss: losses.append(loss), **options)
    return network, losses


@pytest.fixture(scope="module")
def trained():
    return fitted()


@pytest.mark.system  # it trains several networks
def test_the_same_seed_gives_the_same_weights():
    plan = replace(PLAN, n_steps=3, dropout=0.3)
    first, second = (fitted(plan)[0].get_weights() for _ in range(2))
    assert all(np.array_equal(left, right) for left, right in zip(first, second, strict=True))


@pytest.mark.system
def test_another_seed_gives_other_weights():
    first, second = (temporal_network(2, 1, replace(PLAN, seed=seed)).get_weights()[0] for seed in (1, 2))
    assert not np.array_equal(first, second)


def test_the_loss_falls_and_the_network_has_learned_the_rule(trained):
    network, losses = trained
    assert len(losses) == PLAN.n_steps
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:5])
    unseen = toy(99)
    found = TemporalNetwork.from_weights(network.get_weights(), PLAN.dilations)(unseen.inputs)[:, 0] > 0
    assert np.mean(found[1:] == unseen.targets[1:, 0]) > 0.9


@pytest.mark.system
def test_several_outputs_are_unscaled_log_probabilities():
    network, losses = fitted(n_outputs=2)
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:5])
    unseen = toy(99, n_outputs=2)
    found = np.array(network(unseen.inputs[None]))[0].argmax(axis=1)
    assert np.mean(found[1:] == unseen.targets[1:].argmax(axis=1)) > 0.9


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_the_numpy_network_equals_the_keras_network_with_dropout_layers(n_outputs):
    plan = TrainingPlan(width=16, dropout=0.5)
    network = temporal_network(7, n_outputs, plan)
    rng = np.random.default_rng(0)
    network.set_weights([rng.normal(0, 0.3, array.shape).astype(np.float32) for array in network.get_weights()])
    x = rng.normal(size=(300, 7)).astype(np.float32)
    ours = TemporalNetwork.from_weights(network.get_weights(), plan.dilations)
    np.testing.assert_allclose(ours(x), np.array(network(x[None], training=False))[0], atol=1e-5)


def test_stored_weights_have_16_bits_and_nearly_the_same_outputs(trained, tmp_path):
    network = trained[0]
    np.savez(tmp_path / "network.npz", **weight_arrays(network.get_weights(), PLAN.dilations))
    with np.load(tmp_path / "network.npz") as stored:
        assert {stored[name].dtype for name in stored if name != "dilations"} == {np.dtype(np.float16)}
        loaded = TemporalNetwork.from_arrays(stored)
    exact = TemporalNetwork.from_weights(network.get_weights(), PLAN.dilations)
    x = toy(7).inputs
    np.testing.assert_allclose(loaded(x), exact(x), atol=0.05)
    assert not np.array_equal(loaded(x), exact(x))


@pytest.mark.system  # it trains several networks
def test_rows_of_weight_0_do_not_count_and_examples_with_a_share_of_0_are_never_chosen():
    unknown = Example(toy(0).inputs, toy(0).targets, np.zeros(100, np.float32))
    broken = Example(np.full((50, 2), np.nan, np.float32), np.zeros((50, 1), np.float32), np.ones(50, np.float32))
    losses = []
    plan = replace(PLAN, n_steps=3)
    fit_temporal_network([unknown, broken], plan, shares=[1, 0], on_step=lambda _, loss: losses.append(loss))
    assert losses == [0, 0, 0]


def test_a_batch_has_crops_of_long_examples_and_zeros_after_short_ones():
    rng = np.random.default_rng(0)
    long = Example(np.arange(100.0)[:, None], np.arange(100.0)[:, None], np.ones(100))
    short = Example(np.ones((15, 1)), np.ones((15, 1)), np.ones(15))
    inputs, targets, weights = _batch([long, short], replace(PLAN, noise=0.0), rng)
    np.testing.assert_array_equal(np.diff(inputs[0, :, 0]), 1)
    np.testing.assert_array_equal(inputs[0], targets[0])
    assert inputs[1, :, 0].tolist() == weights[1].tolist() == [1.0] * 15 + [0.0] * 25
    noisy, same, _ = _batch([long] * 50, replace(PLAN, noise=0.1), rng)
    assert np.std(noisy - same) == pytest.approx(0.1, rel=0.1)

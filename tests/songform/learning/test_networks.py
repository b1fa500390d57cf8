"""Networks, trained on a few short windows. Importing TensorFlow takes longer than all of these tests."""

from __future__ import annotations

import random

import numpy as np
import pytest

from songform.errors import ParameterError
from songform.learning.keras_files import numpy_network
from songform.learning.networks import (
    NETWORKS,
    Architecture,
    bilstm_network,
    check_no_leak,
    fit_network,
    lstm_network,
    predictor,
)
from songform.learning.sequences import SongWindows, Windows
from songform.learning.stretches import Stretch, Stretches

N_INPUTS, N_STATES, N_STEPS = 3, 4, 5


def stream(*, seed=0, songs=2, n=12, shuffled=False, copies=1):
    """Return windows of songs whose last unit determines the state, unless the states are `shuffled`."""
    rng = np.random.default_rng(seed)
    library = {}
    for key in map(str, range(songs)):
        states = rng.integers(0, N_STATES, n + N_STEPS)
        inputs = np.eye(N_STATES, N_INPUTS, dtype=np.float32)[states] + 0.1 * rng.standard_normal((len(states), 1))
        ends = np.arange(N_STEPS - 1, N_STEPS - 1 + n)
        targets = rng.permutation(states[ends]) if shuffled else states[ends]
        library[key] = SongWindows(inputs.astype(np.float32), ends, targets)
    order = seed if copies == 1 else None
    return Windows(library.__getitem__, [*library] * copies, n_steps=N_STEPS, batch_size=8, seed=order)


def fitted(train=None, validation=None, **more):
    return fit_network(
        train or stream(), validation, **{"n_inputs": N_INPUTS, "n_states": N_STATES, "epochs": 2, "seed": 0} | more
    )


def losses_of(network, windows):
    """Return the mean loss over a stream, computed with NumPy."""
    inputs, targets = (np.concatenate(column) for column in zip(*windows, strict=True))
    return -np.log(predictor(network)(inputs)[np.arange(len(targets)), targets]).mean()


def test_network_has_the_documented_layers():
    network = lstm_network(76, 5, learning_rate=0.01)
    layers = [(type(layer).__name__, layer.get_config()) for layer in network.layers]
    assert [name for name, _ in layers] == ["LSTM", "Dropout", "LSTM", "Dropout", "LSTM", "Dense"]
    assert [config.get("units") or config.get("rate") for _, config in layers] == [64, 0.2, 32, 0.2, 16, 5]
    assert [config["return_sequences"] for name, config in layers if name == "LSTM"] == [True, True, False]
    assert layers[-1][1]["activation"] == "softmax"
    assert network.input_shape == (None, None, 76)
    assert network.loss == "categorical_crossentropy"
    assert type(network.optimizer).__name__ == "Adam"
    assert float(network.optimizer.learning_rate) == pytest.approx(0.01)


def test_predictions_are_probabilities_for_windows_of_any_length(rng):
    predict = predictor(lstm_network(N_INPUTS, N_STATES))
    for n_steps in (2, 7):
        answers = predict(rng.standard_normal((6, n_steps, N_INPUTS)).astype(np.float32))
        assert answers.shape == (6, N_STATES)
        assert np.allclose(answers.sum(axis=1), 1, atol=1e-6)


def test_repeated_predictions_are_equal(rng):
    """Dropout is active during training only."""
    windows = rng.standard_normal((6, N_STEPS, N_INPUTS)).astype(np.float32)
    predict = predictor(lstm_network(N_INPUTS, N_STATES))
    assert np.array_equal(predict(windows), predict(windows))


def test_equal_seeds_give_equal_weights_and_different_seeds_different_weights():
    one, same, other = (fitted(stream(seed=1), epochs=1, seed=seed)[0].get_weights() for seed in (7, 7, 8))
    assert all(map(np.array_equal, one, same))
    assert not np.array_equal(one[0], other[0])


def test_seed_is_independent_of_the_global_generator():
    """The network neither uses nor changes Python's global generator, which other threads use."""
    random.seed(1)
    one = lstm_network(N_INPUTS, N_STATES, seed=7)
    untouched = random.random()
    random.seed(2)
    other = lstm_network(N_INPUTS, N_STATES, seed=7)
    random.seed(1)
    assert untouched == random.random()
    assert all(map(np.array_equal, one.get_weights(), other.get_weights()))


def test_network_is_built_by_the_function_with_its_name(monkeypatch):
    asked = []

    def built(*sizes, **options):
        asked.append((sizes, options))
        return lstm_network(*sizes, **options)

    monkeypatch.setitem(NETWORKS, "other", Architecture(built))
    fitted(name="other", epochs=1, learning_rate=0.02, seed=3)
    assert asked == [((N_INPUTS, N_STATES), {"every_unit": False, "learning_rate": 0.02, "seed": 3})]


def test_unknown_network_name_is_rejected_with_the_known_names():
    with pytest.raises(ParameterError, match=rf"name .*{', '.join(NETWORKS)}.*'transformer'"):
        fitted(name="transformer")


def test_network_can_memorize_a_small_batch():
    """The states are random, so that they can only be memorized. The batch occurs 25 times per epoch."""
    batch = stream(songs=1, n=8, shuffled=True, copies=25)
    network, history = fitted(batch, epochs=16, learning_rate=0.01)
    inputs, targets = next(iter(batch))
    assert len(batch) == 25
    assert np.array_equal(predictor(network)(inputs).argmax(axis=1), targets)
    assert history["loss"][-1] < 0.2 * history["loss"][0]


@pytest.fixture(scope="module")
def training():
    """Return a training run that stops early, because the states of the validation windows are random."""
    validation, epochs = stream(seed=5, shuffled=True), []
    network, history = fitted(
        stream(seed=1),
        validation,
        epochs=100,
        patience=3,
        learning_rate=0.02,
        on_epoch=lambda *epoch: epochs.append(epoch),
    )
    return network, history, validation, epochs


def test_training_stops_early_and_restores_the_best_weights(training):
    network, history, validation, _ = training
    best = int(np.argmin(history["val_loss"]))
    assert len(history["val_loss"]) == best + 1 + 3 < 100
    assert history["val_loss"][-1] > 1.001 * history["val_loss"][best]
    assert losses_of(network, validation) == pytest.approx(history["val_loss"][best], rel=1e-5)


def test_on_epoch_receives_the_number_and_the_metrics_of_every_epoch(training):
    _, history, _, epochs = training
    assert set(history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert [epoch for epoch, _ in epochs] == list(range(1, len(history["loss"]) + 1))
    for name, values in history.items():
        assert values == [float(logs[name]) for _, logs in epochs]


def test_training_loss_decides_without_validation():
    _, history = fitted(epochs=30, patience=1, learning_rate=0.3)
    assert set(history) == {"loss", "accuracy"}
    assert len(history["loss"]) == int(np.argmin(history["loss"])) + 2 < 30


def test_bidirectional_network_has_the_documented_layers_and_four_different_initial_weights():
    network = bilstm_network(76, 5, every_unit=True)
    kinds = [type(layer).__name__ for layer in network.layers]
    assert kinds == ["Bidirectional", "Dropout", "Bidirectional", "Dropout", "Dense"]
    assert network.output_shape == (None, None, 5)
    sizes = [128, 64]  # both directions together
    assert [network.layers[number].compute_output_shape((1, 9, 76))[-1] for number in (0, 2)] == sizes
    one, other = (network.layers[0].get_weights()[number] for number in (0, 3))
    assert not np.array_equal(one, other)


def echo(n, *, seed=0, n_songs=4, padding=0):
    """Return stretches in which the state at a unit is that of the inputs two units before.

    The last units, as many as `padding`, have weight 0 and wrong targets.
    """
    rng, stretches = np.random.default_rng(seed), []
    for _ in range(n_songs):
        states = rng.integers(0, N_STATES, n)
        targets, weights = np.roll(states, 2), np.ones(n, np.float32)
        targets[n - padding :], weights[n - padding :] = (targets[n - padding :] + 1) % N_STATES, 0
        stretches.append(Stretch(np.eye(N_STATES, dtype=np.float32)[states], targets, weights))
    return stretches


def test_network_learns_a_state_at_each_unit_from_earlier_inputs():
    train, test = Stretches.of(echo(30, n_songs=32), batch_size=8), echo(30, seed=9, n_songs=2)
    network, history = fit_network(
        train, None, n_inputs=4, n_states=N_STATES, epochs=30, learning_rate=0.02, patience=30
    )
    answers = [numpy_network(network)(stretch.inputs).argmax(axis=1)[2:] for stretch in test]
    assert np.mean([answer == stretch.targets[2:] for answer, stretch in zip(answers, test, strict=True)]) > 0.9
    assert history["accuracy"][-1] > 0.8


def test_loss_of_stretches_is_the_mean_over_units_with_a_weight():
    """Units of weight 0 and padding do not count, so that the loss does not depend on how stretches are batched."""
    longer, shorter = echo(12, padding=5, n_songs=1), echo(4, n_songs=1)
    stretches = longer + shorter
    network, history = fit_network(
        Stretches.of(echo(4)), Stretches.of(stretches, seed=None), n_inputs=4, n_states=N_STATES, epochs=1
    )
    said = [numpy_network(network)(stretch.inputs) for stretch in stretches]
    known = [slice(0, 7), slice(0, 4)]
    losses = [
        -np.log(rows[np.arange(len(rows)), stretch.targets])[part]
        for rows, stretch, part in zip(said, stretches, known, strict=True)
    ]
    right = [
        (rows.argmax(axis=1) == stretch.targets)[part]
        for rows, stretch, part in zip(said, stretches, known, strict=True)
    ]
    assert history["val_loss"] == [pytest.approx(np.concatenate(losses).mean(), rel=1e-5)]
    assert history["val_accuracy"] == [pytest.approx(np.concatenate(right).mean(), rel=1e-5)]


def test_training_starts_from_given_weights():
    start = lstm_network(N_INPUTS, N_STATES, seed=5).get_weights()
    network, _ = fitted(epochs=1, learning_rate=1e-9, start=start, seed=1)
    for one, other in zip(network.get_weights(), start, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    with pytest.raises(ParameterError, match="starting weights must have the shapes"):
        fitted(start=start[:-1])


@pytest.mark.parametrize(
    ("name", "target", "every_unit", "whole_song", "reason"),
    [
        ("lstm", "ahead", True, ["context"], "inputs context are computed from the whole song"),
        ("lstm", "ahead", False, ["normalized", "beats"], "inputs beats, normalized are computed from the whole song"),
        ("bilstm", "ahead", True, [], "bilstm reads the whole song"),
        ("causal-lstm", "current", True, ["sections"], "do not depend on later sound, unlike sections"),
    ],
)
def test_combinations_that_would_leak_the_target_are_rejected(name, target, every_unit, whole_song, reason):
    with pytest.raises(ParameterError, match=reason):
        check_no_leak(name, target=target, every_unit=every_unit, whole_song=whole_song)


@pytest.mark.parametrize(
    ("name", "target", "every_unit", "whole_song"),
    [
        ("lstm", "current", True, ["context", "sections"]),
        ("lstm", "ahead", True, []),
        ("bilstm", "ahead", False, []),
        ("bilstm", "current", True, ["normalized"]),
        ("causal-lstm", "ahead", True, []),
    ],
)
def test_other_combinations_are_accepted(name, target, every_unit, whole_song):
    check_no_leak(name, target=target, every_unit=every_unit, whole_song=whole_song)

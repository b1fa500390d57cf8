"""Networks, trained on a few short windows. Importing TensorFlow takes longer than all of these tests."""

from __future__ import annotations

import random

import numpy as np
import pytest

from songform.errors import ModelError, ParameterError
from songform.learning.networks import NETWORKS, fit_network, load_network, lstm_network, predictor
from songform.learning.sequences import SongWindows, Windows

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

    monkeypatch.setitem(NETWORKS, "other", built)
    fitted(name="other", epochs=1, learning_rate=0.02, seed=3)
    assert asked == [((N_INPUTS, N_STATES), {"learning_rate": 0.02, "seed": 3})]


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


def test_loaded_network_gives_the_same_predictions(training, rng, tmp_path):
    network = training[0]
    network.save(tmp_path / "network.keras")
    windows = rng.standard_normal((6, N_STEPS, N_INPUTS)).astype(np.float32)
    assert np.array_equal(predictor(load_network(tmp_path / "network.keras"))(windows), predictor(network)(windows))


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

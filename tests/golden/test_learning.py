"""Golden values of windows, splits, scores, baselines and the network."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest

from songform.beats.beat_tracking import Beats
from songform.learning import baselines, classification_metrics, networks, sequence_inputs, sequences, splits
from songform.sections.section_finding import Sections, SongPart
from songform.structure import context, naming, normalized_curves, pooling, states
from songform.structure.states import fit_states, unit_vectors

N_STATES = 3
SHAPE = sequences.WindowShape(0.5, 2.0, 1.0, sr=8000, frame_length=1024, hop_length=800)


def signals(n_rows, n_columns, phase=0.0):
    """Return smooth signals, computed by formula."""
    row, column = np.arange(n_rows)[:, None], np.arange(n_columns)
    return np.asarray(np.sin(0.37 * row * (1 + column / 3) + phase) + 0.1 * column)


def labels(n):
    """Return one state per row, for `n` rows; each state lasts for 17 rows."""
    return np.asarray(np.arange(n) // 17 % N_STATES, np.intp)


def song(key):
    """Return the windows of a song of 12 s that depends on the number in `key`."""
    inputs = sequences.standard_inputs(signals(120, 4, float(key)), np.full(4, 0.2), np.full(4, 0.8), SHAPE)
    return sequences.SongWindows.of(inputs, labels(120), SHAPE)


def windows(seed):
    return sequences.Windows(song, ["0", "1", "2"], n_steps=SHAPE.n_steps, batch_size=7, seed=seed)


def answers():
    """Return 40 true states, and the probabilities that a model assigns to each state."""
    truth = np.arange(40) % N_STATES
    odds = np.exp(1.2 * np.eye(N_STATES)[truth] + np.sin(1.3 * np.arange(40)[:, None] + 2 * np.arange(N_STATES)))
    return truth, odds / odds.sum(axis=1, keepdims=True)


def test_windows_match_stored_values(golden):
    spans = [(0.0, 5.0), (6.3, np.inf)]
    make = partial(sequences.SongWindows.of, song("1").inputs, labels(120), SHAPE, spans=spans)
    now, ahead = make(), make(target="ahead", ahead_seconds=1.0)
    bare = sequences.WindowShape(0.0, 2.0, 1.0, sr=8000, frame_length=1024, hop_length=800)
    output = {
        "inputs": now.inputs,
        "bare_inputs": sequences.standard_inputs(signals(6, 4), np.full(4, 0.2), np.full(4, 0.8), bare),
        "current": {"ends": now.ends, "targets": now.targets},
        "ahead": {"ends": ahead.ends, "targets": ahead.targets},
        "window": now.windows(np.array([3]), SHAPE.n_steps),
    }
    golden.check("sequences", [sequences, pooling], output)


def test_inputs_of_a_song_match_stored_values(golden):
    columns = ["rms_mean", "rms_std", "mfcc_01", "mfcc_02"]
    features = pd.DataFrame(np.abs(signals(120, 4)), columns=columns)
    context = signals(24, 6, 0.3)
    beats = Beats(0.4 + 0.5 * np.arange(20), np.arange(20) % 3 + 1, 118.0, 3, is_metre_sure=True, confidence=0.8)
    parts = (SongPart(0.0, 4.2, "A", 1.0), SongPart(4.2, 9.0, "B", 0.6), SongPart(9.0, 12.0, "A", 0.4))
    song = sequence_inputs.SongTables(features, context, beats, Sections(parts))
    scaler = {"center": np.full(4, 0.2), "scale": np.full(4, 0.8)}
    output = {name: sequence_inputs.song_inputs((name,), song, SHAPE, **scaler) for name in sequence_inputs.INPUTS}
    golden.check("sequence_inputs", [sequence_inputs, normalized_curves, sequences, pooling], output)


def test_order_of_shuffled_windows_matches_stored_values(golden):
    stream = windows(seed=5)
    passes = [[{"first": inputs[:, 0, 0], "targets": targets} for inputs, targets in stream] for _ in range(2)]
    golden.check("shuffled_windows", [sequences, pooling], {"passes": passes})


def test_predictions_along_a_song_match_stored_values(golden):
    def predict(some):
        odds = np.exp(np.stack([some.mean(axis=(1, 2)), some[:, -1, 0], some[:, 0, 1]], axis=1))
        return odds / odds.sum(axis=1, keepdims=True)

    inputs = song("2").inputs
    output = {
        name: sequences.window_probabilities(predict, inputs[:n], SHAPE.n_steps, batch_size=8)
        for name, n in {"long": 24, "short": 3}.items()
    }
    golden.check("window_probabilities", [sequences, pooling], output)


def test_splits_match_stored_values(golden):
    levels = np.random.default_rng(7).random((12, 30, 8), np.float32)
    spectra = {f"song-{n}": rows for n, rows in enumerate(levels)}
    spectra["song-copy"] = spectra["song-4"][2:]
    found = splits.audio_groups({key: splits.Signature(key, float(len(rows)), rows) for key, rows in spectra.items()})
    blocks = splits.blocks_in_time({"long": 300.0, "medium": 90.0, "short": 20.0}, window_seconds=12.0)
    output = {"groups": found, "tracks": vars(splits.split_tracks(found, seed=3)), "blocks": vars(blocks)}
    golden.check("splits", [splits], output)


def test_scores_match_stored_values(golden):
    truth, probability = answers()
    answer = probability.argmax(axis=1)
    precision = classification_metrics.precision(truth, answer, N_STATES)
    output = {
        "scores": classification_metrics.scores(truth, probability),
        "confusion": classification_metrics.confusion(truth, answer, N_STATES),
        "recall": classification_metrics.recall(truth, answer, N_STATES),
        "precision": precision,
        "soft_one_hot": classification_metrics.soft_one_hot(answer[:6], precision),
    }
    golden.check("classification_metrics", [classification_metrics], output)


def test_baselines_match_stored_values(golden):
    targets = labels(60)
    inputs = (signals(60, 4) + 0.8 * np.eye(4)[targets]).astype(np.float32)
    test = signals(10, 4, 0.5).astype(np.float32)
    output = {
        "majority": baselines.majority(targets, 2, N_STATES),
        "named": baselines.named(targets, np.roll(targets, 5), targets[::12], N_STATES),
        "logistic": baselines.logistic(inputs, targets, test, N_STATES),
        "centroid": baselines.centroid(inputs, targets, test, N_STATES),
    }
    # How close to the minimum the solver stops depends on the version of SciPy.
    golden.check("baselines", [baselines, classification_metrics], output, tolerance=1e-3)


def test_causal_states_match_stored_values(golden, song_features, song_overview):
    vectors = unit_vectors(song_features, song_overview, sr=8000, hop_length=800)
    model = fit_states([vectors], n_states=4, sr=8000, hop_length=800)
    found = baselines.causal_states(model, song_features, song_overview, np.array([30, 85, 133, 190, 240, 333, 333]))
    earlier = [states, naming, context, normalized_curves, pooling]
    golden.check("causal_states", [baselines, *earlier], {"states": [model.states[state] for state in found]})


@pytest.fixture(scope="module")
def network():
    return networks.lstm_network(8, N_STATES, learning_rate=0.002, seed=11)


def test_structure_of_the_network_matches_stored_values(golden, network):
    """Only some settings of each layer are compared, because the others differ between versions of Keras."""
    known = ("units", "rate", "activation", "recurrent_activation", "return_sequences", "use_bias", "dropout", "seed")
    layers = []
    for layer in network.layers:
        about = layer.get_config()
        shapes = [list(weight.shape) for weight in layer.get_weights()]
        settings = {name: about[name] for name in known if name in about}
        layers.append({"type": type(layer).__name__, "shapes": shapes, **settings})
    optimizer = {"type": type(network.optimizer).__name__, "rate": float(network.optimizer.learning_rate.numpy())}
    golden.check("network", [networks], {"layers": layers, "loss": network.loss, "optimizer": optimizer})


def test_initial_weights_of_the_network_match_stored_values(golden, network):
    weights = [{"corner": part.ravel()[:5], "spread": part.std()} for part in network.get_weights() if part.any()]
    golden.check("network_weights", [networks], {"weights": weights})


def test_training_matches_stored_values(golden):
    """The tolerance is 2 %: processors add numbers in different orders, and Adam amplifies differences of gradients."""
    network, history = networks.fit_network(
        windows(seed=5), windows(seed=None), n_inputs=8, n_states=N_STATES, epochs=2, learning_rate=0.005, seed=11
    )
    losses = {name: values for name, values in history.items() if "loss" in name}
    asked = song("1")
    said = networks.predictor(network)(asked.windows(np.arange(0, 10, 3), SHAPE.n_steps))
    golden.check("training", [networks, sequences, pooling], {"losses": losses, "said": said}, tolerance=0.02)

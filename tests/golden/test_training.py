"""Golden values of a training run in a home: states, labels, the inputs of the network, its weight and its scores.

The home contains three songs: the song of `conftest.py`, and two copies that are rotated in time. No network is
trained; a formula replaces it.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from songform import synth
from songform.bundle import Bundle, SequenceModel
from songform.features.overview import Overview
from songform.learning import baselines, classification_metrics, sequences
from songform.learning.splits import Split
from songform.structure import (
    change_points,
    context,
    naming,
    normalized_curves,
    pooling,
    self_similarity,
    states,
    viterbi,
)
from tasks.settings import Settings
from tasks.store.corpus import Corpus
from tasks.store.tables import features_config, read_features, read_overview, read_table, write_table
from tasks.train import heldout_scores, reference_songs, state_fitting, state_labels, train_network
from tasks.train.reference_songs import ComposedSong
from tasks.train.shipped_network import RANDOM_START
from tasks.train.training_plan import Plan
from tasks.train.window_source import window_shape

KEYS = ("a", "b", "c")
SETTINGS = Settings.model_validate(
    {
        "frames": {"sr": 8000, "frame_length": 1024, "hop_length": 800},
        "features": {"n_mfcc": 3},
        "sequences": {"every_unit": False, "pool_seconds": 0.5, "seconds": 3.0, "hop_seconds": 1.0},
        "model": {"batch_size": 16, "epochs": 7, "patience": 3, "seed": 4},
    }
)
# Training, validation and test parts begin and end within songs.
SPLIT = Split({"a": [(0.0, 15.2), (24.0, np.inf)], "b": [(13.1, np.inf)]}, {"b": [(0.0, 13.1)]}, {"c": [(0.0, np.inf)]})
PLAN = Plan(SPLIT, "manifest", "states", "bundle")
VECTORS = [states, naming, context, self_similarity, change_points, normalized_curves, pooling]


class Formula:
    """Substitute for a trained network that computes probabilities from five columns."""

    layers = ()

    def predict_on_batch(self, windows):
        """Return the probabilities of five states."""
        odds = np.exp(2 * np.sin(3 * windows[:, -1, 6:11] + np.arange(5)))
        return odds / odds.sum(axis=1, keepdims=True)

    def save(self, path):
        """Write an empty file in place of a network."""
        Path(path).write_bytes(b"")


@pytest.fixture
def model(song_features, song_overview):
    """Return states with large variances, whose probabilities are uncertain, so that smoothing changes some states."""
    model = states.fit_states(
        [states.unit_vectors(song_features, song_overview, sr=8000, hop_length=800)], sr=8000, hop_length=800
    )
    return replace(model, variances=30 * model.variances)


@pytest.fixture
def home(tmp_path, song_features, song_overview, model):
    """Return a home of three songs with states; their labels are computed by formula."""
    corpus, config, n_frames = Corpus(tmp_path / "home"), features_config(SETTINGS), len(song_features)
    for number, key in enumerate(KEYS):
        rows = np.roll(np.arange(n_frames), 130 * number)
        features = song_features.iloc[rows].set_index(song_features.index).reset_index()
        write_table(corpus.features_path(config, key), pa.Table.from_pandas(features, preserve_index=False))
        values = {name: value[rows] for name, value in vars(song_overview).items()}
        overview = Overview(**values | {"time_s": song_overview.time_s})
        write_table(corpus.overview_path(config, key), overview.to_table())
        labels = np.array(model.states)[np.arange(n_frames) // (23 + 6 * number) % 5]
        table = pa.table({"state": pa.array(labels).dictionary_encode()})
        write_table(corpus.states_path(PLAN.states_id, f"{key}.parquet"), table)
    model.save(corpus.states_path(PLAN.states_id, "model.npz"))
    return tmp_path / "home"


@pytest.fixture
def bundle(song_features, model):
    """Return a bundle with these states, and the formula instead of a network."""
    center, scale = song_features.mean().to_numpy(np.float64), song_features.std().to_numpy(np.float64)
    sequence = SequenceModel(Formula(), center, scale, window_shape(SETTINGS))
    return Bundle(model, sequence, 1.0, tuple(song_features.columns))


@pytest.fixture
def most_units(monkeypatch):
    """Limit the number of units on which states are fitted to 30."""
    monkeypatch.setattr(state_labels, "MOST_UNITS", 30)


@pytest.fixture
def fits(monkeypatch):
    """Record the arguments of `fit_states`."""
    calls, fit = [], state_fitting.fit_states

    def recorded(songs, **chosen):
        calls.append({"units": [song[:, ::4] for song in songs], "settings": chosen})
        return fit(songs, **chosen)

    monkeypatch.setattr(state_fitting, "fit_states", recorded)
    return calls


def test_units_for_fitting_states_match_stored_values(golden, home, fits):
    state_labels.fit_corpus_states.fn(home, replace(PLAN, states_id="new"), SETTINGS)
    output = {"most_units": state_labels.MOST_UNITS, "calls": fits}
    golden.check("training_units", [state_labels, *VECTORS], output)


def test_units_of_a_large_corpus_match_stored_values(golden, home, fits, most_units):
    state_labels.fit_corpus_states.fn(home, replace(PLAN, states_id="new"), SETTINGS)
    golden.check("training_units_of_many", [state_labels, *VECTORS], {"calls": fits})


def test_labels_of_tracks_match_stored_values(golden, home):
    corpus, output = Corpus(home), {}
    paths = {key: corpus.states_path(PLAN.states_id, f"{key}.parquet") for key in KEYS}
    for path in paths.values():
        path.unlink()
    assert state_labels.label_tracks.fn(home, PLAN, SETTINGS) == 3
    for key, path in paths.items():
        table = read_table(path).to_pandas().iloc[::5]
        output[key] = {"states": table["state"].tolist(), "confidence": table["confidence"].to_numpy()}
        output[key]["time_s"] = table["time_s"].to_numpy()
    golden.check("state_labels", [state_labels, viterbi, *VECTORS], output)


@pytest.fixture
def trainings(monkeypatch):
    """Record the arguments of the training, and the seeds of the songs on which the weight is chosen."""
    calls = []

    def fit_network(train, validation, *, on_epoch, start, **chosen):
        assert start is None
        parts = {name: list(part) for name, part in (("train", train), ("validation", validation))}
        sizes = {name: [len(inputs) for inputs, _ in part] for name, part in parts.items()}
        inputs, targets = parts["train"][0]
        calls.append({"batches": sizes, "inputs": inputs[::3, 0], "targets": targets, "settings": chosen})
        return Formula(), {"loss": [1.0]}

    def composed_songs(home, seeds, settings, *, instruments):
        assert instruments == "study"  # these frames allow no prior
        calls.append({"seeds": seeds})

    monkeypatch.setattr(train_network, "epoch_logger", lambda *_: None)
    monkeypatch.setattr(train_network, "fit_network", fit_network)
    monkeypatch.setattr(reference_songs, "composed_songs", composed_songs)
    monkeypatch.setattr(train_network, "best_weight", lambda bundle, songs: (0.5, {0.5: bundle.weight}))
    return calls


def test_inputs_of_the_training_match_stored_values(golden, home, trainings):
    folder = train_network.train_bundle.fn(home, PLAN, SETTINGS, "run")
    with np.load(folder / "sequence.npz") as arrays:
        scaler = {name: arrays[name] for name in ("center", "scale")}
    output = {"scaler": scaler, "calls": trainings, "training": asdict(train_network.read_training(folder))}
    assert output["training"].pop("start") == RANDOM_START
    golden.check("train_network", [train_network, sequences, pooling], output)


@pytest.fixture
def songs(home, model):
    """Return the songs as composed songs whose true state changes every 4.5 s."""
    corpus = Corpus(home)
    truth = [np.array(model.states)[(np.arange(80) // 9 + number) % 5] for number in range(len(KEYS))]
    tables = [(read_features(corpus, key, SETTINGS), read_overview(corpus, key, SETTINGS)) for key in KEYS]
    return [ComposedSong(*both, 40.0, names) for both, names in zip(tables, truth, strict=True)]


def test_weight_of_a_network_matches_stored_values(golden, bundle, songs):
    """The weight is the one with the best score; among equal scores it is the smallest."""
    output = {}
    for name, asked in {"network": bundle, "no network": replace(bundle, sequence=None)}.items():
        weight, tried = reference_songs.best_weight(asked, songs)
        output[name] = {"weight": weight, "tried": tried, "named_f1": reference_songs.named_f1(asked, songs)}
    modules = [reference_songs, classification_metrics, viterbi, sequences, *VECTORS]
    golden.check("reference_songs", modules, output)


def test_truth_of_a_composed_song_matches_stored_values(golden, tmp_path, monkeypatch):
    compose = synth.compose
    short = lambda seed, *, sr, instruments: compose(seed, sr=sr, duration=20.0)  # noqa: E731
    monkeypatch.setattr(reference_songs.synth, "compose", short)
    (song,) = reference_songs.composed_songs(tmp_path, [1], SETTINGS)
    output = {"duration": song.duration, "truth": song.truth, "frames": len(song.features)}
    seeds = {"comparison": reference_songs.COMPARISON_SEEDS, "tuning": reference_songs.TUNING_SEEDS}
    golden.check("reference_songs_truth", [reference_songs, synth], {**output, "seeds": seeds})


LIMITS = {
    "heldout_scores": {},
    "heldout_scores_one_baseline_song": {"_BASELINE_SONGS": 1},
    "heldout_scores_one_persistence_song": {"_PERSISTENCE_SONGS": 1},
}


@pytest.fixture(params=LIMITS)
def limited(request, monkeypatch):
    """Limit the number of songs on which baselines are fitted; the default limits exceed the songs of this home."""
    for name, number in LIMITS[request.param].items():
        monkeypatch.setattr(heldout_scores, name, number)
    return request.param


@pytest.fixture
def measured(home, bundle, limited, monkeypatch):
    """Return the scores of the bundle."""
    monkeypatch.setattr(heldout_scores.Bundle, "load", lambda _: bundle)
    return heldout_scores.score_bundle.fn(home, PLAN, SETTINGS, home)


def test_heldout_scores_match_stored_values(golden, limited, measured):
    limits = {"baselines": heldout_scores._BASELINE_SONGS, "persistence": heldout_scores._PERSISTENCE_SONGS}
    modules = [heldout_scores, baselines, classification_metrics, sequences, *VECTORS]
    # The tolerance is for logistic regression: see test_baselines_match_stored_values.
    golden.check(limited, modules, {"limits": limits, **asdict(measured)}, tolerance=1e-3)

"""Training: from labeled tracks to a bundle."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

import tasks.train.train_network
from songform.bundle import Bundle
from songform.errors import CorpusError
from songform.learning.networks import fit_network
from songform.learning.splits import Split
from songform.learning.stretches import Stretches
from songform.pretrained import START_FOLDER, pretrained_id
from tasks.progress import listening
from tasks.settings import Settings
from tasks.store.bundles import is_pretrained
from tasks.store.corpus import Corpus
from tasks.store.tables import read_features
from tasks.train.reference_songs import WEIGHTS
from tasks.train.shipped_network import RANDOM_START
from tasks.train.state_labels import fit_corpus_states, label_tracks, read_labels, read_state_model
from tasks.train.tracking import client, finish_run, start_run
from tasks.train.train_network import read_training, train_bundle
from tasks.train.training_plan import plan_training
from tasks.train.window_source import WindowSource, window_shape


@pytest.fixture
def copy(trained, tmp_path):
    """Copy the trained bundle, so that tests can damage it."""
    home = tmp_path / "home"
    shutil.copytree(trained.home / "data", home / "data")
    return replace(trained, home=home, folder=Corpus(home).bundle_path(trained.plan.bundle_id))


@pytest.fixture
def run_id(trained):
    """Start another run with the same training plan."""
    run_id = start_run.fn(trained.home, trained.experiment_id, trained.plan, trained.settings)
    yield run_id
    finish_run.fn(trained.home, run_id)


@pytest.fixture
def training(trained):
    return read_training(trained.folder)


def trained_bundles(home):
    """Return the names of all bundles but the shipped one, and of files that are left over from writing them."""
    return [path.name for path in Corpus(home).bundle_path("").iterdir() if not is_pretrained(path.name)]


def test_bundle_is_complete_and_its_training_is_recorded(trained, training):
    names = {path.name for path in trained.folder.iterdir()}
    assert names >= {"states.npz", "sequence.npz", "network.npz", "bundle.json", "training.json", "judgement.json"}
    assert {len(values) for values in training.history.values()} == {trained.settings.model.epochs}
    assert set(training.history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert set(training.tried_weights) == {f"{weight:g}" for weight in WEIGHTS}
    bundle = Bundle.load(trained.folder)
    assert bundle.weight in WEIGHTS
    assert training.tried_weights[f"{bundle.weight:g}"] == max(training.tried_weights.values())


def test_network_and_scaler_start_from_those_that_are_shipped(trained, training):
    sequence, shipped = (Bundle.load(folder).sequence for folder in (trained.folder, START_FOLDER))
    assert training.start == pretrained_id()
    assert np.array_equal(sequence.center, shipped.center)
    assert np.array_equal(sequence.scale, shipped.scale)
    assert sequence.shape == window_shape(trained.settings)


def test_without_a_prior_columns_are_standardised_over_the_training_frames_alone(home, trained, run_id, monkeypatch):
    monkeypatch.setattr(tasks.train.train_network, "epoch_logger", lambda home, run_id: lambda epoch, logs: None)
    own = {"states": {"prior_songs": 0}, "model": {"epochs": 1}}
    settings = Settings.model_validate(trained.settings.model_dump() | own)
    plan, corpus = plan_training.fn(home, settings), Corpus(home)
    fit_corpus_states.fn(home, plan, settings)
    label_tracks.fn(home, plan, settings)
    folder = train_bundle.fn(home, plan, settings, run_id)
    assert read_training(folder).start == RANDOM_START
    frames = np.concatenate([read_features(corpus, key, settings).to_numpy(np.float64) for key in plan.split.train])
    sequence = Bundle.load(folder).sequence
    assert np.allclose(sequence.center, frames.mean(axis=0))
    assert np.allclose(sequence.scale, frames.std(axis=0))


def test_targets_are_the_states_of_the_last_units(trained, training):
    corpus, plan = Corpus(trained.home), trained.plan
    states, shape = read_state_model(corpus, plan), window_shape(trained.settings)
    sequence = Bundle.load(trained.folder).sequence
    source = WindowSource(corpus, plan, trained.settings, states, sequence.center, sequence.scale)
    for part in ("train", "validation"):
        windows = {key: source.windows(key, part) for key in plan.split.part(part)}
        assert sum(len(song.ends) for song in windows.values()) == training.windows[part]
        for key, song in windows.items():
            assert song.inputs.shape[1] == 2 * 38
            labels = read_labels(corpus, plan, key, states)
            times = np.arange(len(labels)) * 512 / 22050
            middles = (song.ends + 0.5) * shape.unit_seconds
            # The nearest frame; the earlier one if the middle lies between two.
            frames = np.abs(times[:, None] - middles).round(9).argmin(axis=0)
            np.testing.assert_array_equal(song.targets, labels[frames])


def test_existing_bundle_is_not_trained_again_but_its_curves_are_logged(trained, training, run_id, monkeypatch):
    monkeypatch.setattr(tasks.train.train_network, "fit_network", None)
    assert train_bundle.fn(trained.home, trained.plan, trained.settings, run_id) == trained.folder
    curve = client(trained.home).get_metric_history(run_id, "val_loss")
    assert [point.value for point in curve] == training.history["val_loss"]


def test_the_same_seed_gives_the_same_weights(copy, trained, run_id, monkeypatch):
    monkeypatch.setattr(tasks.train.train_network, "epoch_logger", lambda home, run_id: lambda epoch, logs: None)
    heard = []
    with listening(heard.append):
        folder = train_bundle.fn(copy.home, copy.plan, copy.settings, run_id, again=True)
    one, other = (Bundle.load(path).sequence.network.weights for path in (trained.folder, folder))
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    told = [event for event in heard if event.stage == "training"]
    assert [(event.done, event.total) for event in told] == [(epoch, 2) for epoch in range(3)]
    assert not (folder / "judgement.json").exists()  # it has the scores of the previous network


def test_each_epoch_uses_the_stretches_of_the_tables(trained):
    """The network equals that of a plain loop, which reads and pools each song again in each epoch."""
    corpus, plan, settings = Corpus(trained.home), trained.plan, trained.settings
    sequence, states = Bundle.load(trained.folder).sequence, read_state_model(corpus, plan)
    source = WindowSource(corpus, plan, settings, states, sequence.center, sequence.scale)
    train, validation = (
        Stretches(
            partial(source.stretches, part=part),
            sorted(plan.split.part(part)),
            batch_size=settings.model.batch_stretches,
            seed=seed,
        )
        for part, seed in (("train", settings.model.seed), ("validation", None))
    )
    chosen = settings.model
    network, history = fit_network(
        train,
        validation,
        n_inputs=76,
        n_states=5,
        epochs=chosen.epochs,
        patience=chosen.patience,
        seed=chosen.seed,
        start=Bundle.load(START_FOLDER).sequence.network.weights,
    )
    for one, other in zip(network.get_weights(), sequence.network.weights, strict=True):
        assert np.array_equal(one, other)
    assert history == read_training(trained.folder).history


def test_after_the_first_epoch_no_table_is_read(copy, trained, run_id, monkeypatch):
    monkeypatch.setattr(tasks.train.train_network, "epoch_logger", lambda home, run_id: lambda epoch, logs: None)

    def remove_tables(event):
        if (event.stage, event.done) == ("training", 1):
            for name in ("features", "overview", "states"):
                shutil.rmtree(copy.home / "data" / name)

    with listening(remove_tables):
        folder = train_bundle.fn(copy.home, copy.plan, copy.settings, run_id, again=True)
    assert not (copy.home / "data" / "features").exists()
    one, other = (Bundle.load(path).sequence.network.weights for path in (trained.folder, folder))
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    assert trained_bundles(copy.home) == [folder.name]  # the cache was removed


@pytest.mark.parametrize("exists", [True, False])
def test_a_bundle_that_cannot_be_written_leaves_the_old_one_or_none(copy, trained, training, monkeypatch, exists):
    if not exists:
        shutil.rmtree(copy.folder)

    def full(self, folder):
        (folder / "states.npz").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    bundle = Bundle.load(trained.folder)
    monkeypatch.setattr(Bundle, "save", full)
    with pytest.raises(OSError, match="No space left"):
        tasks.train.train_network._write(bundle, training, copy.folder)
    assert (copy.folder / "bundle.json").is_file() == exists
    assert trained_bundles(copy.home) == [copy.folder.name] * exists


def test_corpus_without_a_training_window_is_rejected(copy, run_id):
    (key, *_) = copy.plan.split.train
    plan = replace(copy.plan, split=Split(train={key: [(0.0, 0.4)]}), bundle_id="0123456789ab")
    with pytest.raises(CorpusError, match=r"too short for a unit of 0\.5 s; .*lower sequences\.pool_seconds"):
        train_bundle.fn(copy.home, plan, copy.settings, run_id)
    assert not Corpus(copy.home).bundle_path("0123456789ab").exists()


def test_json_files_of_a_bundle_are_valid(trained):
    for name in ("bundle.json", "training.json", "judgement.json"):
        assert json.loads((trained.folder / name).read_bytes())

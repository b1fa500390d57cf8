"""Tests that a home of an earlier version is up to date, and gives the same results as with that version."""

from __future__ import annotations

import hashlib
import json
import shutil
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from flows.config.load_settings import load_settings
from songform.annotation.formats import WRITERS
from songform.bundle import Bundle
from songform.synth import compose
from tasks.ingest.ingest_plan import plan_ingest
from tasks.models.champion import update_champion
from tasks.models.pretrained_model import register_pretrained
from tasks.models.registry import register_bundle
from tasks.models.requested_model import choose_model
from tasks.report.report_tracks import report_tracks
from tasks.report.song_reports import PICTURES
from tasks.store.bundles import ModelInfo
from tasks.store.corpus import Corpus
from tasks.store.tables import read_features, read_overview
from tasks.train import reference_songs
from tasks.train.state_labels import fit_corpus_states, label_tracks, read_labels, read_state_model
from tasks.train.tracking import MODEL_NAME, client, prepare_store, run_summary
from tasks.train.train_network import train_bundle
from tasks.train.training_plan import plan_training

HERE = Path(__file__).parent


def contents(home: Path) -> dict[str, str]:
    """Return the hash of every file under `data/`."""
    files = [path for path in (home / "data").rglob("*") if path.is_file()]
    return {str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture
def home(tmp_path):
    return Path(shutil.copytree(HERE / "home", tmp_path / "home"))


@pytest.fixture
def settings(home):
    """Return the settings of the home, with the values that the earlier version had as defaults."""
    return load_settings(home, {}, ["sequences.every_unit=false", "sequences.pool_seconds=0.25"])


@pytest.fixture
def plan(home, settings):
    return plan_training.fn(home, settings)


@pytest.fixture
def expected():
    return json.loads((HERE / "expected.json").read_text(encoding="utf-8"))


def test_ingest_finds_all_tracks_cached(home, settings):
    corpus = Corpus(home)
    records = corpus.records()
    found = plan_ingest(home, records, settings, now=datetime.now(UTC))
    assert len(records) == 3
    assert [track.key for track in found.cached] == [record.key for record in records]
    assert (found.wanted, found.deferred, found.notes) == ((), (), ())
    assert found.without_spectrum == tuple(record.key for record in records)


def test_folders_of_states_and_bundle_have_their_current_names(home, plan):
    assert [path.name for path in (home / "data" / "states").iterdir()] == [plan.states_id]
    assert [path.name for path in (home / "data" / "bundles").iterdir()] == [plan.bundle_id]


@pytest.mark.parametrize(
    "version",
    [
        *(
            f"songform.structure.{module}.VERSION"
            for module in (
                *("pooling", "normalized_curves", "change_points", "self_similarity"),
                *("viterbi", "context", "naming", "states"),
            )
        ),
        "tasks.train.stage_versions.STATE_LABELS",
    ],
)
def test_increased_version_of_a_state_module_changes_the_folders_of_states_and_bundle(
    home, settings, plan, monkeypatch, version
):
    monkeypatch.setattr(version, 99)
    later = plan_training.fn(home, settings)
    assert later.states_id != plan.states_id
    assert later.bundle_id != plan.bundle_id


@pytest.mark.parametrize(
    "version",
    [
        *(
            f"songform.learning.{module}.VERSION"
            for module in ("sequences", "sequence_inputs", "splits", "classification_metrics", "networks", "baselines")
        ),
        *(f"tasks.train.stage_versions.{number}" for number in ("TRAIN_NETWORK", "REFERENCE_SONGS", "HELDOUT_SCORES")),
    ],
)
def test_increased_version_of_a_learning_module_changes_only_the_folder_of_the_bundle(
    home, settings, plan, monkeypatch, version
):
    monkeypatch.setattr(version, 99)
    later = plan_training.fn(home, settings)
    assert later.states_id == plan.states_id
    assert later.bundle_id != plan.bundle_id


def test_states_labels_and_network_are_not_computed_again(home, settings, plan, monkeypatch):
    epochs = []
    monkeypatch.setattr("tasks.train.train_network.epoch_logger", lambda *_: lambda epoch, _: epochs.append(epoch))
    before = contents(home)
    fit_corpus_states.fn(home, plan, settings)
    assert label_tracks.fn(home, plan, settings) == 0
    assert train_bundle.fn(home, plan, settings, "run") == Corpus(home).bundle_path(plan.bundle_id)
    assert epochs == [1, 2]  # replayed from the stored training
    assert contents(home) == before


def test_labels_are_states_of_the_model(home, settings, plan):
    corpus = Corpus(home)
    model = read_state_model(corpus, plan)
    for key in plan.keys:
        labels = read_labels(corpus, plan, key, model)
        assert len(labels) == len(read_features(corpus, key, settings))
        assert 0 <= labels.min() <= labels.max() < len(model.states)


def test_bundle_gives_the_same_segments_and_predictions_as_the_earlier_version(home, settings, plan, expected):
    corpus, key = Corpus(home), plan.keys[0]
    bundle = Bundle.load(corpus.bundle_path(plan.bundle_id))
    features, overview = read_features(corpus, key, settings), read_overview(corpus, key, settings)
    segments = bundle.form(features, overview, corpus.record(key).duration).segments
    assert [segment.state for segment in segments] == [state for _, _, state, _ in expected["segments"]]
    for segment, (start, end, _, confidence) in zip(segments, expected["segments"], strict=True):
        assert (segment.start, segment.end) == pytest.approx((start, end), abs=1e-3)
        assert segment.confidence == pytest.approx(confidence, abs=1e-3)
    said = bundle.predict(features)
    assert said["confidence"].tolist()[::16] == pytest.approx(expected["confidence"], abs=1e-3)
    assert set(said["state"]) <= set(bundle.states.states)


def test_reports_are_written_and_no_other_file_changes(home, settings, plan, expected):
    before = contents(home)
    model = ModelInfo("models:/songform/1", plan.bundle_id, None, is_champion=True)
    reports = report_tracks.fn(home, plan.keys, settings, model, out=None, n_tracks=len(plan.keys))
    states = [segment["state"] for segment in reports[0]["segments"]]
    assert states == [state for _, _, state, _ in expected["segments"]]
    after = contents(home)
    for report in reports:
        assert (report["sections"], report["phrases"], report["beats"]) == ([], [], None)
        assert "songform ingest --upgrade" in report["no_sections"]
    assert {name: sha256 for name, sha256 in after.items() if not name.startswith("data/reports/")} == before
    suffixes = {".json", ".html", *WRITERS, *(f".{name}.png" for name in PICTURES)}
    names = {f"data/reports/{plan.bundle_id}/{key}{suffix}" for key in plan.keys for suffix in suffixes}
    assert set(after) - set(before) == names


def test_champion_stays_usable_and_the_shipped_model_is_registered_beside_it(home, settings, plan, monkeypatch):
    """The store of the home was removed, so its champion is registered again with the score of the earlier version."""
    monkeypatch.setattr(reference_songs.synth, "compose", partial(compose, duration=6.0))
    experiment_id = prepare_store.fn(home, "songform")
    store, folder = client(home), Corpus(home).bundle_path(plan.bundle_id)
    run_id = store.create_run(experiment_id, tags={"songform.bundle": plan.bundle_id}).info.run_id
    store.log_metric(run_id, "composed_macro_f1", 0.5)
    version = register_bundle.fn(home, run_id, folder)
    store.set_registered_model_alias(MODEL_NAME, "champion", version)
    before = contents(home)
    assert register_pretrained.fn(home, experiment_id, settings) == "2"
    model = choose_model(home, None, settings)
    assert model == ModelInfo("models:/songform/1", plan.bundle_id, run_id, is_champion=True)
    assert update_champion.fn(home, version, settings, plan)
    (report,) = report_tracks.fn(home, plan.keys[:1], settings, model, out=None, n_tracks=1)
    assert report["model"]["id"] == plan.bundle_id
    assert run_summary(home, run_id)["metrics"]["composed_macro_f1"] == 0.5
    assert {name: sha256 for name, sha256 in contents(home).items() if name in before} == before

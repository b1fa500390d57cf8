"""States of a corpus, and the state of each frame."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest

from songform.bundle import Bundle
from songform.errors import CorpusError
from songform.structure.states import unit_vectors
from tasks.store.corpus import Corpus
from tasks.store.tables import features_config, read_features, read_overview
from tasks.train.array_cache import array_folder
from tasks.train.state_fitting import states_by_settings
from tasks.train.state_labels import fit_corpus_states, label_tracks, read_labels, read_state_model
from tasks.train.training_plan import plan_training


def test_states_are_discovered_once(home, quick):
    plan = plan_training.fn(home, quick)
    path = fit_corpus_states.fn(home, plan, quick)
    content = path.read_bytes()
    when = path.stat().st_mtime_ns
    assert fit_corpus_states.fn(home, plan, quick) == path
    assert path.stat().st_mtime_ns == when
    path.unlink()
    fit_corpus_states.fn(home, plan, quick)
    assert path.read_bytes() == content  # the same corpus and seed give the same states


def test_states_are_fitted_on_the_training_tracks_alone(home, quick):
    plan = plan_training.fn(home, quick)
    model = read_state_model(Corpus(home), plan_and_fit(home, plan, quick))
    (held_out,) = plan.split.test
    for path in (home / "data").rglob(f"{held_out}.parquet"):
        path.write_bytes(b"nobody may read this")
    path = Corpus(home).states_path(plan.states_id, "model.npz")
    path.unlink()
    fit_corpus_states.fn(home, plan, quick)
    assert np.array_equal(read_state_model(Corpus(home), plan).centroids, model.centroids)


def plan_and_fit(home, plan, settings):
    fit_corpus_states.fn(home, plan, settings)
    return plan


def test_every_frame_gets_a_state_and_a_confidence_once(home, quick):
    plan = plan_and_fit(home, plan_training.fn(home, quick), quick)
    corpus = Corpus(home)
    assert label_tracks.fn(home, plan, quick) == 6
    model = read_state_model(corpus, plan)
    for key in plan.keys:
        table = pd.read_parquet(corpus.states_path(plan.states_id, f"{key}.parquet"))
        features = read_features(corpus, key, quick)
        assert np.array_equal(table["time_s"], features.index)
        assert set(table["state"]) <= set(model.states)
        assert table["confidence"].between(0, 1).all()
        assert [model.states[k] for k in read_labels(corpus, plan, key, model)] == table["state"].tolist()
    assert label_tracks.fn(home, plan, quick) == 0
    corpus.states_path(plan.states_id, f"{plan.keys[2]}.parquet").unlink()
    assert label_tracks.fn(home, plan, quick) == 1


def test_labels_are_the_state_sequence_of_the_clusters_without_a_network(home, quick):
    plan = plan_and_fit(home, plan_training.fn(home, quick), quick)
    label_tracks.fn(home, plan, quick)
    corpus = Corpus(home)
    model = read_state_model(corpus, plan)
    (key,) = plan.split.test
    features, overview = read_features(corpus, key, quick), read_overview(corpus, key, quick)
    form = Bundle(model, None, 0.0, tuple(features.columns)).form(features, overview, corpus.record(key).duration)
    unit = (features.index.to_numpy() / 0.5 + 1e-9).astype(int)
    assert np.array_equal(read_labels(corpus, plan, key, model), form.path[unit])
    table = pd.read_parquet(corpus.states_path(plan.states_id, f"{key}.parquet"))
    assert np.allclose(table["confidence"], form.clusters[unit, form.path[unit]])


def test_more_states_than_different_units_are_rejected(tmp_path, quick, sound, changed, ingest):
    (tmp_path / "songs").mkdir()
    (tmp_path / "songs" / "a.flac").write_bytes(sound("FLAC", 440.0, 3.0))
    settings = changed(quick, sequences={"seconds": 1.0}, states={"n_states": 12})
    ingest(tmp_path, tmp_path / "songs", settings)
    plan = plan_training.fn(tmp_path, settings)
    with pytest.raises(CorpusError, match="no states can be discovered in this corpus: "):
        fit_corpus_states.fn(tmp_path, plan, settings)
    assert list((tmp_path / "data").rglob("*.npz")) == []


def test_labels_of_another_model_are_not_mixed_in(home, quick):
    plan = plan_and_fit(home, plan_training.fn(home, quick), quick)
    label_tracks.fn(home, plan, quick)
    other = replace(plan, states_id="0123456789ab")
    fit_corpus_states.fn(home, other, quick)
    assert label_tracks.fn(home, other, quick) == 6


@pytest.fixture
def tables_read(monkeypatch):
    """Count how often each Parquet file is read as a table."""
    counts = Counter()
    read_table = pyarrow.parquet.read_table

    def read(path, *arguments, **options):
        counts[path] += 1
        return read_table(path, *arguments, **options)

    monkeypatch.setattr(pyarrow.parquet, "read_table", read)
    return counts


def test_states_and_labels_read_each_table_once(home, quick, tables_read):
    plan, corpus = plan_training.fn(home, quick), Corpus(home)
    fit_corpus_states.fn(home, plan, quick)
    label_tracks.fn(home, plan, quick)
    plain = {path.name: path.read_bytes() for path in corpus.states_path(plan.states_id, "").iterdir()}
    shutil.rmtree(corpus.states_path(plan.states_id, ""))
    tables_read.clear()
    with array_folder(home, plan) as arrays:
        fit_corpus_states.fn(home, plan, quick, arrays=arrays)
        label_tracks.fn(home, plan, quick, arrays=arrays)
    config = features_config(quick)
    places = (corpus.features_path, corpus.overview_path)
    assert tables_read == {place(config, key): 1 for key in plan.keys for place in places}
    assert {path.name: path.read_bytes() for path in corpus.states_path(plan.states_id, "").iterdir()} == plain


def test_units_of_a_large_corpus_are_subsampled(home, quick, monkeypatch):
    plan, corpus = plan_training.fn(home, quick), Corpus(home)
    songs = [
        unit_vectors(read_features(corpus, key, quick), read_overview(corpus, key, quick))
        for key in sorted(plan.split.train)
    ]
    assert 2 * 70 < sum(map(len, songs)) <= 3 * 70
    monkeypatch.setattr("tasks.train.state_labels.MOST_UNITS", 70)
    fit_corpus_states.fn(home, plan, quick)
    expected = states_by_settings([song[::3] for song in songs], quick)
    assert np.array_equal(read_state_model(corpus, plan).centroids, expected.centroids)

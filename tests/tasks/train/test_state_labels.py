"""Labelling: who learns, what states there are, and a state for every frame."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from songform.bundle import Bundle
from songform.errors import CorpusError
from songform.learning.splits import PARTS
from tasks.ingest.extract_tracks import extract_tracks
from tasks.ingest.sources.local_files import local_listing
from tasks.settings import Settings
from tasks.store.corpus import Corpus
from tasks.store.feature_tables import read_features, read_overview
from tasks.train.state_labels import fit_corpus_states, label_tracks, plan_training, read_labels, read_state_model


@pytest.fixture
def home(extracted, tmp_path):
    """Copy the corpus: six songs, nothing learned yet."""
    return Path(shutil.copytree(extracted, tmp_path / "home"))


def changed(settings, **sections):
    values = settings.model_dump()
    for section, names in sections.items():
        values[section] |= names
    return Settings.model_validate(values)


def ingest(home, folder, settings):
    """Extract local files, without a Prefect server."""
    Corpus(home).prepare()
    tracks = local_listing(folder).tracks
    return extract_tracks.fn(home, [(track, Path(track.path)) for track in tracks], settings, len(tracks))


def test_every_track_is_in_one_part_and_a_plan_is_repeatable(home, quick):
    plan = plan_training.fn(home, quick)
    parts = [set(plan.split.part(part)) for part in PARTS]
    assert [len(part) for part in parts] == [4, 1, 1]
    assert set.union(*parts) == set(plan.keys) == {record.key for record in Corpus(home).records()}
    assert plan.split.by_track
    assert plan_training.fn(home, quick) == plan


def test_ids_change_with_what_determines_them_and_with_nothing_else(home, quick):
    plan = plan_training.fn(home, quick)

    def ids(**sections):
        other = plan_training.fn(home, changed(quick, **sections))
        assert other.manifest == plan.manifest
        return other.states_id == plan.states_id, other.bundle_id == plan.bundle_id

    assert ids(download={"workers": 1}, run={"workers": 1}) == (True, True)
    assert ids(model={"epochs": 9}) == (True, False)
    assert ids(sequences={"hop_seconds": 1.0}) == (True, False)
    assert ids(states={"seed": 9}) == (False, False)


def test_a_track_more_is_another_corpus(home, quick, song):
    plan = plan_training.fn(home, quick)
    ingest(home, song("more/tone.flac").parent, quick)
    other = plan_training.fn(home, quick)
    assert len(other.keys) == len(plan.keys) + 1
    assert other.manifest != plan.manifest


def test_only_tracks_whose_tables_stand_are_taken(home, quick):
    corpus = Corpus(home)
    lost = corpus.records()[0]
    (corpus.data / next(iter(lost.files))).unlink()
    assert lost.key not in plan_training.fn(home, quick).keys
    with pytest.raises(CorpusError, match=r"holds no track with these settings; bring some in with songform ingest"):
        plan_training.fn(home, changed(quick, features={"n_mfcc": 20}))


def test_two_copies_of_a_recording_are_never_on_two_sides(home, quick, audio_files, tmp_path):
    """The copies are other files (WAV for FLAC), so that their keys differ."""
    (tmp_path / "copies").mkdir()
    for path in audio_files:
        y, sr = soundfile.read(path)
        soundfile.write(tmp_path / "copies" / f"{path.stem}.wav", y, sr)
    ingest(home, tmp_path / "copies", quick)
    plan = plan_training.fn(home, quick)
    assert len(plan.keys) == 12
    of_title = {}
    for part in PARTS:
        for key in plan.split.part(part):
            of_title.setdefault(Corpus(home).record(key).title, []).append(part)
    assert all(len(parts) == 2 and len(set(parts)) == 1 for parts in of_title.values())


def test_a_single_song_is_cut_in_time(home, quick):
    records = Corpus(home).records()
    for record in records[1:]:
        Corpus(home).record_path(record.key).unlink()
    plan = plan_training.fn(home, quick)
    assert plan.keys == [records[0].key]
    assert not plan.split.by_track


@pytest.mark.parametrize("n_songs", [1, 6])
def test_songs_shorter_than_a_window_are_refused_with_both_lengths(home, quick, n_songs):
    for record in Corpus(home).records()[n_songs:]:
        Corpus(home).record_path(record.key).unlink()
    with pytest.raises(CorpusError, match=r"the longest song has 2\d\.\d s, but a window 30 s"):
        plan_training.fn(home, changed(quick, sequences={"seconds": 30.0}))


def test_states_are_discovered_once(home, quick):
    plan = plan_training.fn(home, quick)
    path = fit_corpus_states.fn(home, plan, quick)
    content = path.read_bytes()
    when = path.stat().st_mtime_ns
    assert fit_corpus_states.fn(home, plan, quick) == path
    assert path.stat().st_mtime_ns == when
    path.unlink()
    fit_corpus_states.fn(home, plan, quick)
    assert path.read_bytes() == content  # the same corpus and seed, the same states


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


def test_a_frame_has_the_state_of_the_path_that_the_clusters_alone_give(home, quick):
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


def test_more_clusters_than_the_corpus_has_moments_are_refused(tmp_path, quick, sound):
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

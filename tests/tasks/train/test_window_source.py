"""Windows of tracks: from the tables, from the cache, and their number."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from songform.bundle import Bundle
from songform.learning.sequence_inputs import SongTables, song_inputs
from songform.learning.splits import PARTS
from songform.structure.states import unit_vectors
from tasks.store.corpus import Corpus
from tasks.store.tables import features_config, read_features, read_overview, write_table
from tasks.train.array_cache import ArrayCache
from tasks.train.state_labels import read_state_model
from tasks.train.window_source import WindowSource, window_shape


@pytest.fixture
def source(trained):
    """Return a source without a cache."""
    corpus, sequence = Corpus(trained.home), Bundle.load(trained.folder).sequence
    states = read_state_model(corpus, trained.plan)
    return WindowSource(corpus, trained.plan, trained.settings, states, sequence.center, sequence.scale)


def everything(source):
    return [(key, part) for part in PARTS for key in source.plan.split.part(part)]


def same(one, other):
    for name in ("inputs", "ends", "targets"):
        assert np.array_equal(vars(one)[name], vars(other)[name])
        assert vars(one)[name].dtype == vars(other)[name].dtype


def test_cached_windows_equal_computed_ones(source, tmp_path):
    kept = replace(source, cache=ArrayCache(tmp_path))
    for key, part in everything(source) * 2:
        same(kept.windows(key, part), source.windows(key, part))


def test_windows_from_given_features_are_the_same(source):
    key, part = everything(source)[0]
    features = read_features(source.corpus, key, source.settings)
    same(source.windows(key, part, features), source.windows(key, part))


@pytest.mark.parametrize(
    "sequences",
    [
        {},
        {"target": "ahead", "ahead_seconds": 3.0},
        {"every_unit": False},
        {"every_unit": False, "target": "ahead", "ahead_seconds": 3.0},
        {"every_unit": False, "pool_seconds": 0.0},
        {"every_unit": False, "pool_seconds": 0.1, "hop_seconds": 0.3},
    ],
)
def test_windows_are_counted_from_the_number_of_rows(source, changed, sequences, tmp_path):
    settings = changed(source.settings, sequences=sequences)
    spans = {key: [(0.0, 7.3), (9.0, float("inf"))] for key in source.plan.split.train}
    plan = replace(source.plan, split=replace(source.plan.split, train=spans))
    source = replace(source, settings=settings, plan=plan)
    other = Corpus(tmp_path)
    for key in spans:
        windows = source.windows(key, "train")
        n_frames = len(read_features(source.corpus, key, settings))
        write_table(other.features_path(features_config(settings), key), pa.table({"other": np.zeros(n_frames)}))
        assert replace(source, corpus=other).count(key, "train") == len(windows.ends) > 5


def test_stretches_are_the_units_of_each_part_cut_at_the_longest_length(source, changed):
    settings = changed(source.settings, sequences={"stretch_seconds": 3.0})
    key = next(iter(source.plan.split.train))
    spans = {key: [(0.0, 7.3), (9.0, float("inf"))]}
    plan = replace(source.plan, split=replace(source.plan.split, train=spans))
    source = replace(source, settings=settings, plan=plan)
    windows, found = source.windows(key, "train"), source.stretches(key, "train")
    assert source.count_stretches(key, "train") == len(found) > 3
    assert max(map(len, found)) <= 6
    assert windows.ends[:15].tolist() == [*range(14), 18]  # 7.3 s and 9 s
    np.testing.assert_array_equal(np.concatenate([piece.targets for piece in found]), windows.targets)
    np.testing.assert_array_equal(np.concatenate([piece.inputs for piece in found]), windows.inputs[windows.ends])


def test_context_beats_and_sections_are_inputs_if_they_are_chosen(source, changed, tmp_path):
    settings = changed(source.settings, sequences={"inputs": ("features", "context", "beats", "sections")})
    key = next(iter(source.plan.split.train))
    more = replace(source, settings=settings, cache=ArrayCache(tmp_path)).windows(key, "train")
    plain = source.windows(key, "train")
    np.testing.assert_array_equal(more.inputs[:, :76], plain.inputs)
    assert more.inputs.shape[1] == 76 + 6 + 4 + 3
    features = read_features(source.corpus, key, settings)
    context = unit_vectors(features, read_overview(source.corpus, key, settings))[:, -6:]
    alone = song_inputs(
        ("context",), SongTables(features, context), window_shape(settings), center=source.center, scale=source.scale
    )
    np.testing.assert_array_equal(more.inputs[:, 76:82], alone)

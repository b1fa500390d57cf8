"""Windows are those of the tables, however they are read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from songform.bundle import Bundle
from songform.learning.splits import PARTS
from tasks.store.corpus import Corpus
from tasks.store.tables import features_config, read_features, write_table
from tasks.train.array_cache import ArrayCache
from tasks.train.state_labels import read_state_model
from tasks.train.window_source import WindowSource


@pytest.fixture
def source(trained):
    """Return a source that keeps nothing."""
    corpus, sequence = Corpus(trained.home), Bundle.load(trained.folder).sequence
    states = read_state_model(corpus, trained.plan)
    return WindowSource(corpus, trained.plan, trained.settings, states, sequence.center, sequence.scale)


def everything(source):
    return [(key, part) for part in PARTS for key in source.plan.split.part(part)]


def same(one, other):
    for name in ("inputs", "ends", "targets"):
        assert np.array_equal(vars(one)[name], vars(other)[name])
        assert vars(one)[name].dtype == vars(other)[name].dtype


def test_windows_that_are_kept_are_those_that_are_read_anew(source, tmp_path):
    kept = replace(source, cache=ArrayCache(tmp_path))
    for key, part in everything(source) * 2:
        same(kept.windows(key, part), source.windows(key, part))


def test_a_caller_that_has_read_the_features_gets_the_same_windows(source):
    key, part = everything(source)[0]
    features = read_features(source.corpus, key, source.settings)
    same(source.windows(key, part, features), source.windows(key, part))


@pytest.mark.parametrize(
    "sequences",
    [{}, {"target": "ahead", "ahead_seconds": 3.0}, {"pool_seconds": 0.0}, {"pool_seconds": 0.1, "hop_seconds": 0.3}],
)
def test_windows_are_counted_by_the_number_of_rows_alone(source, changed, sequences, tmp_path):
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

"""Scores of the network and its baselines on held-out tracks."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from songform.bundle import Bundle
from songform.learning import baselines
from songform.learning.baselines import BASELINES
from songform.learning.splits import Split
from tasks.store.corpus import Corpus
from tasks.train.array_cache import array_folder
from tasks.train.heldout_scores import HeldOutScores, score_bundle
from tasks.train.state_labels import read_state_model
from tasks.train.window_source import WindowSource


@pytest.fixture(scope="module")
def source(trained):
    sequence = Bundle.load(trained.folder).sequence
    corpus = Corpus(trained.home)
    states = read_state_model(corpus, trained.plan)
    return WindowSource(corpus, trained.plan, trained.settings, states, sequence.center, sequence.scale)


@pytest.fixture(scope="module")
def targets(source, trained):
    """Return the targets of all windows, by part."""
    parts = {part: trained.plan.split.part(part) for part in ("train", "test")}
    return {part: np.concatenate([source.windows(key, part).targets for key in keys]) for part, keys in parts.items()}


def test_all_metrics_of_network_and_baselines_are_there(trained):
    metrics = trained.heldout.metrics
    expected = {f"{who}_{name}" for who in ("test", *BASELINES) for name in ("accuracy", "macro_f1", "log_loss")}
    assert {name for name in metrics if not name.startswith("test_recall_")} == expected
    assert all(np.isfinite(value) for value in metrics.values())


def test_the_confusion_matrix_counts_the_test_windows_and_agrees_with_the_metrics(trained, targets, source):
    matrix = np.array(trained.heldout.confusion)
    n_states = len(source.states.states)
    assert matrix.shape == (n_states, n_states)
    assert matrix.sum(axis=1).tolist() == np.bincount(targets["test"], minlength=n_states).tolist()
    metrics = trained.heldout.metrics
    assert metrics["test_accuracy"] == pytest.approx(np.trace(matrix) / matrix.sum())
    for index, state in enumerate(source.states.states):
        name = f"test_recall_{state.replace(' ', '_')}"
        if matrix[index].sum():
            assert metrics[name] == pytest.approx(matrix[index, index] / matrix[index].sum())
        else:
            assert name not in metrics


def test_accuracy_agrees_with_predict(trained, source, targets):
    """The states that the bundle predicts for the frames of test songs give the same accuracy."""
    from tasks.store.tables import read_features

    bundle = Bundle.load(trained.folder)
    right = []
    for key in sorted(trained.plan.split.test):
        windows = source.windows(key, "test")
        said = bundle.predict(read_features(source.corpus, key, trained.settings))["state"].to_numpy()
        frames = np.ceil(windows.ends * 0.5 * 22050 / 512 + 1e-9).astype(int)  # the first frame of each last unit
        names = np.array(source.states.states, dtype=object)
        right += (said[frames] == names[windows.targets]).tolist()
    assert len(right) == len(targets["test"])
    assert np.mean(right) == pytest.approx(trained.heldout.metrics["test_accuracy"])


def test_the_majority_is_that_of_the_training_windows(trained, targets):
    ((most, _),) = Counter(targets["train"].tolist()).most_common(1)
    assert trained.heldout.metrics["majority_accuracy"] == pytest.approx((targets["test"] == most).mean())


def test_stored_scores_are_not_computed_again(trained):
    """Even for a plan without test tracks, the scores in the file are returned."""
    plan = replace(trained.plan, split=Split(trained.plan.split.train, {}, {}))
    assert score_bundle.fn(trained.home, plan, trained.settings, trained.folder) == trained.heldout


def unmeasured(trained, folder):
    """Copy a bundle without its scores."""
    return shutil.copytree(trained.folder, folder, ignore=shutil.ignore_patterns("judgement.json"))


def test_scores_are_repeatable_and_computed_with_one_blas_thread(trained, monkeypatch, tmp_path):
    """With more threads, BLAS sums in another order, and is slow when other processes use the cores."""
    threads = set()
    plain = baselines.logistic

    def logistic(*arguments):
        threads.update(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
        return plain(*arguments)

    monkeypatch.setattr(baselines, "logistic", logistic)
    folder = unmeasured(trained, tmp_path / "bundle")
    assert score_bundle.fn(trained.home, trained.plan, trained.settings, folder) == trained.heldout
    assert threads == {1}


def test_windows_cached_by_the_training_give_the_same_scores(trained, tmp_path):
    folder = unmeasured(trained, tmp_path / "bundle")
    with array_folder(trained.home, trained.plan) as arrays:
        for count in range(2):  # the second time, all windows are on disk
            (folder / "judgement.json").unlink(missing_ok=True)
            scores = score_bundle.fn(trained.home, trained.plan, trained.settings, folder, arrays=arrays)
            assert scores == trained.heldout, count
        assert len(list(arrays.iterdir())) == 5


@pytest.mark.parametrize("span", [None, (0.0, 0.4)])
def test_without_a_test_window_there_are_no_scores(trained, span, tmp_path):
    """There is no test track, or its test part is too short."""
    (key,) = trained.plan.split.test
    split = Split(trained.plan.split.train, {}, {key: [span]} if span else {})
    plan, folder = replace(trained.plan, split=split), unmeasured(trained, tmp_path / "bundle")
    assert score_bundle.fn(trained.home, plan, trained.settings, folder) == HeldOutScores({}, [])

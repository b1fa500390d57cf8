"""Evaluation: the network beside its baselines, on tracks that nobody learned from."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

import tasks.train.heldout_scores
from songform.bundle import Bundle
from songform.learning.baselines import BASELINES
from songform.learning.splits import Split
from tasks.store.corpus import Corpus
from tasks.train.heldout_scores import Judgement, judge_bundle
from tasks.train.state_labels import read_state_model
from tasks.train.train_network import Material


@pytest.fixture(scope="module")
def material(trained):
    sequence = Bundle.load(trained.folder).sequence
    corpus = Corpus(trained.home)
    states = read_state_model(corpus, trained.plan)
    return Material(corpus, trained.plan, trained.settings, states, sequence.center, sequence.scale)


@pytest.fixture(scope="module")
def targets(material, trained):
    """Return the targets of all windows, by part."""
    parts = {part: trained.plan.split.part(part) for part in ("train", "test")}
    return {part: np.concatenate([material.windows(key, part).targets for key in keys]) for part, keys in parts.items()}


def test_every_metric_of_everybody_is_there(trained):
    metrics = trained.judgement.metrics
    expected = {f"{who}_{name}" for who in ("test", *BASELINES) for name in ("accuracy", "macro_f1", "log_loss")}
    assert {name for name in metrics if not name.startswith("test_recall_")} == expected
    assert all(np.isfinite(value) for value in metrics.values())


def test_the_confusion_matrix_counts_the_test_windows_and_agrees_with_the_metrics(trained, targets, material):
    matrix = np.array(trained.judgement.confusion)
    n_states = len(material.states.states)
    assert matrix.shape == (n_states, n_states)
    assert matrix.sum(axis=1).tolist() == np.bincount(targets["test"], minlength=n_states).tolist()
    metrics = trained.judgement.metrics
    assert metrics["test_accuracy"] == pytest.approx(np.trace(matrix) / matrix.sum())
    for index, state in enumerate(material.states.states):
        name = f"test_recall_{state.replace(' ', '_')}"
        if matrix[index].sum():
            assert metrics[name] == pytest.approx(matrix[index, index] / matrix[index].sum())
        else:
            assert name not in metrics


def test_the_network_is_asked_as_predict_asks_it(trained, material, targets):
    """What the bundle says of a test song's frames agrees with what was judged."""
    from tasks.store.feature_tables import read_features

    bundle = Bundle.load(trained.folder)
    right = []
    for key in sorted(trained.plan.split.test):
        windows = material.windows(key, "test")
        said = bundle.predict(read_features(material.corpus, key, trained.settings))["state"].to_numpy()
        frames = np.ceil(windows.ends * 0.25 * 22050 / 512 + 1e-9).astype(int)  # the first frame of each last unit
        names = np.array(material.states.states, dtype=object)
        right += (said[frames] == names[windows.targets]).tolist()
    assert len(right) == len(targets["test"])
    assert np.mean(right) == pytest.approx(trained.judgement.metrics["test_accuracy"])


def test_the_majority_is_that_of_the_training_windows(trained, targets):
    ((most, _),) = Counter(targets["train"].tolist()).most_common(1)
    assert trained.judgement.metrics["majority_accuracy"] == pytest.approx((targets["test"] == most).mean())


def test_what_was_measured_is_not_measured_again(trained, monkeypatch):
    monkeypatch.setattr(tasks.train.heldout_scores, "_judged", None)
    assert judge_bundle.fn(trained.home, trained.plan, trained.settings, trained.folder) == trained.judgement


@pytest.mark.parametrize("span", [None, (0.0, 1.0)])
def test_without_a_test_window_nothing_is_claimed(trained, span):
    """There is no test track; or there is, but too little of it."""
    (key,) = trained.plan.split.test
    split = Split(trained.plan.split.train, {}, {key: [span]} if span else {})
    plan, bundle = replace(trained.plan, split=split), Bundle.load(trained.folder)
    judged = tasks.train.heldout_scores._judged(Corpus(trained.home), plan, trained.settings, bundle)
    assert judged == Judgement({}, [])

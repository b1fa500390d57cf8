from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from songform.features.extraction import describe_audio
from songform.features.overview import Overview
from songform.learning import baselines
from songform.learning.classification_metrics import scores
from songform.structure.pooling import CausalUnits
from songform.structure.states import fit_states, last_unit_vector, state_posterior, unit_vectors

SR, HOP = 22050, 512

targets = st.lists(st.integers(0, 3), min_size=1, max_size=30).map(np.array)


def is_probability(table):
    return np.allclose(table.sum(axis=1), 1) and (table >= 0).all()


@given(targets, st.integers(0, 5))
def test_majority_predicts_the_most_frequent_state_for_every_window(targets, n):
    answers = baselines.majority(targets, n, 4)
    most = Counter(targets.tolist()).most_common()
    assert answers.shape == (n, 4)
    for row in answers:
        assert row.argmax() == min(state for state, count in most if count == most[0][1])
        assert row.max() == pytest.approx(most[0][1] / len(targets), abs=2e-6)
        assert row.sum() == pytest.approx(1)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30))
def test_named_state_gets_its_precision_in_training_as_probability(pairs):
    truth, said = np.array(pairs).T
    table = baselines.named(truth, said, np.arange(4), 4)
    for state in range(4):
        right = [t == state for t, s in pairs if s == state]
        trust = sum(right) / len(right) if right else 1 / 4
        assert table[state].argmax() == state
        # The named state remains the prediction, even if its precision is low.
        assert table[state, state] == pytest.approx(max(trust, 1 / 4), abs=2e-6)
        others = np.delete(table[state], state)
        assert np.allclose(others, others[0])
    assert is_probability(table)


def two_clouds(rng, n=200):
    """Return points of the states 1 and 3 of four, which a plane separates, and their states."""
    states = rng.choice([1, 3], n)
    return (rng.standard_normal((n, 5)) + 3 * (states == 3)[:, None]).astype(np.float32), states


@pytest.mark.parametrize("baseline", [baselines.logistic, baselines.centroid])
def test_separable_states_are_predicted_and_states_missing_from_training_are_not(rng, baseline):
    inputs, states = two_clouds(rng)
    test, truth = two_clouds(rng)
    table = baseline(inputs, states, test, 4)
    assert table.shape == (200, 4)
    assert is_probability(table)
    assert scores(truth, table)["accuracy"] > 0.98
    assert set(table.argmax(axis=1)) == {1, 3}


def test_logistic_regression_gives_states_missing_from_training_probability_zero(rng):
    inputs, states = two_clouds(rng)
    assert (baselines.logistic(inputs, states, inputs, 4)[:, [0, 2]] == 0).all()


def test_nearest_centroid_equals_a_plain_loop(rng):
    inputs, states = rng.standard_normal((60, 3)).astype(np.float32), np.arange(60) % 4
    test = rng.standard_normal((30, 3)).astype(np.float32)
    means = [inputs[states == state].mean(axis=0) for state in range(4)]
    expected = [np.argmin([np.linalg.norm(mean - row) for mean in means]) for row in test]
    table = baselines.centroid(inputs, states, test, 4)
    assert table.argmax(axis=1).tolist() == expected
    # Its probability is the precision of its predictions in training.
    trained = np.array([np.argmin([np.linalg.norm(mean - row) for mean in means]) for row in inputs])
    precision = [(states[trained == state] == state).mean() for state in range(4)]
    assert np.allclose(table.max(axis=1), [max(precision[state], 1 / 4) for state in expected], atol=2e-6)


@pytest.mark.parametrize("baseline", [baselines.logistic, baselines.centroid])
def test_a_single_state_in_training_is_always_predicted(rng, baseline):
    table = baseline(rng.standard_normal((9, 2)).astype(np.float32), np.full(9, 2), np.zeros((3, 2), np.float32), 4)
    assert table.argmax(axis=1).tolist() == [2, 2, 2]
    assert np.allclose(table[:, 2], 1, atol=2e-6)


CUTS = (3.25, 6.7, 9.1, 13.4, 17.05, 20.3, 24.4)  # seconds; the song is silent around each cut


@pytest.fixture(scope="module")
def heard():
    """Return 26 s of sound of changing loudness and pitch, with 0.6 s of silence around each cut."""
    rng = np.random.default_rng(11)
    t = np.arange(26 * SR) / SR
    loud = np.where(t % 8 < 4, 0.02, 0.3) * (1 + np.sin(t)) / 2
    y = loud * (np.sin(2 * np.pi * 220 * 2 ** (np.floor(t / 2) % 5) * t) + 0.3 * rng.standard_normal(len(t)))
    for cut in CUTS:
        y[(t > cut - 0.35) & (t < cut + 0.25)] = 0
    return y.astype(np.float32)


@pytest.fixture(scope="module")
def described(heard):
    features, overview, _ = describe_audio([heard])
    return features, overview


@pytest.fixture(scope="module")
def model(described):
    """Fit states on the last units of beginnings of the song, so that each state is predicted for some moment."""
    song = CausalUnits(*described)
    vectors = [last_unit_vector(song.until(n)) for n in range(22, len(described[0]), 21)]
    return fit_states([np.stack(vectors)], n_states=4)


def test_causal_state_equals_the_last_state_of_the_song_cut_there(heard, described, model):
    """The cuts are in silence, so that they change no frame of the shorter song."""
    expected, known = [], []
    for cut in CUTS:
        shorter, overview, _ = describe_audio([heard[: round(cut * SR)]])
        vectors = unit_vectors(shorter, overview)
        expected.append(state_posterior(model, vectors)[-1].argmax())
        known.append(len(shorter))
    answers = baselines.causal_states(model, *described, np.array(known))
    assert answers.tolist() == expected
    assert len(set(expected)) > 1
    # Neither the order of the moments nor repeated moments change the states.
    again = baselines.causal_states(model, *described, np.array([*known[::-1], known[0]]))
    assert again.tolist() == [*expected[::-1], expected[0]]


def test_causal_states_equal_those_of_truncated_tables(described, model):
    """At the end of a cell of the overview, a shorter song has the first rows of all tables."""
    features, overview = described
    cells = range(12, len(overview), 5)
    known = np.cumsum(overview.frame_counts)[np.array(cells) - 1]
    expected = []
    for n_cells, n in zip(cells, known, strict=True):
        rows = {name: value[: n if name == "onset" else n_cells] for name, value in vars(overview).items()}
        vectors = unit_vectors(features.iloc[:n], Overview(**rows))
        expected.append(state_posterior(model, vectors)[-1].argmax())
    assert baselines.causal_states(model, features, overview, known).tolist() == expected
    assert len(set(expected)) == 4


@settings(max_examples=30)
@given(n=st.integers(10, 1100))
def test_causal_states_do_not_depend_on_later_sound(described, model, n):
    """The cell of the overview that contains the moment, and all later cells, may have any values."""
    features, overview = described
    last_whole = np.searchsorted(np.cumsum(overview.frame_counts), n, side="right")
    later = np.arange(len(overview)) >= last_whole
    changed = replace(
        overview,
        logmel=np.where(later[:, None], 255, overview.logmel).astype(np.uint8),
        chroma=np.where(later[:, None], np.float32(1e3), overview.chroma),
        low_share=np.where(later, np.float32(1e3), overview.low_share),
        onset=np.where(np.arange(len(features)) >= n, np.float32(1e3), overview.onset),
    )
    other = features.copy()
    other.iloc[n:] = 1e3
    known = np.array([n])
    assert baselines.causal_states(model, other, changed, known) == baselines.causal_states(model, *described, known)


def test_no_moments_give_no_causal_states(described, model):
    assert baselines.causal_states(model, *described, np.zeros(0, np.intp)).shape == (0,)

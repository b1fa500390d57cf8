"""Classification metrics follow their definitions for any truth and any prediction."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from songform.errors import ParameterError
from songform.learning.classification_metrics import confusion, macro_f1, precision, recall, scores, soft_one_hot

N_STATES = 4
answers = st.lists(st.tuples(st.integers(0, N_STATES - 1), st.integers(0, N_STATES - 1)), min_size=1, max_size=60)


def columns(pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array(pairs).T


def by_definition(pairs: list[tuple[int, int]], state: int) -> tuple[int, int, int]:
    """Count how often a state is true, how often it is predicted, and how often both."""
    true = sum(truth == state for truth, _ in pairs)
    predicted = sum(answer == state for _, answer in pairs)
    return true, predicted, pairs.count((state, state))


@given(pairs=answers)
def test_confusion_recall_precision_and_f1_follow_their_definitions(pairs):
    truth, answer = columns(pairs)
    counts = [by_definition(pairs, state) for state in range(N_STATES)]
    rows = [[pairs.count((true, predicted)) for predicted in range(N_STATES)] for true in range(N_STATES)]
    assert confusion(truth, answer, N_STATES).tolist() == rows
    f1 = [2 * right / (true + predicted) for true, predicted, right in counts if true]
    assert macro_f1(truth, answer) == pytest.approx(np.mean(f1))
    found = [right / true if true else np.nan for true, _, right in counts]
    assert_allclose(recall(truth, answer, N_STATES), found)
    named = [right / predicted if predicted else 1 / N_STATES for _, predicted, right in counts]
    assert_allclose(precision(truth, answer, N_STATES), named)


def test_scores_of_probabilities_follow_their_definitions(rng):
    truth = rng.integers(0, N_STATES - 1, 300)  # the last state never occurs
    probability = rng.dirichlet(np.full(N_STATES, 0.7), 300) * 0.999 + 0.001 / N_STATES
    found = scores(truth, probability)
    answer = probability.argmax(axis=1)
    pairs = list(zip(truth.tolist(), answer.tolist(), strict=True))
    counts = [by_definition(pairs, state) for state in range(N_STATES)]
    assert found["accuracy"] == pytest.approx(sum(true == predicted for true, predicted in pairs) / 300)
    assert found["log_loss"] == pytest.approx(
        -np.mean([np.log(row[true]) for row, true in zip(probability, truth, strict=True)])
    )
    assert found["macro_f1"] == pytest.approx(
        np.mean([2 * right / (true + predicted) for true, predicted, right in counts[:3]])
    )


def test_scores_of_perfect_and_of_confident_wrong_predictions():
    truth = np.array([0, 1, 2, 3])
    assert scores(truth, np.eye(4)) == {"accuracy": 1.0, "macro_f1": 1.0, "log_loss": 0.0}
    wrong = scores(truth, np.roll(np.eye(4), 1, axis=1))
    assert (wrong["accuracy"], wrong["macro_f1"]) == (0.0, 0.0)
    assert wrong["log_loss"] == pytest.approx(-np.log(1e-6))


def test_macro_f1_weights_rare_and_common_states_equally():
    """The majority prediction is right nine times out of ten, but never predicts the second state."""
    truth, answer = np.r_[np.zeros(9, int), 1], np.zeros(10, int)
    assert macro_f1(truth, answer) == pytest.approx((18 / 19 + 0) / 2)


def test_macro_f1_does_not_average_over_states_missing_from_the_truth():
    assert macro_f1(np.array([0, 0, 1, 1]), np.array([0, 2, 1, 1])) == pytest.approx((2 / 3 + 1) / 2)


@given(answer=st.lists(st.integers(0, 3), min_size=1), trained=st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_soft_one_hot_keeps_the_prediction_and_gives_it_its_training_precision(answer, trained):
    probability = soft_one_hot(np.array(answer), np.array(trained))
    assert_array_equal(probability.argmax(axis=1), answer)
    assert_allclose(probability.sum(axis=1), 1)
    assert np.all(probability > 0)
    expected = np.clip(np.array(trained)[answer], 0.25, 1)
    assert_allclose(probability.max(axis=1), expected, atol=2e-6)
    assert_allclose(np.sort(probability)[:, :3], ((1 - expected) / 3)[:, None].repeat(3, 1), atol=2e-6)


@pytest.mark.parametrize(("n", "rows"), [(0, 0), (3, 2)])
def test_different_or_zero_numbers_of_rows_are_rejected(n, rows):
    with pytest.raises(ParameterError, match=rf"same number of rows.*\({n},\) and \({rows}, 4\)"):
        scores(np.zeros(n, int), np.full((rows, 4), 0.25))

"""Training of the shipped model on a few small songs with known states, with every family left out once."""

from __future__ import annotations

import numpy as np
import pytest

from songform.structure.naming import STATES
from training.pretrained_model import (
    WEIGHTS,
    Recipe,
    chosen,
    fitted_states,
    input_scaler,
    network_inputs,
    sequence_probabilities,
    trained_sequence,
)
from training.state_songs import StateSong

pytestmark = pytest.mark.system
RECIPE = Recipe(n_stages=2, stage_epochs=6, most_units=40, batch_size=4, learning_rate=0.01)


def song(family: str, seed: int, shift: float) -> StateSong:
    """Return a song whose first columns are its states, with noise, in sections of ten units."""
    rng = np.random.default_rng([seed, len(family)])
    truth = np.repeat(rng.permutation(np.tile(np.arange(len(STATES)), 2)), 10)
    features = rng.normal(shift, 0.3, (len(truth), 76)).astype(np.float32)
    features[:, 38:] = np.abs(features[:, 38:])
    features[:, : len(STATES)] += 2 * np.eye(len(STATES), dtype=np.float32)[truth]
    normalized = (features - features.mean(axis=0)) / features.std(axis=0)
    vectors = np.hstack([features, rng.normal(0, 1, (len(truth), 6))]).astype(np.float32)
    return StateSong(f"{family}-{seed}", family, 1.0, {"features": features, "normalized": normalized}, vectors, truth)


def songs(first: int) -> list[StateSong]:
    return [song(family, first + seed, shift) for family, shift in (("a", 0.0), ("bb", 0.5)) for seed in range(6)]


def test_scaler_is_that_of_the_frames():
    rng = np.random.default_rng(0)
    frames = rng.normal(3, 2, (200, 10, 38))
    units = np.hstack([frames.mean(axis=1), frames.std(axis=1)])
    one = StateSong("", "a", 1.0, {"features": units}, units, np.zeros(200, np.intp))
    center, scale = input_scaler([one])
    np.testing.assert_allclose(center, frames.reshape(-1, 38).mean(axis=0))
    np.testing.assert_allclose(scale, frames.reshape(-1, 38).std(axis=0))
    scaled = network_inputs(one, ("features",), (center, scale))
    np.testing.assert_allclose(scaled[:, 38:] * scale, frames.std(axis=1), rtol=1e-5)


def test_network_learns_states_that_the_inputs_show():
    sequence = trained_sequence(RECIPE, songs(0))
    test = songs(100)
    answer = np.concatenate([each.argmax(axis=1) for each in sequence_probabilities(sequence, test)])
    assert np.mean(answer == np.concatenate([each.truth for each in test])) > 0.9
    assert fitted_states(test).states == STATES


def test_parameters_are_chosen_on_the_families_that_are_left_out():
    choice = chosen(RECIPE, songs(0), songs(50))
    assert 1 <= choice.n_stages <= RECIPE.n_stages
    assert choice.weight in WEIGHTS
    assert set(choice.macro_f1) == {"a", "bb"}
    best = choice.tried[f"{choice.weight:g}"][choice.n_stages - 1]
    assert best == max(max(scores) for scores in choice.tried.values())
    assert best == pytest.approx(np.mean(list(choice.macro_f1.values())))
    assert 0.05 < choice.temperature < 20

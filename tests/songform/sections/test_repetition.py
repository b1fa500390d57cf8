"""Which segments repeat each other: features of pairs, and the network of the package."""

from __future__ import annotations

import numpy as np
import pytest

from songform.sections.letters import letters, segment_groups
from songform.sections.repetition import N_FEATURES, RepetitionModel, pair_features, repetition_model

BARS = 8
WHOLE, SHORTER_SHARE, EQUAL_LENGTH, NEIGHBORS = 0, 14, 15, 18  # columns


def song(form, noise=0.25, seed=0):
    """Return both similarities of a song in which bars at the same place of segments of one letter are alike."""
    rng = np.random.default_rng(seed)
    names = sorted({f"{letter}{bar}" for letter in form for bar in range(BARS)})
    sounds = dict(zip(names, rng.normal(size=(len(names), 40)), strict=True))
    heard = np.array([sounds[f"{letter}{bar}"] for letter in form for bar in range(BARS)])
    matrices = []
    for _ in range(2):
        noisy = heard + rng.normal(0, noise, heard.shape)
        unit = noisy / np.linalg.norm(noisy, axis=1, keepdims=True)
        matrices.append(unit @ unit.T)
    return *matrices, np.arange(0, len(heard) + 1, BARS)


@pytest.mark.parametrize("form", ["ABAB", "AABA", "ABCABC", "ABACABA"])
@pytest.mark.parametrize("seed", range(3))
def test_the_network_of_the_package_finds_the_form_of_clear_songs(form, seed):
    features = pair_features(*song(form, seed=seed), 2.0)
    assert "".join(letters(segment_groups(repetition_model()(features)))) == form


def test_log_odds_are_symmetric_and_limited():
    log_odds = repetition_model()(pair_features(*song("ABCBA"), 2.0))
    np.testing.assert_allclose(log_odds, log_odds.T)
    assert np.abs(log_odds).max() <= 5


def test_features_of_pairs_have_known_values():
    timbre, harmony, _ = song("ABAB")
    division = np.array([0, 8, 16, 24, 28, 32])
    features = pair_features(timbre, harmony, division, 2.0)
    assert features.shape == (5, 5, N_FEATURES)
    assert features[0, 3, SHORTER_SHARE] == 0.5
    assert features[0, 3, EQUAL_LENGTH] == 0
    assert features[0, 1, EQUAL_LENGTH] == 1
    assert features[0, 1, NEIGHBORS] == 1
    assert features[0, 2, NEIGHBORS] == 0
    assert features[0, 2, WHOLE] > features[0, 1, WHOLE] + 2  # A and A, A and B


def test_features_do_not_depend_on_the_order_of_two_segments():
    features = pair_features(*song("ABCAB"), 2.0)
    np.testing.assert_array_equal(features, features.transpose(1, 0, 2))


def test_equal_bars_of_a_loop_are_similar():
    equal = np.ones((32, 32))
    features = pair_features(equal, equal, np.arange(0, 33, 8), 2.0)
    np.testing.assert_array_equal(features[..., WHOLE], 3.0)
    assert np.isfinite(repetition_model()(features)).all()


@pytest.mark.parametrize("division", [[0, 4], [0, 1, 2, 3, 4], [0, 1, 4]])
def test_short_songs_have_finite_features(division):
    rng = np.random.default_rng(0)
    matrix = rng.uniform(-1, 1, (4, 4))
    assert np.isfinite(pair_features(matrix + matrix.T, matrix + matrix.T, np.array(division), 2.0)).all()


def test_a_network_of_one_layer_is_a_weighted_sum():
    weights = np.zeros((N_FEATURES, 1), np.float32)
    weights[WHOLE] = 2
    center, scale = np.zeros(N_FEATURES, np.float32), np.ones(N_FEATURES, np.float32)
    model = RepetitionModel.from_arrays(
        {"center": center, "scale": scale, "weights_0": weights, "bias_0": np.float32([-1])}
    )
    features = np.zeros((2, 2, N_FEATURES), np.float32)
    features[..., WHOLE] = 1.5
    features[..., -2:] = 0.5
    np.testing.assert_allclose(model(features), 2.0)


def test_segments_that_are_not_alike_are_no_repetition_however_unusual():
    features = pair_features(*song("ABAB"), 2.0)
    features[..., -2:] = 0
    assert np.all(repetition_model()(features) == -5)

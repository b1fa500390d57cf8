"""Similarity of bars and features of bar lines: known answers on songs with known repetitions."""

from __future__ import annotations

import numpy as np
import pytest

from songform.sections.bar_similarity import bar_lines, robust_z_scores
from songform.sections.boundary_features import (
    N_FEATURES,
    boundary_features,
    novelty,
    stripe_contrast,
    structure_curve,
)


def song(form, bars=8, noise=0.3, seed=0):
    """Return the self-similarity of a song whose sections of the same letter are similar bar by bar."""
    rng = np.random.default_rng(seed)
    bar = {letter: rng.normal(size=(bars, 64)) for letter in sorted(set(form))}
    x = np.concatenate([bar[letter] for letter in form])
    x = x + noise * rng.normal(size=x.shape)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return x @ x.T


def naive_contrast(similarity, n_bars):
    """Return the stripe contrast as its docstring defines it, cell by cell."""
    n = len(similarity)
    contrast = np.zeros((n + 1, n + 1))
    for i in range(n + 1):
        for j in range(n + 1):
            after = [similarity[i + t, j + t] for t in range(n_bars) if max(i, j) + t < n]
            before = [similarity[i - t, j - t] for t in range(1, n_bars + 1) if min(i, j) - t >= 0]
            if abs(i - j) >= 4 and min(len(after), len(before)) >= 0.45 * n_bars:
                contrast[i, j] = np.mean(after) - np.mean(before)
    return contrast


@pytest.mark.parametrize("n_bars", [2, 4, 8, 16])
def test_stripe_contrast_equals_its_definition(n_bars):
    similarity = song("ABAC", bars=7)
    np.testing.assert_allclose(stripe_contrast(similarity, n_bars), naive_contrast(similarity, n_bars), atol=1e-12)


def test_stripe_contrast_is_high_where_a_repetition_starts_and_low_where_it_ends():
    contrast = stripe_contrast(song("ABACDA", noise=0.1), 4)
    assert contrast[16, 40] > 0.6  # the second and the third A start
    assert contrast[8, 24] < -0.6  # the first and the second A end
    assert abs(contrast[12, 28]) < 0.3


def ratio_at_boundaries(values):
    """Return the mean at the inner boundaries of sections of eight bars, relative to the mean elsewhere."""
    boundaries = np.arange(8, len(values) - 8, 8)
    others = np.setdiff1d(np.arange(2, len(values) - 2), np.concatenate([boundaries + k for k in (-1, 0, 1)]))
    return values[boundaries].mean() / values[others].mean()


def test_structure_curve_is_high_where_repetitions_start_and_end():
    assert ratio_at_boundaries(structure_curve(song("ABACBC"))) > 2


def test_novelty_is_high_where_the_sound_changes():
    rng = np.random.default_rng(1)
    x = np.repeat(rng.normal(size=(6, 32)), 8, axis=0) + 0.4 * rng.normal(size=(48, 32))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    assert ratio_at_boundaries(novelty(x @ x.T, 4)) > 2


@pytest.mark.parametrize("n_bars", [1, 2, 5, 16, 120])
def test_features_of_songs_of_any_length_are_finite(n_bars):
    similarity = song("ABCDEFGHIJKLMNO", bars=8)[:n_bars, :n_bars]
    features = boundary_features(similarity, similarity, 2.0)
    assert features.shape == (n_bars + 1, N_FEATURES)
    assert np.isfinite(features).all()


def test_robust_scores_have_the_median_0_far_from_the_diagonal():
    similarity = song("ABAC")
    scores = robust_z_scores(similarity)
    i, j = np.indices(scores.shape)
    assert np.median(scores[np.abs(i - j) >= 4]) == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(robust_z_scores(3 * similarity + 1), scores)


def test_bar_lines_continue_to_both_ends():
    lines = bar_lines(np.array([5.0, 7.0, 9.0]), 14.2)
    np.testing.assert_allclose(lines, [1.0, 3.0, 5.0, 7.0, 9.0, 11.0, 13.0])

"""Self-similarity: the whole matrix, made with plain loops, is the oracle for what is computed in bands."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from songform.selfsimilarity import (
    cross_path_similarities,
    last_recurrence,
    novelty,
    path_similarities,
    recurrence,
    similarity_vectors,
)


def unit_rows(rng: np.random.Generator, n: int, n_columns: int = 25) -> np.ndarray:
    rows = rng.standard_normal((n, n_columns))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def checkerboard_novelty(matrix: np.ndarray, half: int) -> np.ndarray:
    """Correlate cell by cell; each of the kernel's two colours is weighed by what of it lies in the song."""
    n = len(matrix)
    curve = np.zeros(n)
    for u in range(n):
        sums = {True: [0.0, 0.0], False: [0.0, 0.0]}
        for i in range(max(u - half, 0), min(u + half, n)):
            for j in range(max(u - half, 0), min(u + half, n)):
                x, y = (i - u + 0.5) / half, (j - u + 0.5) / half
                taper = np.exp(-2 * (x * x + y * y))
                sums[x * y > 0][0] += taper * matrix[i, j]
                sums[x * y > 0][1] += taper
        (same, n_same), (other, n_other) = sums[True], sums[False]
        curve[u] = (same / n_same - (other / n_other if n_other else 0)) / 2
    return curve


def test_novelty_agrees_with_the_checkerboard_on_the_whole_matrix(rng):
    """Also where the song cuts the kernel."""
    vectors = unit_rows(rng, 37)
    matrix = (1 + vectors @ vectors.T) / 2
    expected = np.maximum(np.mean([checkerboard_novelty(matrix, half) for half in (4, 8)], axis=0), 0)
    expected[:4] = expected[-4:] = 0
    assert_allclose(novelty(vectors, unit_seconds=0.5, half_widths=(2.0, 4.0)), expected, atol=1e-12)


def test_novelty_of_a_cut_between_opposites_is_a_half_at_the_cut(rng):
    one = unit_rows(rng, 1)
    curve = novelty(np.repeat([one[0], -one[0]], 60, axis=0), unit_seconds=0.5)
    assert curve.argmax() == 60
    assert curve.max() == pytest.approx(0.5)
    assert_allclose(np.r_[curve[:28], curve[93:]], 0, atol=1e-12)


def test_noise_has_almost_no_novelty(rng):
    assert novelty(unit_rows(rng, 400), unit_seconds=0.5).max() < 0.06


def test_a_song_without_change_has_neither_novelty_nor_recurrence():
    vectors = similarity_vectors(np.ones((50, 13)), np.ones((50, 12)))
    assert_array_equal(vectors, np.zeros((50, 25)))
    assert_array_equal(novelty(vectors, unit_seconds=0.5), np.zeros(50))
    assert_array_equal(recurrence(vectors, unit_seconds=0.5), np.zeros(50))


def test_rounding_in_a_constant_song_is_not_heard(rng):
    vectors = similarity_vectors(1e-4 * rng.standard_normal((50, 13)) - 300, 1e-4 * rng.standard_normal((50, 12)))
    assert np.linalg.norm(vectors, axis=1).max() < 0.05


def test_vectors_have_length_one_and_both_parts_weigh_alike(rng):
    mfcc, chroma = 40 * rng.standard_normal((500, 20)) + 7, rng.uniform(0, 1, (500, 12))
    vectors = similarity_vectors(mfcc, chroma)
    assert_allclose(np.linalg.norm(vectors, axis=1), 1)
    assert (vectors[:, :20] ** 2).sum() == pytest.approx((vectors[:, 20:] ** 2).sum(), rel=0.1)
    assert_allclose(similarity_vectors(3 * mfcc - 50, chroma / 2), vectors, atol=1e-9)


def brute_path_similarity(vectors: np.ndarray, u: int, lag: int, width: int) -> float:
    pairs = [(v, v + lag) for v in range(u - width // 2, u - width // 2 + width) if v >= 0 and v + lag < len(vectors)]
    return float(np.mean([vectors[a] @ vectors[b] for a, b in pairs]))


def test_recurrence_agrees_with_a_loop_over_units_and_lags(rng):
    vectors = unit_rows(rng, 60, 3)
    threshold, expected = 0.2, []
    for u in range(60):
        near, hits = [0.0], []
        for lag in range(2, 60 - 8 + 1):
            for start in (u, u - lag):  # heard again, and heard before
                if 0 <= start < 60 - lag:
                    similarity = brute_path_similarity(vectors, start, lag, 8)
                    near += [similarity] if lag <= 32 else []
                    hits += [similarity > threshold] if lag > 16 else []
        expected.append((max(near) + np.mean(hits)) / 2)
    assert_allclose(recurrence(vectors, unit_seconds=0.5, threshold=threshold), expected, atol=1e-12)


def test_a_loop_recurs_and_noise_does_not(rng):
    loop = recurrence(np.tile(unit_rows(rng, 8), (15, 1)), unit_seconds=0.5)
    noise = recurrence(unit_rows(rng, 120), unit_seconds=0.5)
    assert_allclose(loop, (1 + 1 / 8) / 2, atol=0.02)  # one lag in eight is a multiple of the period
    assert noise.max() < 0.2


def test_a_theme_that_comes_back_after_a_minute_recurs_only_where_it_sounds(rng):
    vectors = unit_rows(rng, 180)
    vectors[150:180] = vectors[20:50]
    found = recurrence(vectors, unit_seconds=0.5)
    lags = dict(path_similarities(vectors, unit_seconds=0.5))
    assert_allclose(lags[130][24:46], 1)
    assert found[24:46].mean() > found[60:140].mean()


def test_paths_are_yielded_lag_by_lag_from_one_second_up(rng):
    vectors = unit_rows(rng, 30)
    found = dict(path_similarities(vectors, unit_seconds=0.5))
    assert list(found) == list(range(2, 23))
    for lag, similarity in found.items():
        expected = [brute_path_similarity(vectors, u, lag, 8) for u in range(30 - lag)]
        assert_allclose(similarity, expected, atol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 9, 10, 11, 17, 40, 41, 90])
def test_the_last_units_recurrence_alone_is_the_last_of_all(rng, n):
    vectors = np.tile(unit_rows(rng, 9), (10, 1))[:n] + 0.3 * unit_rows(rng, n)
    for threshold in (0.2, 0.6, 0.9):
        expected = recurrence(vectors, unit_seconds=0.5, threshold=threshold)[-1]
        assert last_recurrence(vectors, unit_seconds=0.5, threshold=threshold) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("n", [1, 2, 5, 7, 8])
def test_a_short_song_gives_finite_values(rng, n):
    for vectors in (unit_rows(rng, n), similarity_vectors(rng.standard_normal((n, 13)), rng.uniform(0, 1, (n, 12)))):
        curves = novelty(vectors, unit_seconds=0.5), recurrence(vectors, unit_seconds=0.5)
        assert all(curve.shape == (n,) and np.isfinite(curve).all() for curve in curves)
        assert_array_equal(curves[0], 0)  # all of it lies within 2 s of an end


def test_paths_between_songs_agree_with_a_loop_over_pairs(rng):
    one, other = unit_rows(rng, 27), unit_rows(rng, 40)
    expected = [
        np.mean([one[i + k] @ other[j + k] for k in range(8)]) for i in range(0, 24, 8) for j in range(0, 40, 8)
    ]
    assert_allclose(cross_path_similarities(one, other, unit_seconds=0.5), expected)
    assert cross_path_similarities(one[:7], other, unit_seconds=0.5).shape == (0,)

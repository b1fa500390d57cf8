"""Tests of novelty and recurrence, compared with loops over the whole self-similarity matrix."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from songform.structure.self_similarity import (
    loop_similarity,
    novelty,
    path_similarities,
    recurrence,
    similarity_vectors,
)


def unit_rows(rng: np.random.Generator, n: int, n_columns: int = 25) -> np.ndarray:
    rows = rng.standard_normal((n, n_columns))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def checkerboard_novelty(matrix: np.ndarray, half: int) -> np.ndarray:
    """Correlate the kernel with the matrix without its diagonal; each color is averaged inside the song."""
    n = len(matrix)
    curve = np.zeros(n)
    for u in range(n):
        sums = {True: [0.0, 0.0], False: [0.0, 0.0]}
        for i in range(max(u - half, 0), min(u + half, n)):
            for j in range(max(u - half, 0), min(u + half, n)):
                if i == j:
                    continue
                x, y = (i - u + 0.5) / half, (j - u + 0.5) / half
                taper = np.exp(-2 * (x * x + y * y))
                sums[x * y > 0][0] += taper * matrix[i, j]
                sums[x * y > 0][1] += taper
        (same, n_same), (other, n_other) = sums[True], sums[False]
        curve[u] = (same / n_same - (other / n_other if n_other else 0)) / 2
    return curve


def test_novelty_equals_the_checkerboard_correlation_of_the_whole_matrix(rng):
    """Units near the ends of the song, where the kernel is incomplete, are included."""
    vectors = unit_rows(rng, 37)
    matrix = (1 + vectors @ vectors.T) / 2
    expected = np.maximum(checkerboard_novelty(matrix, 4), 0)
    expected[:4] = expected[-4:] = 0
    assert_allclose(novelty(vectors, unit_seconds=0.5), expected, atol=1e-12)


def test_novelty_between_opposite_vectors_is_one_half(rng):
    one = unit_rows(rng, 1)
    curve = novelty(np.repeat([one[0], -one[0]], 60, axis=0), unit_seconds=0.5)
    assert curve.argmax() == 60
    assert curve.max() == pytest.approx(0.5)
    assert_allclose(np.r_[curve[:56], curve[65:]], 0, atol=1e-12)  # outside the kernel


def test_novelty_is_zero_within_two_seconds_of_the_ends(rng):
    vectors = np.repeat(unit_rows(rng, 6), 3, axis=0)
    curve = novelty(vectors, unit_seconds=0.5)
    assert_array_equal(np.r_[curve[:4], curve[-4:]], 0)
    assert curve[4:-4].max() > 0.1


def test_novelty_of_noise_is_low(rng):
    """The maximum is 0.5, between opposite vectors."""
    noise = unit_rows(rng, 400)
    assert novelty(noise, unit_seconds=0.5).mean() < 0.02


def test_song_without_change_has_neither_novelty_nor_recurrence():
    vectors = similarity_vectors(np.zeros((50, 13)), np.zeros((50, 12)))
    assert_array_equal(vectors, np.zeros((50, 25)))
    assert_array_equal(novelty(vectors, unit_seconds=0.5), np.zeros(50))
    assert_array_equal(recurrence(vectors, unit_seconds=0.5), np.zeros(50))
    assert loop_similarity(vectors, unit_seconds=0.5) == 0


def test_vectors_have_length_one_and_equal_weights_of_mfcc_and_chroma(rng):
    mfcc, chroma = rng.standard_normal((500, 20)), rng.standard_normal((500, 12))
    vectors = similarity_vectors(mfcc, chroma)
    assert_allclose(np.linalg.norm(vectors, axis=1), 1)
    assert (vectors[:, :20] ** 2).sum() == pytest.approx((vectors[:, 20:] ** 2).sum(), rel=0.1)
    assert_allclose(similarity_vectors(2 * mfcc, 2 * chroma), vectors)


def test_vector_of_a_unit_close_to_the_average_is_short(rng):
    vectors = similarity_vectors(1e-3 * rng.standard_normal((50, 13)), 1e-3 * rng.standard_normal((50, 12)))
    assert np.linalg.norm(vectors, axis=1).max() < 0.01


def brute_path_similarity(vectors: np.ndarray, u: int, lag: int, width: int) -> float:
    pairs = [(v, v + lag) for v in range(u - width // 2, u - width // 2 + width) if v >= 0 and v + lag < len(vectors)]
    return float(np.mean([vectors[a] @ vectors[b] for a, b in pairs]))


@pytest.mark.parametrize("most_seconds", [16.0, 5.0])
def test_recurrence_equals_that_of_a_loop_over_units_and_lags(rng, most_seconds):
    vectors = unit_rows(rng, 60, 3)
    expected = []
    for u in range(60):
        near = [0.0]
        for lag in range(2, int(most_seconds / 0.5) + 1):
            starts = [start for start in (u, u - lag) if 0 <= start < 60 - lag]  # repeated later, and heard before
            near += [brute_path_similarity(vectors, start, lag, 8) for start in starts]
        expected.append(max(near))
    assert_allclose(recurrence(vectors, unit_seconds=0.5, most_seconds=most_seconds), expected, atol=1e-12)


def test_loop_has_recurrence_and_noise_has_little(rng):
    loop = recurrence(np.tile(unit_rows(rng, 8), (15, 1)), unit_seconds=0.5)
    noise = recurrence(unit_rows(rng, 120), unit_seconds=0.5)
    assert_allclose(loop, 1)
    assert noise.max() < 0.4


def test_repetition_after_more_than_sixteen_seconds_is_ignored(rng):
    vectors = unit_rows(rng, 180)
    vectors[80:100], vectors[150:170] = vectors[50:70], vectors[20:40]  # 15 s and 65 s later
    found = recurrence(vectors, unit_seconds=0.5)
    assert_allclose(found[[56, 60, 86, 90]], 1)
    assert found[24:37].max() < 0.5
    lags = dict(path_similarities(vectors, unit_seconds=0.5))
    assert_allclose(lags[130][24:37], 1)


def brute_loop_similarity(vectors: np.ndarray) -> float:
    n = len(vectors)
    means = [np.mean([vectors[i] @ vectors[i + lag] for i in range(n - lag)]) for lag in range(2, n // 2 + 1)]
    return max([0.0, *means])


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 21, 40])
def test_loop_similarity_is_that_of_the_best_lag(rng, n):
    vectors = np.tile(unit_rows(rng, 7, 3), (6, 1))[:n] + 0.3 * unit_rows(rng, n, 3)
    assert loop_similarity(vectors, unit_seconds=0.5) == pytest.approx(brute_loop_similarity(vectors), abs=1e-12)


@pytest.mark.parametrize("period", [2, 3, 8, 11])
def test_loop_similarity_of_an_exact_loop_heard_twice_is_one(rng, period):
    loop = np.tile(unit_rows(rng, period), (4, 1))
    assert loop_similarity(loop[: 2 * period + 1], unit_seconds=0.5) == pytest.approx(1)
    once = loop_similarity(loop[: 2 * period - 1], unit_seconds=0.5)
    assert once < 0.9


def test_loop_similarity_of_opposite_vectors_is_zero(rng):
    one = unit_rows(rng, 1)[0]
    assert loop_similarity(np.array([one, one, -one, -one]), unit_seconds=0.5) == 0


def test_path_similarities_are_yielded_for_lags_from_one_second(rng):
    vectors = unit_rows(rng, 30)
    found = dict(path_similarities(vectors, unit_seconds=0.5))
    assert list(found) == list(range(2, 23))
    for lag, similarity in found.items():
        expected = [brute_path_similarity(vectors, u, lag, 8) for u in range(30 - lag)]
        assert_allclose(similarity, expected, atol=1e-12)
    assert list(dict(path_similarities(vectors, unit_seconds=0.5, most_seconds=4.0))) == list(range(2, 9))


@pytest.mark.parametrize("n", [1, 7, 9, 30, 130])
def test_several_songs_have_the_same_curves_as_each_song(rng, n):
    songs = np.stack([unit_rows(rng, n) for _ in range(3)])
    for describe in (recurrence, novelty):
        together = describe(songs, unit_seconds=0.5)
        assert_allclose(together, [describe(song, unit_seconds=0.5) for song in songs], atol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 5, 7, 8])
def test_values_of_a_short_song_are_finite(rng, n):
    for vectors in (unit_rows(rng, n), similarity_vectors(*(rng.standard_normal((n, m)) for m in (13, 12)))):
        curves = novelty(vectors, unit_seconds=0.5), recurrence(vectors, unit_seconds=0.5)
        assert all(curve.shape == (n,) and np.isfinite(curve).all() for curve in curves)
        assert_array_equal(curves[0], 0)  # all units are within 2 s of an end
        assert 0 <= loop_similarity(vectors, unit_seconds=0.5) <= 1

"""Stretches of songs: how they are cut, shuffled and padded."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from songform.errors import ParameterError
from songform.learning.sequences import SongWindows
from songform.learning.stretches import Stretch, Stretches, count_stretches, song_stretches


def stretch(n, first=0):
    """Return a stretch whose inputs and targets are the numbers of its units."""
    numbers = np.arange(first, first + n)
    return Stretch(numbers[:, None].astype(np.float32), numbers)


def units(batches):
    """Return the inputs and targets of all units with a weight, one row per unit."""
    rows = [np.stack([x[w > 0][:, 0], y[w > 0]], axis=1) for x, y, w in batches]
    return np.concatenate(rows).astype(int)


@given(n=st.integers(1, 50), most=st.integers(1, 20))
def test_pieces_cover_a_stretch_and_have_almost_equal_lengths(n, most):
    pieces = stretch(n).pieces(most)
    assert np.concatenate([piece.targets for piece in pieces]).tolist() == list(range(n))
    lengths = [len(piece) for piece in pieces]
    assert max(lengths) <= most
    assert max(lengths) - min(lengths) <= 1


@given(ends=st.sets(st.integers(0, 60)), most=st.integers(1, 20))
def test_stretches_of_a_song_are_consecutive_units_with_their_targets(ends, most):
    ends = np.array(sorted(ends), np.intp)
    song = SongWindows(np.arange(61, dtype=np.float32)[:, None], ends, ends * 10)
    found = song_stretches(song, most)
    assert count_stretches(ends, most) == len(found)
    assert [unit for piece in found for unit in piece.inputs[:, 0].tolist()] == ends.tolist()
    for piece in found:
        assert np.array_equal(piece.targets, piece.inputs[:, 0] * 10)
        assert (np.diff(piece.inputs[:, 0]) == 1).all()
        assert len(piece) <= most


def test_batches_are_padded_with_weight_zero():
    weighted = Stretch(np.ones((2, 1), np.float32), np.array([1, 2]), np.array([0.5, 0.0], np.float32))
    ((inputs, targets, weights),) = Stretches.of([stretch(3), weighted], seed=None)
    assert inputs.tolist() == [[[0.0], [1.0], [2.0]], [[1.0], [1.0], [0.0]]]
    assert targets.tolist() == [[0, 1, 2], [1, 2, 0]]
    assert weights.tolist() == [[1.0, 1.0, 1.0], [0.5, 0.0, 0.0]]
    assert (inputs.dtype, weights.dtype) == (np.float32, np.float32)


@pytest.mark.parametrize("seed", [None, 4])
@pytest.mark.parametrize("n_songs", [3, 150])
def test_each_pass_has_each_unit_once(seed, n_songs):
    songs = {str(n): [stretch(4, 100 * n), stretch(3, 100 * n + 50)] for n in range(n_songs)}
    source = Stretches(songs.__getitem__, list(songs), batch_size=7, seed=seed)
    expected = sorted(unit for song in songs.values() for piece in song for unit in piece.targets.tolist())
    passes = [units(source) for _ in range(2)]
    for rows in passes:
        assert sorted(rows[:, 0].tolist()) == expected
        assert np.array_equal(rows[:, 0], rows[:, 1])
    assert np.array_equal(*passes) == (seed is None)
    assert len(source) == len(list(source)) == -(-2 * n_songs // 7)


def test_only_some_songs_are_loaded_at_once():
    loaded = []

    def load(key):
        loaded.append(key)
        return [stretch(2)]

    source = Stretches(load, list(map(str, range(1000))), batch_size=8, seed=0, n_stretches=1000)
    next(iter(source))
    assert len(loaded) <= 64


def test_a_stretch_needs_a_target_for_each_unit():
    with pytest.raises(ParameterError, match="3 units and 2 targets"):
        Stretch(np.zeros((3, 1), np.float32), np.zeros(2, np.intp))

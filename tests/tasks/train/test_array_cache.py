"""Arrays are computed once, and removed when the training run ends."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from songform.learning.splits import Split
from tasks.train.array_cache import ArrayCache, array_folder
from tasks.train.training_plan import Plan

PLAN = Plan(Split({}, {}, {}), "manifest", "states", "bundle")


@pytest.fixture
def arrays():
    return {"one": np.arange(3, dtype=np.float32) / 3, "two": np.zeros((0, 4), np.intp)}


@pytest.fixture
def computed(arrays):
    """Return a function that counts how often the arrays are computed, and the count."""
    count = []

    def compute():
        count.append(1)
        return arrays

    return compute, count


def same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        assert one[name].dtype == other[name].dtype
        assert np.array_equal(one[name], other[name])


def test_arrays_are_computed_once_under_their_name(arrays, computed, tmp_path):
    compute, count = computed
    for _ in range(3):
        same(ArrayCache(tmp_path).get("a", compute), arrays)
    assert len(count) == 1
    ArrayCache(tmp_path).get("b", compute)
    assert len(count) == 2


def test_without_a_folder_they_are_computed_each_time(arrays, computed):
    compute, count = computed
    for _ in range(3):
        same(ArrayCache().get("a", compute), arrays)
    assert len(count) == 3


def test_arrays_that_cannot_be_cached_are_computed_again(arrays, computed, tmp_path):
    """The missing folder stands in for a full disk."""
    compute, count = computed
    for _ in range(2):
        same(ArrayCache(tmp_path / "gone").get("a", compute), arrays)
    assert len(count) == 2


def test_the_folder_is_removed_with_the_training_even_if_it_fails(tmp_path):
    def train():
        with array_folder(tmp_path, PLAN) as folder:
            ArrayCache(folder).get("a", lambda: {"x": np.zeros(3)})
            assert [path.relative_to(folder).as_posix() for path in folder.rglob("*.*")] == ["a/x.npy"]
            raise ValueError("failed")

    with pytest.raises(ValueError, match="failed"):
        train()
    assert list((tmp_path / "data" / "bundles").iterdir()) == []


def test_a_folder_that_is_removed_by_hand_does_no_harm(tmp_path):
    with array_folder(tmp_path, PLAN) as folder:
        shutil.rmtree(folder)
    assert not folder.exists()
    assert list(folder.parent.iterdir()) == []


def test_large_arrays_are_mapped_into_memory(tmp_path):
    """They are read-only, and equal to the computed array."""
    large = np.arange(100_000, dtype=np.float32).reshape(-1, 4)
    found = ArrayCache(tmp_path).get("a", lambda: {"large": large, "small": large[:3]})
    assert not found["large"].flags.writeable
    assert type(found["large"]) is np.ndarray
    same(found, {"large": large, "small": large[:3]})

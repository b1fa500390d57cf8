"""Stretches of songs with a target at each unit, in batches for training.

A label that comes out of a window costs as many steps as the window has units. On a stretch, each step of the network
gives one label. The stretches of a batch are padded at their ends to the length of the longest; padding has weight 0.

Conventions
-----------
`inputs` has shape (n_units, n_inputs), and a batch of them (n, n_units, n_inputs). A target is the index of a state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from operator import getitem

import numpy as np
from numpy.typing import NDArray

from songform.errors import ParameterError
from songform.learning.sequences import SongWindows

__all__ = ["Stretch", "Stretches", "count_stretches", "song_stretches"]

_SONGS_AT_ONCE = 64  # songs that are loaded and shuffled together; limits the memory

Inputs = NDArray[np.float32]
Index = NDArray[np.intp]
Batch = tuple[Inputs, Index, NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class Stretch:
    """Consecutive units of one song.

    Attributes
    ----------
    inputs : np.ndarray of float32, shape=(n_units, n_inputs)
        Inputs of each unit.
    targets : np.ndarray of int, shape=(n_units,)
        Index of the state that should be predicted at each unit.
    weights : np.ndarray of float32, shape=(n_units,), optional
        Weight of each target in the loss; 0 for a unit without a target. By default all weights are 1.
    """

    inputs: Inputs
    targets: Index
    weights: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        if not len(self.inputs) == len(self.targets) == len(self.targets if self.weights is None else self.weights):
            raise ParameterError(
                f"a stretch needs one target and one weight per unit, but it has {len(self.inputs)} units and "
                f"{len(self.targets)} targets"
            )

    def __len__(self) -> int:
        return len(self.inputs)

    def pieces(self, most_units: int) -> list[Stretch]:
        """Cut the stretch into pieces of almost equal length that are not longer than `most_units`."""
        edges = _edges(len(self), most_units)
        parts = (slice(*edge) for edge in edges)
        return [
            Stretch(self.inputs[part], self.targets[part], None if self.weights is None else self.weights[part])
            for part in parts
        ]


class Stretches:
    """Batches of stretches of many songs, which are loaded incrementally.

    Parameters
    ----------
    load : callable
        Function that returns the stretches of the song with a given key. Their arrays may be memory-mapped: they are
        read when a batch is made.
    keys : sequence of str
        Keys of the songs.
    batch_size : int
        Number of stretches in a batch. The last batch of a pass may be smaller.
    seed : int, optional
        Seed for shuffling songs and stretches, differently in each pass; None keeps their order.
    n_stretches : int, optional
        Number of stretches of all songs, if known. Otherwise all songs are loaded once to count them.
    """

    def __init__(
        self,
        load: Callable[[str], Sequence[Stretch]],
        keys: Sequence[str],
        *,
        batch_size: int,
        seed: int | None,
        n_stretches: int | None = None,
    ) -> None:
        self._load, self._keys, self._batch_size = load, list(keys), batch_size
        self._seed, self._passes, self._n_stretches = seed, 0, n_stretches

    @classmethod
    def of(cls, stretches: Sequence[Stretch], *, batch_size: int = 32, seed: int | None = 0) -> Stretches:
        """Return batches of stretches that are in memory; the other parameters are those of the class."""
        songs = {str(number): [stretch] for number, stretch in enumerate(stretches)}
        return cls(partial(getitem, songs), list(songs), batch_size=batch_size, seed=seed, n_stretches=len(songs))

    def __iter__(self) -> Iterator[Batch]:
        """Yield `(inputs, targets, weights)` of shapes (n, n_units, n_inputs), (n, n_units) and (n, n_units)."""
        rng = None if self._seed is None else np.random.default_rng([self._seed, self._passes])
        self._passes += 1
        keys = self._keys if rng is None else [self._keys[i] for i in rng.permutation(len(self._keys))]
        left: list[Stretch] = []
        for first in range(0, len(keys), _SONGS_AT_ONCE):
            several = [stretch for key in keys[first : first + _SONGS_AT_ONCE] for stretch in self._load(key)]
            left += several if rng is None else [several[i] for i in rng.permutation(len(several))]
            while len(left) >= self._batch_size:
                yield _padded(left[: self._batch_size])
                left = left[self._batch_size :]
        if left:
            yield _padded(left)

    def __len__(self) -> int:
        """Return the number of batches per pass."""
        if self._n_stretches is None:
            self._n_stretches = sum(len(self._load(key)) for key in self._keys)
        return (self._n_stretches + self._batch_size - 1) // self._batch_size


def song_stretches(song: SongWindows, most_units: int) -> list[Stretch]:
    """Return the stretches of a song whose windows end at each unit of one or several parts of the song.

    Parameters
    ----------
    song : SongWindows
        Windows of one unit each.
    most_units : int
        Maximum number of units of a stretch; a longer part is cut into pieces of almost equal length.
    """
    return [
        Stretch(song.inputs[song.ends[first] : song.ends[last - 1] + 1], song.targets[first:last])
        for first, last in _runs(song.ends, most_units)
    ]


def count_stretches(ends: Index, most_units: int) -> int:
    """Return the number of stretches of a song with windows that end at some units; see `song_stretches`."""
    return len(_runs(ends, most_units))


def _runs(ends: Index, most_units: int) -> list[tuple[int, int]]:
    """Return the first window of each stretch, and the window after its last one."""
    starts = [0, *(np.flatnonzero(np.diff(ends) != 1) + 1).tolist(), len(ends)] if len(ends) else [0]
    return [
        (start + first, start + last)
        for start, end in pairwise(starts)
        for first, last in _edges(end - start, most_units)
    ]


def _edges(n_units: int, most_units: int) -> list[tuple[int, int]]:
    """Return the edges of pieces of almost equal length."""
    n_pieces = -(-n_units // most_units)
    edges = [n_units * piece // n_pieces for piece in range(n_pieces + 1)] if n_pieces else []
    return list(pairwise(edges))


def _padded(stretches: Sequence[Stretch]) -> Batch:
    """Return one batch of stretches, padded at their ends."""
    shape = (len(stretches), max(map(len, stretches)))
    inputs = np.zeros((*shape, stretches[0].inputs.shape[1]), np.float32)
    targets, weights = np.zeros(shape, np.intp), np.zeros(shape, np.float32)
    for row, stretch in enumerate(stretches):
        n_units = len(stretch)
        inputs[row, :n_units], targets[row, :n_units] = stretch.inputs, stretch.targets
        weights[row, :n_units] = 1 if stretch.weights is None else stretch.weights
    return inputs, targets, weights

"""Windows of features, and the state that a sequence model should predict for each.

The inputs of the sequence model are the frame features, pooled to units. Every column is standardized with its mean
and standard deviation over the training frames; a unit is the mean and the standard deviation of each column over
`pool_seconds`. A window is `n_steps` consecutive units. If the network predicts a state at each unit of
a song, a window is a single unit.

There are two targets. `current` is the state of the window's last unit. `ahead` is the state `ahead_seconds` after the
last *sample* on which the window depends: the frames of its last unit extend half a frame beyond their centers, and
their derivatives depend on four more frames.

Conventions
-----------
`inputs` has shape (n_units, n_inputs) and type float32. `ends` holds the index of each window's last unit. `labels` has
shape (n_frames,) and holds the index of each frame's state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from songform.errors import ParameterError
from songform.structure.pooling import frame_units, pooled

__all__ = [
    "DELTA_REACH",
    "VERSION",
    "SongWindows",
    "WindowShape",
    "Windows",
    "standard_inputs",
    "window_positions",
    "window_probabilities",
]

VERSION = 1  # increase this when the same features and labels give different windows

DELTA_REACH = 4  # frames on either side on which a derivative of width 9 depends
_SONGS_AT_ONCE = 64  # songs that are loaded and shuffled together; limits the memory

Inputs = NDArray[np.float32]
Index = NDArray[np.intp]


@dataclass(frozen=True)
class WindowShape:
    """Lengths of windows and of their units.

    Attributes
    ----------
    pool_seconds : float
        Length of a unit in seconds; 0 if each frame is a unit.
    seconds, hop_seconds : float
        Length of a window, and time from one window to the next, in seconds.
    sr, frame_length, hop_length : float, int, int
        Sampling rate in Hz, and frame length and hop length of the features in samples.
    every_unit : bool
        Whether the network predicts a state at each unit of a whole song. Each unit then counts as a window.
    """

    pool_seconds: float = 0.25
    seconds: float = 12.0
    hop_seconds: float = 0.5
    sr: float = 22050
    frame_length: int = 2048
    hop_length: int = 512
    every_unit: bool = False

    @property
    def unit_seconds(self) -> float:
        """Length of a unit in seconds; the hop length in seconds if each frame is a unit."""
        return self.pool_seconds or self.hop_length / self.sr

    @property
    def n_steps(self) -> int:
        """Number of units in a window."""
        return 1 if self.every_unit else max(2, round(self.seconds / self.unit_seconds))

    @property
    def hop_units(self) -> int:
        """Number of units from one window to the next."""
        return 1 if self.every_unit else max(1, round(self.hop_seconds / self.unit_seconds))

    @property
    def reach_seconds(self) -> float:
        """Time after the end of a unit, in seconds, within which the sound may still affect the unit."""
        return (DELTA_REACH * self.hop_length + self.frame_length / 2) / self.sr

    def ends(self, start: float, end: float, n_units: int) -> Index:
        """Return the index of the last unit of each window that lies within `[start, end]` seconds of a song."""
        first = int(np.ceil(start / self.unit_seconds - 1e-9)) + self.n_steps - 1
        last = min(n_units, int(np.floor(end / self.unit_seconds + 1e-9)) if np.isfinite(end) else n_units)
        return np.arange(first, last, self.hop_units)

    def moments(self, ends: Index, *, target: str, ahead_seconds: float) -> NDArray[np.float64]:
        """Return the time in seconds of the target of each window.

        Raises
        ------
        ParameterError
            If `target` is neither `current` nor `ahead`.
        """
        if target == "current":
            return np.asarray((ends + 0.5) * self.unit_seconds, np.float64)
        if target == "ahead":
            return np.asarray((ends + 1) * self.unit_seconds + self.reach_seconds + ahead_seconds, np.float64)
        raise ParameterError(f"target must be 'current' or 'ahead', not {target!r}")


@dataclass(frozen=True)
class SongWindows:
    """The windows of one song.

    Attributes
    ----------
    inputs : np.ndarray of float32, shape=(n_units, n_inputs)
        From `standard_inputs`.
    ends : np.ndarray of int, shape=(n_windows,)
        Index of the last unit of each window.
    targets : np.ndarray of int, shape=(n_windows,)
        Index of the state that should be predicted for each window.
    """

    inputs: Inputs
    ends: Index
    targets: Index

    @classmethod
    def of(
        cls,
        inputs: Inputs,
        labels: Index,
        shape: WindowShape,
        *,
        spans: Sequence[tuple[float, float]] = ((0.0, np.inf),),
        target: str = "current",
        ahead_seconds: float = 2.0,
    ) -> SongWindows:
        """Cut a song into windows.

        Parameters
        ----------
        inputs : np.ndarray of float32, shape=(n_units, n_inputs)
            From `standard_inputs`.
        labels : np.ndarray of int, shape=(n_frames,)
            Index of the state of every frame.
        shape : WindowShape
            Lengths of windows and units.
        spans : sequence of (start, end)
            Parts of the song in seconds. Each window and its target lie within one of them.
        target, ahead_seconds : str, float
            `current` or `ahead`, and how far ahead the target `ahead` lies, in seconds.
        """
        ends, frames = window_positions(
            len(inputs), len(labels), shape, spans=spans, target=target, ahead_seconds=ahead_seconds
        )
        return cls(inputs, ends, labels[frames])

    def windows(self, which: Index, n_steps: int) -> Inputs:
        """Return the windows with the given indices, shape (n, n_steps, n_inputs)."""
        view = sliding_window_view(self.inputs, n_steps, axis=0)[self.ends[which] - n_steps + 1]
        return np.ascontiguousarray(view.transpose(0, 2, 1))


def window_positions(
    n_units: int,
    n_frames: int,
    shape: WindowShape,
    *,
    spans: Sequence[tuple[float, float]] = ((0.0, np.inf),),
    target: str = "current",
    ahead_seconds: float = 2.0,
) -> tuple[Index, Index]:
    """Return where the windows of a song end, and the frames whose states are their targets.

    Parameters
    ----------
    n_units, n_frames : int
        Number of units and number of frames of the song.
    shape, spans, target, ahead_seconds
        As in `SongWindows.of`.

    Returns
    -------
    ends : np.ndarray of int, shape=(n_windows,)
        Index of the last unit of each window.
    frames : np.ndarray of int, shape=(n_windows,)
        Index of the frame whose state is the target of each window.
    """
    ends = np.concatenate([shape.ends(start, end, n_units) for start, end in spans]).astype(np.intp)
    moments = shape.moments(ends, target=target, ahead_seconds=ahead_seconds)
    # Take the nearest frame, and the earlier one midway between two. The middle of a one-frame unit lies midway.
    frames = np.ceil(moments * shape.sr / shape.hop_length - 0.5 - 1e-6).astype(np.intp)
    inside = np.zeros(len(ends), dtype=bool)
    for start, end in spans:
        inside |= (ends * shape.unit_seconds >= start) & (moments < end) & (frames < n_frames)
    return ends[inside], frames[inside]


class Windows:
    """Batches of windows of many songs, which are loaded incrementally.

    Parameters
    ----------
    load : callable
        Function that returns the windows of the song with a given key.
    keys : sequence of str
        Keys of the songs.
    n_steps : int
        Number of units in a window.
    batch_size : int
        Number of windows in a batch. The last batch of a pass may be smaller.
    seed : int, optional
        Seed for shuffling songs and windows, differently in each pass; None keeps their order.
    n_windows : int, optional
        Number of windows of all songs, if known. Otherwise all songs are loaded once to count them.
    """

    def __init__(
        self,
        load: Callable[[str], SongWindows],
        keys: Sequence[str],
        *,
        n_steps: int,
        batch_size: int,
        seed: int | None,
        n_windows: int | None = None,
    ) -> None:
        self._load, self._keys, self._n_steps, self._batch_size = load, list(keys), n_steps, batch_size
        self._seed, self._passes = seed, 0
        self._n_windows = n_windows

    def __iter__(self) -> Iterator[tuple[Inputs, Index]]:
        """Yield `(windows, targets)` of shapes (n, n_steps, n_inputs) and (n,)."""
        rng = None if self._seed is None else np.random.default_rng([self._seed, self._passes])
        self._passes += 1
        keys = self._keys if rng is None else [self._keys[i] for i in rng.permutation(len(self._keys))]
        size = self._batch_size
        rest: tuple[Inputs, Index] | None = None
        for first in range(0, len(keys), _SONGS_AT_ONCE):
            songs = [self._load(key) for key in keys[first : first + _SONGS_AT_ONCE]]
            for batch in _batches(songs, self._n_steps, size, rng):
                inputs, targets = batch if rest is None else _joined(rest, batch)
                if len(targets) >= size:
                    yield inputs[:size], targets[:size]
                rest = (inputs[size:], targets[size:]) if len(targets) >= size else (inputs, targets)
        if rest is not None and len(rest[1]):
            yield rest

    def __len__(self) -> int:
        """Return the number of batches per pass."""
        if self._n_windows is None:
            self._n_windows = len(self.targets())
        return (self._n_windows + self._batch_size - 1) // self._batch_size

    def targets(self) -> Index:
        """Return the targets of all windows, in the order of the songs."""
        return np.concatenate([np.zeros(0, np.intp), *(self._load(key).targets for key in self._keys)])


def standard_inputs(
    features: NDArray[np.floating], center: NDArray[np.float64], scale: NDArray[np.float64], shape: WindowShape
) -> Inputs:
    """Return the inputs of the sequence model for a song.

    Parameters
    ----------
    features : np.ndarray, shape=(n_frames, n_columns)
        Frame features.
    center, scale : np.ndarray, shape=(n_columns,)
        Mean and standard deviation of each column over the training frames.
    shape : WindowShape
        Lengths of windows and units.

    Returns
    -------
    np.ndarray of float32, shape=(n_units, 2 * n_columns)
        Mean and standard deviation of each column per unit; shape (n_frames, n_columns) if each frame is a unit.
    """
    standard = (features - center) / scale
    if shape.pool_seconds == 0:
        return standard.astype(np.float32)
    units = frame_units(len(features), sr=shape.sr, hop_length=shape.hop_length, unit_seconds=shape.pool_seconds)
    return np.hstack(pooled(standard, units)).astype(np.float32)


def window_probabilities(
    predict: Callable[[Inputs], NDArray[np.floating]],
    inputs: Inputs,
    n_steps: int,
    *,
    padding: Inputs | None = None,
    batch_size: int = 256,
) -> NDArray[np.float64]:
    """Return the probabilities that a sequence model predicts for every unit of a song.

    Parameters
    ----------
    predict : callable
        Function that maps windows of shape (n, n_steps, n_inputs) to probabilities of shape (n, n_states).
    inputs : np.ndarray of float32, shape=(n_units, n_inputs)
        From `standard_inputs`.
    n_steps : int
        Number of units in a window.
    padding : np.ndarray of float32, shape=(1, n_inputs), optional
        Unit with which a song shorter than a window is padded. By default, the song's first unit.
    batch_size : int
        Number of windows per call of `predict`.

    Returns
    -------
    np.ndarray of float64, shape=(n_units, n_states)
        Row `u` is the prediction for the window that ends with unit `u`. Units before the end of the first full window
        have the prediction for that window. A song shorter than a window is padded at its beginning.
    """
    missing = max(0, n_steps - len(inputs))
    padded = np.concatenate([np.repeat(inputs[:1] if padding is None else padding, missing, axis=0), inputs])
    song = SongWindows(padded, np.arange(n_steps - 1, len(padded)), np.zeros(0, np.intp))
    answers = [
        predict(song.windows(np.arange(first, min(first + batch_size, len(song.ends))), n_steps))
        for first in range(0, len(song.ends), batch_size)
    ]
    full = np.concatenate(answers).astype(np.float64)
    return np.concatenate([np.repeat(full[:1], len(inputs) - len(full), axis=0), full])


def _joined(one: tuple[Inputs, Index], other: tuple[Inputs, Index]) -> tuple[Inputs, Index]:
    return np.concatenate([one[0], other[0]]), np.concatenate([one[1], other[1]])


def _batches(
    songs: list[SongWindows], n_steps: int, batch_size: int, rng: np.random.Generator | None
) -> Iterator[tuple[Inputs, Index]]:
    song = np.repeat(np.arange(len(songs)), [len(s.ends) for s in songs])
    window = np.concatenate([np.zeros(0, np.intp), *(np.arange(len(s.ends)) for s in songs)])
    order = np.arange(len(song)) if rng is None else rng.permutation(len(song))
    for first in range(0, len(order), batch_size):
        chosen = order[first : first + batch_size]
        inputs = np.empty((len(chosen), n_steps, songs[0].inputs.shape[1]), dtype=np.float32)
        targets = np.empty(len(chosen), dtype=np.intp)
        for s in np.unique(song[chosen]):
            here = song[chosen] == s
            which = window[chosen[here]]
            inputs[here], targets[here] = songs[s].windows(which, n_steps), songs[s].targets[which]
        yield inputs, targets

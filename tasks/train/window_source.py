"""Windows of the tracks, for training and testing the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from songform.learning.sequences import SongWindows, WindowShape, standard_inputs, window_positions
from songform.structure.pooling import n_units
from songform.structure.states import StateModel
from tasks.settings import Settings
from tasks.store.corpus import Corpus
from tasks.store.tables import count_frames, read_features
from tasks.train.array_cache import ArrayCache, Arrays
from tasks.train.state_labels import read_labels
from tasks.train.training_plan import Plan

__all__ = ["WindowSource", "count_windows", "window_shape"]


@dataclass(frozen=True)
class WindowSource:
    """Source of the windows of each track.

    Parameters
    ----------
    corpus, plan, settings
        Corpus, plan of the training run, and all settings.
    states : StateModel
        State model whose labels are the targets.
    center, scale : np.ndarray, shape=(n_columns,)
        Mean and standard deviation of each feature column over the training frames.
    cache : ArrayCache
        Cache of the windows of each track. If it has a folder, the tables of a track are read only once.
    """

    corpus: Corpus
    plan: Plan
    settings: Settings
    states: StateModel
    center: NDArray[np.float64]
    scale: NDArray[np.float64]
    cache: ArrayCache = field(default_factory=ArrayCache)

    def windows(self, key: str, part: str, features: pd.DataFrame | None = None) -> SongWindows:
        """Return the windows of a track that belong to a part of the split.

        Parameters
        ----------
        key, part : str
            Key of the track, and `train`, `validation` or `test`.
        features : pd.DataFrame, optional
            Frame features of the track, if the caller has already read them.
        """
        return SongWindows(**self.cache.get(f"{part}-{key}", lambda: self._cut(key, part, features)))

    def count(self, key: str, part: str) -> int:
        """Return the number of windows of a track in a part."""
        return count_windows(self.corpus, key, self.plan.split.part(part)[key], self.settings)

    def _cut(self, key: str, part: str, features: pd.DataFrame | None) -> Arrays:
        shape, sequences = window_shape(self.settings), self.settings.sequences
        table = read_features(self.corpus, key, self.settings) if features is None else features
        song = SongWindows.of(
            standard_inputs(table.to_numpy(np.float64), self.center, self.scale, shape),
            read_labels(self.corpus, self.plan, key, self.states),
            shape,
            spans=self.plan.split.part(part)[key],
            target=sequences.moment,
            ahead_seconds=sequences.ahead_seconds,
        )
        return vars(song)


def count_windows(corpus: Corpus, key: str, spans: Sequence[tuple[float, float]], settings: Settings) -> int:
    """Return the number of windows of a track within spans of time, reading only the number of rows of its features."""
    shape, sequences = window_shape(settings), settings.sequences
    n_frames = count_frames(corpus, key, settings)
    units = n_units(n_frames, sr=shape.sr, hop_length=shape.hop_length, unit_seconds=shape.pool_seconds)
    ends, _ = window_positions(
        units, n_frames, shape, spans=spans, target=sequences.moment, ahead_seconds=sequences.ahead_seconds
    )
    return len(ends)


def window_shape(settings: Settings) -> WindowShape:
    """Return the shape of the windows for some settings."""
    sequences, frames = settings.sequences, settings.frames
    return WindowShape(
        sequences.pool_seconds,
        sequences.seconds,
        sequences.hop_seconds,
        frames.sr,
        frames.frame_length,
        frames.hop_length,
    )

"""The windows that the network learns from and is tested on, track by track."""

from __future__ import annotations

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

__all__ = ["WindowSource", "window_shape"]


@dataclass(frozen=True)
class WindowSource:
    """Cuts the tracks of a corpus into windows.

    Parameters
    ----------
    corpus, plan, settings
        Where the tracks are, which they are, how windows are made.
    states : StateModel
        Whose labels are the targets.
    center, scale : np.ndarray, shape=(n_columns,)
        Mean and standard deviation of each feature column over the training frames.
    cache : ArrayCache
        Keeps the windows of each track. With one that has a folder, a track's tables are read once, however often its
        windows are asked for.
    """

    corpus: Corpus
    plan: Plan
    settings: Settings
    states: StateModel
    center: NDArray[np.float64]
    scale: NDArray[np.float64]
    cache: ArrayCache = field(default_factory=ArrayCache)

    def windows(self, key: str, part: str, features: pd.DataFrame | None = None) -> SongWindows:
        """Return the windows that one track gives to one part.

        Parameters
        ----------
        key, part : str
            The track, and `train`, `validation` or `test`.
        features : pd.DataFrame, optional
            The track's frame features, if the caller has read them anyway.
        """
        return SongWindows(**self.cache.get(f"{part}-{key}", lambda: self._cut(key, part, features)))

    def count(self, key: str, part: str) -> int:
        """Return the number of these windows; of the track's tables, this reads the number of rows alone."""
        shape = window_shape(self.settings)
        n_frames = count_frames(self.corpus, key, self.settings)
        units = n_units(n_frames, sr=shape.sr, hop_length=shape.hop_length, unit_seconds=shape.pool_seconds)
        sequences = self.settings.sequences
        ends, _ = window_positions(
            units,
            n_frames,
            shape,
            spans=self.plan.split.part(part)[key],
            target=sequences.target,
            ahead_seconds=sequences.ahead_seconds,
        )
        return len(ends)

    def _cut(self, key: str, part: str, features: pd.DataFrame | None) -> Arrays:
        shape, sequences = window_shape(self.settings), self.settings.sequences
        table = read_features(self.corpus, key, self.settings) if features is None else features
        song = SongWindows.of(
            standard_inputs(table.to_numpy(np.float64), self.center, self.scale, shape),
            read_labels(self.corpus, self.plan, key, self.states),
            shape,
            spans=self.plan.split.part(part)[key],
            target=sequences.target,
            ahead_seconds=sequences.ahead_seconds,
        )
        return vars(song)


def window_shape(settings: Settings) -> WindowShape:
    """Return the lengths of windows as the settings give them."""
    sequences, frames = settings.sequences, settings.frames
    return WindowShape(
        sequences.pool_seconds,
        sequences.seconds,
        sequences.hop_seconds,
        frames.sr,
        frames.frame_length,
        frames.hop_length,
    )

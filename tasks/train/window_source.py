"""Windows and stretches of the tracks, for training and testing the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from songform.learning.sequence_inputs import SongTables, song_inputs
from songform.learning.sequences import SongWindows, WindowShape, window_positions
from songform.learning.stretches import Stretch, count_stretches, song_stretches
from songform.structure.context import CONTEXT_COLUMNS
from songform.structure.pooling import n_units
from songform.structure.states import StateModel, unit_vectors
from tasks.settings import Settings
from tasks.song_sections import song_sections
from tasks.store.corpus import Corpus
from tasks.store.tables import count_frames, read_features, read_overview
from tasks.train.array_cache import ArrayCache, Arrays
from tasks.train.state_labels import read_labels
from tasks.train.training_plan import Plan

__all__ = ["WindowSource", "count_windows", "window_shape"]

Index = NDArray[np.intp]


@dataclass(frozen=True)
class WindowSource:
    """Source of the windows of each track. If the network predicts a state at each unit, each unit is a window.

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

    def stretches(self, key: str, part: str) -> list[Stretch]:
        """Return the stretches of a track that belong to a part of the split, if each unit is a window."""
        return song_stretches(self.windows(key, part), self._most_units)

    def count(self, key: str, part: str) -> int:
        """Return the number of windows of a track in a part."""
        return count_windows(self.corpus, key, self.plan.split.part(part)[key], self.settings)

    def count_stretches(self, key: str, part: str) -> int:
        """Return the number of stretches of a track in a part."""
        spans = self.plan.split.part(part)[key]
        return count_stretches(_window_ends(self.corpus, key, spans, self.settings), self._most_units)

    @property
    def _most_units(self) -> int:
        seconds = self.settings.sequences.stretch_seconds
        return max(1, round(seconds / window_shape(self.settings).unit_seconds))

    def _cut(self, key: str, part: str, features: pd.DataFrame | None) -> Arrays:
        shape, sequences = window_shape(self.settings), self.settings.sequences
        table = read_features(self.corpus, key, self.settings) if features is None else features
        song = SongWindows.of(
            song_inputs(sequences.inputs, self._tables(key, table), shape, center=self.center, scale=self.scale),
            read_labels(self.corpus, self.plan, key, self.states),
            shape,
            spans=self.plan.split.part(part)[key],
            target=sequences.moment,
            ahead_seconds=sequences.ahead_seconds,
        )
        return vars(song)

    def _tables(self, key: str, features: pd.DataFrame) -> SongTables:
        """Return the tables from which the inputs of a track are computed; only those that are needed are read."""
        wanted = self.settings.sequences.inputs
        context = self._context(key, features) if "context" in wanted else None
        if not {"beats", "sections"} & set(wanted):
            return SongTables(features, context)
        record = self.corpus.record(key)
        if record is None:
            return SongTables(features, context)
        overview = read_overview(self.corpus, key, self.settings)
        found = song_sections(self.corpus, record, features, overview, self.settings)
        return SongTables(features, context, found.beats, found.sections)

    def _context(self, key: str, features: pd.DataFrame) -> NDArray[np.float64]:
        def vectors() -> Arrays:
            overview, frames = read_overview(self.corpus, key, self.settings), self.settings.frames
            units = unit_vectors(features, overview, sr=frames.sr, hop_length=frames.hop_length)
            return {"units": units, "time_s": features.index.to_numpy()}

        # The states of the track were computed from the same vectors, and are in the cache.
        units: NDArray[np.float64] = self.cache.get(f"units-{key}", vectors)["units"]
        return units[:, -len(CONTEXT_COLUMNS) :]


def count_windows(corpus: Corpus, key: str, spans: Sequence[tuple[float, float]], settings: Settings) -> int:
    """Return the number of windows of a track within spans of time, reading only the number of rows of its features."""
    return len(_window_ends(corpus, key, spans, settings))


def _window_ends(corpus: Corpus, key: str, spans: Sequence[tuple[float, float]], settings: Settings) -> Index:
    shape, sequences = window_shape(settings), settings.sequences
    n_frames = count_frames(corpus, key, settings)
    units = n_units(n_frames, sr=shape.sr, hop_length=shape.hop_length, unit_seconds=shape.pool_seconds)
    ends, _ = window_positions(
        units, n_frames, shape, spans=spans, target=sequences.moment, ahead_seconds=sequences.ahead_seconds
    )
    return ends


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
        sequences.every_unit,
    )

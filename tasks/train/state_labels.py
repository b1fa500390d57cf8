"""States of a corpus: fitted on the training tracks, and assigned to all frames of all tracks.

With the target `expert`, the states are people's labels. The model is fitted to those of the training tracks, and each
frame has the label that people gave it. Frames without a label have the state of the model; the spans of the split do
not contain them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from prefect import task
from prefect.cache_policies import NO_CACHE

from songform.errors import CorpusError, ModelError, ParameterError, UnreadableFileError, first_line
from songform.structure.context import UNIT_SECONDS
from songform.structure.pooling import frame_units, n_units
from songform.structure.states import StateModel, labeled_states, state_posterior, state_sequence, unit_vectors
from tasks.progress import announce
from tasks.settings import Settings
from tasks.store.atomic_files import atomic_path
from tasks.store.corpus import Corpus
from tasks.store.damaged_files import is_content_fault
from tasks.store.tables import count_frames, read_features, read_overview, read_table, write_table
from tasks.train import stage_versions
from tasks.train.array_cache import ArrayCache, Arrays
from tasks.train.expert_labels import label_indices, unit_labels
from tasks.train.state_fitting import states_by_settings
from tasks.train.training_plan import Plan

__all__ = [
    "fit_corpus_states",
    "label_tracks",
    "read_labels",
    "read_state_model",
]

VERSION = stage_versions.STATE_LABELS  # defined there so that the digests can use it
MOST_UNITS = 400_000  # maximum number of units to fit KMeans on: 55 hours of music, 260 MB


@task(cache_policy=NO_CACHE)
def fit_corpus_states(home: Path, plan: Plan, settings: Settings, *, arrays: Path | None = None) -> Path:
    """Fit the state model on the training tracks, unless it exists; return the path of its file.

    Parameters
    ----------
    home, plan, settings
        Path of the home, plan of the training run, and all settings.
    arrays : Path, optional
        Folder from `array_folder`, in which the units of each track are kept for `label_tracks`.

    Raises
    ------
    CorpusError
        If the tracks are too short or too uniform for the number of states.
    """
    path = Corpus(home).states_path(plan.states_id, "model.npz")
    if not path.is_file():
        model = _fit(_UnitVectors(Corpus(home), settings, ArrayCache(arrays)), plan, settings)
        with atomic_path(path) as temporary:
            model.save(temporary)
    return path


@task(cache_policy=NO_CACHE)
def label_tracks(home: Path, plan: Plan, settings: Settings, *, arrays: Path | None = None) -> int:
    """Assign a state to each frame of the tracks without labels; return the number of these tracks.

    The parameters are those of `fit_corpus_states`.
    """
    corpus = Corpus(home)
    vectors = _UnitVectors(corpus, settings, ArrayCache(arrays))
    model = read_state_model(corpus, plan)
    missing = [key for key in plan.keys if not corpus.states_path(plan.states_id, f"{key}.parquet").is_file()]
    for count, key in enumerate(missing, start=1):
        _label(vectors, model, plan, key)
        announce("states", count, len(missing))
    return len(missing)


def read_state_model(corpus: Corpus, plan: Plan) -> StateModel:
    """Read the state model of a training run.

    Raises
    ------
    UnreadableFileError
        If it cannot be read.
    """
    path = corpus.states_path(plan.states_id, "model.npz")
    try:
        return StateModel.load(path)
    except ModelError as error:
        cause = error.__cause__
        is_damaged = isinstance(cause, Exception) and is_content_fault(cause)
        raise UnreadableFileError(str(error), path, is_damaged=is_damaged) from error


def read_labels(corpus: Corpus, plan: Plan, key: str, model: StateModel) -> NDArray[np.intp]:
    """Read the states of all frames of a track, as indices into the model's states.

    Raises
    ------
    UnreadableFileError
        If the table cannot be read.
    """
    path = corpus.states_path(plan.states_id, f"{key}.parquet")
    table = read_table(path)
    place = {name: index for index, name in enumerate(model.states)}
    try:
        names = table.column("state").combine_chunks().dictionary_decode().to_numpy(zero_copy_only=False)
        return np.array([place[name] for name in names], dtype=np.intp)
    except (KeyError, AttributeError) as error:
        msg = f"{path} is not a table of the states of this model ({first_line(error)}); train again"
        raise UnreadableFileError(msg, path) from error


@dataclass(frozen=True)
class _UnitVectors:
    """Unit vectors of tracks, and the times of their frames."""

    corpus: Corpus
    settings: Settings
    cache: ArrayCache

    def track(self, key: str) -> Arrays:
        """Return `units`, the return value of `songform.structure.states.unit_vectors`, and `time_s` of each frame."""
        return self.cache.get(f"units-{key}", lambda: self._computed(key))

    def inside(self, key: str, spans: list[tuple[float, float]]) -> NDArray[np.intp]:
        """Return the indices of the units of a track whose centers lie in some spans, without computing the units."""
        n_frames = count_frames(self.corpus, key, self.settings)
        frames = self.settings.frames
        count = n_units(n_frames, sr=frames.sr, hop_length=frames.hop_length, unit_seconds=UNIT_SECONDS)
        centres = (np.arange(count) + 0.5) * UNIT_SECONDS
        return np.flatnonzero(np.any([(start <= centres) & (centres < end) for start, end in spans], axis=0))

    def labels(self, key: str, plan: Plan) -> NDArray[np.intp]:
        """Return people's label of each unit of a track, as an index into the names of the plan; -1 if unknown."""
        return label_indices(unit_labels(self.corpus, key, self.settings, []), plan.label_names)

    def _computed(self, key: str) -> Arrays:
        frames = self.settings.frames
        features = read_features(self.corpus, key, self.settings)
        overview = read_overview(self.corpus, key, self.settings)
        units = unit_vectors(features, overview, sr=frames.sr, hop_length=frames.hop_length)
        return {"units": units, "time_s": features.index.to_numpy()}


def _fit(vectors: _UnitVectors, plan: Plan, settings: Settings) -> StateModel:
    inside = {key: vectors.inside(key, spans) for key, spans in sorted(plan.split.train.items())}
    step = max(1, -(-sum(map(len, inside.values())) // MOST_UNITS))
    songs = []
    for count, (key, units) in enumerate(inside.items(), start=1):
        songs.append(vectors.track(key)["units"][units[::step]])
        announce("context", count, len(inside))
    try:
        if plan.label_names:
            labels = [vectors.labels(key, plan)[units[::step]] for key, units in inside.items()]
            return _labeled(songs, labels, plan, settings)
        return states_by_settings(songs, settings)
    except ParameterError as error:
        raise CorpusError(f"no states can be discovered in this corpus: {error}") from error


def _labeled(
    songs: list[NDArray[np.float64]], labels: list[NDArray[np.intp]], plan: Plan, settings: Settings
) -> StateModel:
    chosen = settings.states.model_dump(include={"context_weight", "dwell_seconds", "transition_dwell_seconds"})
    frames = settings.frames
    return labeled_states(songs, labels, plan.label_names, **chosen, sr=frames.sr, hop_length=frames.hop_length)


def _label(vectors: _UnitVectors, model: StateModel, plan: Plan, key: str) -> None:
    track = vectors.track(key)
    posterior = state_posterior(model, track["units"])
    path = state_sequence(model, posterior)
    confidence = posterior[np.arange(len(path)), path].astype(np.float32)
    if plan.label_names:
        labels = vectors.labels(key, plan)
        path, confidence = np.where(labels >= 0, labels, path), np.where(labels >= 0, np.float32(1), confidence)
    n_frames = len(track["time_s"])
    of_unit = frame_units(n_frames, sr=model.sr, hop_length=model.hop_length, unit_seconds=UNIT_SECONDS)
    number = np.int8 if len(model.states) < 128 else np.int32  # people's labels may be many
    table = pa.table(
        {
            "time_s": track["time_s"],
            "state": pa.DictionaryArray.from_arrays(path[of_unit].astype(number), list(model.states)),
            "confidence": confidence[of_unit],
        }
    )
    path_of_table = vectors.corpus.states_path(plan.states_id, f"{key}.parquet")
    write_table(path_of_table, table, about={"key": key, "model": plan.states_id})

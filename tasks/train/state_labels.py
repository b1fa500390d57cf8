"""The states of a corpus: discovered in the training tracks, and assigned to every frame of all tracks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from prefect import task
from prefect.cache_policies import NO_CACHE

from songform.errors import CorpusError, ParameterError
from songform.learning.splits import Split
from songform.structure.context import UNIT_SECONDS
from songform.structure.pooling import frame_units
from songform.structure.states import StateModel, fit_states, state_posterior, state_sequence, unit_vectors
from tasks.progress import announce
from tasks.settings import Settings
from tasks.store.atomic_files import atomic_path
from tasks.store.corpus import Corpus
from tasks.store.feature_tables import read_features, read_overview
from tasks.store.tables import read_table, write_table
from tasks.train.training_plan import Plan

__all__ = [
    "fit_corpus_states",
    "label_tracks",
    "read_labels",
    "read_state_model",
    "states_by_settings",
]

_MOST_UNITS = 400_000  # units that KMeans is fitted on: 55 hours of music, 260 MB


@task(cache_policy=NO_CACHE)
def fit_corpus_states(home: Path, plan: Plan, settings: Settings) -> Path:
    """Discover the states of the training tracks; return the model's file.

    Raises
    ------
    CorpusError
        If the tracks are too short or too uniform for so many states.
    """
    path = Corpus(home).states_path(plan.states_id, "model.npz")
    if not path.is_file():
        model = _fit(Corpus(home), plan.split, settings)
        with atomic_path(path) as temporary:
            model.save(temporary)
    return path


@task(cache_policy=NO_CACHE)
def label_tracks(home: Path, plan: Plan, settings: Settings) -> int:
    """Give every frame of every track its state; return how many tracks were labelled anew."""
    corpus = Corpus(home)
    model = read_state_model(corpus, plan)
    missing = [key for key in plan.keys if not corpus.states_path(plan.states_id, f"{key}.parquet").is_file()]
    for count, key in enumerate(missing, start=1):
        _label(corpus, model, plan, key, settings)
        announce("states", count, len(missing))
    return len(missing)


def states_by_settings(songs: list[NDArray[np.float64]], settings: Settings) -> StateModel:
    """Fit states as the settings say; see `songform.structure.states.fit_states`."""
    frames = settings.frames
    chosen = settings.states.model_dump()
    return fit_states(songs, **chosen, sr=frames.sr, hop_length=frames.hop_length)


def read_state_model(corpus: Corpus, plan: Plan) -> StateModel:
    """Read the state model of a training."""
    return StateModel.load(corpus.states_path(plan.states_id, "model.npz"))


def read_labels(corpus: Corpus, plan: Plan, key: str, model: StateModel) -> NDArray[np.intp]:
    """Read the state of every frame of a track, as indices into the model's states."""
    column = read_table(corpus.states_path(plan.states_id, f"{key}.parquet"), ["state"]).column("state")
    names = column.combine_chunks().dictionary_decode().to_numpy(zero_copy_only=False)
    place = {name: index for index, name in enumerate(model.states)}
    return np.array([place[name] for name in names], dtype=np.intp)


def _fit(corpus: Corpus, split: Split, settings: Settings) -> StateModel:
    keys = sorted(split.train)
    songs = []
    for count, key in enumerate(keys, start=1):
        songs.append(_training_units(corpus, key, split.train[key], settings))
        announce("context", count, len(keys))
    every = -(-sum(map(len, songs)) // _MOST_UNITS)
    try:
        return states_by_settings([song[::every] for song in songs], settings)
    except ParameterError as error:
        raise CorpusError(f"no states can be discovered in this corpus: {error}") from error


def _training_units(
    corpus: Corpus, key: str, spans: list[tuple[float, float]], settings: Settings
) -> NDArray[np.float64]:
    units = _units(corpus, key, settings)
    centres = (np.arange(len(units)) + 0.5) * UNIT_SECONDS
    return units[np.any([(start <= centres) & (centres < end) for start, end in spans], axis=0)]


def _units(corpus: Corpus, key: str, settings: Settings) -> NDArray[np.float64]:
    return unit_vectors(
        read_features(corpus, key, settings),
        read_overview(corpus, key, settings),
        sr=settings.frames.sr,
        hop_length=settings.frames.hop_length,
    )


def _label(corpus: Corpus, model: StateModel, plan: Plan, key: str, settings: Settings) -> None:
    features = read_features(corpus, key, settings)
    units = _units(corpus, key, settings)
    posterior = state_posterior(model, units)
    path = state_sequence(model, posterior)
    of_unit = frame_units(len(features), sr=model.sr, hop_length=model.hop_length, unit_seconds=UNIT_SECONDS)
    confidence = posterior[np.arange(len(path)), path].astype(np.float32)
    table = pa.table(
        {
            "time_s": features.index.to_numpy(),
            "state": pa.DictionaryArray.from_arrays(path[of_unit].astype(np.int8), list(model.states)),
            "confidence": confidence[of_unit],
        }
    )
    write_table(
        corpus.states_path(plan.states_id, f"{key}.parquet"), table, about={"key": key, "model": plan.states_id}
    )

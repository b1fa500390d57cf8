"""Labelling: which tracks a training takes, the states it discovers in them, and a state for every frame."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from prefect import task
from prefect.cache_policies import NO_CACHE

from songform.errors import CorpusError, ParameterError
from songform.learning import baselines, networks
from songform.learning.splits import Signature, Split, audio_groups, blocks_in_time, split_tracks
from songform.structure import context, naming, states
from songform.structure.context import UNIT_SECONDS
from songform.structure.pooling import frame_units
from songform.structure.states import StateModel, fit_states, state_posterior, state_sequence, unit_vectors
from tasks.progress import announce
from tasks.settings import Settings, digest
from tasks.store.atomic_files import atomic_path
from tasks.store.corpus import Corpus
from tasks.store.feature_tables import features_config, has_features, read_features, read_overview
from tasks.store.tables import read_table, write_table
from tasks.store.tracks import TrackRecord
from tasks.train.stage_versions import bundle_versions, states_versions

__all__ = [
    "Plan",
    "fit_corpus_states",
    "label_tracks",
    "plan_training",
    "read_labels",
    "read_state_model",
    "states_by_settings",
]

_MOST_UNITS = 400_000  # units that KMeans is fitted on: 55 hours of music, 260 MB


@dataclass(frozen=True)
class Plan:
    """What one training takes.

    Parameters
    ----------
    split : Split
        Which track is in which part.
    manifest : str
        Digest of the tracks and their audio.
    states_id, bundle_id : str
        Digests of all that determines the state model, and the whole bundle: they name the folders.
    """

    split: Split
    manifest: str
    states_id: str
    bundle_id: str

    @property
    def keys(self) -> list[str]:
        """All tracks, in order."""
        return sorted({*self.split.train, *self.split.validation, *self.split.test})


@task(cache_policy=NO_CACHE)
def plan_training(home: Path, settings: Settings) -> Plan:
    """Take the tracks whose features stand, and deal them out.

    Raises
    ------
    CorpusError
        If there is no track, or none as long as a window.
    """
    corpus = Corpus(home)
    records = [record for record in corpus.records() if has_features(corpus, record, settings)]
    if not records:
        msg = f"the corpus in {corpus.data} holds no track with these settings; bring some in with songform ingest"
        raise CorpusError(msg)
    split = _split(corpus, records, settings)
    manifest = digest([[record.key, record.audio_sha256] for record in records], features_config(settings))
    versions = [context.VERSION, naming.VERSION, states.VERSION]
    train = [
        [record.key, record.audio_sha256, split.train[record.key]] for record in records if record.key in split.train
    ]
    states_id = digest(features_config(settings), settings.states, versions, _plain(train), later=states_versions())
    versions = [networks.VERSION, baselines.VERSION]
    bundle_id = digest(states_id, manifest, settings.sequences, settings.model, *versions, later=bundle_versions())
    return Plan(split, manifest, states_id, bundle_id)


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


def _split(corpus: Corpus, records: list[TrackRecord], settings: Settings) -> Split:
    """Deal out whole tracks, or blocks of time where there are too few."""
    groups = audio_groups({record.key: _signature(corpus, record, settings) for record in records})
    durations = {record.key: record.duration or 0.0 for record in records}
    try:
        if len(groups) >= 3:
            blocks_in_time(durations, window_seconds=settings.sequences.seconds)  # refuses songs that are all too short
            return split_tracks(groups, seed=settings.model.seed)
        return blocks_in_time(durations, window_seconds=settings.sequences.seconds)
    except ParameterError as error:
        raise CorpusError(f"this corpus cannot be learned from: {error}") from error


def _signature(corpus: Corpus, record: TrackRecord, settings: Settings) -> Signature:
    levels = read_overview(corpus, record.key, settings).logmel_db
    seconds = levels[: len(levels) // 10 * 10].reshape(-1, 10, levels.shape[1]).mean(axis=1)
    return Signature(record.audio_sha256 or record.key, record.duration or 0.0, seconds)


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


def _plain(train: list[list[object]]) -> list[list[object]]:
    """Spell infinity, which JSON does not know."""
    return [[key, sha256, str(spans)] for key, sha256, spans in train]

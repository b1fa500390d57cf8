"""Plan of a training run: its tracks, their split, and the digests that name its folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from songform.errors import CorpusError, ParameterError
from songform.learning import baselines, networks
from songform.learning.splits import Signature, Split, audio_groups, blocks_in_time, split_tracks
from songform.structure import context, naming, states
from tasks.settings import Settings, digest
from tasks.store.corpus import Corpus
from tasks.store.tables import features_config, has_features, read_overview
from tasks.store.tracks import TrackRecord
from tasks.train.stage_versions import bundle_versions, states_versions

__all__ = ["Plan", "plan_training"]


@dataclass(frozen=True)
class Plan:
    """Plan of one training run.

    Parameters
    ----------
    split : Split
        Split of the tracks into training, validation and test parts.
    manifest : str
        Digest of the tracks and their audio.
    states_id, bundle_id : str
        Digests of everything that determines the state model, and of everything that determines the bundle. They name
        the folders of both.
    """

    split: Split
    manifest: str
    states_id: str
    bundle_id: str

    @property
    def keys(self) -> list[str]:
        """Keys of all tracks, sorted."""
        return sorted({*self.split.train, *self.split.validation, *self.split.test})


@task(cache_policy=NO_CACHE)
def plan_training(home: Path, settings: Settings) -> Plan:
    """Select the tracks whose features exist, and split them.

    Raises
    ------
    CorpusError
        If there is no such track, or all of them are shorter than a window.
    """
    corpus = Corpus(home)
    records = [record for record in corpus.records() if has_features(corpus, record, settings)]
    if not records:
        msg = f"the corpus in {corpus.data} has no features with these settings; ingest tracks with songform ingest"
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


def _split(corpus: Corpus, records: list[TrackRecord], settings: Settings) -> Split:
    """Split by track, or into blocks of time if there are fewer than three different recordings."""
    groups = audio_groups({record.key: _signature(corpus, record, settings) for record in records})
    durations = {record.key: record.duration or 0.0 for record in records}
    try:
        if len(groups) >= 3:
            blocks_in_time(durations, window_seconds=settings.sequences.seconds)  # raises if all songs are too short
            return split_tracks(groups, seed=settings.model.seed)
        return blocks_in_time(durations, window_seconds=settings.sequences.seconds)
    except ParameterError as error:
        raise CorpusError(f"this corpus cannot be used for training: {error}") from error


def _signature(corpus: Corpus, record: TrackRecord, settings: Settings) -> Signature:
    levels = read_overview(corpus, record.key, settings).logmel_db
    seconds = levels[: len(levels) // 10 * 10].reshape(-1, 10, levels.shape[1]).mean(axis=1)
    return Signature(record.audio_sha256 or record.key, record.duration or 0.0, seconds)


def _plain(train: Sequence[Sequence[object]]) -> list[list[object]]:
    """Write the spans as text, because they may contain infinity, which JSON does not support."""
    return [[key, sha256, str(spans)] for key, sha256, spans in train]

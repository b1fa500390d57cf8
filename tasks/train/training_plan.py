"""Plan of a training run: its tracks, their split, and the digests that name its folders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from prefect import task
from prefect.cache_policies import NO_CACHE

from songform.beats import beat_tracking
from songform.errors import CorpusError, ParameterError, UnreadableFileError
from songform.learning import baselines, networks
from songform.learning.splits import PARTS, Signature, Split, audio_groups, blocks_in_time, split_tracks
from songform.pretrained import pretrained_id
from songform.sections import section_finding
from songform.structure import context, naming, states
from tasks.ingest.sources.listing import problems_message
from tasks.settings import Settings, digest
from tasks.store.corpus import Corpus
from tasks.store.damaged_files import set_aside_error
from tasks.store.tables import check_features, features_config, has_features, read_overview, size_errors
from tasks.store.tracks import TrackRecord
from tasks.train.expert_labels import known_spans, label_names, with_labels
from tasks.train.stage_versions import bundle_versions, states_versions
from tasks.train.state_fitting import prior_facts

__all__ = ["LEFT_OUT", "Plan", "plan_training", "recordings"]

LEFT_OUT = "its track is left out of the training until it is ingested again"
"""What happens after a damaged table was renamed, as the end of a sentence."""


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
    problems : tuple of str
        One sentence per record or table that cannot be read; its track is left out.
    label_names : tuple of str
        Names of the states if they are people's labels; otherwise empty.
    """

    split: Split
    manifest: str
    states_id: str
    bundle_id: str
    problems: tuple[str, ...] = ()
    label_names: tuple[str, ...] = ()

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
        If there is no such track, or all of them are shorter than a window; with people's labels as targets, if fewer
        than three recordings have any.
    """
    corpus = Corpus(home)
    found = corpus.read_records()
    problems = found.problems
    signatures = _signatures(corpus, found.records, settings, problems)
    records = [record for record in found.records if record.key in signatures]
    if not records:
        none = f"the corpus in {corpus.data} has no features with these settings; ingest tracks with songform ingest"
        raise CorpusError(problems_message("no track can be used for training", problems or [none]))
    labels: dict[str, NDArray[np.str_]] = {}
    if settings.sequences.target == "expert":
        labels = with_labels(corpus, signatures, settings, problems)
        records = [record for record in records if record.key in labels]
        split = _labeled_split(labels, signatures, settings, problems)
    else:
        split = _split(records, signatures, settings)
    names = label_names(labels[key] for key in sorted(split.train)) if labels else ()
    manifest = digest([[record.key, record.audio_sha256] for record in records], features_config(settings))
    versions = [context.VERSION, naming.VERSION, states.VERSION]
    train = [
        [record.key, record.audio_sha256, split.train[record.key]] for record in records if record.key in split.train
    ]
    chosen = settings.states.model_dump(mode="json", exclude={"prior_songs"})
    later = states_versions() | prior_facts(settings) | _label_facts(labels, split)
    states_id = digest(features_config(settings), chosen, versions, _plain(train), later=later)
    versions = [networks.VERSION, baselines.VERSION]
    later = bundle_versions() | _start_facts(settings) | _input_versions(settings)
    bundle_id = digest(states_id, manifest, *_network_settings(settings), *versions, later=later)
    return Plan(split, manifest, states_id, bundle_id, tuple(problems), names)


def recordings(corpus: Corpus, records: Sequence[TrackRecord], settings: Settings) -> list[list[str]]:
    """Return groups of keys; the tracks of a group are copies of the same recording."""
    return audio_groups({record.key: _signature(corpus, record, settings) for record in records})


def _signatures(
    corpus: Corpus, records: Sequence[TrackRecord], settings: Settings, problems: list[str]
) -> dict[str, Signature]:
    """Return the signature of each track that has features; damaged tables are renamed and added to the problems."""
    signatures: dict[str, Signature] = {}
    for record in records:
        if has_features(corpus, record, settings):
            try:
                check_features(corpus, record.key, settings, whole=False)
                signatures[record.key] = _signature(corpus, record, settings)
            except UnreadableFileError as error:
                problems.append(set_aside_error(error, LEFT_OUT))
        elif record.status == "done":
            cut = size_errors(corpus, record, *corpus.table_names(features_config(settings), record.key))
            problems += (set_aside_error(error, LEFT_OUT) for error in cut)
    return signatures


def _split(records: list[TrackRecord], signatures: dict[str, Signature], settings: Settings) -> Split:
    """Split by track, or into blocks of time if there are fewer than three different recordings."""
    groups = audio_groups(signatures)
    durations = {record.key: record.duration or 0.0 for record in records}
    try:
        if len(groups) >= 3:
            blocks_in_time(durations, window_seconds=settings.sequences.seconds)  # raises if all songs are too short
            return split_tracks(groups, seed=settings.model.seed)
        return blocks_in_time(durations, window_seconds=settings.sequences.seconds)
    except ParameterError as error:
        raise CorpusError(f"this corpus cannot be used for training: {error}") from error


def _labeled_split(
    labels: Mapping[str, NDArray[np.str_]], signatures: Mapping[str, Signature], settings: Settings, problems: list[str]
) -> Split:
    """Split the labeled tracks; of each, only the parts with a label of the training tracks are used."""
    groups = audio_groups({key: signatures[key] for key in labels})
    if len(groups) < len(PARTS):
        few = (
            f"{len(groups)} recording{' has' if len(groups) == 1 else 's have'} people's labels, but training on them "
            f"(sequences.target=expert) needs at least {len(PARTS)}; label more songs with songform annotate SOURCE "
            "FILE, or use --set sequences.target=current"
        )
        raise CorpusError(problems_message("no model can be trained on people's labels", [*problems, few]))
    split = split_tracks(groups, seed=settings.model.seed)
    names = label_names(labels[key] for key in split.train)
    if len(names) < 2:
        raise CorpusError(
            f"the labels of the training tracks are all {', '.join(names)}, but a model needs at least two different "
            "ones; label more songs with songform annotate SOURCE FILE, or use --set sequences.target=current"
        )
    known = {key: spans for key, each in labels.items() if (spans := known_spans(each, names))}
    train, validation, test = ({key: known[key] for key in split.part(part) if key in known} for part in PARTS)
    return Split(train, validation, test)


def _label_facts(labels: Mapping[str, NDArray[np.str_]], split: Split) -> dict[str, Any]:
    """Return people's labels of all tracks of a training, for a digest; empty if they are not its targets."""
    used = {*split.train, *split.validation, *split.test}
    return {"labels": {key: each.tolist() for key, each in sorted(labels.items()) if key in used}} if labels else {}


def _start_facts(settings: Settings) -> dict[str, Any]:
    """Return the id of the shipped model if a network may start from it although its states are no prior."""
    starts = settings.sequences.target == "expert" and settings.states.prior_songs > 0
    return {"start": pretrained_id()} if starts else {}


def _input_versions(settings: Settings) -> dict[str, int]:
    """Return the versions of the beats and sections that the network reads; empty if it reads none."""
    reads = {"beats", "sections"} & set(settings.sequences.inputs)
    return {"beats": beat_tracking.VERSION, "sections": section_finding.VERSION} if reads else {}


def _signature(corpus: Corpus, record: TrackRecord, settings: Settings) -> Signature:
    levels = read_overview(corpus, record.key, settings).logmel_db
    seconds = levels[: len(levels) // 10 * 10].reshape(-1, 10, levels.shape[1]).mean(axis=1)
    return Signature(record.audio_sha256 or record.key, record.duration or 0.0, seconds)


def _network_settings(settings: Settings) -> list[dict[str, object]]:
    """Return the sections `sequences` and `model`, as earlier versions had them if a network is trained as it was then.

    Earlier versions had only windows of features. Their folders keep their names with these settings.
    """
    sequences, model = (section.model_dump(mode="json") for section in (settings.sequences, settings.model))
    if not settings.sequences.every_unit:
        for section, name in ((sequences, "every_unit"), (sequences, "stretch_seconds"), (model, "batch_stretches")):
            del section[name]
    if settings.sequences.inputs == ("features",):
        del sequences["inputs"]
    return [sequences, model]


def _plain(train: Sequence[Sequence[object]]) -> list[list[object]]:
    """Write the spans as text, because they may contain infinity, which JSON does not support."""
    return [[key, sha256, str(spans)] for key, sha256, spans in train]

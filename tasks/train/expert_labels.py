"""People's labels as the truth that a model is trained on and compared with.

The unit of truth is a unit of 0.5 s: its label is the one at its center. If several people labeled a song, the label
of the majority counts, and between equally frequent ones that of the person whose name comes first. Units without a
label, and units labeled as silence, are unknown.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from songform.annotation.annotations import UNLABELLED, Annotation, partition
from songform.structure.naming import STATES
from songform.structure.pooling import UNIT_SECONDS, n_units
from songform.structure.silence import SILENCE
from tasks.annotate.annotations import annotations_of
from tasks.settings import Settings
from tasks.store.corpus import Corpus
from tasks.store.tables import count_frames

__all__ = ["UNKNOWN", "known_spans", "label_indices", "label_names", "unit_labels", "with_labels"]

UNKNOWN = ""
"""Label of a unit without a label."""

Labels = NDArray[np.str_]
Spans = list[tuple[float, float]]


def with_labels(corpus: Corpus, keys: Iterable[str], settings: Settings, problems: list[str]) -> dict[str, Labels]:
    """Return people's label of each unit of the tracks that have any.

    Parameters
    ----------
    corpus : Corpus
        The corpus.
    keys : iterable of str
        Keys of tracks with features.
    settings : Settings
        All settings.
    problems : list of str
        List to which one sentence per file of labels that cannot be read is added.

    Returns
    -------
    dict of str to np.ndarray of str, shape=(n_units,)
        Labels by key; `UNKNOWN` for a unit without one.
    """
    labeled = set(corpus.annotated())
    found = {key: unit_labels(corpus, key, settings, problems) for key in sorted(keys) if key in labeled}
    return {key: labels for key, labels in found.items() if (labels != UNKNOWN).any()}


def unit_labels(corpus: Corpus, key: str, settings: Settings, problems: list[str] | None = None) -> Labels:
    """Return people's label of each unit of a track, shape (n_units,); see the module.

    Raises
    ------
    AnnotationError
        If a file of labels cannot be read, and `problems` is None.
    """
    frames = settings.frames
    n_frames = count_frames(corpus, key, settings)
    count = n_units(n_frames, sr=frames.sr, hop_length=frames.hop_length, unit_seconds=UNIT_SECONDS)
    centers = (np.arange(count) + 0.5) * UNIT_SECONDS
    people = [labels for _, (_, labels) in sorted(annotations_of(corpus, key, problems).items())]
    said = [_labels_at(annotation, centers) for annotation in people]
    return np.array([_majority(votes) for votes in zip(*said, strict=True)] if said else [UNKNOWN] * count, np.str_)


def label_names(labels: Iterable[Labels]) -> tuple[str, ...]:
    """Return the set of labels: the names of states first, in their usual order, then the others by name."""
    found = {str(label) for each in labels for label in np.unique(each)} - {UNKNOWN}
    return (*(state for state in STATES if state in found), *sorted(found - set(STATES)))


def known_spans(labels: Labels, names: Collection[str]) -> Spans:
    """Return the spans of time, in seconds, in which the label of a track is one of some names."""
    known = np.isin(labels, list(names))
    edges = np.flatnonzero(np.diff(np.r_[False, known, False]))
    spans = [(start * UNIT_SECONDS, end * UNIT_SECONDS) for start, end in edges.reshape(-1, 2).tolist()]
    if known.size and known[-1]:
        spans[-1] = (spans[-1][0], math.inf)  # as in a split of whole tracks
    return spans


def label_indices(labels: Labels, names: Iterable[str]) -> NDArray[np.intp]:
    """Return the index of each label in some names; -1 for another label."""
    place: Mapping[str, int] = {name: number for number, name in enumerate(names)}
    return np.array([place.get(str(label), -1) for label in labels], np.intp)


def _labels_at(annotation: Annotation, centers: NDArray[np.floating]) -> list[str]:
    """Return a person's label at some times; `UNKNOWN` where there is none or silence."""
    whole = partition(annotation, max(annotation.duration or 0.0, float(annotation.intervals.max())))
    place = np.searchsorted(whole.intervals[:, 0], centers, side="right") - 1
    within = centers < whole.intervals[-1, 1]
    labels = [whole.labels[number] for number in place]
    silent = {UNLABELLED.casefold(), SILENCE.casefold()}
    return [
        label if is_within and label.casefold() not in silent else UNKNOWN
        for label, is_within in zip(labels, within, strict=True)
    ]


def _majority(votes: tuple[str, ...]) -> str:
    """Return the most frequent known label; of equally frequent ones, the first."""
    counts = Counter(vote for vote in votes if vote != UNKNOWN)
    return counts.most_common(1)[0][0] if counts else UNKNOWN  # in the order of the first occurrence

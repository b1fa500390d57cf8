"""Segmentation scores: agreement of two segmentations of a song, measured as in mir_eval [1]_.

The measures require partitions of the song, so both segmentations are converted with
`songform.annotation.annotations.partition` first.

Measures
--------
Each measure has a precision, a recall and an F-measure, between 0 and 1.

- `boundary_*_0.5`, `boundary_*_3`: a boundary is a hit if the other segmentation has one within 0.5 s or 3 s [2]_.
- `trimmed_*`: the same without the beginning and the end of the song, which every segmentation contains.
- `pairwise_*`: share of the pairs of 0.1 s frames with the same label in one segmentation that also have the same label
  in the other [3]_.
- `v_*`: normalized conditional entropies of the labels [4]_. Precision decreases if the estimate splits a label of the
  reference, recall if it merges labels.

The last two compare which frames have the same label. They do not depend on the names of the labels.

References
----------
.. [1] Raffel et al., "mir_eval: a transparent implementation of common MIR metrics", ISMIR 2014.
.. [2] Turnbull et al., "A supervised approach for detecting boundaries in music", ISMIR 2007.
.. [3] Levy and Sandler, "Structural segmentation of musical audio by constrained clustering", IEEE TASLP 16(2), 2008.
.. [4] Rosenberg and Hirschberg, "V-measure", EMNLP-CoNLL 2007; Lukashevich, ISMIR 2008.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import permutations
from typing import NamedTuple

import numpy as np
from mir_eval import segment, util
from numpy.typing import NDArray

from songform.annotation.annotations import Annotation, partition
from songform.errors import ParameterError

__all__ = [
    "BASELINES",
    "MEASURES",
    "VERSION",
    "SongScores",
    "agreement",
    "compare_with_people",
    "mean_scores",
    "regular_annotation",
    "song_scores",
]

VERSION = 1  # increase this when the same two segmentations get different scores

BASELINES = {"every_20_s": 20.0, "one_section": np.inf}
"""Trivial segmentations: time between boundaries in seconds, by name. Each section has its own label."""

_WINDOWS = {"0.5": 0.5, "3": 3.0}
_FRAME = 0.1  # seconds, as in mir_eval
_PARTS = ("precision", "recall", "f")

MEASURES = tuple(
    f"{name}_{part}{window}"
    for name, windows in (
        ("boundary", ("_0.5", "_3")),
        ("trimmed", ("_0.5", "_3")),
        ("pairwise", ("",)),
        ("v", ("",)),
    )
    for window in windows
    for part in _PARTS
)
"""Names of all scores."""


def agreement(reference: Annotation, estimate: Annotation, duration: float) -> dict[str, float]:
    """Score an estimated segmentation against a reference.

    Parameters
    ----------
    reference, estimate : Annotation
        Annotations of the same song. Parts without a label count as sections with the label `UNLABELLED`.
    duration : float > 0
        Duration of the song in seconds.

    Returns
    -------
    dict
        One score from 0 to 1 for each of `MEASURES`. As in mir_eval, a score is 0 if there is no boundary, or only one
        label, to compare.

    Raises
    ------
    ParameterError
        If the duration is not a positive number.
    """
    if not 0 < duration < np.inf:
        raise ParameterError(f"duration must be a positive number of seconds, not {duration}")
    ours, theirs = (partition(annotation, duration) for annotation in (reference, estimate))
    scores = [
        boundary_scores(ours.intervals, theirs.intervals, window=window, trim=trim)
        for trim in (False, True)
        for window in _WINDOWS.values()
    ]
    arguments = (ours.intervals, list(ours.labels), theirs.intervals, list(theirs.labels))
    scores += [pairwise_scores(ours, theirs), segment.vmeasure(*arguments, frame_size=_FRAME)]
    return {name: float(value) for name, value in zip(MEASURES, [s for three in scores for s in three], strict=True)}


def song_scores(people: Mapping[str, Annotation], estimate: Annotation, duration: float) -> dict[str, dict[str, float]]:
    """Score an estimate, the `BASELINES` and people against the annotations of people.

    Parameters
    ----------
    people : mapping of str to Annotation
        Annotation of the song by each person; at least one.
    estimate : Annotation
        Annotation to score.
    duration : float > 0
        Duration of the song in seconds.

    Returns
    -------
    dict of str to dict
        Scores of the estimate, under the name `songform`, and of each baseline, as means over the people. With two or
        more people there is also `people`, the mean over all ordered pairs of people.

    Raises
    ------
    ParameterError
        If there is no annotation by a person.
    """
    return compare_with_people(people, {"songform": estimate}, duration).scores


class SongScores(NamedTuple):
    """Scores of several estimates of a song against people's annotations."""

    scores: dict[str, dict[str, float]]
    """Means over the people, by the name of the estimate; also of the `BASELINES` and, if there are several people, of
    `people`, who are compared with each other."""
    by_annotator: dict[str, dict[str, dict[str, float]]]
    """Scores against each person, by the name of the person and of the estimate."""


def compare_with_people(
    people: Mapping[str, Annotation], estimates: Mapping[str, Annotation], duration: float
) -> SongScores:
    """Score several estimates, the `BASELINES` and people against the annotations of people.

    Parameters
    ----------
    people : mapping of str to Annotation
        Annotation of the song by each person; at least one.
    estimates : mapping of str to Annotation
        Annotations to score, such as the sections and the phrases that were found.
    duration : float > 0
        Duration of the song in seconds.

    Raises
    ------
    ParameterError
        If there is no annotation by a person.
    """
    if not people:
        raise ParameterError(
            "people is empty; it must contain at least one annotation, with which the estimate is compared"
        )
    baselines = {name: regular_annotation(duration, seconds) for name, seconds in BASELINES.items()}
    by_annotator = {
        who: {name: agreement(person, estimate, duration) for name, estimate in {**estimates, **baselines}.items()}
        for who, person in people.items()
    }
    scores = {
        name: mean_scores(of_person[name] for of_person in by_annotator.values()) for name in (*estimates, *baselines)
    }
    pairs = [agreement(one, other, duration) for one, other in permutations(people.values(), 2)]
    named = {who: {name: of_person[name] for name in estimates} for who, of_person in by_annotator.items()}
    return SongScores(scores | ({"people": mean_scores(pairs)} if pairs else {}), named)


def boundary_scores(
    reference: NDArray[np.float64], estimate: NDArray[np.float64], *, window: float, trim: bool
) -> tuple[float, float, float]:
    """Return precision, recall and F-measure of an estimate's boundaries, as `mir_eval.segment.detection` does.

    Parameters
    ----------
    reference, estimate : np.ndarray, shape=(n, 2)
        Intervals that partition the song, in seconds.
    window : float > 0
        Largest time in seconds between two boundaries that match.
    trim : bool
        Whether to ignore the first and the last boundary.
    """
    if trim and min(len(reference), len(estimate)) < 2:
        return 0.0, 0.0, 0.0  # as mir_eval does, but without its warning
    precision, recall, f = segment.detection(reference, estimate, window=window, trim=trim)
    return precision, recall, f


def pairwise_scores(reference: Annotation, estimate: Annotation) -> tuple[float, float, float]:
    """Return precision, recall and F-measure of the pairs of frames with the same label in an estimate.

    The scores are those of `mir_eval.segment.pairwise`, which computes a matrix of all pairs and needs 5 GB for a mix
    of two hours. Here, pairs are counted per pair of labels, so that memory is linear in the length of the song.

    Parameters
    ----------
    reference, estimate : Annotation
        Partitions of the same song.
    """
    ours, theirs = (_moments(annotation) for annotation in (reference, estimate))
    both = _pairs(ours * (theirs.max(initial=0) + 1) + theirs)
    precision, recall = (both / max(_pairs(moments), 1) for moments in (theirs, ours))
    return precision, recall, float(util.f_measure(precision, recall))


def regular_annotation(duration: float, seconds: float) -> Annotation:
    """Return a segmentation with boundaries at regular intervals, which is independent of the sound.

    Parameters
    ----------
    duration : float > 0
        Duration of the song in seconds.
    seconds : float > 0
        Time between two boundaries in seconds. If it is infinite, the song is one section.
    """
    inner = np.arange(seconds, duration, seconds) if np.isfinite(seconds) else np.empty(0)
    edges = np.concatenate(([0.0], inner, [duration]))
    labels = [str(number) for number in range(1, len(edges))]
    return Annotation(np.column_stack((edges[:-1], edges[1:])), labels, duration=duration)


def mean_scores(scores: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of each measure, or an empty dict if there are no scores."""
    table: Sequence[Mapping[str, float]] = list(scores)
    return {name: float(np.mean([row[name] for row in table])) for name in MEASURES} if table else {}


def _moments(annotation: Annotation) -> NDArray[np.intp]:
    """Return the label of each 0.1 s frame as a number, sampled as in mir_eval."""
    _, sampled = util.intervals_to_samples(annotation.intervals, list(annotation.labels), sample_size=_FRAME)
    return np.asarray(util.index_labels(sampled)[0], np.intp)


def _pairs(moments: NDArray[np.intp]) -> int:
    """Return the number of pairs of frames with the same number."""
    counts = np.bincount(moments)
    return int((counts * (counts - 1) // 2).sum())

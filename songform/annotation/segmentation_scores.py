"""Segmentation scores: how far two segmentations of a song are alike, by mir_eval's measures [1]_.

Both are made partitions of the song first (`songform.annotation.annotations.partition`): mir_eval's measures ask for
that.

Measures
--------
Each has a precision, a recall and an F, between 0 and 1.

- `boundary_*_0.5`, `boundary_*_3`: a boundary counts as found if the other has one within 0.5 s or 3 s [2]_.
- `trimmed_*`: the same without the song's beginning and end, which everyone finds.
- `pairwise_*`: of all pairs of moments (each 0.1 s) that one puts under one label, how many the other does, too [3]_.
- `v_*`: what the labels of one tell about the labels of the other, normalised conditional entropies [4]_: precision
  falls where the estimate splits what belongs together, recall where it joins what does not.

The last two ask which moments are alike, not what they are called: `A` and `Calm` may mean the same.

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

import numpy as np
from mir_eval import segment, util
from numpy.typing import NDArray

from songform.annotation.annotations import Annotation, partition
from songform.errors import ParameterError

__all__ = [
    "BASELINES",
    "MEASURES",
    "VERSION",
    "agreement",
    "mean_scores",
    "regular_annotation",
    "song_scores",
]

VERSION = 1  # counts up when the same two segmentations get other scores

BASELINES = {"every_20_s": 20.0, "one_section": np.inf}
"""Segmentations that know nothing of the song: a boundary every so many seconds, each section with its own label."""

_WINDOWS = {"0.5": 0.5, "3": 3.0}
_FRAME = 0.1  # seconds; mir_eval's
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
"""The names of all scores."""


def agreement(reference: Annotation, estimate: Annotation, duration: float) -> dict[str, float]:
    """Return how far an estimate agrees with a reference.

    Parameters
    ----------
    reference, estimate : Annotation
        Of the same song; what has no label there is taken for a section of its own.
    duration : float > 0
        The song's duration in seconds.

    Returns
    -------
    dict
        A score, 0 to 1, for each of `MEASURES`. Without a boundary, or with a single label, there is nothing to agree
        on and a score is 0, as mir_eval has it.

    Raises
    ------
    ParameterError
        If the duration is no positive time.
    """
    if not 0 < duration < np.inf:
        raise ParameterError(f"duration must be positive seconds, not {duration}")
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
    """Return how an estimate agrees with people, and for comparison how people and `BASELINES` do.

    Parameters
    ----------
    people : mapping of str to Annotation
        What each person said of the song; at least one.
    estimate : Annotation
        What is to be judged.
    duration : float > 0
        The song's duration in seconds.

    Returns
    -------
    dict of str to dict
        The scores of `songform`, the estimate, and of each baseline: the mean over the people. Where there are two
        people or more, also of `people`: the mean over each against each other.

    Raises
    ------
    ParameterError
        If nobody said anything.
    """
    if not people:
        raise ParameterError("an estimate is compared with what people said, but there is nobody")
    judged = {"songform": estimate}
    judged |= {name: regular_annotation(duration, seconds) for name, seconds in BASELINES.items()}
    scores = {
        name: mean_scores(agreement(person, annotation, duration) for person in people.values())
        for name, annotation in judged.items()
    }
    pairs = [agreement(one, other, duration) for one, other in permutations(people.values(), 2)]
    return scores | ({"people": mean_scores(pairs)} if pairs else {})


def boundary_scores(
    reference: NDArray[np.float64], estimate: NDArray[np.float64], *, window: float, trim: bool
) -> tuple[float, float, float]:
    """Return precision, recall and F of an estimate's boundaries: `mir_eval.segment.detection`.

    Parameters
    ----------
    reference, estimate : np.ndarray, shape=(n, 2)
        Intervals that partition the song, in seconds.
    window : float > 0
        How far a boundary may be off, in seconds.
    trim : bool
        Leave out the first and the last.
    """
    if trim and min(len(reference), len(estimate)) < 2:
        return 0.0, 0.0, 0.0  # mir_eval says the same, and warns
    precision, recall, f = segment.detection(reference, estimate, window=window, trim=trim)
    return precision, recall, f


def pairwise_scores(reference: Annotation, estimate: Annotation) -> tuple[float, float, float]:
    """Return precision, recall and F of the pairs of moments that an estimate puts under one label.

    The numbers of `mir_eval.segment.pairwise`, which holds a matrix of all pairs: 5 GB for a mix of two hours. Counted
    by pairs of labels instead, the memory is linear in the song's length.

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
    """Return the segmentation of one who has not heard the song: a boundary every so many seconds.

    Parameters
    ----------
    duration : float > 0
        The song's duration in seconds.
    seconds : float > 0
        From one boundary to the next; infinite: the song is one section.
    """
    inner = np.arange(seconds, duration, seconds) if np.isfinite(seconds) else np.empty(0)
    edges = np.concatenate(([0.0], inner, [duration]))
    labels = [str(number) for number in range(1, len(edges))]
    return Annotation(np.column_stack((edges[:-1], edges[1:])), labels, duration=duration)


def mean_scores(scores: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of each measure; nothing of nothing."""
    table: Sequence[Mapping[str, float]] = list(scores)
    return {name: float(np.mean([row[name] for row in table])) for name in MEASURES} if table else {}


def _moments(annotation: Annotation) -> NDArray[np.intp]:
    """Return the label of each 0.1 s as a number, sampled where mir_eval samples."""
    _, sampled = util.intervals_to_samples(annotation.intervals, list(annotation.labels), sample_size=_FRAME)
    return np.asarray(util.index_labels(sampled)[0], np.intp)


def _pairs(moments: NDArray[np.intp]) -> int:
    """Return the number of pairs of moments with the same number."""
    counts = np.bincount(moments)
    return int((counts * (counts - 1) // 2).sum())

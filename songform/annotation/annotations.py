"""Annotations: labelled stretches of time, by a person or by a model.

Conventions
-----------
They are mir_eval's [1]_: intervals are an array of shape (n, 2), start and end in seconds from the song's beginning,
beside a label each. A stretch of no length is a point: a mark that somebody set. Stretches may leave gaps and may
overlap, as people's labels do; `partition` makes of them what the measures of agreement ask for.

Times are kept to the microsecond, as Audacity keeps them [2]_. So a time is the same number in every format, also
where the format holds a start and a duration.

References
----------
.. [1] Raffel et al., "mir_eval: a transparent implementation of common MIR metrics", ISMIR 2014.
.. [2] Audacity manual, "Importing and Exporting Labels".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from songform.errors import AnnotationError, ParameterError
from songform.plain_text import plain_text
from songform.structure.segments import Segment

__all__ = ["TOLERANCE_SECONDS", "UNLABELLED", "Annotation", "fitted", "partition", "segment_annotation"]

TOLERANCE_SECONDS = 0.5
"""What people's labels may be off at a song's end, and the longest stretch without a label that is no gap."""

UNLABELLED = "(unlabelled)"

_DECIMALS = 6

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Annotation:
    """Labelled stretches of one song, in order of their starts.

    Parameters
    ----------
    intervals : np.ndarray, shape=(n, 2)
        Start and end of each stretch, in seconds; rounded to the microsecond.
    labels : sequence of str, length n
        What each is; made plain, so that it fits on one line of any format.
    confidences : np.ndarray, shape=(n,), optional
        How sure each is, 0 to 1; NaN where that is not known. Default: of none.
    title : str
        The song's.
    duration : float, optional
        The song's, in seconds.
    annotator : str
        Who said so: a person, or a model's address.
    tool : str
        What it was made with.

    Raises
    ------
    ParameterError
        If the shapes do not fit each other, a time is no time, or a confidence no share.
    """

    intervals: Array
    labels: Sequence[str]
    confidences: Array = field(default_factory=lambda: np.empty(0))
    title: str = ""
    duration: float | None = None
    annotator: str = ""
    tool: str = ""

    def __post_init__(self) -> None:
        intervals = np.asarray(self.intervals, np.float64)
        confidences = np.asarray(self.confidences, np.float64)
        if not confidences.size:
            confidences = np.full(len(self.labels), np.nan)
        _check_rows(intervals, self.labels, confidences)
        intervals = np.round(intervals, _DECIMALS) + 0.0  # without negative zeros
        order = np.lexsort((intervals[:, 1], intervals[:, 0]))
        settled = {
            "intervals": intervals[order],
            "labels": tuple(plain_text(self.labels[i]) for i in order),
            "confidences": confidences[order],
            **{name: plain_text(getattr(self, name)) for name in ("title", "annotator", "tool")},
        }
        for name, value in settled.items():
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def is_point(self) -> NDArray[np.bool_]:
        """Which stretches have no length, shape (n,)."""
        return np.asarray(self.intervals[:, 0] == self.intervals[:, 1])


def segment_annotation(
    segments: Sequence[Segment], *, title: str = "", annotator: str = "", tool: str = ""
) -> Annotation:
    """Return a song's segments as an annotation.

    Parameters
    ----------
    segments : sequence of Segment
        They partition the song.
    title, annotator, tool : str
        As in `Annotation`.
    """
    return Annotation(
        np.array([[segment.start, segment.end] for segment in segments], np.float64).reshape(-1, 2),
        [segment.state for segment in segments],
        np.array([segment.confidence for segment in segments], np.float64),
        title=title,
        duration=segments[-1].end if segments else None,
        annotator=annotator,
        tool=tool,
    )


def fitted(annotation: Annotation, duration: float) -> tuple[Annotation, list[str]]:
    """Fit a person's labels to the track they are put beside.

    What hangs over the end by at most 0.5 s is clipped: files are rounded, and decoders pad. Where all labels are
    points, each begins a section that lasts until the next; a last point named `end` only ends the one before it.

    Parameters
    ----------
    annotation : Annotation
        As it was read.
    duration : float > 0
        The track's duration in seconds.

    Returns
    -------
    annotation : Annotation
        Within `[0, duration]`, without points.
    notes : list of str
        A sentence for whatever is odd: gaps, overlaps, points beside sections.

    Raises
    ------
    AnnotationError
        If there is no label, or one reaches beyond the end by more than 0.5 s.
    """
    if not len(annotation):
        raise AnnotationError("there is no label in it; was it saved before the labels were set?")
    reach = float(annotation.intervals.max())
    if reach > duration + TOLERANCE_SECONDS:
        raise AnnotationError(
            f"its labels reach to {reach:.1f} s, but the track ends at {duration:.1f} s: they belong to another "
            "song, or to another version of it"
        )
    sections, n_dropped = _sections(annotation, duration)
    if not len(sections):
        raise AnnotationError("none of its labels lies within the track")
    notes = [f"{n_dropped} point{'' if n_dropped == 1 else 's'} beside sections left out"] if n_dropped else []
    gaps, overlaps = _gaps(sections.intervals, duration), _overlaps(sections.intervals)
    return replace(sections, duration=duration), notes + _told(gaps, "without a label") + _told(
        overlaps, "labelled twice"
    )


def partition(annotation: Annotation, duration: float) -> Annotation:
    """Return an annotation that covers a song from 0 to its end, without gap and without overlap.

    Of two labels at one time the one that began later holds. What has no label is `UNLABELLED`; but where that is
    shorter than 0.5 s, the label before it, or at the song's beginning the one after it, reaches across.

    Parameters
    ----------
    annotation : Annotation
        Any; what lies beyond the end is cut off.
    duration : float > 0
        The song's duration in seconds.

    Returns
    -------
    Annotation
        Neighbours may have the same label: a person who draws a boundary between two verses means it.
    """
    sections = _sections(annotation, duration)[0]
    edges = np.unique(np.concatenate(([0.0, np.round(duration, _DECIMALS)], sections.intervals.ravel())))
    owners = np.full(len(edges) - 1, -1)
    for row, (first, last) in enumerate(np.searchsorted(edges, sections.intervals)):
        owners[first:last] = row
    runs = _without_slivers(_runs(owners), edges)
    labels = [sections.labels[owner] if owner >= 0 else UNLABELLED for _, _, owner in runs]
    confidences = [sections.confidences[owner] if owner >= 0 else np.nan for _, _, owner in runs]
    intervals = np.array([[edges[first], edges[last]] for first, last, _ in runs])
    return replace(annotation, intervals=intervals, labels=labels, confidences=np.array(confidences), duration=duration)


def _check_rows(intervals: Array, labels: Sequence[str], confidences: Array) -> None:
    if intervals.shape != (len(labels), 2) or confidences.shape != (len(labels),):
        msg = (
            f"an annotation holds a start, an end and a confidence for each of its {len(labels)} labels, not "
            f"intervals of shape {intervals.shape} and confidences of shape {confidences.shape}"
        )
        raise ParameterError(msg)
    wrong = ~(np.isfinite(intervals).all(axis=1) & (intervals[:, 0] >= 0) & (intervals[:, 1] >= intervals[:, 0]))
    if wrong.any():
        start, end = intervals[wrong][0]
        raise ParameterError(
            f"a stretch of time begins at 0 s or later and does not end before that, not {start} to {end}"
        )
    doubtful = ~(np.isnan(confidences) | ((confidences >= 0) & (confidences <= 1)))
    if doubtful.any():
        raise ParameterError(f"a confidence lies between 0 and 1, not at {confidences[doubtful][0]}")


def _sections(annotation: Annotation, duration: float) -> tuple[Annotation, int]:
    """Return the annotation within the song and without points, and how many points were left out."""
    intervals, points = annotation.intervals, annotation.is_point
    n_dropped = 0
    if len(annotation) and points.all():
        intervals = np.column_stack((intervals[:, 0], np.append(intervals[1:, 0], duration)))
        if annotation.labels and annotation.labels[-1].casefold() == "end":
            intervals[-1] = duration
    else:
        n_dropped = int(points.sum())
    intervals = np.minimum(intervals, np.round(duration, _DECIMALS))
    kept = np.flatnonzero(intervals[:, 1] > intervals[:, 0])
    labels, confidences = [annotation.labels[int(i)] for i in kept], annotation.confidences[kept]
    return replace(annotation, intervals=intervals[kept], labels=labels, confidences=confidences), n_dropped


def _gaps(intervals: Array, duration: float) -> list[tuple[float, float]]:
    """Return the stretches that no interval covers, but for the shortest."""
    reached = np.maximum.accumulate(np.append(0.0, intervals[:, 1]))
    begins = np.append(intervals[:, 0], duration)
    return [(float(a), float(b)) for a, b in zip(reached, begins, strict=True) if b - a >= TOLERANCE_SECONDS]


def _overlaps(intervals: Array) -> list[tuple[float, float]]:
    """Return the stretches that an interval shares with those before it, but for roundings."""
    reached = np.maximum.accumulate(intervals[:, 1])
    shared = zip(intervals[1:, 0], np.minimum(reached[:-1], intervals[1:, 1]), strict=True)
    return [(float(a), float(b)) for a, b in shared if b - a > 0.01]


def _told(stretches: list[tuple[float, float]], what: str) -> list[str]:
    if not stretches:
        return []
    (start, end), *others = stretches
    more = f" and {len(others)} more such {'stretch' if len(others) == 1 else 'stretches'}" if others else ""
    return [f"{start:.1f} to {end:.1f} s is {what}{more}"]


def _runs(owners: NDArray[np.intp]) -> list[tuple[int, int, int]]:
    """Return the first cell, the cell after the last, and the owner of each run of cells with one owner."""
    starts = np.flatnonzero(np.r_[True, np.diff(owners) != 0])
    return [(int(a), int(b), int(owners[a])) for a, b in pairwise(np.r_[starts, len(owners)])]


def _without_slivers(runs: list[tuple[int, int, int]], edges: Array) -> list[tuple[int, int, int]]:
    """Give short runs without an owner to the run before them, or to the first that has one."""
    kept: list[tuple[int, int, int]] = []
    for first, last, owner in runs:
        is_sliver = owner < 0 and edges[last] - edges[first] < TOLERANCE_SECONDS
        if is_sliver and kept:
            kept[-1] = (kept[-1][0], last, kept[-1][2])
        elif not is_sliver or len(runs) == 1:
            kept.append((first if kept else 0, last, owner))
    return kept

"""Annotations: labeled intervals of a song, made by a person or by a model.

Conventions
-----------
The conventions are those of mir_eval [1]_. Intervals are an array of shape (n, 2) with the start and the end in seconds
from the beginning of the song, and each has a label. An interval of zero length is a point. Intervals may leave gaps
and may overlap; `partition` removes both, as the segmentation scores require.

Times are rounded to the microsecond, as in Audacity [2]_, so that a time is the same number in every format, even if
the format stores a start and a duration.

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
"""Time in seconds by which labels may exceed the end of a song; shorter intervals without a label are not gaps."""

UNLABELLED = "(unlabelled)"

_PRECISE_SECONDS = 0.1  # less than TOLERANCE_SECONDS, so that an unusual reading is not chosen by accident
_EXACT_SECONDS = 0.02  # if the usual reading ends near the end of the track as well, but not as near
_DECIMALS = 6

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Annotation:
    """Labeled intervals of one song, sorted by start.

    Parameters
    ----------
    intervals : np.ndarray, shape=(n, 2)
        Start and end of each interval in seconds. They are rounded to the microsecond.
    labels : sequence of str, length n
        Label of each interval. It is converted with `songform.plain_text`, so that it fits on one line.
    confidences : np.ndarray, shape=(n,), optional
        Confidence of each interval, from 0 to 1; NaN if it is unknown. By default, all are NaN.
    title : str
        Title of the song.
    duration : float, optional
        Duration of the song in seconds.
    annotator : str
        Name of the person or model that made the annotation.
    tool : str
        Program with which the annotation was made.
    notes : tuple of str
        How a file was read, if its layout is unusual. Notes are not written to files.
    alternative : Annotation, optional
        Other possible reading of the file, with longer intervals. `fitted` chooses by the duration of the track.

    Raises
    ------
    ParameterError
        If the shapes do not match, an interval is invalid, or a confidence is not between 0 and 1.

    Examples
    --------
    >>> annotation = Annotation(np.array([[9.5, 20.0], [0.0, 9.5]]), ["Verse", "Intro"], annotator="Ana")
    >>> annotation.labels  # sorted by start
    ('Intro', 'Verse')
    """

    intervals: Array
    labels: Sequence[str]
    confidences: Array = field(default_factory=lambda: np.empty(0))
    title: str = ""
    duration: float | None = None
    annotator: str = ""
    tool: str = ""
    notes: tuple[str, ...] = ()
    alternative: Annotation | None = None

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
        """Whether each interval is a point, shape (n,)."""
        return np.asarray(self.intervals[:, 0] == self.intervals[:, 1])


def segment_annotation(
    segments: Sequence[Segment], *, title: str = "", annotator: str = "", tool: str = ""
) -> Annotation:
    """Return a song's segments as an annotation.

    Parameters
    ----------
    segments : sequence of Segment
        Segments that partition the song.
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
    """Fit an annotation to the track that it describes.

    Labels that exceed the end of the track by at most 0.5 s are clipped, because times in files are rounded and
    decoders pad the sound. If the annotation has an alternative reading, the one that ends with the track is used. If
    all labels are points, each one starts a section that lasts until the next point; a last point labeled `end` only
    ends the section before it.

    Parameters
    ----------
    annotation : Annotation
        Annotation as it was read.
    duration : float > 0
        Duration of the track in seconds.

    Returns
    -------
    annotation : Annotation
        Intervals within `[0, duration]`, without points.
    notes : list of str
        The notes of the annotation, and one sentence each for gaps, for overlaps, and for points that are ignored
        because other labels have a length.

    Raises
    ------
    AnnotationError
        If there is no label within the track, or a label exceeds the end of the track by more than 0.5 s.
    """
    if not len(annotation):
        raise AnnotationError("it contains no labels; was it saved before any label was added?")
    annotation = _chosen_reading(annotation, duration)
    reach = float(annotation.intervals.max())
    if reach > duration + TOLERANCE_SECONDS:
        raise AnnotationError(
            f"its labels extend to {reach:.1f} s, but the track ends at {duration:.1f} s; they probably belong to "
            "another song or to another version of this one"
        )
    sections, n_dropped = _sections(annotation, duration)
    if not len(sections):
        msg = (
            f"none of its labels is within the track, which ends at {duration:.1f} s; they probably belong to another "
            "song or to another version of this one"
        )
        raise AnnotationError(msg)
    ignored = (
        f"{n_dropped} label without a length was" if n_dropped == 1 else f"{n_dropped} labels without a length were"
    )
    notes = [*annotation.notes, *([f"{ignored} ignored"] if n_dropped else [])]
    notes += _interval_notes(_gaps(sections.intervals, duration), "no label")
    notes += _interval_notes(_overlaps(sections.intervals), "more than one label")
    return replace(sections, duration=duration), notes


def partition(annotation: Annotation, duration: float) -> Annotation:
    """Return an annotation that covers a song from 0 to its end, without gaps and without overlaps.

    Where labels overlap, the one that starts later is used. Gaps are labeled `UNLABELLED`. A gap shorter than 0.5 s is
    closed instead by extending the interval before it, or the first interval if the gap is at the beginning.

    Parameters
    ----------
    annotation : Annotation
        Any annotation. Anything beyond the end of the song is cut off.
    duration : float > 0
        Duration of the song in seconds.

    Returns
    -------
    Annotation
        Adjacent intervals are not merged if their labels are the same, because annotators set such boundaries on
        purpose.
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


def _chosen_reading(annotation: Annotation, duration: float) -> Annotation:
    """Return the reading of a file that ends with the track, without the other one."""
    other, plain = annotation.alternative, replace(annotation, alternative=None)
    distance = abs(float(annotation.intervals.max()) - duration)
    if other is None or distance <= _PRECISE_SECONDS:
        return plain
    excess = float(other.intervals.max()) - duration
    if distance <= TOLERANCE_SECONDS and abs(excess) > _EXACT_SECONDS:
        return plain
    if abs(excess) <= _PRECISE_SECONDS:
        return replace(other, notes=(", because ".join((*other.notes, "its labels then end with the track")),))
    if excess > 0:
        return plain
    note = "its second column was read as ends, but may contain durations; if so, name the columns in the first line"
    return replace(plain, notes=(*plain.notes, note))


def _check_rows(intervals: Array, labels: Sequence[str], confidences: Array) -> None:
    if intervals.shape != (len(labels), 2) or confidences.shape != (len(labels),):
        msg = (
            f"an annotation needs a start, an end and a confidence for each of its {len(labels)} labels, but "
            f"intervals have shape {intervals.shape} and confidences have shape {confidences.shape}"
        )
        raise ParameterError(msg)
    wrong = ~(np.isfinite(intervals).all(axis=1) & (intervals[:, 0] >= 0) & (intervals[:, 1] >= intervals[:, 0]))
    if wrong.any():
        start, end = intervals[wrong][0]
        raise ParameterError(
            "an interval must start at 0 s or later and must not end before it starts, "
            f"but one goes from {start} to {end} s"
        )
    invalid = ~(np.isnan(confidences) | ((confidences >= 0) & (confidences <= 1)))
    if invalid.any():
        raise ParameterError(f"confidences must be between 0 and 1, not {confidences[invalid][0]}")


def _sections(annotation: Annotation, duration: float) -> tuple[Annotation, int]:
    """Return the annotation within the song and without points, and the number of points that were ignored."""
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
    """Return the intervals of at least 0.5 s that have no label."""
    reached = np.maximum.accumulate(np.append(0.0, intervals[:, 1]))
    begins = np.append(intervals[:, 0], duration)
    return [(float(a), float(b)) for a, b in zip(reached, begins, strict=True) if b - a >= TOLERANCE_SECONDS]


def _overlaps(intervals: Array) -> list[tuple[float, float]]:
    """Return the overlaps of each interval with those before it, except those due to rounding."""
    reached = np.maximum.accumulate(intervals[:, 1])
    shared = zip(intervals[1:, 0], np.minimum(reached[:-1], intervals[1:, 1]), strict=True)
    return [(float(a), float(b)) for a, b in shared if b - a > 0.01]


def _interval_notes(intervals: list[tuple[float, float]], labels: str) -> list[str]:
    if not intervals:
        return []
    (start, end), *others = intervals
    more = f" (and {len(others)} more such interval{'' if len(others) == 1 else 's'})" if others else ""
    return [f"{start:.1f} to {end:.1f} s has {labels}{more}"]


def _runs(owners: NDArray[np.intp]) -> list[tuple[int, int, int]]:
    """Return the first cell, the cell after the last, and the owner of each run of cells with the same owner."""
    starts = np.flatnonzero(np.r_[True, np.diff(owners) != 0])
    return [(int(a), int(b), int(owners[a])) for a, b in pairwise(np.r_[starts, len(owners)])]


def _without_slivers(runs: list[tuple[int, int, int]], edges: Array) -> list[tuple[int, int, int]]:
    """Merge short runs without an owner into the run before them, or into the first run with an owner."""
    kept: list[tuple[int, int, int]] = []
    for first, last, owner in runs:
        is_sliver = owner < 0 and edges[last] - edges[first] < TOLERANCE_SECONDS
        if is_sliver and kept:
            kept[-1] = (kept[-1][0], last, kept[-1][2])
        elif not is_sliver or len(runs) == 1:
            kept.append((first if kept else 0, last, owner))
    return kept

"""Label rows: what all formats have in common, a label with its times, and where in the file it stands.

A reader makes a `Row` of each label and an `Annotation` of them all. What is wrong with a row is said with its place,
so that a person finds the line.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from songform.annotation.annotations import Annotation
from songform.errors import AnnotationError

__all__ = ["Row", "annotation_of", "lines_of", "seconds", "seconds_text"]

_LONGEST = 1e7  # seconds: four months are no song


class Row(NamedTuple):
    """A label as a file gives it."""

    place: str
    """Where it stands: `line 3`, `segment 3`."""
    start: float
    end: float
    label: str
    confidence: float = math.nan


def annotation_of(rows: Sequence[Row], **about: Any) -> Annotation:
    """Return the annotation that rows make.

    Parameters
    ----------
    rows : sequence of Row
        In any order.
    **about
        `title`, `duration`, `annotator` and `tool`, as far as the format knows them.

    Raises
    ------
    AnnotationError
        If there is no row, or one has times that make no sense.
    """
    if not rows:
        raise AnnotationError("there is no label in it; was it saved before the labels were set?")
    for row in rows:
        if row.end > _LONGEST and math.isfinite(row.end):
            raise AnnotationError(f"{row.place} ends at {row.end:g}; times are seconds from the song's beginning")
        if not 0 <= row.start < math.inf or not row.start <= row.end < math.inf:
            raise AnnotationError(
                f"{row.place} goes from {row.start:g} to {row.end:g} s; a label begins at 0 or later and ends no sooner"
            )
        if not (math.isnan(row.confidence) or 0 <= row.confidence <= 1):
            raise AnnotationError(f"{row.place} has a confidence of {row.confidence:g}, which must lie between 0 and 1")
    return Annotation(
        np.array([[row.start, row.end] for row in rows]),
        [row.label for row in rows],
        np.array([row.confidence for row in rows]),
        **about,
    )


def lines_of(text: str) -> list[tuple[str, str]]:
    """Return the place and the text of each line that is not blank; only line feeds and carriage returns end one."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return [(f"line {number}", line) for number, line in enumerate(lines, start=1) if line.strip()]


def seconds(field: str, place: str) -> float:
    """Read a time.

    Raises
    ------
    AnnotationError
        If it is no number.
    """
    try:
        return float(field)
    except ValueError as error:
        raise AnnotationError(f"{place} has {_shown(field)} where a time in seconds is expected") from error


def seconds_text(time: float) -> str:
    """Write a time with all digits that an annotation keeps."""
    return f"{time:.6f}"


def _shown(field: str) -> str:
    return repr(field.strip()[:40])

"""Rows of a label file: labels with their times and their place in the file.

The reader of each format makes one `Row` per label and combines them into an `Annotation`. Error messages name the
place of the row.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, NamedTuple

import numpy as np

from songform.annotation.annotations import Annotation
from songform.errors import AnnotationError

__all__ = [
    "LONGEST",
    "Row",
    "annotation_of",
    "is_number",
    "json_text",
    "lines_of",
    "number",
    "parsed_json",
    "seconds_text",
]

LONGEST = 1e7
"""Maximum time in seconds, which is four months: larger times must be in another unit."""


class Row(NamedTuple):
    """Label as it is written in a file."""

    place: str
    """Place in the file, such as `line 3` or `segment 3`."""
    start: float
    end: float
    label: str
    confidence: float = math.nan


def annotation_of(rows: Sequence[Row], **about: Any) -> Annotation:
    """Return an annotation made of rows.

    Parameters
    ----------
    rows : sequence of Row
        Rows in any order.
    **about
        `title`, `duration`, `annotator` and `tool`, if the format stores them, and `notes` and `alternative`.

    Raises
    ------
    AnnotationError
        If there is no row, or the times or the confidence of a row are invalid.
    """
    if not rows:
        raise AnnotationError("it contains no labels; was it saved before any label was added?")
    for row in rows:
        if row.end > LONGEST and math.isfinite(row.end):
            raise AnnotationError(
                f"{row.place} ends at {row.end:g}; times must be seconds from the beginning of the song"
            )
        if not 0 <= row.start < math.inf or not row.start <= row.end < math.inf:
            raise AnnotationError(
                f"{row.place} goes from {row.start:g} to {row.end:g} s; a label must start at 0 or later and must not "
                "end before it starts"
            )
        if not (math.isnan(row.confidence) or 0 <= row.confidence <= 1):
            raise AnnotationError(f"{row.place} has a confidence of {row.confidence:g}; it must be between 0 and 1")
    return Annotation(
        np.array([[row.start, row.end] for row in rows]),
        [row.label for row in rows],
        np.array([row.confidence for row in rows]),
        **about,
    )


def lines_of(text: str) -> list[tuple[str, str]]:
    """Return the place and the text of each non-blank line; lines end with line feeds or carriage returns only."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return [(f"line {number}", line) for number, line in enumerate(lines, start=1) if line.strip()]


def number(field: str, place: str, expected: str = "a time in seconds") -> float:
    """Read a number.

    Parameters
    ----------
    field : str
        Text of the number.
    place : str
        Place in the file.
    expected : str
        Meaning of the number, for the message of the error.

    Raises
    ------
    AnnotationError
        If the text is not a number.
    """
    try:
        return float(field)
    except ValueError as error:
        raise AnnotationError(f"{place} has {field.strip()[:40]!r} where {expected} is expected") from error


def seconds_text(time: float) -> str:
    """Write a time with all digits that an annotation stores."""
    return f"{time:.6f}"


def parsed_json(text: str) -> Any:
    """Parse JSON.

    Raises
    ------
    AnnotationError
        If the text is not valid JSON; the message names the line and the column.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        msg = f"it is not valid JSON (line {error.lineno}, column {error.colno}); was the file cut short or edited?"
        raise AnnotationError(msg) from error
    except RecursionError as error:
        raise AnnotationError("its JSON is nested too deeply; is it a label file?") from error
    except ValueError as error:  # Python limits the number of digits
        raise AnnotationError("its JSON contains a number with too many digits; is it a label file?") from error


def is_number(value: Any) -> bool:
    """Return whether a JSON value is a finite number that is not too large for a float."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def json_text(value: Any) -> str:
    """Return a short description of a JSON value for an error message."""
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        return repr(value[:40])
    return json.dumps(value)[:40]

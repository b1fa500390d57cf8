r"""Audacity's label tracks: a line a label, `start`, `end` and text, parted by tabs [1]_.

A label with two equal times is a point. A line that begins with a backslash gives the frequencies of the label before
it; songform has no use for them. The format has no place for confidences.

References
----------
.. [1] Audacity manual, "Importing and Exporting Labels"; `LabelStruct::Import` in Audacity's sources, which takes a
       second field that is no number for the text of a point.
"""

from __future__ import annotations

from songform.annotation.annotations import Annotation
from songform.annotation.formats.label_rows import Row, annotation_of, lines_of, seconds, seconds_text

__all__ = ["FREQUENCIES", "read", "write"]

FREQUENCIES = "\\"
"""What a line of frequencies begins with."""


def read(text: str) -> Annotation:
    """Read an annotation.

    Raises
    ------
    AnnotationError
        With the number of the line that cannot be read.
    """
    return annotation_of([_row(place, line) for place, line in lines_of(text) if not line.startswith(FREQUENCIES)])


def write(annotation: Annotation) -> str:
    """Write an annotation as *File > Import > Labels* takes it."""
    rows = zip(annotation.intervals, annotation.labels, strict=True)
    return "".join(f"{seconds_text(start)}\t{seconds_text(end)}\t{label}\n" for (start, end), label in rows)


def _row(place: str, line: str) -> Row:
    first, _, rest = line.partition("\t")
    start = seconds(first, place)
    second, _, label = rest.partition("\t")
    try:
        return Row(place, start, float(second), label)
    except ValueError:
        return Row(place, start, start, rest)

r"""Label tracks of Audacity: one label per line with `start`, `end` and text, separated by tabs [1]_.

A label with two equal times is a point. A line that begins with a backslash contains the frequencies of the label on
the line before, and is ignored. The format cannot store confidences.

References
----------
.. [1] Audacity manual, "Importing and Exporting Labels"; `LabelStruct::Import` in the source code of Audacity, which
       reads a second field that is not a number as the text of a point.
"""

from __future__ import annotations

from songform.annotation.annotations import Annotation
from songform.annotation.formats.label_rows import Row, annotation_of, lines_of, number, seconds_text

__all__ = ["FREQUENCIES", "read", "write"]

FREQUENCIES = "\\"
"""First character of a line of frequencies."""


def read(text: str) -> Annotation:
    """Read an annotation.

    Raises
    ------
    AnnotationError
        If a line cannot be read; the message has its number.
    """
    return annotation_of([_row(place, line) for place, line in lines_of(text) if not line.startswith(FREQUENCIES)])


def write(annotation: Annotation) -> str:
    """Write an annotation in the form that *File > Import > Labels* reads."""
    rows = zip(annotation.intervals, annotation.labels, strict=True)
    return "".join(f"{seconds_text(start)}\t{seconds_text(end)}\t{label}\n" for (start, end), label in rows)


def _row(place: str, line: str) -> Row:
    first, _, rest = line.partition("\t")
    start = number(first, place)
    second, _, label = rest.partition("\t")
    try:
        return Row(place, start, float(second), label)
    except ValueError:
        return Row(place, start, start, rest)

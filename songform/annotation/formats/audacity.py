r"""Label tracks of Audacity: one label per line with `start`, `end` and text, separated by tabs [1]_.

A label with two equal times is a point. A line that begins with a backslash contains the frequencies of the label on
the line before, and is ignored. Other programs write files of the same form with other columns (Sonic Visualiser,
SALAMI), which `column_layouts` recognizes. The format cannot store confidences.

References
----------
.. [1] Audacity manual, "Importing and Exporting Labels"; `LabelStruct::Import` in the source code of Audacity, which
       reads a second field that is not a number as the text of a point.
"""

from __future__ import annotations

from songform.annotation.annotations import Annotation
from songform.annotation.formats.column_layouts import label_columns
from songform.annotation.formats.label_cells import check_not_numbered, rows_of_lines
from songform.annotation.formats.label_rows import lines_of, seconds_text

__all__ = ["FREQUENCIES", "read", "write"]

FREQUENCIES = "\\"
"""First character of a line of frequencies."""


def read(text: str) -> Annotation:
    """Read an annotation.

    Raises
    ------
    AnnotationError
        If a line cannot be read, which the message names, the meaning of the columns is not clear, or the file is a
        numbered list.
    """
    check_not_numbered(text)
    lines = [(place, line) for place, line in lines_of(text) if not line.startswith(FREQUENCIES)]
    return label_columns(rows_of_lines(lines), has_points=True).annotation()


def write(annotation: Annotation) -> str:
    """Write an annotation in the form that *File > Import > Labels* reads."""
    rows = zip(annotation.intervals, annotation.labels, strict=True)
    return "".join(f"{seconds_text(start)}\t{seconds_text(end)}\t{label}\n" for (start, end), label in rows)

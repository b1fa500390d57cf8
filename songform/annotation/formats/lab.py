"""Lab files: one label per line, `start end label`, as used by mir_eval and by most corpora.

Columns are separated by a tab or by spaces. If the second column contains no times, the file is of the other common
kind, `start label` (SALAMI, Harmonix), where each label lasts until the next one. `column_layouts` recognizes the
columns. Lines that begin with `#` are comments. Files with a header, and files with commas or semicolons as separators,
are read as `csv_labels`. The format cannot store confidences.
"""

from __future__ import annotations

import re

from songform.annotation.annotations import Annotation
from songform.annotation.formats.column_layouts import label_columns
from songform.annotation.formats.csv_labels import read as read_csv
from songform.annotation.formats.csv_labels import recognizes as is_csv
from songform.annotation.formats.label_cells import check_not_numbered, data_lines, rows_of_lines
from songform.annotation.formats.label_rows import seconds_text
from songform.errors import AnnotationError

__all__ = ["read", "write"]

_COMMA = re.compile(r"\s*\d+,\d +[^\d\s]")  # such as `5,2 verse`


def read(text: str) -> Annotation:
    """Read an annotation; labels without an end are points.

    Raises
    ------
    AnnotationError
        If a line cannot be read, which the message names, the meaning of the columns is not clear, or the file is a
        numbered list.
    """
    check_not_numbered(text)
    if is_csv(text):
        return read_csv(text)
    lines = data_lines(text)
    if lines and all(_COMMA.match(line) for _, line in lines):
        raise AnnotationError(
            "the comma in each line can be a decimal comma, or it can separate a start from a label that begins with a "
            "number; write decimals with points, or separate the columns with tabs"
        )
    return label_columns(rows_of_lines(lines)).annotation()


def write(annotation: Annotation) -> str:
    """Write an annotation with columns separated by tabs."""
    rows = zip(annotation.intervals, annotation.labels, strict=True)
    return "".join(f"{seconds_text(start)}\t{seconds_text(end)}\t{label}\n" for (start, end), label in rows)

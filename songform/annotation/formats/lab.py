"""Lab files: one label per line, `start end label`, as used by mir_eval and by most corpora.

Columns are separated by a tab or by spaces. If the first line has no second time, the file is of the other common kind,
`start label` (SALAMI, Harmonix), where each label lasts until the next one. Lines that begin with `#` are comments. The
format cannot store confidences.
"""

from __future__ import annotations

from songform.annotation.annotations import Annotation
from songform.annotation.formats.label_rows import Row, annotation_of, lines_of, number, seconds_text
from songform.errors import AnnotationError

__all__ = ["read", "write"]


def read(text: str) -> Annotation:
    """Read an annotation; labels without an end are points.

    Raises
    ------
    AnnotationError
        If a line cannot be read; the message has its number.
    """
    lines = [(place, line) for place, line in lines_of(text) if not line.lstrip().startswith("#")]
    has_ends = bool(lines) and _is_number(_fields(lines[0][1])[1])
    return annotation_of([_row(place, _fields(line), has_ends=has_ends) for place, line in lines])


def write(annotation: Annotation) -> str:
    """Write an annotation with columns separated by tabs."""
    rows = zip(annotation.intervals, annotation.labels, strict=True)
    return "".join(f"{seconds_text(start)}\t{seconds_text(end)}\t{label}\n" for (start, end), label in rows)


def _fields(line: str) -> list[str]:
    """Return three fields; a field that is missing from the line is empty."""
    fields = line.split("\t", 2) if "\t" in line.strip() else line.split(None, 2)
    return [*(field.strip() for field in fields), "", ""][:3]


def _row(place: str, fields: list[str], *, has_ends: bool) -> Row:
    start = number(fields[0], place)
    if not has_ends:
        return Row(place, start, start, " ".join(fields[1:]))
    if not fields[1]:
        raise AnnotationError(f"{place} has only one column; a start, an end and a label are expected")
    return Row(place, start, number(fields[1], place), fields[2])


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True

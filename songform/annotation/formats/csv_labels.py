"""CSV labels: comma-separated values with a header, for spreadsheets and data frames [1]_.

The columns are `start`, `end`, `label` and `confidence`; on reading, others are passed over, `state` may stand for
`label`, and confidences may be missing. A sheet that a spreadsheet saved with semicolons or tabs is read, too.

A spreadsheet runs a cell that begins with ``=``, ``+``, ``-`` or ``@`` as a formula [2]_. A label that does is written
with an apostrophe before it, which a spreadsheet takes for the sign of plain text, and which `read` takes away again.

References
----------
.. [1] RFC 4180.
.. [2] OWASP, "CSV Injection".
"""

from __future__ import annotations

import csv
import io
import math

from songform.annotation.annotations import Annotation
from songform.annotation.formats.label_rows import Row, annotation_of, seconds, seconds_text
from songform.errors import AnnotationError

__all__ = ["COLUMNS", "plain_cell", "read", "write"]

COLUMNS = ("start", "end", "label", "confidence")

_FORMULA = ("=", "+", "-", "@", "'")  # the apostrophe, too: or one that somebody wrote would be taken away
_SEPARATORS = (",", ";", "\t")


def read(text: str) -> Annotation:
    """Read an annotation.

    Raises
    ------
    AnnotationError
        With the number of the line that cannot be read.
    """
    head = text.lstrip().splitlines()[0] if text.strip() else ""
    separator = max(_SEPARATORS, key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        places = _columns(next(reader, []))
        return annotation_of([_row(cells, places, reader.line_num) for cells in reader if any(cells)])
    except csv.Error as error:
        raise AnnotationError(f"line {reader.line_num} is no line of a sheet ({error})") from error


def write(annotation: Annotation) -> str:
    """Write an annotation."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for (start, end), label, confidence in zip(
        annotation.intervals, annotation.labels, annotation.confidences, strict=True
    ):
        sure = "" if math.isnan(confidence) else repr(float(confidence))
        writer.writerow((seconds_text(start), seconds_text(end), plain_cell(label), sure))
    return file.getvalue()


def plain_cell(text: str) -> str:
    """Return text as a cell that no spreadsheet runs."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _columns(header: list[str]) -> dict[str, int]:
    """Return where each column stands."""
    names = [name.strip().casefold() for name in header]
    if "label" not in names:
        names = ["label" if name == "state" else name for name in names]
    if missing := [name for name in COLUMNS[:3] if name not in names]:
        raise AnnotationError(
            f"line 1 must be a header that names {', '.join(COLUMNS[:3])}, but {' and '.join(missing)} is not among "
            f"its {len(header)} columns"
        )
    return {name: names.index(name) for name in COLUMNS if name in names}


def _row(cells: list[str], places: dict[str, int], line: int) -> Row:
    place = f"line {line}"
    if len(cells) <= max(places[name] for name in COLUMNS[:3]):
        raise AnnotationError(f"{place} has {len(cells)} cells, fewer than the header")
    start, end = (_number(cells[places[name]], place) for name in COLUMNS[:2])
    sure = cells[places["confidence"]].strip() if places.get("confidence", len(cells)) < len(cells) else ""
    return Row(place, start, end, _plain(cells[places["label"]]), _number(sure, place) if sure else math.nan)


def _number(cell: str, place: str) -> float:
    return seconds(cell.replace(",", "."), place)  # within a cell, a comma is a decimal one


def _plain(label: str) -> str:
    return label[1:] if label.startswith("'") and label[1:].startswith(_FORMULA) else label

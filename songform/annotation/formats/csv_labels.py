"""Labels as comma-separated values with a header, for spreadsheets and data frames [1]_.

The columns are `start`, `end`, `label` and `confidence`. `read` ignores other columns, accepts `state` instead of
`label`, and does not require confidences. It also reads files with semicolons or tabs as separators.

A spreadsheet evaluates a cell that begins with ``=``, ``+``, ``-`` or ``@`` as a formula [2]_. `write` puts an
apostrophe before such a label, which marks plain text in spreadsheets, and `read` removes it.

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
from songform.annotation.formats.label_rows import Row, annotation_of, number, seconds_text
from songform.errors import AnnotationError

__all__ = ["COLUMNS", "plain_cell", "read", "write"]

COLUMNS = ("start", "end", "label", "confidence")

_FORMULA = ("=", "+", "-", "@", "'")  # includes the apostrophe, because `read` removes the first one
_SEPARATORS = (",", ";", "\t")


def read(text: str) -> Annotation:
    """Read an annotation.

    Raises
    ------
    AnnotationError
        If a line cannot be read; the message has its number.
    """
    head = text.lstrip().splitlines()[0] if text.strip() else ""
    separator = max(_SEPARATORS, key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        places = _columns(next(reader, []))
        return annotation_of([_row(cells, places, reader.line_num) for cells in reader if any(cells)])
    except csv.Error as error:
        msg = (
            f"line {reader.line_num} cannot be split into cells; a closing quote may be missing, or a cell is longer "
            f"than {csv.field_size_limit():,} characters"
        )
        raise AnnotationError(msg) from error


def write(annotation: Annotation) -> str:
    """Write an annotation."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for (start, end), label, confidence in zip(
        annotation.intervals, annotation.labels, annotation.confidences, strict=True
    ):
        cell = "" if math.isnan(confidence) else repr(float(confidence))
        writer.writerow((seconds_text(start), seconds_text(end), plain_cell(label), cell))
    return file.getvalue()


def plain_cell(text: str) -> str:
    """Return text as a cell that spreadsheets do not evaluate as a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _columns(header: list[str]) -> dict[str, int]:
    """Return the index of each column."""
    names = [name.strip().casefold() for name in header]
    if "label" not in names:
        names = ["label" if name == "state" else name for name in names]
    if missing := [name for name in COLUMNS[:3] if name not in names]:
        raise AnnotationError(
            f"line 1 must be a header with the columns {', '.join(COLUMNS[:3])}; {' and '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} missing (the line has {len(header)} columns)"
        )
    return {name: names.index(name) for name in COLUMNS if name in names}


def _row(cells: list[str], places: dict[str, int], line: int) -> Row:
    place = f"line {line}"
    if len(cells) <= max(places[name] for name in COLUMNS[:3]):
        raise AnnotationError(f"{place} has {len(cells)} cells, fewer than the header; a cell may be missing")
    start, end = (_number(cells[places[name]], place, "a time in seconds") for name in COLUMNS[:2])
    cell = cells[places["confidence"]].strip() if places.get("confidence", len(cells)) < len(cells) else ""
    confidence = _number(cell, place, "a confidence") if cell else math.nan
    return Row(place, start, end, _plain(cells[places["label"]]), confidence)


def _number(cell: str, place: str, expected: str) -> float:
    return number(cell.replace(",", "."), place, expected)  # a comma within a cell is a decimal comma


def _plain(label: str) -> str:
    return label[1:] if label.startswith("'") and label[1:].startswith(_FORMULA) else label

"""Labels as comma-separated values, for spreadsheets and data frames [1]_.

songform writes the columns `start`, `end`, `label` and `confidence`. `read` also reads files with semicolons or tabs as
separators, with decimal commas, and with the columns of other programs (`column_names`). Files without a header are
read by their numbers (`column_layouts`).

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
import re
from collections.abc import Iterable

from songform.annotation.annotations import Annotation
from songform.annotation.formats.column_layouts import label_columns
from songform.annotation.formats.column_names import column_places, is_header
from songform.annotation.formats.label_cells import (
    CellRow,
    cell_number,
    check_decimal_marks,
    check_not_numbered,
    clock_seconds,
    data_lines,
    line_cells,
)
from songform.annotation.formats.label_rows import Row, annotation_of, lines_of, number, seconds_text
from songform.errors import AnnotationError

__all__ = ["COLUMNS", "plain_cell", "read", "recognizes", "write"]

COLUMNS = ("start", "end", "label", "confidence")

_FORMULA = ("=", "+", "-", "@", "'")  # includes the apostrophe, because `read` removes the first one
_SEPARATORS = (";", "\t", ",")
_SEPARATOR_LINE = re.compile(r"sep=([;,\t])\s*", re.IGNORECASE)  # first line of some spreadsheets
_COMMAS = (
    f"line 1 must be a header with the columns {', '.join(COLUMNS[:3])}, because the commas can be separators or "
    "decimal commas; add the header, and write decimals with points or separate the cells with semicolons"
)
_BARS = re.compile(r"-?\d+\.\d+\.\d+")


def recognizes(text: str) -> bool:
    """Return whether a text has a header with names of columns, or has commas or semicolons as separators."""
    lines = lines_of(_body(text))
    return bool(lines) and (is_header(_split(lines[0][1])) or _has_separators(text))


def read(text: str) -> Annotation:
    """Read an annotation.

    Raises
    ------
    AnnotationError
        If a line cannot be read, which the message names, the meaning of the columns is not clear, or the file is a
        numbered list.
    """
    check_not_numbered(text)
    rows = _rows(text)
    if rows and cell_number(rows[0].cells[0]) is not None:
        return _without_header(rows, _separator(text))
    places = column_places(rows[0].cells if rows else [])
    check_decimal_marks((row.place, cell) for row in rows[1:] for cell in _time_cells(row.cells, places))
    return annotation_of([_row(row, places, len(rows[0].cells)) for row in rows[1:]])


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


def _has_separators(text: str) -> bool:
    """Return whether more lines begin with a number before a comma or a semicolon than before white space."""
    cells = [(line, line_cells(line)) for _, line in data_lines(text)]
    plain = sum(cell_number(first) is not None and (len(rest) > 0 or "," not in first) for _, (first, *rest) in cells)
    return plain < sum(any(_is_separated(line, separator) for separator in ";,") for line, _ in cells)


def _is_separated(line: str, separator: str) -> bool:
    first, found, _ = line.partition(separator)
    return bool(found) and cell_number(first.strip('"')) is not None


def _body(text: str) -> str:
    """Return a text with blank lines instead of the comments before its header or its first row."""
    lines = text.splitlines(keepends=True)
    for index, line in enumerate(lines):
        is_comment = line.startswith("#") and not is_header(_split(line))
        if line.strip() and not is_comment and not (index == 0 and _SEPARATOR_LINE.fullmatch(line)):
            break
        lines[index] = "\n"
    return "".join(lines)


def _separator(text: str) -> str:
    """Return the separator of the cells; an empty string means white space."""
    if found := _SEPARATOR_LINE.match(text):
        return found[1]
    lines = [line for _, line in lines_of(_body(text))] or [""]
    if any(_is_separated(lines[0], each) for each in _SEPARATORS):
        return max(_SEPARATORS, key=lambda each: sum(_is_separated(line, each) for line in lines))
    return max(_SEPARATORS, key=lines[0].count) if any(each in lines[0] for each in _SEPARATORS) else ""


def _split(line: str) -> list[str]:
    separator = max(_SEPARATORS, key=line.count)
    return line.split(separator) if separator in line else line.split()


def _rows(text: str) -> list[CellRow]:
    """Return the rows, including the header."""
    separator, body = _separator(text), _body(text)
    if not separator:
        return _spaced_rows(lines_of(body))
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=separator, skipinitialspace=True)
    try:
        return [CellRow(f"line {reader.line_num}", cells) for cells in reader if any(map(str.strip, cells))]
    except csv.Error as error:
        msg = (
            f"line {reader.line_num} cannot be split into cells; a closing quote may be missing, or a cell is longer "
            f"than {csv.field_size_limit():,} characters"
        )
        raise AnnotationError(msg) from error


def _spaced_rows(lines: list[tuple[str, str]]) -> list[CellRow]:
    """Return rows that are separated by white space; the last cell may contain spaces."""
    n_cells = len(lines[0][1].split()) if lines else 1
    return [CellRow(place, line.split(None, n_cells - 1)) for place, line in lines]


def _without_header(rows: list[CellRow], separator: str) -> Annotation:
    """Return the labels of rows of numbers, unless their commas may be separators as well as decimal commas."""
    data = [CellRow(place, [_plain(cell) for cell in cells]) for place, cells in rows if not cells[0].startswith("#")]
    has_bare_commas = separator == "," and _are_bare(data)
    if has_bare_commas and _has_four_numbers(data):
        raise AnnotationError(_COMMAS)
    columns = label_columns(data, joint=separator)
    if has_bare_commas and not columns.is_contiguous:
        raise AnnotationError(_COMMAS)
    return columns.annotation()


def _are_bare(rows: Iterable[CellRow]) -> bool:
    """Return whether all numbers before the labels are integers, so that a comma may separate their decimals."""
    numbers = [cell.strip() for row in rows for cell in row.cells[:3] if cell_number(cell) is not None]
    return all(cell.isdecimal() for cell in numbers)


def _has_four_numbers(rows: Iterable[CellRow]) -> bool:
    """Return whether a row begins with four numbers, which can be two times with decimal commas."""
    return any(all(cell_number(cell) is not None for cell in row.cells[:4]) for row in rows if len(row.cells) > 3)


def _time_cells(cells: list[str], places: dict[str, int]) -> list[str]:
    indices = [places[name] for name in ("start", "end", "duration") if name in places]
    return [cells[index] for index in indices if index < len(cells) and cell_number(cells[index]) is not None]


def _row(row: CellRow, places: dict[str, int], n_cells: int) -> Row:
    place, cells = row
    needed = [places[name] for name in ("start", "end" if "end" in places else "duration", "label") if name in places]
    if len(cells) <= max(needed):
        raise AnnotationError(f"{place} has {len(cells)} cells, fewer than the header; a cell may be missing")
    if any(cell.strip() for cell in cells[n_cells:]):
        raise AnnotationError(
            f"{place} has {len(cells)} cells, but the header has {n_cells}; write decimals with points, and put quotes "
            "around a label that contains the separator"
        )
    start = _time(cells[places["start"]], place)
    cell = cells[places["confidence"]].strip() if places.get("confidence", len(cells)) < len(cells) else ""
    confidence = _number(cell, place, "a confidence") if cell else math.nan
    return Row(place, start, _end(cells, places, start, place), _plain(cells[places["label"]]), confidence)


def _end(cells: list[str], places: dict[str, int], start: float, place: str) -> float:
    """Return the end of a row; a row without an end and a duration is a point, for example a marker of REAPER."""
    end, duration = (cells[places[name]].strip() if name in places else "" for name in ("end", "duration"))
    if "end" not in places and "duration" not in places:
        return start
    if "number" in places and not end and not duration:
        return start
    return _time(end, place) if "end" in places else round(start + _time(duration, place), 6)


def _time(cell: str, place: str) -> float:
    """Read a time in seconds, or one like `1:23.456`."""
    if _BARS.fullmatch(cell.strip()):
        raise AnnotationError(
            f"{place} has the position {cell.strip()!r} in bars and beats; set the time unit of the project to seconds "
            "and export the file again"
        )
    clock = clock_seconds(cell)
    return _number(cell, place, "a time in seconds") if clock is None else clock


def _number(cell: str, place: str, expected: str) -> float:
    return number(cell.replace(",", "."), place, expected)  # a comma within a cell is a decimal comma


def _plain(label: str) -> str:
    return label[1:] if label.startswith("'") and label[1:].startswith(_FORMULA) else label

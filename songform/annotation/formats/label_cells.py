"""Cells of label files: numbers with a decimal point or comma, times of day, and lines split into cells.

`check_not_numbered` recognizes numbered lists, whose numbers could be read as times.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from songform.annotation.formats.label_rows import lines_of
from songform.errors import AnnotationError

__all__ = [
    "CellRow",
    "cell_number",
    "check_decimal_marks",
    "check_not_numbered",
    "clock_seconds",
    "data_lines",
    "line_cells",
    "n_decimals",
    "rows_of_lines",
]

_NUMBER = re.compile(
    r"[+-]?(?:(?:[0-9]+(?:\.[0-9]*|,[0-9]+)?|\.[0-9]+)(?:e[+-]?[0-9]+)?|nan|inf(?:inity)?)", re.IGNORECASE
)
_CLOCK = re.compile(r"(?:([0-9]+):)?([0-9]{1,2}):([0-9]{2}(?:[.,][0-9]+)?)")
_DECIMALS = re.compile(r"[0-9]*[.,]([0-9]+)")
_ORDINAL = re.compile(r"\s*(?P<ordinal>(?P<number>[0-9]{1,6})[.)])(?![0-9])[\s,;]*(?P<cell>[^\s,;]*)")


class CellRow(NamedTuple):
    """Line of a label file, split into cells without surrounding white space."""

    place: str
    cells: list[str]

    def label(self, first: int, joint: str = " ") -> str:
        """Return the text of the cells from `first` on."""
        return joint.join(self.cells[first:]).strip()


def data_lines(text: str) -> list[tuple[str, str]]:
    """Return the place and the text of each line that is neither blank nor a comment."""
    return [(place, line) for place, line in lines_of(text) if not line.lstrip().startswith("#")]


def line_cells(line: str) -> list[str]:
    """Split a line at its tabs or, if it has none between its columns, at white space."""
    return [cell.strip() for cell in line.split("\t")] if "\t" in line.strip() else line.split()


def cell_number(cell: str) -> float | None:
    """Return the number in a cell, with a decimal point or comma, or None if it is not a number.

    Examples
    --------
    >>> cell_number("12,5"), cell_number("12.5"), cell_number("verse")
    (12.5, 12.5, None)
    """
    return float(cell.replace(",", ".")) if _NUMBER.fullmatch(cell.strip()) else None


def n_decimals(cell: str) -> int:
    """Return the number of digits after the decimal point or comma."""
    found = _DECIMALS.fullmatch(cell)
    return len(found[1]) if found else 0


def clock_seconds(cell: str) -> float | None:
    """Return the seconds of a time like `1:23.456` or `0:01:23`, or None if a cell is not such a time.

    Examples
    --------
    >>> clock_seconds("1:23.5"), clock_seconds("1:00:02"), clock_seconds("1.1.00")
    (83.5, 3602.0, None)
    """
    found = _CLOCK.fullmatch(cell.strip())
    if not found or float(found[3].replace(",", ".")) >= 60 or (found[1] and int(found[2]) >= 60):
        return None
    return 3600 * int(found[1] or 0) + 60 * int(found[2]) + float(found[3].replace(",", "."))


def check_decimal_marks(cells: Iterable[tuple[str, str]]) -> None:
    """Check that the times of a file do not mix decimal points and decimal commas.

    Parameters
    ----------
    cells : iterable of tuple of str
        Place and text of each time.

    Raises
    ------
    AnnotationError
        If one time has a point, and another one has a comma.
    """
    seen: dict[str, tuple[str, str]] = {}
    for place, cell in cells:
        for mark in ".,":
            if mark in cell:
                seen.setdefault(mark, (place, cell))
    if len(seen) > 1:
        (place, cell), (other, comma) = seen["."], seen[","]
        raise AnnotationError(
            f"{place} has the time {cell!r} with a decimal point, but {other} has {comma!r} with a comma; "
            "write all times with decimal points"
        )


def check_not_numbered(text: str) -> None:
    """Check that the lines of a file are not numbered `1.`, `2.`, ... or `1)`, `2)`, ..., beginning with 0 or 1.

    Such numbers are not times. The exception are starts and ends without decimals, such as `0. 1. A`, `1. 2. B`.

    Raises
    ------
    AnnotationError
        If the text is a numbered list.
    """
    lines = data_lines(text)
    found = [match for match in (_ORDINAL.match(line) for _, line in lines) if match is not None]
    numbers = [int(match["number"]) for match in found]
    if not lines or len(found) < len(lines) or numbers[0] > 1:
        return
    is_counting = numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    if is_counting and not _are_ends([match["cell"] for match in found], numbers):
        raise AnnotationError(
            f"it contains no labels with times, but a numbered list ({lines[0][0]} begins with "
            f"{found[0]['ordinal']!r}); begin each line with the start of the label in seconds, for example 12.5 Intro"
        )


def _are_ends(cells: Sequence[str], starts: Sequence[int]) -> bool:
    """Return whether cells are ends: numbers with a decimal point, each of which is the start of the next row."""
    ends = [cell_number(cell) if "." in cell else None for cell in cells]
    return ends[:-1] == starts[1:] and (ends[-1] or -1) >= starts[-1]


def rows_of_lines(lines: Sequence[tuple[str, str]]) -> list[CellRow]:
    """Split lines into cells."""
    return [CellRow(place, line_cells(line)) for place, line in lines]

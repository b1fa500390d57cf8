"""Meaning of the numeric columns of a label file without a header, recognized from all of its rows.

Most label files contain `start, end, label` or `start, label` [1]_ [2]_. Other programs write `start, duration, label`,
regions with `start, value, duration, label` [3]_, or `start, end, length, label`. The numbers of a single row can
rarely tell these layouts apart, so that all rows are considered together:

- An end is never smaller than the start. A second column that is smaller in some row does not contain ends.
- Sections usually follow each other: the end of a row is the start of the next one. A column for which `start +
  duration` is the start of the next row contains durations.
- Labels may be numbers. If no row has a further column, the second column contains labels if it does not contain ends
  or durations, and its numbers are integers.

If the rows do not decide, the file is refused with what was seen. There is one exception: `start, number, label` is
read as `start, end, label` unless the rows contradict it, because nearly all files are of this kind. If the numbers can
be durations as well, the annotation has an alternative, and the duration of the track decides.

References
----------
.. [1] Raffel et al., "mir_eval: a transparent implementation of common MIR metrics", ISMIR 2014.
.. [2] Smith et al., "Design and creation of a large-scale database of structural annotations" (SALAMI), ISMIR 2011.
.. [3] Cannam et al., "Sonic Visualiser: an open source application for viewing, analysing, and annotating music audio
       files", ACM Multimedia 2010; its regions layers are exported with the columns TIME, VALUE, DURATION and LABEL.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from songform.annotation.annotations import Annotation
from songform.annotation.formats.label_cells import CellRow, cell_number, check_decimal_marks, n_decimals
from songform.annotation.formats.label_rows import LONGEST, Row, annotation_of
from songform.errors import AnnotationError

__all__ = ["HEADER_ADVICE", "LabelColumns", "label_columns"]

HEADER_ADVICE = "name the columns in the first line, for example start,end,label or start,duration,label or start,label"
"""How to say what the columns of a file are; part of error messages."""

_TOLERANCE = 0.02  # seconds; starts and durations are rounded separately
_N_NUMERIC = 4  # number of leading columns that are examined
_N_DECIMALS = 3  # programs write so many digits for times; people do not write them in labels

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LabelColumns:
    """Recognized columns of a file.

    Parameters
    ----------
    rows : list of Row
        Labels in the order of the file; labels without an end are points.
    is_contiguous : bool
        Whether the end of every row is the start of the next one. False for a single row, and for starts without ends.
    notes : tuple of str
        How unusual columns were read.
    alternative : LabelColumns, optional
        Other reading with which the rows agree.
    """

    rows: list[Row]
    is_contiguous: bool = False
    notes: tuple[str, ...] = ()
    alternative: LabelColumns | None = None

    def annotation(self) -> Annotation:
        """Return the labels as an annotation.

        Raises
        ------
        AnnotationError
            If there is no row, or the times of a row are invalid.
        """
        other = self.alternative
        return annotation_of(self.rows, notes=self.notes, alternative=other and other.annotation())


class _Layout:
    """Reading of the numeric columns: the ends that it gives, and how well they agree with the next starts."""

    def __init__(self, names: str, n_cells: int, starts: Array, ends: Array) -> None:
        self.names, self.n_cells, self.starts, self.ends = names, n_cells, starts, ends
        self.is_valid = bool((ends >= starts).all())
        order = np.lexsort((ends, starts))
        self.order = order[:-1]
        excess = ends[order[:-1]] - starts[order[1:]]
        self.matches = np.abs(excess) <= _TOLERANCE
        self.overlaps = bool((excess > _TOLERANCE).any())

    @property
    def share(self) -> float:
        """Share of the rows whose end is the start of the next row."""
        return float(self.matches.mean()) if len(self.matches) else 0.0

    def n_better(self, other: _Layout) -> int:
        """Return the number of rows whose end is the start of the next row, unlike that of another layout."""
        return len(set(self.order[self.matches].tolist()) - set(other.order[other.matches].tolist()))

    def explains(self, other: _Layout) -> bool:
        """Return whether the rows clearly favor this layout over another one."""
        better = self.n_better(other)
        return self.is_valid and self.share >= 0.5 and better > 2 * other.n_better(self)


class _Table:
    """Leading numeric columns of the rows of a file."""

    def __init__(self, rows: Sequence[CellRow]) -> None:
        self.rows = rows
        counts = [_n_numeric(row.cells) for row in rows]
        self.n_numeric = min(counts)
        self.values = np.array([[cell_number(cell) for cell in row.cells[: self.n_numeric]] for row in rows], float)
        self.n_cells = max(len(row.cells) for row in rows)
        self.has_rest = any(row.label(self.n_numeric) for row in rows)

    def column(self, index: int) -> Array:
        """Return the numbers of a column."""
        return np.asarray(self.values[:, index])

    def n_decimals(self, index: int) -> int:
        """Return the smallest number of decimals of a column."""
        return min(n_decimals(row.cells[index]) for row in self.rows)

    def is_written_like_starts(self, index: int) -> bool:
        """Return whether all numbers of a column have as many decimals as all starts, which are at least three."""
        counts = {n_decimals(row.cells[column]) for row in self.rows for column in (0, index)}
        return len(counts) == 1 and min(counts) >= _N_DECIMALS

    def is_integer(self, index: int) -> bool:
        """Return whether all numbers of a column are written as integers."""
        return all(row.cells[index].isdecimal() for row in self.rows)


def label_columns(rows: Sequence[CellRow], *, has_points: bool = False, joint: str = " ") -> LabelColumns:
    """Recognize the columns of a file without a header.

    Parameters
    ----------
    rows : sequence of CellRow
        All rows of the file.
    has_points : bool
        Whether a row `start, label` may occur among rows `start, end, label`, as in Audacity.
    joint : str
        Text that joins the cells of a label that was split.

    Raises
    ------
    AnnotationError
        If a start is not a number, or the rows do not agree with exactly one layout.
    """
    if not rows:
        return LabelColumns([])
    for row in rows:
        if cell_number(row.cells[0]) is None:
            raise AnnotationError(f"{row.place} has {row.cells[0][:40]!r} where a time in seconds is expected")
    table = _Table(rows)
    if table.n_numeric == 1:
        return _instants_or_points(rows, has_points=has_points, joint=joint)
    with np.errstate(invalid="ignore", over="ignore"):  # the times of a file may be infinite or huge
        layout = _two_columns(table) if table.n_numeric == 2 else _three_columns(table)
        other = _durations(table) if layout.names == _END else None
        columns = _columns(table, layout, joint)
        if other is None or not _is_possible(other, layout):
            return columns
        return replace(columns, alternative=_columns(table, other, joint))


def _is_possible(durations: _Layout, ends: _Layout) -> bool:
    """Return whether the rows of a file with ends would agree with durations as well."""
    is_point = bool((ends.ends == ends.starts).all())
    is_same = bool(np.allclose(durations.ends, ends.ends, rtol=0, atol=_TOLERANCE))
    is_distinct = (
        durations.is_valid
        and (ends.starts >= 0).all()
        and not is_same
        and not is_point
        and durations.ends.max() <= LONGEST
    )
    return bool(is_distinct and not durations.overlaps and not ends.n_better(durations))


def _n_numeric(cells: Sequence[str]) -> int:
    values = [cell_number(cell) for cell in cells[:_N_NUMERIC]]
    return values.index(None) if None in values else len(values)


def _columns(table: _Table, layout: _Layout, joint: str) -> LabelColumns:
    n_times = min(layout.n_cells, 3)
    check_decimal_marks((row.place, cell) for row in table.rows for cell in row.cells[:n_times])
    rows = [
        Row(row.place, start, float(end), row.label(layout.n_cells, joint))
        for row, start, end in zip(table.rows, table.column(0).tolist(), layout.ends, strict=True)
    ]
    is_usual = layout.names == _END
    notes = () if is_usual else (f"its columns were read as {layout.names}",)
    return LabelColumns(rows, bool(len(layout.matches)) and bool(layout.matches.all()), notes)


_START = "start and label"
_END = "start, end and label"
_DURATION = "start, duration and label"
_REGION = "start, value, duration and label"
_LENGTH = "start, end, length and label"
_DURATION_END = "start, duration, end and label"


def _ends(table: _Table) -> _Layout:
    return _Layout(_END, 2, table.column(0), table.column(1))


def _durations(table: _Table) -> _Layout:
    return _Layout(_DURATION, 2, table.column(0), table.column(0) + table.column(1))


def _regions(table: _Table) -> _Layout:
    return _Layout(_REGION, 3, table.column(0), table.column(0) + table.column(2))


def _two_columns(table: _Table) -> _Layout:
    """Return the layout of rows `start, number`, with or without a label."""
    ends, durations = _ends(table), _durations(table)
    if _are_durations(table, ends, durations):
        return durations
    if table.has_rest:
        return _checked_ends(table, ends, durations)
    return _without_labels(table, ends, durations)


def _are_durations(table: _Table, ends: _Layout, durations: _Layout) -> bool:
    """Return whether the second column contains durations; without labels, integers may be labels as well."""
    if not durations.explains(ends) or (ends.is_valid and (durations.n_better(ends) < 2 or ends.n_better(durations))):
        return False
    is_accident = table.is_integer(1) and len(durations.matches) < 2
    return not is_accident and (table.has_rest or not table.is_integer(1) or durations.share == 1)


def _checked_ends(table: _Table, ends: _Layout, durations: _Layout) -> _Layout:
    """Return the layout `start, end, label`, unless its rows contradict it."""
    is_point = (table.column(0) == table.column(1)).all()
    if not ends.is_valid:
        raise AnnotationError(_backwards(table))
    if durations.explains(ends) and not is_point:
        raise AnnotationError(_ambiguous("the second column can contain ends or durations"))
    if not ends.matches.any() and table.n_decimals(0) > 1 and table.is_integer(1) and not is_point:
        raise AnnotationError(
            _ambiguous(
                "the second column contains integers and the first one decimals, so it can contain ends or labels"
            )
        )
    return ends


def _without_labels(table: _Table, ends: _Layout, durations: _Layout) -> _Layout:
    """Return the layout of rows of two numbers: `start, end`, or `start, label` with integers as labels."""
    if ends.is_valid:
        # A single integer may be equal to the next start by accident.
        is_accident = table.is_integer(1) and len(ends.matches) < 2
        follows = ends.share > 0.5 and not is_accident and not durations.explains(ends)
        if follows or table.is_written_like_starts(1):
            return ends
        raise AnnotationError(
            _ambiguous("each line has a start and a larger number, which can be an end, a duration or a label")
        )
    if table.is_integer(1) and not ends.matches.any() and not durations.explains(ends):
        return _Layout(f"{_START}, as its second column is sometimes smaller than the start", 1, *[table.column(0)] * 2)
    raise AnnotationError(_backwards(table))


def _three_columns(table: _Table) -> _Layout:
    """Return the layout of rows of three numbers or more, with or without a label."""
    starts, second, third = (table.column(index) for index in range(3))
    ends, durations, regions = _ends(table), _durations(table), _regions(table)
    # If one of two columns is written like the starts and the other is not, the other does not contain times.
    is_like = [table.is_written_like_starts(index) for index in (1, 2)]
    has_ends, has_regions = is_like != [False, True], is_like != [True, False] and bool(third.any())
    # One or two integers may be equal by accident, in particular if they can be the labels.
    is_certain = len(starts) > (1 if table.has_rest else 2) or table.n_decimals(2) > 0
    if has_ends and has_regions and is_certain and bool((starts > _TOLERANCE).any()):
        if ends.is_valid and np.allclose(third, second - starts, rtol=0, atol=_TOLERANCE):
            return _Layout(_LENGTH, 3, starts, second)
        if np.allclose(third, starts + second, rtol=0, atol=_TOLERANCE) and bool((second >= 0).all()):
            return _Layout(_DURATION_END, 3, starts, third)
    if not (has_regions and regions.is_valid):
        return durations if _are_durations(table, ends, durations) else _checked_ends(table, ends, durations)
    if not (has_ends and ends.is_valid):
        return _regions_or_durations(table, ends, durations, regions, has_ends=has_ends)
    return _ends_or_regions(table, ends, durations, regions)


def _regions_or_durations(
    table: _Table, ends: _Layout, durations: _Layout, regions: _Layout, *, has_ends: bool
) -> _Layout:
    """Return the layout of rows whose second column does not contain ends."""
    if regions.share >= 0.5 and not durations.explains(regions) and not ends.explains(regions):
        return regions
    if not has_ends:  # the third column is written like the starts, and the second one is not
        return regions
    if durations.explains(ends) and durations.explains(regions):
        return durations
    raise AnnotationError(_backwards(table))


def _ends_or_regions(table: _Table, ends: _Layout, durations: _Layout, regions: _Layout) -> _Layout:
    """Return the layout of rows whose second column can contain ends, and whose third column can contain durations."""
    if np.allclose(ends.ends, regions.ends, rtol=0, atol=_TOLERANCE):
        return _Layout(_LENGTH, 3, table.column(0), table.column(1)) if table.n_cells > 3 else ends
    if regions.explains(ends) and regions.n_better(ends) >= 2 and not ends.n_better(regions):
        return regions
    if ends.n_better(regions) and not regions.n_better(ends) and not durations.explains(ends):
        return ends
    raise AnnotationError(
        _ambiguous(
            "each line begins with three numbers, which can be a start, an end and a label, or a start, a value and "
            "a duration"
        )
    )


def _instants_or_points(rows: Sequence[CellRow], *, has_points: bool, joint: str) -> LabelColumns:
    """Return the labels of rows `start, label`, of which some labels may be numbers, or of sections and points."""
    numeric = [row for row in rows if _n_numeric(row.cells) > 1]
    if not numeric or _are_labels(rows, numeric):
        check_decimal_marks((row.place, row.cells[0]) for row in rows)
        return LabelColumns([_point(row, joint) for row in rows])
    others = [row for row in rows if _n_numeric(row.cells) == 1]
    if has_points and all(len(row.cells) == 2 for row in others):
        sections = label_columns(numeric, joint=joint)
        return LabelColumns([*sections.rows, *(_point(row, joint) for row in others)], notes=sections.notes)
    first = others[0]
    if len(first.cells) < 2 or not first.cells[1]:
        raise AnnotationError(f"{first.place} has only one column; a start, an end and a label are expected")
    raise AnnotationError(
        f"{first.place} has {first.cells[1][:40]!r} where a time in seconds is expected, because the second column of "
        f"{numeric[0].place} is a number; if that number is part of a label, {HEADER_ADVICE}"
    )


def _are_labels(rows: Sequence[CellRow], numeric: Sequence[CellRow]) -> bool:
    """Return whether the numbers in the second column of some rows are labels, because they are not ends."""
    starts = [cell_number(row.cells[0]) for row in rows]
    pairs = zip(rows[:-1], starts[1:], strict=True)
    if any(_n_numeric(row.cells) > 1 and cell_number(row.cells[1]) == start for row, start in pairs):
        return False
    if all(len(row.cells) == 2 for row in numeric):
        return True
    return all((cell_number(row.cells[1]) or 0.0) < (cell_number(row.cells[0]) or 0.0) for row in numeric)


def _point(row: CellRow, joint: str) -> Row:
    start = cell_number(row.cells[0]) or 0.0
    return Row(row.place, start, start, row.label(1, joint))


def _backwards(table: _Table) -> str:
    """Return that a row of a file ends before it starts, and why its columns have no other meaning."""
    row, (start, end) = next(
        (row, values) for row, values in zip(table.rows, table.values[:, :2], strict=True) if not values[1] >= values[0]
    )
    return (
        f"{row.place} goes from {start:g} to {end:g} s; a label must start at 0 or later and must not end before it "
        "starts; the second column does not look like durations either, because start + duration is not the start of "
        f"the next line; if it does not contain ends, {HEADER_ADVICE}"
    )


def _ambiguous(seen: str) -> str:
    return f"{seen}; {HEADER_ADVICE}"

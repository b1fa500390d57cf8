"""Regions of REAPER: the CSV files that its Region/Marker Manager imports and exports.

The columns are ``#,Name,Start,End,Length``. Regions are numbered R1, R2 and so on, and times are written as
`minutes:seconds` with milliseconds, so that REAPER does not take them for bars and beats. `csv_labels` reads these
files by the names of their columns.
"""

from __future__ import annotations

import csv
import io

from songform.annotation.annotations import Annotation
from songform.annotation.formats.csv_labels import plain_cell

__all__ = ["COLUMNS", "write"]

COLUMNS = ("#", "Name", "Start", "End", "Length")


def write(annotation: Annotation) -> str:
    """Write an annotation; times are rounded to milliseconds."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    rows = zip(annotation.intervals.tolist(), annotation.labels, strict=True)
    for number, ((start, end), label) in enumerate(rows, start=1):
        first, last = (round(1000 * time) for time in (start, end))
        writer.writerow((f"R{number}", plain_cell(label), *map(_clock, (first, last, last - first))))
    return file.getvalue()


def _clock(milliseconds: int) -> str:
    """Return a time such as `1:23.456` or `1:02:03.456`.

    Examples
    --------
    >>> _clock(83_456), _clock(3_723_456)
    ('1:23.456', '1:02:03.456')
    """
    seconds, rest = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    before = f"{hours}:{minutes:02}" if hours else f"{minutes}"
    return f"{before}:{seconds:02}.{rest:03}"

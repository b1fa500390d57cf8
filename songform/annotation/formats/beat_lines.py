r"""Beat files: one beat per line with its time in seconds and, if it is known, its position in the bar [1]_.

Columns are separated by white space, a comma or a semicolon. Text after `#` is a comment. A comment `# annotator: Ana`
names the person who made the annotation; `write` writes it in the first line. `mir_eval.io.load_events` reads files
without positions, and `mir_eval.io.load_labeled_events` those with positions.

References
----------
.. [1] Raffel et al., "mir_eval: a transparent implementation of common MIR metrics", ISMIR 2014.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from songform.annotation.beat_annotation import BeatAnnotation
from songform.annotation.formats.label_cells import cell_number
from songform.annotation.formats.label_rows import LONGEST, lines_of, seconds_text
from songform.errors import AnnotationError

__all__ = ["MOST_BEATS", "SUFFIX", "BeatRow", "beats_of_rows", "read", "write"]

SUFFIX = ".beats"
"""Suffix of beat files."""

MOST_BEATS = 32
"""Maximum number of beats in a bar; larger positions number the beats of the whole song."""

_ANNOTATOR = re.compile(r"#\s*annotator\s*:\s*(\S.*)")
_EXPECTED = "expected is a time in seconds and, if it is known, the position in the bar (1, 2, 3, ...)"
_DECIMALS = 6


class BeatRow(NamedTuple):
    """Beat as it is written in a file."""

    place: str
    """Place in the file, such as `line 3`."""
    time: float
    position: float | None


def read(text: str) -> BeatAnnotation:
    """Read beats.

    Raises
    ------
    AnnotationError
        If a line is not a beat, which the message names, or the file contains no beats.
    """
    lines = [(place, *line.split("#", 1)) for place, line in lines_of(text)]
    rows = [_row(place, beat) for place, beat, *_ in lines if beat.strip()]
    return beats_of_rows(rows, _annotator(text))


def write(beats: BeatAnnotation) -> str:
    """Write beats with columns separated by tabs."""
    header = f"# annotator: {beats.annotator}\n" if beats.annotator else ""
    times = [seconds_text(time) for time in beats.times]
    if beats.positions is not None:
        times = [f"{time}\t{position}" for time, position in zip(times, beats.positions, strict=True)]
    return header + "".join(f"{line}\n" for line in times)


def beats_of_rows(rows: Sequence[BeatRow], annotator: str = "") -> BeatAnnotation:
    """Return beats made of rows.

    Parameters
    ----------
    rows : sequence of BeatRow
        Rows in the order of the file.
    annotator : str
        As in `BeatAnnotation`.

    Raises
    ------
    AnnotationError
        If there is no row, the times are invalid or do not increase, or the positions do not count the beats of bars.
    """
    if not rows:
        raise AnnotationError("it contains no beats; was it saved before any beat was added?")
    _check_times(rows)
    _check_positions(rows)
    positions = None if rows[0].position is None else np.array([row.position for row in rows], np.intp)
    return BeatAnnotation(np.array([row.time for row in rows]), positions, annotator)


def _annotator(text: str) -> str:
    found = (_ANNOTATOR.match(line.strip()) for _, line in lines_of(text))
    return next((match[1] for match in found if match), "")


def _row(place: str, line: str) -> BeatRow:
    cells = re.split(r"\s*[,;]\s*|\s+", line.strip())
    if len(cells) > 2:
        raise AnnotationError(f"{place} has {len(cells)} columns; {_EXPECTED}")
    numbers = [cell_number(cell) for cell in cells]
    for cell, number in zip(cells, numbers, strict=True):
        if number is None:
            raise AnnotationError(f"{place} has {cell[:40]!r}, which is not a number; {_EXPECTED}")
    time, position = (*numbers, None)[:2]
    return BeatRow(place, float("nan") if time is None else time, position)


def _check_times(rows: Sequence[BeatRow]) -> None:
    before = -1.0
    for row in rows:
        if not 0 <= row.time <= LONGEST:
            raise AnnotationError(
                f"{row.place} has the time {row.time:g}; times must be seconds from the beginning of the song"
            )
        time = round(row.time, _DECIMALS)
        if time <= before:
            raise AnnotationError(
                f"{row.place} has the time {row.time:g}, but the beat before it has {before:g}; each beat must be "
                "later than the one before it"
            )
        before = time


def _check_positions(rows: Sequence[BeatRow]) -> None:
    """Check that positions count the beats of each bar from 1; the first bar may be incomplete."""
    before: BeatRow | None = None
    for row in rows:
        if before is not None and (row.position is None) != (before.position is None):
            names = ["no position" if one.position is None else "a position" for one in (row, before)]
            raise AnnotationError(
                f"{row.place} has {names[0]}, but {before.place} has {names[1]}; either all beats or none must have one"
            )
        if row.position is not None:
            _check_position(row.place, row.position, None if before is None else before.position)
        before = row
    if len(rows) > 1 and all(row.position == 1 for row in rows):
        raise AnnotationError("all of its beats have the position 1; a file of beats must contain all beats of a bar")


def _check_position(place: str, position: float, before: float | None) -> None:
    if not (position.is_integer() and 1 <= position <= MOST_BEATS):
        raise AnnotationError(
            f"{place} has the position {position:g}; positions count the beats of a bar from 1 to at most {MOST_BEATS}"
        )
    if before is not None and position not in (1, before + 1):
        raise AnnotationError(
            f"{place} has the position {position:g} after {before:g}; positions must count the beats of each bar "
            f"without gaps, so that {before + 1:g} or 1 is expected here"
        )

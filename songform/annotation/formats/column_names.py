"""Names of the columns of label files with a header, as different programs write them.

=========================  ==========================================================
program                    header
=========================  ==========================================================
songform                   start, end, label, confidence
Sonic Visualiser           TIME, VALUE, DURATION, LABEL; of instants TIME, LABEL
REAPER                     #, Name, Start, End, Length, with further columns
Adobe Audition             Name, Start, Duration, with further columns
scripts and data frames    onset, offset, label; start_time, end_time, label
=========================  ==========================================================
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from songform.errors import AnnotationError

__all__ = ["REQUIRED", "column_places", "is_header"]

REQUIRED = ("start", "end", "label")
"""Columns of a header as songform writes it, which error messages recommend."""

_STARTS = ("start", "start_time", "starttime", "onset", "begin", "time")
_ENDS = ("end", "end_time", "endtime", "stop")
_DURATIONS = ("duration", "length", "dur")
_LABELS = ("label", "state")
_OTHER_LABELS = ("name", "section", "segment", "function", "text")
_NO_TIMES = ("", "value", "level", "color", "colour")
_UNIT = re.compile(r"_?[(\[]?(?<=[_(\[])(?:s|secs?|seconds?)[)\]]?$")


def is_header(cells: Sequence[str]) -> bool:
    """Return whether the cells of a line are the names of columns with times."""
    names = _names(cells)
    return bool(set(names) & set(_STARTS)) and len(set(names) & {*_ENDS, *_DURATIONS, *_LABELS, *_OTHER_LABELS}) > 0


def column_places(header: Sequence[str]) -> dict[str, int]:
    """Return the index of each column of a header by its meaning.

    Parameters
    ----------
    header : sequence of str
        Cells of the header.

    Returns
    -------
    dict of str to int
        Indices of `start` and `label`, and of those of `end`, `duration`, `confidence` and `number` that exist. If the
        header has neither an end nor a duration, its rows are points.

    Raises
    ------
    AnnotationError
        If the start or the label is missing, or several columns may be the label.

    Examples
    --------
    >>> column_places(["TIME", "VALUE", "DURATION", "LABEL"])
    {'start': 0, 'duration': 2, 'label': 3}
    """
    names = _names(header)
    chosen = {
        "start": _first(names, _STARTS),
        "end": _first(names, (*_ENDS, "offset") if "onset" in names else _ENDS),
        "duration": _first(names, _DURATIONS),
        "label": _first(names, _LABELS) or _only(names, _OTHER_LABELS),
        "confidence": _first(names, ("confidence",)),
        "number": _first(names, ("#",)),
    }
    _check(chosen, names)
    return {meaning: names.index(name) for meaning, name in chosen.items() if name is not None}


def _names(header: Sequence[str]) -> list[str]:
    """Return the names of columns in lower case, without units of seconds, and with underscores for spaces."""
    return [_UNIT.sub("", re.sub(r"[\s-]+", "_", cell.strip().casefold())) for cell in header]


def _first(names: Sequence[str], known: Sequence[str]) -> str | None:
    return next((name for name in known if name in names), None)


def _only(names: Sequence[str], known: Sequence[str]) -> str | None:
    found = [name for name in known if name in names]
    if len(found) > 1:
        raise AnnotationError(f"line 1 has the columns {' and '.join(found)}; rename the one with the labels to label")
    return found[0] if found else None


def _check(chosen: dict[str, str | None], names: Sequence[str]) -> None:
    """Check that a header has a start, a label, and an end or a duration, unless no other column can be the end."""
    missing = [name for name in REQUIRED if chosen[name] is None]
    if "end" in missing and (chosen["duration"] or set(names) <= {*chosen.values(), *_NO_TIMES}):
        missing.remove("end")
    if not missing:
        return
    frames = "; times in audio frames cannot be read, export them in seconds" if "frame" in names else ""
    raise AnnotationError(
        f"line 1 must be a header with the columns {', '.join(REQUIRED)}; {' and '.join(missing)} "
        f"{'is' if len(missing) == 1 else 'are'} missing (the line has {len(names)} columns){frames}"
    )

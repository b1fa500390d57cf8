"""songform's own reports: the JSON document that `songform analyze` writes for a track."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from songform.annotation.annotations import Annotation
from songform.annotation.formats.label_rows import Row, annotation_of
from songform.errors import AnnotationError
from songform.plain_text import plain_text

__all__ = ["read", "report_annotation", "write"]


def read(text: str) -> Annotation:
    """Read an annotation.

    Raises
    ------
    AnnotationError
        With the number of the line where the JSON breaks, or of the segment that makes no sense.
    """
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise AnnotationError(f"line {error.lineno} is no JSON ({error.msg})") from error
    except RecursionError as error:
        raise AnnotationError("it is nested too deeply for a report") from error
    return report_annotation(document)


def report_annotation(document: Any, *, annotator: str = "", tool: str = "") -> Annotation:
    """Return the annotation that a report holds.

    Parameters
    ----------
    document : dict
        A report.
    annotator, tool : str
        Who made it, and with what: a report that somebody has changed is not its model's any more.

    Raises
    ------
    AnnotationError
        If it is no report.
    """
    if not isinstance(document, Mapping) or not isinstance(document.get("segments"), list):
        raise AnnotationError("it is JSON, but no report of songform: it has no list of segments")
    track = document.get("track")
    track = track if isinstance(track, Mapping) else {}
    duration = track.get("duration")
    rows = [_row(f"segment {number}", segment) for number, segment in enumerate(document["segments"], start=1)]
    return annotation_of(
        rows,
        title=str(track.get("title") or ""),
        duration=duration if isinstance(duration, int | float) else None,
        annotator=annotator,
        tool=tool,
    )


def write(annotation: Annotation) -> str:
    """Write an annotation as a report that knows no settings and no model."""
    rows = zip(annotation.intervals, annotation.labels, annotation.confidences, strict=True)
    document = {
        "track": {"title": annotation.title, "duration": annotation.duration},
        "segments": [
            {"start": start, "end": end, "state": label, "confidence": None if math.isnan(sure) else sure}
            for (start, end), label, sure in rows
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _row(place: str, segment: Any) -> Row:
    try:
        label = segment["state"] if "state" in segment else segment["label"]
        sure = segment.get("confidence")
        return Row(
            place, float(segment["start"]), float(segment["end"]), str(label), math.nan if sure is None else float(sure)
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise AnnotationError(f"{place} lacks a start, an end or a state ({plain_text(error)})") from error

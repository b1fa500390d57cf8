"""Reports of songform: the JSON documents that `songform analyze` writes for a track."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from songform.annotation.annotations import Annotation
from songform.annotation.formats.label_rows import Row, annotation_of, is_number, json_text, parsed_json
from songform.errors import AnnotationError

__all__ = ["read", "report_annotation", "write"]


def read(text: str) -> Annotation:
    """Read an annotation.

    Raises
    ------
    AnnotationError
        If the text is not a valid report; the message names the line of the JSON error, or the segment and its field.
    """
    return report_annotation(parsed_json(text))


def report_annotation(document: Any, *, annotator: str = "", tool: str = "") -> Annotation:
    """Return the segments of a report as an annotation.

    Parameters
    ----------
    document : dict
        Report.
    annotator, tool : str
        As in `Annotation`. They are not taken from the report, because a person may have edited it.

    Raises
    ------
    AnnotationError
        If the document is not a report, or a segment is invalid; the message names the segment and its field.
    """
    if not isinstance(document, Mapping) or not isinstance(document.get("segments"), list):
        raise AnnotationError("it is JSON but not a songform report; it has no list of segments")
    track = document.get("track")
    track = track if isinstance(track, Mapping) else {}
    duration: Any = track.get("duration")
    rows = [_row(f"segment {number}", segment) for number, segment in enumerate(document["segments"], start=1)]
    return annotation_of(
        rows,
        title=str(track.get("title") or ""),
        duration=duration if is_number(duration) and duration > 0 else None,
        annotator=annotator,
        tool=tool,
    )


def write(annotation: Annotation) -> str:
    """Write an annotation as a report without settings and model."""
    rows = zip(annotation.intervals, annotation.labels, annotation.confidences, strict=True)
    document = {
        "track": {"title": annotation.title, "duration": annotation.duration},
        "segments": [
            {"start": start, "end": end, "state": label, "confidence": None if math.isnan(confidence) else confidence}
            for (start, end), label, confidence in rows
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _row(place: str, segment: Any) -> Row:
    if not isinstance(segment, Mapping):
        raise AnnotationError(f"{place} is {json_text(segment)}; an object with start, end and state is expected")
    start, end = (_field(segment, name, place) for name in ("start", "end"))
    label = segment["state"] if "state" in segment else segment.get("label")
    if isinstance(label, bool) or not isinstance(label, str | int | float):
        state = "no state" if label is None else f"{json_text(label)} as its state, which is not text"
        raise AnnotationError(f"{place} has {state}")
    confidence = math.nan if segment.get("confidence") is None else _field(segment, "confidence", place)
    return Row(place, start, end, str(label), confidence)


def _field(segment: Mapping[str, Any], name: str, place: str) -> float:
    if name not in segment:
        raise AnnotationError(f"{place} has no {name}")
    value = segment[name]
    if not is_number(value):
        raise AnnotationError(f"{place} has {json_text(value)} as its {name}, which is not a valid number")
    return float(value)

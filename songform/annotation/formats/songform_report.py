"""Reports of songform: the JSON documents that `songform analyze` writes for a track.

Reports of earlier versions contain no sections, phrases and beats.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from songform.annotation.annotations import Annotation
from songform.annotation.formats.label_rows import Row, annotation_of, is_number, json_text, parsed_json
from songform.errors import AnnotationError
from songform.plain_text import plain_text

__all__ = ["LEVELS", "ReportContents", "part_annotation", "read", "report_annotation", "report_contents", "write"]

LEVELS = ("sections", "phrases")
"""Fields of a report with parts of the song, besides its segments."""


@dataclass(frozen=True)
class ReportContents:
    """What can be scored in a report.

    Parameters
    ----------
    segments : Annotation
        The states.
    levels : dict of str to Annotation
        The sections and the phrases by the names in `LEVELS`; without those that the report does not have.
    reason : str
        Why the report has no sections; empty if it has, or if an earlier version wrote it.
    is_earlier : bool
        Whether an earlier version wrote the report, which did not look for sections.
    beats : str
        Path of the table of beats as it is written in the report; empty if the report has none.
    """

    segments: Annotation
    levels: dict[str, Annotation] = field(default_factory=dict)
    reason: str = ""
    is_earlier: bool = False
    beats: str = ""


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
    return part_annotation(document, "segments", annotator=annotator, tool=tool)


def report_contents(document: Any) -> ReportContents:
    """Return what can be scored in a report.

    Parameters
    ----------
    document : dict
        Report.

    Raises
    ------
    AnnotationError
        As for `report_annotation`, also for sections and phrases.
    """
    segments = report_annotation(document)
    found = [name for name in LEVELS if isinstance(document.get(name), list) and document[name]]
    beats = document.get("beats")
    path = beats.get("path") if isinstance(beats, Mapping) else None
    return ReportContents(
        segments,
        {name: part_annotation(document, name) for name in found},
        reason=plain_text(document.get("no_sections")),
        is_earlier="sections" not in document,
        beats=path if isinstance(path, str) else "",
    )


def part_annotation(document: Mapping[str, Any], name: str, *, annotator: str = "", tool: str = "") -> Annotation:
    """Return the parts in one of the lists of a report as an annotation.

    Parameters
    ----------
    document : dict
        Report.
    name : str
        Name of the list: `segments`, or one of `LEVELS`.
    annotator, tool : str
        As in `Annotation`.

    Raises
    ------
    AnnotationError
        If a part is invalid; the message names the part and its field.
    """
    track = document.get("track")
    track = track if isinstance(track, Mapping) else {}
    duration: Any = track.get("duration")
    rows = [_row(f"{name.removesuffix('s')} {number}", part) for number, part in enumerate(document[name], start=1)]
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

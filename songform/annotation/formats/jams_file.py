"""JAMS: the field's JSON for annotated music [1]_, by its own package.

Segments are of the namespace `segment_open`. The file also carries the song's title and duration, who annotated, and
with which tool. Of a file with several annotations the first of `segment_open` is read, else the first of SALAMI's
functions, else of the other namespaces of labelled sections.

References
----------
.. [1] Humphrey et al., "JAMS: a JSON annotated music specification for reproducible MIR research", ISMIR 2014.
"""

from __future__ import annotations

import io
import json
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from songform.annotation.annotations import Annotation
from songform.annotation.formats.label_rows import Row, annotation_of
from songform.errors import AnnotationError
from songform.plain_text import plain_text

__all__ = ["NAMESPACES", "read", "write"]

NAMESPACES = ("segment_open", "segment_salami_function", "segment_salami_upper", "segment_salami_lower", "segment_tut")
"""Those that are read, in the order in which they are looked for."""


def read(text: str) -> Annotation:
    """Read an annotation.

    Raises
    ------
    AnnotationError
        If it is no JAMS, with the number of the line where its JSON breaks; or if it holds no segments.
    """
    import jams

    try:
        jam = jams.load(io.StringIO(text), validate=False)
        duration = jam.file_metadata.duration
        if duration is None:  # many files leave it out, which the schema does not allow
            jam.file_metadata.duration = 0.0
        with _quiet():
            jam.validate(strict=True)
    except json.JSONDecodeError as error:
        raise AnnotationError(f"line {error.lineno} is no JSON ({error.msg})") from error
    except (jams.exceptions.JamsError, ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise AnnotationError(f"it does not keep to the schema of JAMS ({plain_text(reason)})") from error
    chosen = _chosen(jam)
    told = chosen.annotation_metadata
    rows = [_row(f"segment {number}", observation) for number, observation in enumerate(chosen.data, start=1)]
    return annotation_of(
        rows,
        title=jam.file_metadata.title or "",
        duration=duration,
        annotator=str(dict(told.annotator.__json__).get("name") or told.curator.name or ""),
        tool=told.annotation_tools or "",
    )


def write(annotation: Annotation) -> str:
    """Write an annotation, checked against the schema; a song whose duration is not known ends with its last label."""
    import jams

    duration = annotation.duration or float(annotation.intervals.max(initial=0.0))
    told = jams.AnnotationMetadata(annotation_tools=annotation.tool)
    if annotation.annotator:
        told.annotator = jams.JObject(name=annotation.annotator)
    segments = jams.Annotation("segment_open", annotation_metadata=told, time=0, duration=duration)
    for (start, end), label, sure in zip(annotation.intervals, annotation.labels, annotation.confidences, strict=True):
        segments.append(time=start, duration=round(end - start, 6), value=label, confidence=_known(sure))
    about = jams.FileMetadata(title=annotation.title, duration=duration)
    jam = jams.JAMS(annotations=[segments], file_metadata=about)
    with _quiet():
        jam.validate(strict=True)
    return json.dumps(jam.__json__, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep to ourselves that jams calls jsonschema in a way that will end."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Passing a schema to Validator.iter_errors", DeprecationWarning)
        yield


def _chosen(jam: Any) -> Any:
    for namespace in NAMESPACES:
        for annotation in jam.annotations:
            if annotation.namespace == namespace:
                return annotation
    found = plain_text(", ".join(sorted({str(annotation.namespace) for annotation in jam.annotations})))
    raise AnnotationError(f"it holds no segments, but {found or 'nothing'}; {NAMESPACES[0]} is looked for")


def _row(place: str, observation: Any) -> Row:
    sure = observation.confidence
    # Other tools have other scales: a confidence that is no share tells nothing here.
    is_share = isinstance(sure, int | float) and 0 <= sure <= 1
    end = round(observation.time + observation.duration, 6)
    return Row(place, observation.time, end, str(observation.value), float(sure) if is_share else math.nan)


def _known(confidence: float) -> float | None:
    return None if math.isnan(confidence) else float(confidence)

"""JAMS files: JSON for annotated music [1]_, read and written with the package `jams`.

Segments are written in the namespace `segment_open`, with the title and the duration of the song, the annotator and the
tool. `read` takes the first annotation of the first namespace of `NAMESPACES` that occurs in the file;
`read_with_beats` also takes the first annotation of the namespace `beat`.

References
----------
.. [1] Humphrey et al., "JAMS: a JSON annotated music specification for reproducible MIR research", ISMIR 2014.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from songform.annotation.annotations import Annotation
from songform.annotation.beat_annotation import BeatAnnotation
from songform.annotation.formats.beat_lines import BeatRow, beats_of_rows
from songform.annotation.formats.label_rows import Row, annotation_of, is_number, json_text, parsed_json
from songform.errors import AnnotationError
from songform.plain_text import plain_text

__all__ = ["BEATS", "NAMESPACES", "read", "read_with_beats", "write"]

NAMESPACES = ("segment_open", "segment_salami_function", "segment_salami_upper", "segment_salami_lower", "segment_tut")
"""Namespaces that are read, in order of preference."""

BEATS = "beat"
"""Namespace of beats; the value of an observation is its position in the bar, or null."""

# Raised by jams if the structure of a document is not that of a JAMS file.
_STRUCTURE_ERRORS = (ValueError, TypeError, AttributeError, KeyError, OverflowError, RecursionError)


def read(text: str) -> Annotation:
    """Read an annotation.

    Raises
    ------
    AnnotationError
        If the text is not a valid JAMS file or contains no segments; the message names the line of a JSON error, or
        the segment or field that violates the schema.
    """
    return _segments(_jam(text))


def read_with_beats(text: str) -> tuple[Annotation | None, BeatAnnotation | None]:
    """Read the segments and the beats of a file; each is None if the file contains only the other.

    If the beats are invalid, the segments have a note that says why.

    Raises
    ------
    AnnotationError
        As for `read`, but a file without segments may contain beats.
    """
    jam = _jam(text)
    found = [annotation for annotation in jam.annotations if annotation.namespace == BEATS]
    if not found:
        return _segments(jam), None
    if not any(annotation.namespace in NAMESPACES for annotation in jam.annotations):
        return None, _beats(found[0])
    segments = _segments(jam)
    try:
        return segments, _beats(found[0])
    except AnnotationError as error:
        return replace(segments, notes=(*segments.notes, f"its beats were left out, because {error}")), None


def _jam(text: str) -> Any:
    """Parse and validate a JAMS file."""
    import jams

    document = parsed_json(text)
    if not isinstance(document, Mapping):
        raise AnnotationError(f"it is JSON but not a JAMS file: it contains {json_text(document)} instead of an object")
    try:
        jam = jams.JAMS(**document)
        if jam.file_metadata.duration is None:  # the schema requires it, but many files lack it
            jam.file_metadata.duration = 0.0
        with _quiet():
            jam.validate(strict=True)
    except (jams.exceptions.JamsError, *_STRUCTURE_ERRORS) as error:
        raise AnnotationError(f"it does not follow the JAMS schema: {_violation(document, error)}") from error
    return jam


def _segments(jam: Any) -> Annotation:
    chosen = _chosen(jam)
    rows = [_row(f"segment {number}", observation) for number, observation in enumerate(chosen.data, start=1)]
    return annotation_of(
        rows,
        title=jam.file_metadata.title or "",
        duration=jam.file_metadata.duration or None,
        annotator=_annotator(chosen),
        tool=str(chosen.annotation_metadata.annotation_tools or ""),
    )


def _beats(annotation: Any) -> BeatAnnotation:
    observations = enumerate(annotation.data, start=1)
    rows = [BeatRow(f"beat {number}", float(each.time), _position(each.value)) for number, each in observations]
    return beats_of_rows(rows, _annotator(annotation))


def _position(value: Any) -> float | None:
    if value is None:
        return None
    return float(value) if is_number(value) else math.nan


def _annotator(annotation: Any) -> str:
    metadata = annotation.annotation_metadata
    return str(dict(metadata.annotator.__json__).get("name") or metadata.curator.name or "")


def write(annotation: Annotation) -> str:
    """Write an annotation and validate it.

    If the duration of the song is unknown, the end of the last label is written as its duration.
    """
    import jams

    duration = annotation.duration or float(annotation.intervals.max(initial=0.0))
    metadata = jams.AnnotationMetadata(annotation_tools=annotation.tool)
    if annotation.annotator:
        metadata.annotator = jams.JObject(name=annotation.annotator)
    segments = jams.Annotation("segment_open", annotation_metadata=metadata, time=0, duration=duration)
    rows = zip(annotation.intervals, annotation.labels, annotation.confidences, strict=True)
    for (start, end), label, confidence in rows:
        segments.append(time=start, duration=round(end - start, 6), value=label, confidence=_known(confidence))
    about = jams.FileMetadata(title=annotation.title, duration=duration)
    jam = jams.JAMS(annotations=[segments], file_metadata=about)
    with _quiet():
        jam.validate(strict=True)
    return json.dumps(jam.__json__, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress the warning that jams uses a deprecated call of jsonschema."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Passing a schema to Validator.iter_errors", DeprecationWarning)
        yield


def _chosen(jam: Any) -> Any:
    for namespace in NAMESPACES:
        for annotation in jam.annotations:
            if annotation.namespace == namespace:
                return annotation
    found = plain_text(", ".join(sorted({str(annotation.namespace) for annotation in jam.annotations})))
    raise AnnotationError(
        f"it contains no segments; an annotation in the namespace {NAMESPACES[0]} is expected, but there "
        f"{f'is only {found}' if found else 'is none'}"
    )


def _violation(document: Mapping[str, Any], error: Exception) -> str:
    """Return where and how a document violates the schema, without the words of jams and jsonschema."""
    cause: Any = error.__context__  # jams raises its error while it handles that of jsonschema
    if not hasattr(cause, "absolute_path"):  # jams could not build its objects, or a namespace is unknown
        details = "a field is unknown or has the wrong type; jams.load shows which one"
        return next(_invalid_parts(document), details)
    path = list(cause.absolute_path)
    # The observations of an annotation are validated as a list of their own.
    is_observation = bool(path) and isinstance(path[0], int)
    names = ".".join(str(part) for part in (path[1:] if is_observation else path))
    place = f"the {names} of observation {path[0] + 1}" if is_observation else names
    rule, limit = "not allowed", cause.validator_value
    if cause.validator == "type":
        rule = f"not of type {limit if isinstance(limit, str) else ' or '.join(limit)}"
    elif cause.validator == "minimum":
        rule = f"less than {limit:g}"
    return f"{place} is {json_text(cause.instance)}, which is {rule}"


def _invalid_parts(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield one clause per part of a document that does not have the structure that jams requires."""
    for name in sorted(set(document) - {"annotations", "file_metadata", "sandbox"}):
        yield f"the field {json_text(name)} is unknown"
    annotations = document.get("annotations")
    for number, annotation in enumerate(annotations if isinstance(annotations, list) else [], start=1):
        if not isinstance(annotation, Mapping):
            yield f"annotation {number} is {json_text(annotation)}, not an object"
        elif "namespace" not in annotation:
            yield f"annotation {number} has no namespace"
        elif not _is_namespace(annotation["namespace"]):
            yield f"annotation {number} has the unknown namespace {json_text(annotation['namespace'])}"
        else:
            yield from _invalid_observations(annotation.get("data"), f"annotation {number}")


def _invalid_observations(data: Any, annotation: str) -> Iterator[str]:
    for number, observation in enumerate(data if isinstance(data, list) else [], start=1):
        place = f"observation {number} of {annotation}"
        if not isinstance(observation, Mapping):
            yield f"{place} is {json_text(observation)}, not an object"
            continue
        for name in ("time", "duration"):
            if name not in observation:
                yield f"{place} has no {name}"
            elif not is_number(observation[name]):
                yield f"the {name} of {place} is {json_text(observation[name])}, which is not a valid number"


def _is_namespace(name: Any) -> bool:
    import jams

    try:
        jams.schema.is_dense(name)
    except (jams.exceptions.NamespaceError, TypeError, ValueError):
        return False
    return True


def _row(place: str, observation: Any) -> Row:
    confidence = observation.confidence
    # Other tools use other scales. A confidence outside of 0 to 1 is ignored.
    is_valid = isinstance(confidence, int | float) and 0 <= confidence <= 1
    end = round(observation.time + observation.duration, 6)
    return Row(place, observation.time, end, str(observation.value), float(confidence) if is_valid else math.nan)


def _known(confidence: float) -> float | None:
    return None if math.isnan(confidence) else float(confidence)

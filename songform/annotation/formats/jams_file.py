"""JAMS files: JSON for annotated music [1]_, read and written with the package `jams`.

Segments are written in the namespace `segment_open`, with the title and the duration of the song, the annotator and the
tool. `write` can add sections (`segment_open`), sections and phrases as the levels 0 and 1 of a hierarchy
(`multi_segment`), beats (`beat`) and the tempo (`tempo`), all by the same annotator.

`read` takes the first annotation of the first namespace of `NAMESPACES` that occurs in the file; `read_with_beats` also
takes the first annotation of the namespace `beat`. If there are several to choose from, a note says which one was read.

References
----------
.. [1] Humphrey et al., "JAMS: a JSON annotated music specification for reproducible MIR research", ISMIR 2014.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

from songform.annotation.annotations import Annotation
from songform.annotation.beat_annotation import BeatAnnotation
from songform.annotation.formats.beat_lines import BeatRow, beats_of_rows
from songform.annotation.formats.label_rows import Row, annotation_of, is_number, json_text, parsed_json
from songform.errors import AnnotationError
from songform.plain_text import plain_text

__all__ = ["BEATS", "LEVELS", "NAMESPACES", "Tempo", "read", "read_with_beats", "write"]

LEVELS = "multi_segment"
"""Namespace of segments at several levels of a hierarchy, of which 0 is the coarsest."""

NAMESPACES = (
    "segment_open",
    "segment_salami_function",
    "segment_salami_upper",
    "segment_salami_lower",
    "segment_tut",
    LEVELS,
)
"""Namespaces that are read, in order of preference."""

BEATS = "beat"
"""Namespace of beats; the value of an observation is its position in the bar, or null."""

_MAX_LABELS = 3  # number of labels by which a note describes an annotation

# Raised by jams if the structure of a document is not that of a JAMS file.
_STRUCTURE_ERRORS = (ValueError, TypeError, AttributeError, KeyError, OverflowError, RecursionError)


class Tempo(NamedTuple):
    """Tempo of a whole song."""

    bpm: float
    confidence: float
    """Confidence from 0 to 1."""


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
    if not _annotations_of_segments(jam):
        return None, _beats(found)
    segments = _segments(jam)
    try:
        return segments, _beats(found)
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
    numbered = enumerate(chosen.data, start=1)
    is_levels = chosen.namespace == LEVELS
    coarsest = min((observation.value["level"] for observation in chosen.data), default=0) if is_levels else 0
    rows = [
        _row(f"segment {number}", observation, _label(observation))
        for number, observation in numbered
        if not is_levels or observation.value["level"] == coarsest
    ]
    return annotation_of(
        rows,
        title=jam.file_metadata.title or "",
        duration=jam.file_metadata.duration or None,
        annotator=_annotator(chosen),
        tool=str(chosen.annotation_metadata.annotation_tools or ""),
        notes=_notes(jam, chosen),
    )


def _notes(jam: Any, chosen: Any) -> tuple[str, ...]:
    """Return one sentence if the file has several segmentations: which one was read."""
    n_found, what = len(_annotations_of_segments(jam)), f"the first one in the namespace {chosen.namespace}"
    labels = [plain_text(_label(observation), 40) for observation in chosen.data[: _MAX_LABELS + 1]]
    example = ", ".join([*labels[:_MAX_LABELS], *(["..."] if len(labels) > _MAX_LABELS else [])])
    if chosen.namespace == LEVELS and len(levels := sorted({each.value["level"] for each in chosen.data})) > 1:
        return (f"only the level {levels[0]} of its segments was read, of the levels {', '.join(map(str, levels))}",)
    if n_found > 1:
        return (f"of its {n_found} annotations with segments, {what} was read, with the labels {example}",)
    return ()


def _beats(annotations: Sequence[Any]) -> BeatAnnotation:
    """Return the beats of the first annotation of beats."""
    observations = enumerate(annotations[0].data, start=1)
    rows = [BeatRow(f"beat {number}", float(each.time), _position(each.value)) for number, each in observations]
    n_found = len(annotations)
    notes = (f"of its {n_found} annotations with beats, the first one was read",) if n_found > 1 else ()
    return replace(beats_of_rows(rows, _annotator(annotations[0])), notes=notes)


def _position(value: Any) -> float | None:
    if value is None:
        return None
    return float(value) if is_number(value) else math.nan


def _annotator(annotation: Any) -> str:
    metadata = annotation.annotation_metadata
    return str(dict(metadata.annotator.__json__).get("name") or metadata.curator.name or "")


def write(
    annotation: Annotation,
    *,
    sections: Annotation | None = None,
    phrases: Annotation | None = None,
    beats: BeatAnnotation | None = None,
    tempo: Tempo | None = None,
) -> str:
    """Write an annotation and validate it.

    If the duration of the song is unknown, the end of the last label is written as its duration.

    Parameters
    ----------
    annotation : Annotation
        Segments, which are the first annotation of the file.
    sections, phrases : Annotation, optional
        Parts of the song at two levels. The sections are written on their own, and both as a hierarchy.
    beats : BeatAnnotation, optional
        Beats of the song.
    tempo : Tempo, optional
        Its tempo.
    """
    import jams

    duration = annotation.duration or float(annotation.intervals.max(initial=0.0))
    metadata = jams.AnnotationMetadata(annotation_tools=annotation.tool)
    if annotation.annotator:
        metadata.annotator = jams.JObject(name=annotation.annotator)
    contents: list[tuple[str, list[dict[str, Any]]]] = [("segment_open", _segment_fields(annotation))]
    if sections is not None:
        contents.append(("segment_open", _segment_fields(sections)))
        contents.append((LEVELS, _level_fields([sections, *([] if phrases is None else [phrases])])))
    if beats is not None:
        contents.append((BEATS, _beat_fields(beats)))
    if tempo is not None:
        contents.append(("tempo", [_fields(0.0, duration, tempo.bpm, tempo.confidence)]))
    annotations = [
        jams.Annotation(namespace, data=data, annotation_metadata=metadata, time=0, duration=duration)
        for namespace, data in contents
    ]
    about = jams.FileMetadata(title=annotation.title, duration=duration)
    jam = jams.JAMS(annotations=annotations, file_metadata=about)
    with _quiet():
        jam.validate(strict=True)
    return json.dumps(jam.__json__, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _segment_fields(annotation: Annotation) -> list[dict[str, Any]]:
    """Return the observations of segments."""
    rows = zip(annotation.intervals.tolist(), annotation.labels, annotation.confidences.tolist(), strict=True)
    return [_fields(start, end - start, label, confidence) for (start, end), label, confidence in rows]


def _level_fields(levels: Sequence[Annotation]) -> list[dict[str, Any]]:
    """Return the observations of the levels of a hierarchy, the coarsest first."""
    numbered = [(level, each) for level, parts in enumerate(levels) for each in _segment_fields(parts)]
    return [{**each, "value": {"label": each["value"], "level": level}} for level, each in numbered]


def _beat_fields(beats: BeatAnnotation) -> list[dict[str, Any]]:
    """Return the observations of beats."""
    positions = [None] * len(beats) if beats.positions is None else beats.positions.tolist()
    return [_fields(time, 0.0, position) for time, position in zip(beats.times.tolist(), positions, strict=True)]


def _fields(time: float, duration: float, value: Any, confidence: float = math.nan) -> dict[str, Any]:
    """Return an observation; a confidence of NaN is unknown."""
    return {"time": time, "duration": round(duration, 6), "value": value, "confidence": _known(confidence)}


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress the warning that jams uses a deprecated call of jsonschema."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Passing a schema to Validator.iter_errors", DeprecationWarning)
        yield


def _chosen(jam: Any) -> Any:
    if annotations := _annotations_of_segments(jam):
        return annotations[0]
    found = plain_text(", ".join(sorted({str(annotation.namespace) for annotation in jam.annotations})))
    raise AnnotationError(
        f"it contains no segments; an annotation in the namespace {NAMESPACES[0]} is expected, but there "
        f"{f'is only {found}' if found else 'is none'}"
    )


def _annotations_of_segments(jam: Any) -> list[Any]:
    """Return the annotations that contain segments, those in preferred namespaces first."""
    found = [annotation for annotation in jam.annotations if annotation.namespace in NAMESPACES]
    return sorted(found, key=lambda annotation: NAMESPACES.index(annotation.namespace))


def _label(observation: Any) -> str:
    value = observation.value
    return str(value["label"] if isinstance(value, Mapping) else value)


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


def _row(place: str, observation: Any, label: str) -> Row:
    confidence = observation.confidence
    # Other tools use other scales. A confidence outside of 0 to 1 is ignored.
    is_valid = isinstance(confidence, int | float) and 0 <= confidence <= 1
    end = round(observation.time + observation.duration, 6)
    return Row(place, observation.time, end, label, float(confidence) if is_valid else math.nan)


def _known(confidence: float) -> float | None:
    return None if math.isnan(confidence) else float(confidence)

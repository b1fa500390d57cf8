"""Rekordbox XML: the beat grid and the memory cues of a track [1]_.

A beat grid is a list of nodes ``TEMPO`` (`songform.beats.beat_grid`). Sections are memory cues, nodes ``POSITION_MARK``
with ``Num="-1"``, at their starts and with their labels as names. Rekordbox shows at most ten memory cues per track, so
that only the longest ten sections are written. Times are rounded to milliseconds, but the duration of a track is in
whole seconds. A beat grid is therefore read until half a second later, so that no beat at the end of the song is lost.

A cue has no end, so that the cues of a file are read as points, each of which lasts until the next one
(`songform.annotation.annotations.fitted`). Hot cues are read if there are no memory cues.

References
----------
.. [1] Pioneer DJ, "rekordbox: XML format list".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote
from xml.etree.ElementTree import Element, ParseError, SubElement, fromstring, indent, tostring

import numpy as np

from songform.annotation.annotations import Annotation
from songform.annotation.beat_annotation import BeatAnnotation
from songform.annotation.formats.label_cells import cell_number
from songform.annotation.formats.label_rows import LONGEST, Row, annotation_of
from songform.beats.beat_grid import GridStretch, grid_beats
from songform.errors import AnnotationError
from songform.plain_text import plain_text

__all__ = [
    "MOST_CUES",
    "SUFFIX",
    "RekordboxTrack",
    "file_location",
    "longest_sections",
    "read",
    "read_with_beats",
    "recognizes",
    "write",
]

SUFFIX = ".xml"
"""Suffix of the files."""

MOST_CUES = 10
"""Maximum number of memory cues per track."""

LONGEST_GRID = 7 * 86_400.0
"""Maximum length of a track with a beat grid in seconds."""

SLOWEST, FASTEST = 10.0, 1000.0
"""Tempos of a beat grid that are read, in beats per minute."""

_ROUNDING_SECONDS = 0.5  # of a duration in whole seconds

_ROOT, _TRACK, _TEMPO, _CUE = "DJ_PLAYLISTS", "TRACK", "TEMPO", "POSITION_MARK"
_MEMORY, _POINT = "-1", "0"  # values of Num and Type
_START = re.compile(r"\s*(<\?xml|<!--|<DJ_PLAYLISTS\b)")
_NOT_XML = re.compile("[\ufffe\uffff]")  # characters that XML does not allow; plain_text removes the others
_EXPECTED = "expected is an XML file that Rekordbox or songform exported"


@dataclass(frozen=True)
class RekordboxTrack:
    """Track with its beat grid and its sections.

    Parameters
    ----------
    location : Path
        Absolute path of the audio file.
    title : str
        Title of the track.
    duration : float
        Duration in seconds.
    tempo : float
        Tempo of the whole track in beats per minute.
    grid : sequence of GridStretch
        Beat grid.
    sections : Annotation, optional
        Sections; the cues are the longest ten of them.
    """

    location: Path
    title: str
    duration: float
    tempo: float
    grid: tuple[GridStretch, ...]
    sections: Annotation | None = None


class _Cue(NamedTuple):
    """Cue as it is written in a file."""

    place: str
    start: float
    name: str
    is_memory: bool


def write(tracks: list[RekordboxTrack]) -> str:
    """Write tracks as a collection, with a playlist of all of them."""
    root = Element(_ROOT, Version="1.0.0")
    SubElement(root, "PRODUCT", Name="songform", Version="", Company="")
    collection = SubElement(root, "COLLECTION", Entries=str(len(tracks)))
    folder = SubElement(SubElement(root, "PLAYLISTS"), "NODE", Type="0", Name="ROOT", Count="1")
    playlist = SubElement(folder, "NODE", Type="1", Name="songform", KeyType="0", Entries=str(len(tracks)))
    for number, track in enumerate(tracks, start=1):
        _add_track(collection, track, str(number))
        SubElement(playlist, _TRACK, Key=str(number))
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def file_location(path: Path) -> str:
    """Return the path of an audio file as it is written in a collection.

    Examples
    --------
    >>> file_location(Path("/music/A & B.mp3"))
    'file://localhost/music/A%20%26%20B.mp3'
    """
    return f"file://localhost{quote(bytes(path))}"


def longest_sections(sections: Annotation) -> Annotation:
    """Return the ten longest sections in the order of time; of equally long ones, the first."""
    lengths = sections.intervals[:, 1] - sections.intervals[:, 0]
    kept = np.sort(np.argsort(-lengths, kind="stable")[:MOST_CUES])
    labels = [sections.labels[int(i)] for i in kept]
    return replace(sections, intervals=sections.intervals[kept], labels=labels, confidences=sections.confidences[kept])


def recognizes(text: str) -> bool:
    """Return whether a text is XML with the root node of Rekordbox."""
    return _START.match(text) is not None and f"<{_ROOT}" in text


def read(text: str) -> Annotation:
    """Read the cues of a track as points.

    Raises
    ------
    AnnotationError
        If the text is not an XML file of Rekordbox, or does not contain exactly one track with cues; the message names
        the line of an XML error, or the cue.
    """
    sections = _sections(_track(text))
    if sections is None:
        raise AnnotationError("its track has no cues, so that there are no sections to read")
    return sections


def read_with_beats(text: str) -> tuple[Annotation | None, BeatAnnotation | None]:
    """Read the cues and the beat grid of a track; each is None if the file contains only the other.

    Raises
    ------
    AnnotationError
        As for `read`, but a track without cues may have a beat grid; also if the beat grid is invalid.
    """
    track = _track(text)
    sections, beats = _sections(track), _beats(track)
    if sections is None and beats is None:
        raise AnnotationError("its track has neither cues nor a beat grid")
    return sections, beats


def _add_track(collection: Element, track: RekordboxTrack, number: str) -> None:
    node = SubElement(
        collection,
        _TRACK,
        TrackID=number,
        Name=_NOT_XML.sub("", plain_text(track.title)),
        TotalTime=str(round(track.duration)),
        AverageBpm=f"{track.tempo:.2f}",
        Location=file_location(track.location),
    )
    for start, tempo, metre, position in track.grid:
        SubElement(node, _TEMPO, Inizio=f"{start:.3f}", Bpm=f"{tempo:.2f}", Metro=f"{metre}/4", Battito=f"{position}")
    cues = None if track.sections is None else longest_sections(track.sections)
    for (start, _), label in zip(cues.intervals, cues.labels, strict=True) if cues else ():
        SubElement(node, _CUE, Name=_NOT_XML.sub("", label), Type=_POINT, Start=f"{start:.3f}", Num=_MEMORY)


def _track(text: str) -> Element:
    """Return the only track of a file."""
    root = _parsed(text)
    if root.tag != _ROOT:
        raise AnnotationError(f"it is XML with the root {plain_text(root.tag, 40)!r} instead of {_ROOT!r}; {_EXPECTED}")
    tracks = root.findall(f"./COLLECTION/{_TRACK}")
    if len(tracks) != 1:
        raise AnnotationError(
            f"it contains {len(tracks)} tracks instead of one; remove the other nodes {_TRACK} from its COLLECTION"
            if tracks
            else f"it contains no track; {_EXPECTED}"
        )
    return tracks[0]


def _parsed(text: str) -> Element:
    # Rekordbox writes no declarations of entities, which can be expanded to gigabytes of text.
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise AnnotationError(f"it contains a document type declaration, which Rekordbox does not write; {_EXPECTED}")
    try:
        return fromstring(text)  # noqa: S314  without entities
    except ParseError as error:
        line, column = error.position
        msg = f"it is not valid XML (line {line}, column {column + 1}); was the file cut short or edited?"
        raise AnnotationError(msg) from error
    except ValueError as error:
        raise AnnotationError("it contains characters that UTF-8 text cannot contain; was the file damaged?") from error


def _sections(track: Element) -> Annotation | None:
    """Return the memory cues of a track, or its hot cues if it has no memory cues."""
    cues = [_cue(number, node) for number, node in enumerate(track.findall(_CUE), start=1) if _is_point(node)]
    memory = [cue for cue in cues if cue.is_memory]
    chosen = memory or cues
    if not chosen:
        return None
    rows = [Row(cue.place, cue.start, cue.start, cue.name or f"cue {n}") for n, cue in enumerate(chosen, start=1)]
    notes = _cue_notes(chosen, n_others=len(track.findall(_CUE)) - len(chosen))
    return annotation_of(rows, title=track.get("Name", ""), duration=_duration(track) or None, notes=notes)


def _cue_notes(cues: Sequence[_Cue], n_others: int) -> tuple[str, ...]:
    """Return one sentence each if hot cues were read, if marks were left out, and if cues have no name."""
    n_unnamed = sum(not cue.name for cue in cues)
    notes = {
        "its hot cues were read, because it has no memory cues": not cues[0].is_memory,
        f"the number of its other marks that were left out (hot cues, loops and fades) is {n_others}": n_others,
        f"the number of its cues without a name, which are labeled cue 1, cue 2 and so on, is {n_unnamed}": n_unnamed,
    }
    return tuple(note for note, is_so in notes.items() if is_so)


def _is_point(node: Element) -> bool:
    return node.get("Type", _POINT) == _POINT


def _cue(number: int, node: Element) -> _Cue:
    place = f"cue {number}"
    start = _number(node, "Start", place)
    return _Cue(place, start, plain_text(node.get("Name")), node.get("Num", _MEMORY) == _MEMORY)


def _beats(track: Element) -> BeatAnnotation | None:
    """Return the beats of the beat grid of a track, or None if it has none."""
    grid = [_stretch(number, node) for number, node in enumerate(track.findall(_TEMPO), start=1)]
    if not grid:
        return None
    end = _end(grid, _duration(track))
    margin = _ROUNDING_SECONDS if end.is_integer() else 0.0
    times, positions = grid_beats(grid, end + margin)
    notes = [f"its beat grid was read as beats from {times[0]:.1f} to {times[-1]:.1f} s"]
    is_counting = bool(np.all((positions[1:] == 1) | (positions[1:] == positions[:-1] + 1)))
    if not is_counting:
        notes.append("its downbeats were left out, because the bars of its beat grid do not fit together")
    # The duration may have been rounded up, so that the beats extend beyond the end by twice the margin.
    return BeatAnnotation(times, positions if is_counting else None, notes=tuple(notes), end_margin=2 * margin)


def _end(grid: Sequence[GridStretch], duration: float | None) -> float:
    """Return the end of a beat grid, after checking that it has one and is not too long."""
    for number, (one, following) in enumerate(pairwise(grid), start=2):
        if following.start <= one.start:
            raise AnnotationError(
                f"{_TEMPO} {number} begins at {following.start:g} s, but the one before it begins at {one.start:g} s"
            )
    if duration is None:
        raise AnnotationError("its track has no TotalTime, so that the end of its beat grid is not known")
    if max(duration, grid[-1].start) > LONGEST_GRID:
        raise AnnotationError(f"its track is longer than {LONGEST_GRID / 3600:g} hours; its times must be in seconds")
    return duration


def _stretch(number: int, node: Element) -> GridStretch:
    place = f"{_TEMPO} {number}"
    tempo = _number(node, "Bpm", place)
    if not SLOWEST <= tempo <= FASTEST:
        raise AnnotationError(
            f"{place} has {tempo:g} beats per minute; a tempo from {SLOWEST:g} to {FASTEST:g} is expected"
        )
    metre = re.fullmatch(r"\s*([1-9][0-9]?)\s*/\s*[0-9]+\s*", node.get("Metro", "4/4"))
    position = node.get("Battito", "1").strip()
    if metre is None or not position.isdecimal() or not 1 <= int(position) <= int(metre[1]):
        raise AnnotationError(
            f"{place} has the metre {node.get('Metro', '4/4')[:20]!r} and the beat {position[:20]!r}; a metre such as "
            "4/4 and a beat of its bar from 1 are expected"
        )
    return GridStretch(_number(node, "Inizio", place), tempo, int(metre[1]), int(position))


def _duration(track: Element) -> float | None:
    return _number(track, "TotalTime", "its track") if track.get("TotalTime") else None


def _number(node: Element, name: str, place: str) -> float:
    text = node.get(name, "")
    value = cell_number(text)
    if value is None or not 0 <= value <= LONGEST:
        raise AnnotationError(f"{place} has {text[:40]!r} as its {name}, which is not a number from 0")
    return value

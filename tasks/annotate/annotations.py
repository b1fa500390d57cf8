"""People's labels of the tracks of the corpus: `data/annotations/<key>/<annotator>.jams`.

There is one file per person and track; new labels of the same person replace earlier ones. People's beats are stored
beside them, by `tasks.annotate.beat_annotations`. Label files in a folder of songs are recognized by their names:
`SONG.lab`, or `SONG.NAME.lab` if several people labeled the song. The suffixes `.jams`, `.labels.txt` and, for beats,
`.beats` work in the same way. Files with the suffixes `.csv`, `.tsv`, `.txt`, `.json` and `.xml` may contain lyrics,
measurements or scores instead of labels, so that their content decides. Names are compared in Unicode's form NFC [1]_,
because some file systems and programs write `é` as one character, and others as `e` with an accent.

References
----------
.. [1] Unicode Standard Annex #15, "Unicode Normalization Forms".
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Generic, Literal, TypeVar

import numpy as np

from songform import __version__
from songform.annotation.annotations import Annotation, fitted
from songform.annotation.formats import beat_lines, jams_file, read_annotation
from songform.annotation.formats.column_names import is_header
from songform.errors import AnnotationError
from songform.plain_text import plain_text
from tasks.settings import digest
from tasks.store.atomic_files import atomic_path
from tasks.store.corpus import Corpus
from tasks.store.damaged_files import set_aside
from tasks.store.tracks import TrackRecord

__all__ = [
    "LABEL_AND_BEAT_SUFFIXES",
    "LABEL_SUFFIXES",
    "NOBODY",
    "OTHER_SUFFIXES",
    "Kept",
    "annotation_path",
    "annotations_of",
    "check_ingested",
    "contains_labels",
    "is_label_suffix",
    "keep_annotation",
    "label_files",
    "named_annotator",
    "same_folder",
    "unmatched_files",
]

LABEL_SUFFIXES = (".labels.txt", ".lab", ".jams")
"""Suffixes of files of section labels in a folder of songs."""

LABEL_AND_BEAT_SUFFIXES = (*LABEL_SUFFIXES, beat_lines.SUFFIX)
"""Suffixes of files that contain labels or beats."""

OTHER_SUFFIXES = (".csv", ".tsv", ".txt", ".json", ".xml")
"""Suffixes of files in a folder of songs that may contain labels or something else."""

_MAX_COMMENTS = 100  # lines before the first label

NOBODY = "person"
"""Name of an unknown annotator."""


Labels_co = TypeVar("Labels_co", covariant=True)


@dataclass(frozen=True)
class Kept(Generic[Labels_co]):
    """Stored labels or beats.

    Parameters
    ----------
    path : Path
        Path of the file.
    annotation : Annotation or BeatAnnotation
        The labels or beats as they are stored.
    status : str
        `new`, `replaced` (they replace earlier labels of the person), `same` (they equal the earlier labels), or `kept`
        (they were only read).
    notes : list of str
        What is unusual about them.
    """

    path: Path
    annotation: Labels_co
    status: Literal["new", "replaced", "same", "kept"]
    notes: list[str]


def keep_annotation(corpus: Corpus, record: TrackRecord, annotation: Annotation, annotator: str) -> Kept[Annotation]:
    """Fit a person's labels to the duration of a track, and store them.

    Parameters
    ----------
    corpus : Corpus
        Corpus in which the labels are stored.
    record : TrackRecord
        Record of the track; its duration must be known.
    annotation : Annotation
        The labels as they were read.
    annotator : str
        Name of the person.

    Raises
    ------
    AnnotationError
        If the track was not ingested, or the labels do not fit its duration.
    """
    duration = check_ingested(record)
    annotator = plain_text(annotator) or NOBODY
    within, notes = fitted(annotation, duration)
    tool = annotation.tool or f"songform {__version__} (annotate)"
    kept = replace(within, title=record.title, annotator=annotator, tool=tool)
    path = annotation_path(corpus, record.key, annotator, ".jams")
    known = _known(path, notes)
    if known is not None and _is_same(known, kept):
        return Kept(path, known, "same", notes)
    with atomic_path(path) as temporary:
        temporary.write_text(jams_file.write(kept), encoding="utf-8")
    return Kept(path, kept, "new" if known is None else "replaced", notes)


def check_ingested(record: TrackRecord) -> float:
    """Return the duration of a track in seconds.

    Raises
    ------
    AnnotationError
        If the track was not ingested.
    """
    if record.status != "done" or not record.duration:
        raise AnnotationError(
            f"{record.title} was not ingested, so its duration is not known; ingest it with songform ingest"
        )
    return record.duration


def annotation_path(corpus: Corpus, key: str, annotator: str, suffix: str) -> Path:
    """Return the path of the stored labels or beats of a person."""
    return corpus.annotations_path(key) / f"{_file_name(annotator)}{suffix}"


def annotations_of(corpus: Corpus, key: str, problems: list[str] | None = None) -> dict[str, tuple[Path, Annotation]]:
    """Return the path and the content of each stored file of labels of a track, by the name of the person.

    Parameters
    ----------
    corpus, key
        Corpus, and key of the track.
    problems : list of str, optional
        List to which one sentence per file that cannot be read is added.

    Raises
    ------
    AnnotationError
        If a file cannot be read, and `problems` is None.
    """
    found: dict[str, tuple[Path, Annotation]] = {}
    for path in sorted(corpus.annotations_path(key).glob("*.jams")):
        try:
            annotation = read_annotation(path)
        except AnnotationError as error:
            if problems is None:
                raise
            problems.append(f"{path} is skipped: {error}")
        else:
            found[annotation.annotator or path.stem] = (path, annotation)
    return found


def _known(path: Path, notes: list[str]) -> Annotation | None:
    """Return the stored labels of a person, or None; a damaged file is renamed and named in a note."""
    if not path.is_file():
        return None
    try:
        return read_annotation(path)
    except AnnotationError as error:
        if isinstance(error.__cause__, OSError):  # for example its permissions
            raise
        notes.append(f"the earlier labels cannot be read ({error}); their file was renamed to {set_aside(path)}")
        return None


def label_files(folder: Path, stem: str, stems: Collection[str]) -> list[tuple[str, Path]]:
    """Return the person in the name (empty if there is none) and the path of each label file of a song in a folder.

    Files with the suffixes `OTHER_SUFFIXES` are the last ones, and may contain something else.

    Parameters
    ----------
    folder : Path
        Folder to search.
    stem : str
        File name of the song without its suffix.
    stems : collection of str
        Stems of all songs: `a.b.lab` belongs to `a.b.mp3` if that exists, and otherwise to `a.mp3`.
    """
    # Two songs may have the same name in different Unicode forms; each file then belongs to the song in its own form.
    same = {other for other in stems if unicodedata.normalize("NFC", other) == unicodedata.normalize("NFC", stem)}
    files = (path for path in _files(folder) if _form(path.name, same) in (None, stem))
    found = ((named_annotator(path.name, stem, stems), path) for path in files)
    named = [(name, path) for name, path in found if name is not None]
    return sorted(named, key=lambda labels: not is_label_suffix(labels[1]))


def is_label_suffix(path: Path) -> bool:
    """Return whether the suffix of a file says that it contains labels or beats."""
    return path.name.lower().endswith(LABEL_AND_BEAT_SUFFIXES)


def contains_labels(path: Path) -> bool:
    """Return whether a file with one of `OTHER_SUFFIXES` contains labels, perhaps with errors.

    Its first line must be a header with times, or begin with a number; a JSON or XML file must be without errors.
    """
    try:
        annotation = read_annotation(path)
    except AnnotationError:
        return path.suffix.lower() not in (".json", ".xml") and _begins_with_times(path)
    # A single line with a number and some words is a sentence rather than a label.
    return len(annotation) > 1 or bool((annotation.intervals[:, 1] > annotation.intervals[:, 0]).all())


def _begins_with_times(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            lines = (line.strip() for line in islice(file, _MAX_COMMENTS))
            first = next((line for line in lines if line and not line.startswith("#")), "")
    except OSError:
        return False
    cells = [cell.strip(' "') for cell in re.split(r"[;,\t]", first)]
    return is_header(cells) or re.match(r"[+-]?\d+([.,:]\d+)*([;,\t]|\s+\S+$)", first) is not None


def unmatched_files(folder: Path, matched: Collection[Path]) -> list[Path]:
    """Return the label files of a folder and its subfolders that do not belong to any song.

    Parameters
    ----------
    folder : Path
        Folder to search; hidden files and folders are ignored.
    matched : collection of Path
        Label files that belong to a song.
    """
    suffixes = (*LABEL_AND_BEAT_SUFFIXES, *OTHER_SUFFIXES)
    files = (path for path in sorted(folder.rglob("*")) if path.name.lower().endswith(suffixes))
    visible = (path for path in files if not any(part.startswith(".") for part in path.relative_to(folder).parts))
    others = (path for path in visible if path not in matched and path.is_file())
    return [path for path in others if is_label_suffix(path) or contains_labels(path)]


def same_folder(root: Path, place: Path) -> Path:
    """Return the subfolder of a folder, even if its name on the disk is in another Unicode form."""
    for part in place.parts:
        exact, other = root / part, unicodedata.normalize("NFC", part)
        found = [] if exact.is_dir() or not root.is_dir() else [path for path in root.iterdir() if _name(path) == other]
        root = found[0] if found else exact
    return root


def named_annotator(name: str, stem: str, stems: Iterable[str] = ()) -> str | None:
    """Return the person in the name of a label file: empty if there is none, None if it is not a file of this song."""
    name, own = (unicodedata.normalize("NFC", text) for text in (name, stem))
    for suffix in (*LABEL_AND_BEAT_SUFFIXES, *OTHER_SUFFIXES):
        if name.lower().endswith(suffix) and name.startswith(own):
            middle = name[len(own) : -len(suffix)]
            if not middle:
                return ""
            is_name = middle.startswith(".") and middle.count(".") == 1 and len(middle) > 1
            # Stems are normalized only for files of this song: with many songs, it takes long.
            is_other_song = is_name and f"{own}{middle}" in {unicodedata.normalize("NFC", other) for other in stems}
            return middle[1:] if is_name and not is_other_song else None
    return None


def _files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if path.is_file()] if folder.is_dir() else []


def _form(name: str, stems: Collection[str]) -> str | None:
    """Return the one of several Unicode forms of a stem with which a name begins, or None if it has another form."""
    return next((stem for stem in stems if name.startswith(stem)), None)


def _name(path: Path) -> str:
    return unicodedata.normalize("NFC", path.name)


def _file_name(annotator: str) -> str:
    """Return a file name that is unique to an annotator and contains no path separators."""
    plain = re.sub(r"[^\w-]+", "-", unicodedata.normalize("NFC", annotator)).strip("-")[:40]
    return plain if plain and plain == annotator else f"{plain or NOBODY}-{digest(annotator)}"


def _is_same(one: Annotation, other: Annotation) -> bool:
    return (
        np.array_equal(one.intervals, other.intervals)
        and one.labels == other.labels
        and np.array_equal(one.confidences, other.confidences, equal_nan=True)
        and one.annotator == other.annotator
    )

"""People's labels of the tracks of the corpus: `data/annotations/<key>/<annotator>.jams`.

There is one file per person and track; new labels of the same person replace earlier ones. Label files in a folder of
songs are recognized by their names: `SONG.lab`, or `SONG.NAME.lab` if several people labeled the song. The suffixes
`.jams` and `.labels.txt` work in the same way.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from songform import __version__
from songform.annotation.annotations import Annotation, fitted
from songform.annotation.formats import jams_file, read_annotation
from songform.errors import AnnotationError
from songform.plain_text import plain_text
from tasks.settings import digest
from tasks.store.atomic_files import atomic_path
from tasks.store.corpus import Corpus
from tasks.store.tracks import TrackRecord

__all__ = ["LABEL_SUFFIXES", "NOBODY", "Kept", "annotations_of", "keep_annotation", "label_files", "named_annotator"]

LABEL_SUFFIXES = (".labels.txt", ".lab", ".jams")
"""Suffixes of label files in a folder of songs; other files are ignored."""

NOBODY = "person"
"""Name of an unknown annotator."""


@dataclass(frozen=True)
class Kept:
    """Stored labels.

    Parameters
    ----------
    path : Path
        Path of the file.
    annotation : Annotation
        The labels as they are stored.
    status : str
        `new`, `replaced` (they replace earlier labels of the person), `same` (they equal the earlier labels), or `kept`
        (they were only read).
    notes : list of str
        What is unusual about them.
    """

    path: Path
    annotation: Annotation
    status: Literal["new", "replaced", "same", "kept"]
    notes: list[str]


def keep_annotation(corpus: Corpus, record: TrackRecord, annotation: Annotation, annotator: str) -> Kept:
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
    if record.status != "done" or not record.duration:
        raise AnnotationError(
            f"{record.title} was not ingested, so its duration is not known; ingest it with songform ingest"
        )
    annotator = plain_text(annotator) or NOBODY
    within, notes = fitted(annotation, record.duration)
    tool = annotation.tool or f"songform {__version__} (annotate)"
    kept = replace(within, title=record.title, annotator=annotator, tool=tool)
    path = corpus.annotations_path(record.key) / f"{_file_name(annotator)}.jams"
    known = read_annotation(path) if path.is_file() else None
    if known is not None and _is_same(known, kept):
        return Kept(path, known, "same", notes)
    with atomic_path(path) as temporary:
        temporary.write_text(jams_file.write(kept), encoding="utf-8")
    return Kept(path, kept, "new" if known is None else "replaced", notes)


def annotations_of(corpus: Corpus, key: str) -> dict[str, tuple[Path, Annotation]]:
    """Return the path and the content of each stored file of labels of a track, by the name of the person.

    Raises
    ------
    AnnotationError
        If a file cannot be read.
    """
    paths = sorted(corpus.annotations_path(key).glob("*.jams"))
    read = [(path, read_annotation(path)) for path in paths]
    return {annotation.annotator or path.stem: (path, annotation) for path, annotation in read}


def label_files(folder: Path, stem: str, stems: Collection[str]) -> list[tuple[str, Path]]:
    """Return the person in the name (empty if there is none) and the path of each label file of a song in a folder.

    Parameters
    ----------
    folder : Path
        Folder to search.
    stem : str
        File name of the song without its suffix.
    stems : collection of str
        Stems of all songs: `a.b.lab` belongs to `a.b.mp3` if that exists, and otherwise to `a.mp3`.
    """
    if not folder.is_dir():
        return []
    found = ((named_annotator(path.name, stem, stems), path) for path in sorted(folder.iterdir()) if path.is_file())
    return [(name, path) for name, path in found if name is not None]


def named_annotator(name: str, stem: str, stems: Iterable[str] = ()) -> str | None:
    """Return the person in the name of a label file: empty if there is none, None if it is not a file of this song."""
    for suffix in LABEL_SUFFIXES:
        if name.lower().endswith(suffix) and name.startswith(stem):
            middle = name[len(stem) : -len(suffix)]
            if not middle:
                return ""
            is_name = middle.startswith(".") and middle.count(".") == 1 and len(middle) > 1
            return middle[1:] if is_name and f"{stem}{middle}" not in stems else None
    return None


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

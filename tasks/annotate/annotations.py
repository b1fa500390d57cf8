"""People's labels beside the tracks of the corpus: `data/annotations/<key>/<annotator>.jams`.

A person has one file a track; labels given again replace those given before. Files of labels that lie beside songs are
found by their names: `SONG.lab`, or `SONG.NAME.lab` of several people, and `.jams` or `.labels.txt` likewise.
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
"""How files of labels beside songs are named; other files there are something else."""

NOBODY = "person"
"""The annotator of whom nothing is known."""


@dataclass(frozen=True)
class Kept:
    """Labels that are kept.

    Parameters
    ----------
    path : Path
        Where.
    annotation : Annotation
        As they are kept.
    status : str
        `new`, `replaced` (the person's earlier ones), `same` (as they were), or `kept` (they are only looked at).
    notes : list of str
        What is odd about them.
    """

    path: Path
    annotation: Annotation
    status: Literal["new", "replaced", "same", "kept"]
    notes: list[str]


def keep_annotation(corpus: Corpus, record: TrackRecord, annotation: Annotation, annotator: str) -> Kept:
    """Fit a person's labels to a track, and keep them.

    Parameters
    ----------
    corpus : Corpus
        Where.
    record : TrackRecord
        The track; its duration must be known.
    annotation : Annotation
        As it was read.
    annotator : str
        Who said so.

    Raises
    ------
    AnnotationError
        If the track was never brought in, or the labels are not its own.
    """
    if record.status != "done" or not record.duration:
        raise AnnotationError(f"{record.title} was not brought in, so its length is not known; songform ingest does it")
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
    """Return what each person said of a track, and where that is kept, by the person's name.

    Raises
    ------
    AnnotationError
        If a file cannot be read.
    """
    paths = sorted(corpus.annotations_path(key).glob("*.jams"))
    read = [(path, read_annotation(path)) for path in paths]
    return {annotation.annotator or path.stem: (path, annotation) for path, annotation in read}


def label_files(folder: Path, stem: str, stems: Collection[str]) -> list[tuple[str, Path]]:
    """Return the files of labels of a song in a folder, each with the name of a person that it carries, or none.

    Parameters
    ----------
    folder : Path
        Where to look.
    stem : str
        The song's file name without its suffix.
    stems : collection of str
        Those of all songs: `a.b.lab` belongs to `a.b.mp3` where there is one, and else to `a.mp3`.
    """
    if not folder.is_dir():
        return []
    found = ((named_annotator(path.name, stem, stems), path) for path in sorted(folder.iterdir()) if path.is_file())
    return [(name, path) for name, path in found if name is not None]


def named_annotator(name: str, stem: str, stems: Iterable[str] = ()) -> str | None:
    """Return the person that the name of a file of labels tells: empty if none, None if it is another song's file."""
    for suffix in LABEL_SUFFIXES:
        if name.lower().endswith(suffix) and name.startswith(stem):
            middle = name[len(stem) : -len(suffix)]
            if not middle:
                return ""
            is_name = middle.startswith(".") and middle.count(".") == 1 and len(middle) > 1
            return middle[1:] if is_name and f"{stem}{middle}" not in stems else None
    return None


def _file_name(annotator: str) -> str:
    """Return a file name that no two people share, and that leaves no folder."""
    plain = re.sub(r"[^\w-]+", "-", unicodedata.normalize("NFC", annotator)).strip("-")[:40]
    return plain if plain and plain == annotator else f"{plain or NOBODY}-{digest(annotator)}"


def _is_same(one: Annotation, other: Annotation) -> bool:
    return (
        np.array_equal(one.intervals, other.intervals)
        and one.labels == other.labels
        and np.array_equal(one.confidences, other.confidences, equal_nan=True)
        and one.annotator == other.annotator
    )

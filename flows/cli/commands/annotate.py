"""Annotate: people's labels beside the tracks of the corpus."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from songform.annotation.annotations import Annotation
from songform.annotation.formats import read_annotation
from songform.errors import AnnotationError, ParameterError, SourceError
from tasks.annotate.annotations import (
    LABEL_SUFFIXES,
    NOBODY,
    Kept,
    annotations_of,
    keep_annotation,
    label_files,
    named_annotator,
)
from tasks.ingest.sources.corpus_lookup import find_tracks
from tasks.ingest.sources.local_files import local_path
from tasks.store.corpus import Corpus
from tasks.store.tracks import TrackRecord

__all__ = ["AnnotateReport", "annotate", "listed_annotations"]


@dataclass(frozen=True)
class AnnotateReport:
    """The labels that were kept, or that there are.

    Parameters
    ----------
    annotations : list of dict
        `key`, `title`, `annotator`, `segments` (how many), `status`, `path`, `file` (where they came from), `notes`.
    problems : list of str
        A sentence for each file that cannot be used.
    without : list of str
        Titles of the tracks of the SOURCE that have no labels.
    """

    annotations: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    without: list[str] = field(default_factory=list)


class Labels(NamedTuple):
    """A file of labels, the track it belongs to, and the person that its name tells."""

    record: TrackRecord
    file: Path
    annotator: str


def annotate(home: Path, source: str, file: str, annotator: str | None = None) -> AnnotateReport:
    """Put people's labels beside tracks of the corpus.

    Parameters
    ----------
    home : Path
        The corpus's home.
    source : str
        A track: its key, its address, its file; or a folder of songs.
    file : str
        A file of labels in any of the formats; or a folder that holds such files, named as the songs are.
    annotator : str, optional
        Who said so. Default: whom the file tells of. In a folder it stands for those whose files tell of nobody.

    Raises
    ------
    SourceError
        If the corpus has no such track, or there is no such file.
    AnnotationError
        If no file can be used.
    """
    corpus, path = Corpus(home), local_path(file)
    tracks = find_tracks(corpus, source)
    corpus.prepare()
    if path.is_dir():
        return _annotated_folder(corpus, tracks, source, path, annotator)
    if len(tracks) > 1:
        raise ParameterError(f"{source} holds {len(tracks)} tracks, but {file} labels one; name that one as SOURCE")
    ((record, audio),) = tracks
    read = read_annotation(path)
    told = named_annotator(path.name, audio.stem if audio else "") or _number_in(path.name)
    kept = _kept(corpus, Labels(record, path, told), read, annotator or told or read.annotator or NOBODY)
    return AnnotateReport([_entry(record, kept, path)])


def listed_annotations(home: Path, source: str) -> AnnotateReport:
    """Return what people said of the tracks of a SOURCE.

    Raises
    ------
    SourceError
        If the corpus has no such track.
    AnnotationError
        If what is kept cannot be read.
    """
    corpus = Corpus(home)
    entries, without = [], []
    for record, _ in find_tracks(corpus, source):
        said = annotations_of(corpus, record.key)
        entries += [_entry(record, Kept(path, annotation, "kept", [])) for path, annotation in said.values()]
        if not said:
            without.append(record.title)
    return AnnotateReport(entries, [], without)


def _annotated_folder(
    corpus: Corpus, tracks: list[tuple[TrackRecord, Path | None]], source: str, folder: Path, annotator: str | None
) -> AnnotateReport:
    """Keep the labels of each song's files; one that cannot be used is a problem, and an error only alone."""
    entries: list[dict[str, Any]] = []
    problems: list[str] = []
    taken: dict[tuple[str, str], str] = {}
    for labels in _files_beside(tracks, source, folder):
        try:
            read = read_annotation(labels.file)
            name = labels.annotator or annotator or read.annotator or NOBODY
            _take(taken, labels, name)
            entries.append(_entry(labels.record, _kept(corpus, labels, read, name), labels.file))
        except AnnotationError as error:
            problems.append(str(error))
    if not entries:
        suffixes = ", ".join(f"SONG{suffix}" for suffix in LABEL_SUFFIXES)
        raise AnnotationError(problems[0] if problems else f"no file in {folder} is named as a song is ({suffixes})")
    labelled = {entry["key"] for entry in entries}
    return AnnotateReport(entries, problems, [record.title for record, _ in tracks if record.key not in labelled])


def _files_beside(tracks: list[tuple[TrackRecord, Path | None]], source: str, folder: Path) -> Iterator[Labels]:
    """Find the labels of each song at the same place under the folder as the song has under the SOURCE."""
    try:
        root = local_path(source)
    except SourceError:  # a key or an address: its song has no place
        root = None
    stems = {audio.stem for _, audio in tracks if audio is not None}
    for record, audio in tracks:
        if audio is not None:
            place = audio.parent.relative_to(root) if root is not None and root.is_dir() else Path()
            for name, path in label_files(folder / place, audio.stem, stems):
                yield Labels(record, path, name)


def _take(taken: dict[tuple[str, str], str], labels: Labels, name: str) -> None:
    """See that one call does not replace what it has kept itself."""
    before = taken.setdefault((labels.record.key, name), labels.file.name)
    if before != labels.file.name:
        raise AnnotationError(f"{labels.file.name} is left out: {before} holds the labels of {name} already")


def _kept(corpus: Corpus, labels: Labels, read: Annotation, annotator: str) -> Kept:
    try:
        return keep_annotation(corpus, labels.record, read, annotator)
    except AnnotationError as error:
        raise AnnotationError(f"{labels.file.name} does not fit {labels.record.title}: {error}") from error


def _number_in(name: str) -> str:
    """Return the number that `song.2.lab` carries."""
    found = re.search(r"\.(\d+)\.(?:lab|jams|labels\.txt)$", name, re.IGNORECASE)
    return found[1] if found else ""


def _entry(record: TrackRecord, kept: Kept, file: Path | None = None) -> dict[str, Any]:
    return {
        "key": record.key,
        "title": record.title,
        "annotator": kept.annotation.annotator,
        "segments": len(kept.annotation),
        "status": kept.status,
        "path": str(kept.path),
        "file": None if file is None else str(file),
        "notes": kept.notes,
    }

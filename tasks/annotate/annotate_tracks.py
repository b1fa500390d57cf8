"""Matching of label files to tracks of the corpus, and storing of the labels.

If a folder of label files is given for a folder of songs, both must have the same subfolders: the label files of a song
are searched for in the subfolder that corresponds to that of the song.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
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

__all__ = ["AnnotateReport", "annotate_tracks", "list_annotations"]


@dataclass(frozen=True)
class AnnotateReport:
    """Labels that were stored, or that the corpus has.

    Parameters
    ----------
    annotations : list of dict
        One entry per person and track: `key`, `title`, `annotator`, `segments` (their number), `status`, `path` (of
        the stored labels), `file` (that they were read from) and `notes`.
    problems : list of str
        One sentence per file that cannot be used.
    without : list of str
        Titles of the tracks of the source that have no labels.
    """

    annotations: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    without: list[str] = field(default_factory=list)


class LabelFile(NamedTuple):
    """A label file, its track, and the annotator in its name (empty if there is none)."""

    record: TrackRecord
    file: Path
    annotator: str


def annotate_tracks(home: Path, source: str, file: str, annotator: str | None = None) -> AnnotateReport:
    """Store people's labels of tracks of the corpus.

    Parameters
    ----------
    home : Path
        Path of the home.
    source : str
        A track (its key, address or file), or a folder of songs.
    file : str
        A label file in any supported format, or a folder of label files that are named like the songs.
    annotator : str, optional
        Name of the annotator. By default the one in the name of the file or, if there is none, in the file. For a
        folder, the parameter only applies to files without an annotator in their names.

    Raises
    ------
    SourceError
        If the corpus has no such track, or the file does not exist.
    AnnotationError
        If no file can be used.
    ParameterError
        If one file is given for several tracks.
    """
    corpus, path = Corpus(home), local_path(file)
    tracks = find_tracks(corpus, source)
    corpus.prepare()
    if path.is_dir():
        return _annotate_folder(corpus, tracks, source, path, annotator)
    if len(tracks) > 1:
        raise ParameterError(
            f"{source} contains {len(tracks)} tracks, but {file} has the labels of one track; give that track as SOURCE"
        )
    ((record, audio),) = tracks
    annotation = read_annotation(path)
    stated = named_annotator(path.name, audio.stem if audio else "") or _number_in(path.name)
    name = annotator or stated or annotation.annotator or NOBODY
    return AnnotateReport([_entry(record, _keep(corpus, LabelFile(record, path, stated), annotation, name), path)])


def list_annotations(home: Path, source: str) -> AnnotateReport:
    """Return the stored labels of the tracks of a source.

    Parameters
    ----------
    home : Path
        Path of the home.
    source : str
        A track (its key, address or file), or a folder of songs.

    Raises
    ------
    SourceError
        If the corpus has no such track.
    AnnotationError
        If a file of the corpus cannot be read.
    """
    corpus = Corpus(home)
    entries, without = [], []
    for record, _ in find_tracks(corpus, source):
        known = annotations_of(corpus, record.key)
        entries += [_entry(record, Kept(path, annotation, "kept", [])) for path, annotation in known.values()]
        if not known:
            without.append(record.title)
    return AnnotateReport(entries, [], without)


def _annotate_folder(
    corpus: Corpus, tracks: Sequence[tuple[TrackRecord, Path | None]], source: str, folder: Path, annotator: str | None
) -> AnnotateReport:
    """Store the labels of each song. A file that cannot be used is a problem, or an error if no file can be used."""
    entries: list[dict[str, Any]] = []
    problems: list[str] = []
    taken: dict[tuple[str, str], str] = {}
    for labels in _files_of_tracks(tracks, source, folder):
        try:
            annotation = read_annotation(labels.file)
            name = labels.annotator or annotator or annotation.annotator or NOBODY
            _take(taken, labels, name)
            entries.append(_entry(labels.record, _keep(corpus, labels, annotation, name), labels.file))
        except AnnotationError as error:
            problems.append(str(error))
    if not entries:
        suffixes = ", ".join(f"SONG{suffix}" for suffix in LABEL_SUFFIXES)
        raise AnnotationError(
            problems[0]
            if problems
            else f"no label file in {folder} is named after a song of the source; "
            f"rename the files (for SONG.mp3: {suffixes})"
        )
    labelled = {entry["key"] for entry in entries}
    return AnnotateReport(entries, problems, [record.title for record, _ in tracks if record.key not in labelled])


def _files_of_tracks(
    tracks: Sequence[tuple[TrackRecord, Path | None]], source: str, folder: Path
) -> Iterator[LabelFile]:
    """Yield the label files of each song, from the subfolder that corresponds to that of the song in the source."""
    try:
        root = local_path(source)
    except SourceError:  # a key or an address, not a folder of songs
        root = None
    stems = {audio.stem for _, audio in tracks if audio is not None}
    for record, audio in tracks:
        if audio is not None:
            place = audio.parent.relative_to(root) if root is not None and root.is_dir() else Path()
            for name, path in label_files(folder / place, audio.stem, stems):
                yield LabelFile(record, path, name)


def _take(taken: dict[tuple[str, str], str], labels: LabelFile, name: str) -> None:
    """Check that no file replaces the labels from another file of the same call."""
    before = taken.setdefault((labels.record.key, name), labels.file.name)
    if before != labels.file.name:
        raise AnnotationError(f"{labels.file.name} is skipped, because {before} already contains the labels of {name}")


def _keep(corpus: Corpus, labels: LabelFile, annotation: Annotation, annotator: str) -> Kept:
    try:
        return keep_annotation(corpus, labels.record, annotation, annotator)
    except AnnotationError as error:
        raise AnnotationError(f"{labels.file.name} does not fit {labels.record.title}: {error}") from error


def _number_in(name: str) -> str:
    """Return the number in a name like `song.2.lab`."""
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

"""Pairing files of labels with tracks of the corpus, and keeping the labels.

A folder of labels belongs to a folder of songs: each song's files of labels are looked for at the same relative path
under the folder of labels as the song has under the folder of songs.
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
    """The labels that were kept, or that the corpus has.

    Parameters
    ----------
    annotations : list of dict
        `key`, `title`, `annotator`, `segments` (their number), `status`, `path`, `file` (where they came from),
        `notes`.
    problems : list of str
        One sentence for each file that cannot be used.
    without : list of str
        Titles of the tracks of the source that have no labels.
    """

    annotations: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    without: list[str] = field(default_factory=list)


class LabelFile(NamedTuple):
    """A file of labels, the track it belongs to, and the annotator in its name (empty if there is none)."""

    record: TrackRecord
    file: Path
    annotator: str


def annotate_tracks(home: Path, source: str, file: str, annotator: str | None = None) -> AnnotateReport:
    """Keep people's labels of tracks of the corpus.

    Parameters
    ----------
    home : Path
        The home of the corpus.
    source : str
        A track: its key, its address, its file; or a folder of songs.
    file : str
        A file of labels in any of the formats; or a folder of such files, named like the songs.
    annotator : str, optional
        Who labelled the tracks. By default the annotator whom the file or its name states. For a folder this is the
        annotator of the files that state none.

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
        raise ParameterError(f"{source} holds {len(tracks)} tracks, but {file} labels one; name that one as SOURCE")
    ((record, audio),) = tracks
    annotation = read_annotation(path)
    stated = named_annotator(path.name, audio.stem if audio else "") or _number_in(path.name)
    name = annotator or stated or annotation.annotator or NOBODY
    return AnnotateReport([_entry(record, _keep(corpus, LabelFile(record, path, stated), annotation, name), path)])


def list_annotations(home: Path, source: str) -> AnnotateReport:
    """Return the labels that the corpus has of the tracks of a source.

    Parameters
    ----------
    home : Path
        The home of the corpus.
    source : str
        A track: its key, its address, its file; or a folder of songs.

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
    """Keep the labels of each song. A file that cannot be used is a problem, and an error if no other can."""
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
        raise AnnotationError(problems[0] if problems else f"no file in {folder} is named as a song is ({suffixes})")
    labelled = {entry["key"] for entry in entries}
    return AnnotateReport(entries, problems, [record.title for record, _ in tracks if record.key not in labelled])


def _files_of_tracks(
    tracks: Sequence[tuple[TrackRecord, Path | None]], source: str, folder: Path
) -> Iterator[LabelFile]:
    """Yield the files of labels of each song, at the same relative path under the folder as under the source."""
    try:
        root = local_path(source)
    except SourceError:  # a key or an address: its song is in no folder of songs
        root = None
    stems = {audio.stem for _, audio in tracks if audio is not None}
    for record, audio in tracks:
        if audio is not None:
            place = audio.parent.relative_to(root) if root is not None and root.is_dir() else Path()
            for name, path in label_files(folder / place, audio.stem, stems):
                yield LabelFile(record, path, name)


def _take(taken: dict[tuple[str, str], str], labels: LabelFile, name: str) -> None:
    """Check that no file replaces the labels of another file of the same call."""
    before = taken.setdefault((labels.record.key, name), labels.file.name)
    if before != labels.file.name:
        raise AnnotationError(f"{labels.file.name} is left out: {before} holds the labels of {name} already")


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

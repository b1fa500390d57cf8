"""Matching of files of labels and beats to tracks of the corpus, and storing of their contents.

If a folder of label files is given for a folder of songs, both must have the same subfolders: the label files of a song
are searched for in the subfolder that corresponds to that of the song. Label files that belong to no song are reported.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from songform.annotation.annotations import Annotation
from songform.annotation.beat_annotation import BeatAnnotation
from songform.annotation.formats import LabelContents, read_labels
from songform.errors import AnnotationError, ParameterError, SourceError
from songform.plain_text import plain_text
from tasks.annotate.annotations import (
    LABEL_AND_BEAT_SUFFIXES,
    NOBODY,
    OTHER_SUFFIXES,
    Kept,
    annotations_of,
    contains_labels,
    is_label_suffix,
    keep_annotation,
    label_files,
    named_annotator,
    same_folder,
    unmatched_files,
)
from tasks.annotate.beat_annotations import beats_of, keep_beats
from tasks.ingest.sources.corpus_lookup import find_tracks
from tasks.ingest.sources.local_files import local_path
from tasks.store.corpus import Corpus
from tasks.store.tracks import TrackRecord

__all__ = ["AnnotateReport", "annotate_tracks", "list_annotations"]


@dataclass(frozen=True)
class AnnotateReport:
    """Labels and beats that were stored, or that the corpus has.

    Parameters
    ----------
    annotations : list of dict
        One entry per person and track: `key`, `title`, `annotator`, `segments` (their number), `status`, `path` (of
        the stored labels), `file` (that they were read from) and `notes`.
    problems : list of str
        One sentence per file that cannot be used.
    without : list of str
        Titles of the tracks of the source that have neither labels nor beats.
    unmatched : list of str
        Paths of the label files that are not named like a song of the source, if both are folders.
    unused : list of str
        One sentence per file that is named like a song, may contain something other than labels, and was not used.
    beats : list of dict
        As `annotations`, with the number of `beats` instead of that of segments, and the number of `downbeats`, which
        is None if they are unknown.
    """

    annotations: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    without: list[str] = field(default_factory=list)
    unmatched: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    beats: list[dict[str, Any]] = field(default_factory=list)

    @property
    def notes(self) -> list[str]:
        """Sentences on the files that were not used."""
        if not self.unmatched:
            return self.unused
        n_files = len(self.unmatched)
        count = "1 label file matches" if n_files == 1 else f"{n_files} label files match"
        return [f"{count} no ingested song: {_names(self.unmatched)}; {_PAIRING_ADVICE}", *self.unused]


_PAIRING_ADVICE = (
    "name each file like its song (SONG.lab or SONG.NAME.lab), keep it in the subfolder of FILE that corresponds to "
    "the song's subfolder of SOURCE, and ingest the song"
)
_MAX_NAMES = 10  # maximum number of unmatched files that a message names


class _TakenError(Exception):
    """Another file already contains the labels or beats of the same person and song."""


class LabelFile(NamedTuple):
    """A label file, its track, and the annotator in its name (empty if there is none)."""

    record: TrackRecord
    file: Path
    annotator: str


class Place(NamedTuple):
    """Key of a track, name of a person, and whether the person's labels or beats are meant."""

    key: str
    annotator: str
    kind: type[Annotation | BeatAnnotation]


def annotate_tracks(home: Path, source: str, file: str, annotator: str | None = None) -> AnnotateReport:
    """Store people's labels of tracks of the corpus.

    Parameters
    ----------
    home : Path
        Path of the home.
    source : str
        A track (its key, address or file), or a folder of songs.
    file : str
        A file of labels in any supported format or of beats, or a folder of such files that are named like the songs.
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
    problems: list[str] = []
    tracks = find_tracks(corpus, source, problems)
    corpus.prepare()
    if path.is_dir():
        report = _annotate_folder(corpus, tracks, source, path, annotator)
        return replace(report, problems=[*problems, *report.problems])
    if len(tracks) > 1:
        raise ParameterError(
            f"{source} contains {len(tracks)} tracks, but {file} has the labels of one track; give that track as SOURCE"
        )
    ((record, audio),) = tracks
    stated = named_annotator(path.name, audio.stem if audio else "") or _number_in(path.name)
    entries, refusals = _stored(corpus, LabelFile(record, path, annotator or stated), None, {})
    if not entries:
        raise refusals[0]
    return replace(_report(entries), problems=[str(error) for error in refusals])


def list_annotations(home: Path, source: str) -> AnnotateReport:
    """Return the stored labels and beats of the tracks of a source.

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
    """
    corpus = Corpus(home)
    entries, without = [], []
    problems: list[str] = []
    for record, _ in find_tracks(corpus, source, problems):
        known: list[tuple[Path, Annotation | BeatAnnotation]] = [
            *annotations_of(corpus, record.key, problems).values(),
            *beats_of(corpus, record.key, problems).values(),
        ]
        entries += [_entry(record, Kept(path, part, "kept", [])) for path, part in known]
        if not known:
            without.append(record.title)
    return replace(_report(entries), problems=problems, without=without)


def _annotate_folder(
    corpus: Corpus, tracks: Sequence[tuple[TrackRecord, Path | None]], source: str, folder: Path, annotator: str | None
) -> AnnotateReport:
    """Store the labels of each song. A file that cannot be used is a problem, or an error if no file can be used."""
    entries: list[dict[str, Any]] = []
    problems: list[str] = []
    unused: list[str] = []
    taken: dict[Place, str] = {}
    root = _folder_of(source)
    files = list(_files_of_tracks(tracks, root, folder))
    unmatched = [] if root is None else unmatched_files(folder, {labels.file for labels in files})
    for labels in files:
        stored, refusals = _stored(corpus, labels, annotator, taken)
        entries += stored
        for error in refusals:
            is_labels = is_label_suffix(labels.file) or (
                isinstance(error, AnnotationError) and contains_labels(labels.file)
            )
            (problems if is_labels else unused).append(str(error))
    if not entries:
        reasons = problems or ([] if unmatched else unused)
        raise AnnotationError(
            reasons[0] if reasons else _no_match(folder, [*unmatched, *(each.file for each in files)])
        )
    labeled = {entry["key"] for entry in entries}
    without = [record.title for record, _ in tracks if record.key not in labeled]
    unmatched_paths = [str(path) for path in unmatched]
    return replace(_report(entries), problems=problems, without=without, unmatched=unmatched_paths, unused=unused)


def _stored(
    corpus: Corpus, labels: LabelFile, annotator: str | None, taken: dict[Place, str]
) -> tuple[list[dict[str, Any]], list[AnnotationError | _TakenError]]:
    """Store the contents of one file; return an entry per content that is stored, and an error per other one.

    `taken` has the names of the files that were stored before.
    """
    try:
        parts = _parts(read_labels(labels.file))
    except AnnotationError as error:
        return [], [error]
    entries, refusals = [], []
    for part in parts:
        name = labels.annotator or annotator or part.annotator or NOBODY
        place = Place(labels.record.key, name, type(part))
        try:
            _check_not_taken(taken, labels, place)
            entries.append(_keep(corpus, labels, part, name))
        except (AnnotationError, _TakenError) as error:
            refusals.append(error)
        else:  # not before, so that another file is used if this one is refused
            taken[place] = labels.file.name
    return entries, refusals


def _parts(contents: LabelContents) -> list[Annotation | BeatAnnotation]:
    return [part for part in contents if part is not None]


def _report(entries: Iterable[dict[str, Any]]) -> AnnotateReport:
    """Return a report of the entries of labels and of beats."""
    report = AnnotateReport()
    for entry in entries:
        (report.beats if "beats" in entry else report.annotations).append(entry)
    return report


def _no_match(folder: Path, unmatched: Sequence[Path]) -> str:
    suffixes = ", ".join(f"SONG{suffix}" for suffix in LABEL_AND_BEAT_SUFFIXES)
    found = f"; the folder of labels contains {_names(map(str, unmatched))}" if unmatched else ""
    return (
        f"no label file in {plain_text(folder, 400)} is named after a song of the source{found}; rename the files "
        f"(for SONG.mp3: {suffixes})"
    )


def _names(paths: Iterable[str]) -> str:
    names = [plain_text(Path(path).name) for path in paths]
    return ", ".join(names[:_MAX_NAMES]) + (", ..." if len(names) > _MAX_NAMES else "")


def _folder_of(source: str) -> Path | None:
    """Return the folder of songs that a source is, or None for a track."""
    try:
        path = local_path(source)
    except SourceError:  # a key or an address
        return None
    return path if path.is_dir() else None


def _files_of_tracks(
    tracks: Sequence[tuple[TrackRecord, Path | None]], root: Path | None, folder: Path
) -> Iterator[LabelFile]:
    """Yield the label files of each song, from the subfolder that corresponds to that of the song in the source."""
    stems = {audio.stem for _, audio in tracks if audio is not None}
    for record, audio in tracks:
        if audio is not None:
            place = Path() if root is None else audio.parent.relative_to(root)
            for name, path in label_files(same_folder(folder, place), audio.stem, stems):
                yield LabelFile(record, path, name)


def _check_not_taken(taken: Mapping[Place, str], labels: LabelFile, place: Place) -> None:
    """Check that no file replaces the labels or beats from another file of the same call."""
    before = taken.get(place)
    if before not in (None, labels.file.name):
        what = "beats" if place.kind is BeatAnnotation else "labels"
        raise _TakenError(
            f"{labels.file.name} is skipped, because {before} already contains the {what} of {place.annotator}"
        )


def _keep(corpus: Corpus, labels: LabelFile, part: Annotation | BeatAnnotation, annotator: str) -> dict[str, Any]:
    """Store labels or beats, and return their entry."""
    kept: Kept[Annotation | BeatAnnotation]
    try:
        if isinstance(part, BeatAnnotation):
            kept = keep_beats(corpus, labels.record, part, annotator)
        else:
            kept = keep_annotation(corpus, labels.record, part, annotator)
    except AnnotationError as error:
        raise AnnotationError(f"{labels.file.name} does not fit {labels.record.title}: {error}") from error
    return _entry(labels.record, kept, labels.file)


def _number_in(name: str) -> str:
    """Return the number in a name like `song.2.lab`."""
    suffixes = "|".join(re.escape(suffix) for suffix in (*LABEL_AND_BEAT_SUFFIXES, *OTHER_SUFFIXES))
    found = re.search(rf"\.(\d+)(?:{suffixes})$", name, re.IGNORECASE)
    return found[1] if found else ""


def _entry(record: TrackRecord, kept: Kept[Annotation | BeatAnnotation], file: Path | None = None) -> dict[str, Any]:
    return {
        "key": record.key,
        "title": record.title,
        "annotator": kept.annotation.annotator,
        **_counts(kept.annotation),
        "status": kept.status,
        "path": str(kept.path),
        "file": None if file is None else str(file),
        "notes": kept.notes,
    }


def _counts(part: Annotation | BeatAnnotation) -> dict[str, int | None]:
    if isinstance(part, Annotation):
        return {"segments": len(part)}
    return {"beats": len(part), "downbeats": None if part.downbeats is None else len(part.downbeats)}

"""People's beats of the tracks of the corpus: `data/annotations/<key>/<annotator>.beats`.

There is one file per person and track, beside the person's labels; new beats of the same person replace earlier ones.
Earlier versions of songform ignore these files.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from songform.annotation.beat_annotation import BeatAnnotation, fitted_beats
from songform.annotation.formats import beat_lines, read_beats
from songform.errors import AnnotationError
from songform.plain_text import plain_text
from tasks.annotate.annotations import NOBODY, Kept, annotation_path, check_ingested
from tasks.store.atomic_files import atomic_path
from tasks.store.corpus import Corpus
from tasks.store.damaged_files import set_aside
from tasks.store.tracks import TrackRecord

__all__ = ["beats_of", "keep_beats"]


def keep_beats(corpus: Corpus, record: TrackRecord, beats: BeatAnnotation, annotator: str) -> Kept[BeatAnnotation]:
    """Fit a person's beats to the duration of a track, and store them.

    Parameters
    ----------
    corpus : Corpus
        Corpus in which the beats are stored.
    record : TrackRecord
        Record of the track; its duration must be known.
    beats : BeatAnnotation
        The beats as they were read.
    annotator : str
        Name of the person.

    Raises
    ------
    AnnotationError
        If the track was not ingested, or the beats do not fit its duration.
    """
    within = fitted_beats(beats, check_ingested(record))
    kept = replace(within, annotator=plain_text(annotator) or NOBODY)
    path = annotation_path(corpus, record.key, kept.annotator, beat_lines.SUFFIX)
    notes = list(beats.notes)
    known = _known(path, notes)
    if known is not None and _is_same(known, kept):
        return Kept(path, known, "same", notes)
    with atomic_path(path) as temporary:
        temporary.write_text(beat_lines.write(kept), encoding="utf-8")
    return Kept(path, kept, "new" if known is None else "replaced", notes)


def beats_of(corpus: Corpus, key: str, problems: list[str]) -> dict[str, tuple[Path, BeatAnnotation]]:
    """Return the path and the content of each stored file of beats of a track, by the name of the person.

    Parameters
    ----------
    corpus, key
        Corpus, and key of the track.
    problems : list of str
        List to which one sentence per file that cannot be read is added.
    """
    found: dict[str, tuple[Path, BeatAnnotation]] = {}
    for path in sorted(corpus.annotations_path(key).glob(f"*{beat_lines.SUFFIX}")):
        try:
            beats = read_beats(path)
        except AnnotationError as error:
            problems.append(f"{path} is skipped: {error}")
        else:
            found[beats.annotator or path.stem] = (path, beats)
    return found


def _known(path: Path, notes: list[str]) -> BeatAnnotation | None:
    """Return the stored beats of a person, or None; a damaged file is renamed and named in a note."""
    if not path.is_file():
        return None
    try:
        return read_beats(path)
    except AnnotationError as error:
        if isinstance(error.__cause__, OSError):  # for example its permissions
            raise
        notes.append(f"the earlier beats cannot be read ({error}); their file was renamed to {set_aside(path)}")
        return None


def _is_same(one: BeatAnnotation, other: BeatAnnotation) -> bool:
    if (one.positions is None) != (other.positions is None):
        return False
    if one.positions is not None and not np.array_equal(one.positions, np.asarray(other.positions)):
        return False
    return np.array_equal(one.times, other.times) and one.annotator == other.annotator

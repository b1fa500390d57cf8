"""Beats, sections and phrases of a track, and their fields in a report.

Beats are stored when they are found for the first time. Sections are computed each time, which takes a fraction of a
second. They need the semitone spectrum; a track that an earlier version of songform ingested without it has none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import pandas as pd

from songform.beats.beat_tracking import Beats, find_beats
from songform.errors import UnreadableFileError
from songform.features.overview import Overview
from songform.sections.section_finding import Sections, SongPart, find_sections
from tasks.settings import Settings
from tasks.store.beat_tables import beats_config, read_beats, write_beats
from tasks.store.corpus import Corpus
from tasks.store.damaged_files import set_aside_error
from tasks.store.tables import has_spectrum, read_spectrum, spectrum_config
from tasks.store.tracks import TrackRecord

__all__ = ["SongSections", "part_fields", "song_sections"]

_NO_SPECTRUM = (
    "the song has no semitone spectrum, because an earlier version of songform ingested it; "
    "songform ingest --upgrade computes it"
)
_FOUND_AGAIN = "the beats were found again"
_PLACES = {"time": 3, "confidence": 4, "tempo": 2}  # decimal places in a report


@dataclass(frozen=True)
class SongSections:
    """Beats, sections and phrases of a track.

    Parameters
    ----------
    sections : Sections
        Sections and phrases, or the reason why there are none.
    beats : Beats, optional
        None if the track has no semitone spectrum.
    path : str
        Path of the table of beats, relative to the home.
    notes : tuple of str
        One sentence if the semitone spectrum or the stored table of beats could not be read.
    """

    sections: Sections
    beats: Beats | None = None
    path: str = ""
    notes: tuple[str, ...] = ()

    def fields(self, duration: float) -> dict[str, Any]:
        """Return the fields of a report: `sections`, `phrases`, `beats` and, without sections, `no_sections`.

        Parameters
        ----------
        duration : float
            Length of the song in seconds.
        """
        found = self.sections
        return {
            "sections": part_fields(found.sections, duration),
            "phrases": part_fields(found.phrases, duration),
            **({} if found.sections else {"no_sections": found.reason}),
            "beats": None if self.beats is None else {**_beat_fields(self.beats), "path": self.path},
        }


def song_sections(
    corpus: Corpus, record: TrackRecord, features: pd.DataFrame, overview: Overview, settings: Settings
) -> SongSections:
    """Find the beats and sections of a track; its beats are read if they are stored, and otherwise written.

    Parameters
    ----------
    corpus, record, settings
        Corpus, record of the track, and all settings.
    features, overview : pd.DataFrame, Overview
        Features and overview of the track.
    """
    if not has_spectrum(corpus, record, spectrum_config(settings)):
        return SongSections(Sections(reason=_NO_SPECTRUM))
    try:
        spectrum = read_spectrum(corpus, record.key, settings)
    except UnreadableFileError as error:
        return SongSections(Sections(reason=str(error)), notes=(str(error),))
    sr, hop_length = settings.frames.sr, settings.frames.hop_length
    find = partial(find_beats, features, overview, spectrum, sr=sr, hop_length=hop_length)
    beats, notes = _stored_or_found_beats(corpus, record, settings, find)
    sections = find_sections(features, spectrum, beats, record.duration or 0.0, sr=sr, hop_length=hop_length)
    path = corpus.beats_path(beats_config(settings), record.key).relative_to(corpus.home).as_posix()
    return SongSections(sections, beats, path, tuple(notes))


def part_fields(parts: Sequence[SongPart], duration: float) -> list[dict[str, Any]]:
    """Return sections or phrases as fields of a report; they still cover the song when their times are rounded."""
    edges = [0.0, *(min(round(part.start, _PLACES["time"]), duration) for part in parts[1:]), duration]
    rows = [_part_fields(part, *times) for part, times in zip(parts, pairwise(edges), strict=False)]
    return [row for row in rows if row["start"] < row["end"]]


def _part_fields(part: SongPart, start: float, end: float) -> dict[str, Any]:
    return {
        "start": start,
        "end": end,
        "label": part.label,
        "confidence": round(part.confidence, _PLACES["confidence"]),
        "occurrence": part.occurrence,
        "occurrences": part.n_occurrences,
        "is_most_repeated": part.is_most_repeated,
        "is_loudest": part.is_loudest,
    }


def _beat_fields(beats: Beats) -> dict[str, Any]:
    return {
        "tempo": None if beats.tempo is None else round(beats.tempo, _PLACES["tempo"]),
        "metre": beats.metre,
        "is_metre_sure": beats.is_metre_sure,
        "confidence": round(beats.confidence, _PLACES["confidence"]),
    }


def _stored_or_found_beats(
    corpus: Corpus, record: TrackRecord, settings: Settings, find: Callable[[], Beats]
) -> tuple[Beats, list[str]]:
    """Return the beats of a track, and one sentence if the stored table cannot be read.

    A damaged table is renamed and written again. One that cannot be read for another reason is left in place.
    """
    notes, is_writable = [], True
    try:
        stored = read_beats(corpus, record, settings)
    except UnreadableFileError as error:
        stored, is_writable = None, error.is_damaged
        notes = [set_aside_error(error, _FOUND_AGAIN)]
    if stored is not None:
        return stored, notes
    beats = find()
    if is_writable:
        write_beats(corpus, record, settings, beats)
    return beats, notes

"""Scores of the reports of a model against people's labels and beats, per track and in the mean.

The states, the sections and the phrases of a report are scored against the labels of each person, and its beats against
people's beats. Reports of earlier versions of songform, and of songs without a regular beat, contain no sections; such
songs are scored by their states only.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from songform.annotation.annotations import Annotation
from songform.annotation.beat_annotation import BeatAnnotation
from songform.annotation.beat_scores import beat_scores, mean_beat_scores
from songform.annotation.formats import read_report
from songform.annotation.formats.songform_report import LEVELS, ReportContents
from songform.annotation.segmentation_scores import VERSION, SongScores, compare_with_people, mean_scores
from songform.beats.beat_tracking import Beats
from songform.errors import AnnotationError, ParameterError, UnreadableFileError
from tasks.annotate.annotations import annotations_of
from tasks.annotate.beat_annotations import beats_of
from tasks.progress import announce
from tasks.settings import digest
from tasks.store.bundles import ModelInfo
from tasks.store.corpus import Corpus
from tasks.store.tables import read_as

__all__ = ["BEATS", "WHO", "Evaluation", "evaluate_tracks"]

WHO = ("songform", *LEVELS, "people", "every_20_s", "one_section")
"""What is scored, in the order of the table: states, sections, phrases, people against each other and two baselines."""

BEATS = "beats"
"""Name of the mean scores of beats."""

_MAX_NAMES = 5  # maximum number of songs that a note names
_EARLIER = "an earlier version of songform wrote its report; analyze it again"
_UPGRADE = "its report has no beats; add a semitone spectrum with songform ingest --upgrade, and analyze it again"


@dataclass(frozen=True)
class Evaluation:
    """Scores of a corpus.

    Parameters
    ----------
    tracks : list of dict
        For each track `key`, `title`, `annotators`, `scores` (by the names in `WHO`, then by measure), `by_annotator`
        (the scores of the states, sections and phrases against each person), `beat_annotators`, and `beats` (the scores
        of the beats, or None). A song without section labels has no `scores`.
    mean : dict of dict
        Means of the scores over the tracks that have them, by the names in `WHO` and `BEATS`, then by measure.
    missing : list of str
        One sentence per labeled track that has no report, or whose files cannot be read.
    inputs : str
        Digest of everything that was compared.
    n_songs : dict of str to int
        Number of tracks of which each mean is taken.
    notes : list of str
        Sentences on the songs that lack some of the scores.
    """

    tracks: list[dict[str, Any]]
    mean: dict[str, dict[str, float]]
    missing: list[str]
    inputs: str
    n_songs: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Song:
    """Report of a track, and people's labels and beats by the names of the people."""

    key: str
    report: ReportContents
    people: dict[str, Annotation]
    beats: dict[str, BeatAnnotation]
    found: BeatAnnotation | None
    """Beats in the report, if they are scored."""

    @property
    def title(self) -> str:
        return self.report.segments.title


def evaluate_tracks(home: Path, model: ModelInfo) -> Evaluation:
    """Score the reports of a model against people's labels and beats.

    Parameters
    ----------
    home : Path
        Path of the home.
    model : ModelInfo
        Model whose reports are scored.
    """
    corpus = Corpus(home)
    songs: list[_Song] = []
    tracks: list[dict[str, Any]] = []
    missing: list[str] = []
    keys = sorted({*corpus.annotated(), *corpus.annotated_beats()})
    for count, key in enumerate(keys, start=1):
        try:
            song = _read(corpus, model, key, missing)
        except (AnnotationError, UnreadableFileError) as error:
            missing.append(str(error))
            continue
        songs.append(song)
        tracks.append(_track(song))
        announce("agreement", count, len(keys), song.title)
    inputs = digest([VERSION, *map(_content, songs)])
    notes = _notes(songs, tracks)
    tracks = sorted((track for track in tracks if track["scores"] or track["beats"]), key=_order)
    mean, n_songs = _means(tracks)
    return Evaluation(tracks, mean, missing, inputs, n_songs, notes)


def _read(corpus: Corpus, model: ModelInfo, key: str, problems: list[str]) -> _Song:
    """Read the report of a track and people's labels and beats; files of labels that cannot be read are problems."""
    path = corpus.report_path(model.model_id, f"{key}.json")
    if not path.is_file():
        record = corpus.record(key)
        title, source = (record.title, record.source) if record else (key, key)
        option = f" --model {model.address}" if model.address and not model.is_champion else ""
        remedy = f"songform analyze {shlex.quote(source)}{option}"
        raise AnnotationError(f"{title} has no report by this model; create it with {remedy}")
    report = read_report(path)
    people = {name: labels for name, (_, labels) in annotations_of(corpus, key, problems).items()}
    beats = {name: labels for name, (_, labels) in beats_of(corpus, key, problems).items()}
    if not people and not beats:
        title = report.segments.title
        raise AnnotationError(f"{title} has no labels that can be read; label it again with songform annotate")
    return _Song(key, report, people, beats, _found_beats(corpus, report, problems) if beats else None)


def _found_beats(corpus: Corpus, report: ReportContents, problems: list[str]) -> BeatAnnotation | None:
    """Return the beats of a report, or None if it has none; a table that cannot be read is a problem."""
    if not report.beats:
        return None
    path = corpus.home / report.beats  # an absolute path stays as it is
    try:
        found = read_as(Beats.from_table, path)
        return BeatAnnotation(found.times, found.positions)
    except (UnreadableFileError, ParameterError):
        problems.append(
            f"the beats of {report.segments.title} are not scored, because {path} is missing or damaged; create it "
            "again with songform analyze"
        )
        return None


def _track(song: _Song) -> dict[str, Any]:
    """Return the scores of a track."""
    segments = song.report.segments
    compared = SongScores({}, {})
    if song.people:
        duration = segments.duration or float(segments.intervals.max())
        compared = compare_with_people(song.people, {"songform": segments, **song.report.levels}, duration)
    found = song.found
    beats = {} if found is None else mean_beat_scores(beat_scores(person, found) for person in song.beats.values())
    return {
        "key": song.key,
        "title": song.title,
        "annotators": list(song.people),
        "scores": compared.scores,
        "by_annotator": compared.by_annotator,
        "beat_annotators": list(song.beats),
        "beats": beats or None,
    }


def _means(tracks: Sequence[dict[str, Any]]) -> tuple[dict[str, dict[str, float]], dict[str, int]]:
    """Return the mean scores, and the number of tracks of which each mean is taken."""
    rows = {who: [track["scores"][who] for track in tracks if who in track["scores"]] for who in WHO}
    beats = [track["beats"] for track in tracks if track["beats"]]
    mean = {who: mean_scores(scores) for who, scores in rows.items() if scores}
    mean |= {BEATS: mean_beat_scores(beats)} if beats else {}
    return mean, {who: len(scores) for who, scores in {**rows, BEATS: beats}.items() if scores}


def _order(track: dict[str, Any]) -> tuple[str, str]:
    return track["title"].casefold(), track["key"]


def _content(song: _Song) -> list[Any]:
    """Return what determines the scores of a track; without sections and beats it is as in earlier versions."""
    levels = {name: _intervals(level) for name, level in song.report.levels.items()}
    beats = {name: _times(beats) for name, beats in song.beats.items()} if song.found is not None else {}
    found = None if song.found is None else _times(song.found)
    extra = [{"levels": levels, "beats": beats, "found": found}] if levels or beats else []
    people = {name: _intervals(labels) for name, labels in song.people.items()}
    return [song.key, _intervals(song.report.segments), people, *extra]


def _intervals(annotation: Annotation) -> list[Any]:
    return [annotation.intervals.tolist(), list(annotation.labels)]


def _times(beats: BeatAnnotation) -> list[Any]:
    return [beats.times.tolist(), None if beats.positions is None else beats.positions.tolist()]


def _notes(songs: Sequence[_Song], tracks: Sequence[dict[str, Any]]) -> list[str]:
    """Return one sentence each on the songs without sections, and on the songs whose beats are not scored."""
    notes = []
    if lacking := [song for song in songs if song.people and not song.report.levels]:
        notes.append(
            f"{_count(lacking)} no sections and {_verb(lacking)} scored by states only: {_named(lacking, _no_sections)}"
        )
    by_key = {track["key"]: track for track in tracks}
    unscored = [song for song in songs if song.beats and not by_key[song.key]["beats"]]
    if silent := [song for song in unscored if song.found is not None or not song.report.beats]:
        notes.append(f"{_count(silent)} people's beats that cannot be scored: {_named(silent, _no_beats)}")
    return notes


def _count(songs: Sequence[_Song]) -> str:
    return "1 song has" if len(songs) == 1 else f"{len(songs)} songs have"


def _verb(songs: Sequence[_Song]) -> str:
    return "is" if len(songs) == 1 else "are"


def _named(songs: Sequence[_Song], reason: Callable[[_Song], str]) -> str:
    named = ", ".join(f"{song.title} ({reason(song)})" for song in songs[:_MAX_NAMES])
    return named + (", ..." if len(songs) > _MAX_NAMES else "")


def _no_sections(song: _Song) -> str:
    if song.report.is_earlier:
        return _EARLIER
    return song.report.reason or "its report does not say why"


def _no_beats(song: _Song) -> str:
    if song.found is not None:
        return "they end within the first 5 s, which are not scored"
    return _EARLIER if song.report.is_earlier else _UPGRADE

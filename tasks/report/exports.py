"""Exports of a report to the file formats of other programs.

The states are always exported, sections and phrases if the song has any, beats if it has a regular beat, and a
collection of Rekordbox if there is also an audio file. The report lists the suffixes of its exports in the field
`exports`, so that those of an earlier analysis, which the song no longer has, can be removed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from songform import __version__
from songform.annotation.annotations import Annotation
from songform.annotation.beat_annotation import BeatAnnotation
from songform.annotation.formats import LEVEL_WRITERS, SECTION_WRITERS, WRITERS, beat_lines, jams_file, rekordbox
from songform.annotation.formats.songform_report import part_annotation, report_annotation
from songform.beats.beat_grid import beat_grid
from songform.beats.beat_tracking import Beats
from tasks.settings import Settings
from tasks.store.atomic_files import atomic_path
from tasks.store.corpus import Corpus
from tasks.store.tracks import TrackRecord

__all__ = ["JAMS", "REKORDBOX", "audio_file", "export_notes", "export_paths", "export_suffixes", "write_exports"]

JAMS = ".jams"
"""Suffix of the JAMS file, which contains states, sections, phrases, beats and tempo."""

REKORDBOX = f".rekordbox{rekordbox.SUFFIX}"
"""Suffix of the collection of Rekordbox."""

_LEVELS = {"sections": SECTION_WRITERS, "phrases": LEVEL_WRITERS}
_ALL = (
    *WRITERS,
    *(f".{level}{suffix}" for level, writers in _LEVELS.items() for suffix in writers),
    beat_lines.SUFFIX,
    REKORDBOX,
)
_LOCATION = re.compile(r'Location="([^"]*)"')
_MAX_TITLES = 5  # maximum number of songs that a note names

_NO_AUDIO = (
    "no Rekordbox file was written for {titles}, because Rekordbox needs the audio, which was not kept; to keep it, "
    "delete data/tracks/KEY.json and analyze the song again with --set audio.keep=true"
)
_TOO_MANY_SECTIONS = (
    f"the Rekordbox export of {{titles}} contains only the longest {rekordbox.MOST_CUES} sections, because Rekordbox "
    "has no more memory cues per track"
)


def audio_file(corpus: Corpus, record: TrackRecord, settings: Settings) -> Path | None:
    """Return the absolute path of the audio of a track: a local file or a kept download, or None if it was not kept."""
    if record.path is not None:
        return Path(record.path)
    kept = corpus.kept_audio(record.key, settings.audio.encoding)
    return None if kept is None else kept.absolute()


def export_suffixes(document: Mapping[str, Any], audio: Path | None) -> list[str]:
    """Return the suffixes of the exports of a song.

    Parameters
    ----------
    document : dict
        Report; its field `exports` is not used.
    audio : Path, optional
        Audio file of the song.
    """
    suffixes = list(WRITERS)
    for level, writers in _LEVELS.items():
        suffixes += [f".{level}{suffix}" for suffix in writers if document.get(level)]
    if _has_beats(document):
        suffixes += [beat_lines.SUFFIX, *([] if audio is None else [REKORDBOX])]
    return suffixes


def export_paths(report: Path, document: Mapping[str, Any]) -> list[Path]:
    """Return the paths of a report's exports, in the folder of the report.

    Parameters
    ----------
    report : Path
        Path of the JSON report.
    document : dict
        Its content. A report of an earlier version does not list its exports; it has those of the states.
    """
    return [report.with_suffix(suffix) for suffix in _listed(document)]


def export_notes(documents: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return one sentence for all songs without a Rekordbox file, and one for all with too many sections for it.

    Parameters
    ----------
    documents : iterable of dict
        Reports.
    """
    reports = [document for document in documents if _has_beats(document)]
    silent = [document for document in reports if REKORDBOX not in _listed(document)]
    written = [document for document in reports if REKORDBOX in _listed(document)]
    many = [document for document in written if len(document["sections"]) > rekordbox.MOST_CUES]
    found = {_NO_AUDIO: silent, _TOO_MANY_SECTIONS: many}
    return [note.format(titles=_titles(songs)) for note, songs in found.items() if songs]


def write_exports(
    report: Path,
    document: Mapping[str, Any],
    *,
    beats: Beats | None = None,
    audio: Path | None = None,
    earlier: Any = None,
) -> None:
    """Write the exports of a report that are missing or out of date, and remove those it no longer has.

    Each file is written atomically.

    Parameters
    ----------
    report : Path
        Path of the JSON report, which need not exist yet.
    document : dict
        Content of the report.
    beats : Beats, optional
        Beats of the song, if it has any.
    audio : Path, optional
        Audio file of the song.
    earlier : optional
        Content of the report that is in the folder, if there is one. If it is the same, existing exports are not
        written again. If it lists exports that the song no longer has, they are removed.
    """
    texts = _texts(document, beats, audio)
    is_same = document == earlier
    for suffix in _listed(document):
        path = report.with_suffix(suffix)
        if not (is_same and path.is_file() and not (suffix == REKORDBOX and _is_elsewhere(path, audio))):
            with atomic_path(path) as temporary:
                temporary.write_text(texts[suffix](), encoding="utf-8")
    for suffix in _former(earlier) - set(_listed(document)):
        report.with_suffix(suffix).unlink(missing_ok=True)


def _listed(document: Mapping[str, Any]) -> list[str]:
    """Return the suffixes of the exports of a report, without any that songform does not write."""
    listed = document.get("exports", list(WRITERS))
    return [suffix for suffix in _ALL if isinstance(listed, list) and suffix in listed]


def _former(earlier: Any) -> set[str]:
    """Return the suffixes of the exports that an earlier report lists, without any that songform does not write."""
    listed = earlier.get("exports") if isinstance(earlier, Mapping) else None
    return {suffix for suffix in _ALL if isinstance(listed, list) and suffix in listed}


def _has_beats(document: Mapping[str, Any]) -> bool:
    beats = document.get("beats")
    return beats is not None and beats["tempo"] is not None


def _titles(documents: list[Mapping[str, Any]]) -> str:
    titles = [document["track"]["title"] for document in documents]
    if len(titles) == 1:
        return str(titles[0])
    more = ", ..." if len(titles) > _MAX_TITLES else ""
    return f"{len(titles)} songs ({', '.join(titles[:_MAX_TITLES])}{more})"


def _texts(document: Mapping[str, Any], beats: Beats | None, audio: Path | None) -> dict[str, Callable[[], str]]:
    """Return a function that makes the text of an export, by its suffix."""
    about = {
        "annotator": f"songform model {document['model']['id']}",  # not its address, which only this home knows
        "tool": f"songform {__version__}",
    }
    states = report_annotation(document, **about)
    levels = {level: part_annotation(document, level, **about) for level in _LEVELS if document.get(level)}
    texts: dict[str, Callable[[], str]] = {suffix: partial(write, states) for suffix, write in WRITERS.items()}
    for level, parts in levels.items():
        texts |= {f".{level}{suffix}": partial(write, parts) for suffix, write in _LEVELS[level].items()}
    if beats is not None and _has_beats(document):
        positions = BeatAnnotation(beats.times, beats.positions)
        tempo = jams_file.Tempo(document["beats"]["tempo"], document["beats"]["confidence"])
        texts[JAMS] = partial(jams_file.write, states, **levels, beats=positions, tempo=tempo)
        texts[beat_lines.SUFFIX] = partial(beat_lines.write, positions)
        if audio is not None:
            texts[REKORDBOX] = partial(_rekordbox_text, document, beats, audio, levels.get("sections"))
    return texts


def _rekordbox_text(document: Mapping[str, Any], beats: Beats, audio: Path, sections: Annotation | None) -> str:
    track, tempo = document["track"], document["beats"]["tempo"]
    grid = beat_grid(beats.times, beats.positions, document["beats"]["metre"])
    return rekordbox.write(
        [rekordbox.RekordboxTrack(audio, track["title"], track["duration"], tempo, tuple(grid), sections)]
    )


def _is_elsewhere(path: Path, audio: Path | None) -> bool:
    """Return whether a collection of Rekordbox has another path of the audio file, because the file or a home moved."""
    location = _LOCATION.search(path.read_text(encoding="utf-8", errors="replace"))
    return audio is not None and location is not None and location[1] != rekordbox.file_location(audio)

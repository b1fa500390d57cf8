"""Index page: a list of all songs that a model has analyzed, in the folder of their reports."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from pydantic_core import from_json

from songform.errors import CorpusError
from songform.pages.index import SongEntry, index_page
from songform.sections.section_finding import SongPart
from songform.structure.segments import Segment
from tasks.ingest.sources.listing import problems_message
from tasks.store.atomic_files import atomic_path
from tasks.store.bundles import ModelInfo
from tasks.store.corpus import Corpus

__all__ = ["Index", "write_index"]


@dataclass(frozen=True)
class Index:
    """Result of writing an index page.

    Parameters
    ----------
    path : Path
        Path of the page.
    songs : list of dict
        For each song `key`, `title`, `duration`, `silence` (its length in seconds), `confidence` (the mean over the
        sound), `lowest_confidence`, `tempo` (None without a regular beat), `sections` (their number), and `page`, the
        path of the song's page or None.
    left : int
        Number of songs of the corpus that this model has not analyzed yet.
    problems : list of str
        One sentence per report or record that cannot be read.
    """

    path: Path
    songs: list[dict[str, Any]]
    left: int
    problems: list[str]


def write_index(home: Path, model: ModelInfo) -> Index:
    """Write the index page of a model's reports.

    Parameters
    ----------
    home : Path
        Path of the home.
    model : ModelInfo
        Model whose reports are listed.

    Raises
    ------
    CorpusError
        If there is no report, or none that can be read.
    """
    corpus = Corpus(home)
    folder = corpus.report_path(model.model_id, "")
    songs: list[dict[str, Any]] = []
    problems = list(model.problems)
    html = index_page(_entries(folder, songs, problems), model=model.name)
    if not songs and problems:
        raise CorpusError(problems_message("none of the reports can be read", problems))
    if not songs:
        whose = f"the model {model.uri}" if model.uri else model.name
        option = f" --model {model.address}" if model.address and not model.is_champion else ""
        raise CorpusError(
            f"no song in {home} has been analyzed with {whose}; analyze some with songform analyze SOURCE{option}"
        )
    path = folder / "index.html"
    with atomic_path(path) as temporary:
        temporary.write_text(html, encoding="utf-8")
    known = {song["key"] for song in songs}
    corpus_records = corpus.read_records()
    left = sum(record.status == "done" and record.key not in known for record in corpus_records.records)
    return Index(path, songs, left, [*problems, *corpus_records.problems])


def _entries(folder: Path, songs: list[dict[str, Any]], problems: list[str]) -> Iterator[SongEntry]:
    """Read one report after the other; add a summary of each to the songs, or a sentence to the problems."""
    # Listing the folder is faster than looking for each page.
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    for name in sorted(name for name in names if name.endswith(".json")):
        page = f"{name.removesuffix('.json')}.html"
        try:
            key, entry = _read(folder / name, page=quote(page) if page in names else "")
        except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
            problems.append(
                f"the report {folder / name} cannot be read ({error}); delete it and analyze the song again"
            )
        else:
            songs.append(_summary(folder, key, entry))
            yield entry


def _read(path: Path, *, page: str) -> tuple[str, SongEntry]:
    """Return the key and the index entry of a report.

    Raises
    ------
    OSError, ValueError, KeyError, TypeError, OverflowError
        If the report cannot be read, or its content is invalid.
    """
    report = from_json(path.read_bytes())
    entry = SongEntry(str(report["track"]["title"]), page, _segments(report), _sections(report), _tempo(report))
    return str(report["track"]["key"]), entry


def _segments(report: dict[str, Any]) -> list[Segment]:
    """Return the segments of a report.

    Raises
    ------
    ValueError
        If there are none, or one has an invalid time, confidence or state.
    """
    segments = [Segment(**segment) for segment in report["segments"]]
    if not segments:
        raise ValueError("it has no segments")
    _check_parts("segment", [(part.start, part.end, part.state, part.confidence) for part in segments])
    return segments


def _sections(report: dict[str, Any]) -> list[SongPart]:
    """Return the sections of a report; empty if the song has none, or an earlier version of songform wrote the report.

    Raises
    ------
    ValueError
        If one has an invalid time, confidence or letter.
    """
    names = ("start", "end", "label", "confidence")
    sections = [tuple(section[name] for name in names) for section in report.get("sections", [])]
    _check_parts("section", sections)
    return [SongPart(*section) for section in sections]


def _check_parts(what: str, parts: Sequence[tuple[Any, ...]]) -> None:
    """Check start, end, label and confidence of the parts of a song, which must not overlap.

    Raises
    ------
    ValueError
        If a value is invalid.
    """
    previous = 0.0
    for number, (start, end, label, confidence) in enumerate(parts, start=1):
        if not (
            previous <= start < end and math.isfinite(end) and math.isfinite(confidence) and isinstance(label, str)
        ):
            raise ValueError(f"its {what} {number} has invalid values")
        previous = end


def _tempo(report: dict[str, Any]) -> float | None:
    """Return the tempo of a report; None without a regular beat, or if an earlier version of songform wrote the report.

    Raises
    ------
    ValueError
        If it is not a positive number.
    """
    beats = report.get("beats")
    tempo: float | None = None if beats is None else beats["tempo"]
    if tempo is not None and not (tempo > 0 and math.isfinite(tempo)):
        raise ValueError(f"its tempo {tempo} is not a positive number")
    return tempo


def _summary(folder: Path, key: str, song: SongEntry) -> dict[str, Any]:
    return {
        "key": key,
        "title": song.title,
        "duration": song.duration,
        "silence": round(song.silence, 4),
        "confidence": round(song.confidence, 4),
        "lowest_confidence": song.least.confidence,
        "tempo": song.tempo,
        "sections": len(song.sections),
        "page": str(folder / unquote(song.page)) if song.page else None,
    }

"""Index page: a list of all songs that a model has analyzed, in the folder of their reports."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from songform.errors import CorpusError
from songform.pages.index import SongEntry, index_page
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
        sound), `lowest_confidence`, and `page`, the path of the song's page or None.
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
    problems = list(model.problems)
    found = [report for path in sorted(folder.glob("*.json")) if (report := _read(path, problems))]
    if not found and problems:
        raise CorpusError(problems_message("none of the reports can be read", problems))
    if not found:
        whose = (
            f"the model {model.uri}" if model.uri else "states found from each song alone (no model has been trained)"
        )
        raise CorpusError(
            f"no song in {home} has been analyzed with {whose}; analyze some with songform analyze SOURCE"
        )
    path = folder / "index.html"
    with atomic_path(path) as temporary:
        temporary.write_text(index_page([entry for _, entry in found], model=model.name), encoding="utf-8")
    songs = [_summary(folder, key, entry) for key, entry in found]
    known = {key for key, _ in found}
    corpus_records = corpus.read_records()
    left = sum(record.status == "done" and record.key not in known for record in corpus_records.records)
    return Index(path, songs, left, [*problems, *corpus_records.problems])


def _read(path: Path, problems: list[str]) -> tuple[str, SongEntry] | None:
    """Return the key and the index entry of a report; if it cannot be read, add a problem and return None."""
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        segments = _segments(report)
        key, title = str(report["track"]["key"]), str(report["track"]["title"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        problems.append(f"the report {path} cannot be read ({error}); delete it and analyze the song again")
        return None
    page = path.with_suffix(".html")
    return key, SongEntry(title, quote(page.name) if page.is_file() else "", segments)


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
    for number, segment in enumerate(segments, start=1):
        is_valid = 0 <= segment.start < segment.end < math.inf and math.isfinite(segment.confidence)
        if not is_valid or not isinstance(segment.state, str):
            raise ValueError(f"its segment {number} has invalid values")
    return segments


def _summary(folder: Path, key: str, song: SongEntry) -> dict[str, Any]:
    return {
        "key": key,
        "title": song.title,
        "duration": song.duration,
        "silence": round(song.silence, 4),
        "confidence": round(song.confidence, 4),
        "lowest_confidence": song.least.confidence,
        "page": str(folder / unquote(song.page)) if song.page else None,
    }

"""Verdicts: what a soak is judged by, when it is over."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from benchmarks.mishaps import AT_HOME, EXPECTED, Sound
from songform.errors import FAILURE_CLASSES
from tasks.settings import Settings
from tasks.store.tables import has_features
from tasks.store.tracks import TrackRecord

if TYPE_CHECKING:
    from benchmarks.soak import Soak

__all__ = ["class_table", "forbidden", "kind_table", "outcome"]


def outcome(record: TrackRecord | None) -> str:
    """Return what became of a track, in a word: the class of its failure, or its status."""
    if record is None:
        return "no record"
    return record.error.failure if record.error else record.status


def kind_table(tracks: Mapping[str, Sound], outcomes: Mapping[str, str]) -> tuple[str, list[str]]:
    """Return a table of what happened, what it should come to and came to; and the tracks that came to another end."""
    rows, wrong = ["| what happens | tracks | should be | is |", "|---|--:|---|---|"], []
    for kind in sorted({sound.kind for sound in tracks.values()}):
        seen = {key: outcomes[key] for key, sound in tracks.items() if sound.kind == kind}
        wrong += [f"{key} ({kind}): {found}" for key, found in seen.items() if found not in EXPECTED[kind]]
        found = ", ".join(f"{count} {outcome}" for outcome, count in Counter(seen.values()).most_common())
        rows.append(f"| {kind or 'nothing'} | {len(seen)} | {' or '.join(EXPECTED[kind])} | {found} |")
    return "\n".join(rows), wrong


def class_table(outcomes: Mapping[str, str]) -> tuple[str, list[str]]:
    """Return a table of how many tracks came to which end; and the classes of failures that none came to."""
    counts = Counter(outcomes.values())
    rows = ["| became | tracks |", "|---|--:|"]
    rows += [f"| {name} | {counts[name]} |" for name in ("done", *FAILURE_CLASSES)]
    return "\n".join(rows), [name for name in FAILURE_CLASSES if not counts[name]]


def forbidden(run: Soak, settings: Settings, *, kills: int = 0) -> list[tuple[str, Sequence[str]]]:
    """Return what must not be, each with those of which it is true.

    Parameters
    ----------
    run : Soak
        When it is over.
    settings : Settings
        Of its ingests.
    kills : int
        How many of its first runs should have been killed.
    """
    corpus, data = run.corpus, run.home / "data"
    records = {record.key: record for record in corpus.records()}
    undone = [key for key in run.tracks if not has_features(corpus, records.get(key), settings)]
    stray = [path for path in data.rglob("*.tmp") if path.stat().st_mtime < run.last_start]
    return [
        ("good tracks not done", [key for key in undone if run.tracks[key].is_good]),
        ("tracks not done when this machine was mended", [key for key in undone if run.tracks[key].kind in AT_HOME]),
        ("tracks asked for although they were at hand", run.asked_again),
        ("good tracks fetched twice in a run", run.fetched_twice),
        ("records of done tracks written again", run.written_again),
        ("records of no track", [key for key in records if key not in run.tracks]),
        ("temporary files older than the last run", [str(path) for path in stray]),
        ("locks left", [str(path) for path in corpus.track_locks_path.glob("*")]),
        ("downloads left", [str(path) for path in (data / "incoming").rglob("*.*") if path.is_file()]),
        ("files that cannot be read", list(_unreadable(data))),
        ("processes left behind", run.orphans),
        ("runs that ended with a defect", [said for said in run.runs if "ended with 1 " in said]),
        ("tracks still due before that", run.still_due),
        ("kills that came too late", [said for said in run.runs[:kills] if not said.startswith("killed")]),
    ]


def _unreadable(data: Path) -> Iterator[str]:
    """Yield the JSON and Parquet files that are not whole."""
    for path in data.rglob("*"):
        try:
            if path.suffix == ".parquet":
                pq.read_table(path, partitioning=None)
            elif path.suffix == ".json":
                json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            yield f"{path}: {error}"

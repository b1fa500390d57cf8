"""Checks of a finished soak test, and the tables of its outcomes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.mishaps import AT_HOME, EXPECTED, Sound
from benchmarks.soak_run import Soak
from songform.errors import FAILURE_CLASSES
from tasks.settings import Settings
from tasks.store.tables import has_features

__all__ = ["class_table", "forbidden", "kind_table"]


def kind_table(tracks: Mapping[str, Sound], outcomes: Mapping[str, str]) -> tuple[str, list[str]]:
    """Return a table of expected and actual outcomes for each kind of failure, and the tracks with another outcome.

    Parameters
    ----------
    tracks : mapping of str to Sound
        Sound of each track, by key.
    outcomes : mapping of str to str
        Outcome of each track, by key.
    """
    rows, wrong = ["| failure | tracks | expected | actual |", "|---|--:|---|---|"], []
    for kind in sorted({sound.kind for sound in tracks.values()}):
        seen = {key: outcomes[key] for key, sound in tracks.items() if sound.kind == kind}
        wrong += [f"{key} ({kind}): {found}" for key, found in seen.items() if found not in EXPECTED[kind]]
        found = ", ".join(f"{count} {outcome}" for outcome, count in Counter(seen.values()).most_common())
        rows.append(f"| {kind or 'none'} | {len(seen)} | {' or '.join(EXPECTED[kind])} | {found} |")
    return "\n".join(rows), wrong


def class_table(outcomes: Mapping[str, str]) -> tuple[str, list[str]]:
    """Return a table of the number of tracks per outcome, and the failure classes that did not occur.

    Parameters
    ----------
    outcomes : mapping of str to str
        Outcome of each track, by key.
    """
    counts = Counter(outcomes.values())
    rows = ["| outcome | tracks |", "|---|--:|"]
    rows += [f"| {name} | {counts[name]} |" for name in ("done", *FAILURE_CLASSES)]
    return "\n".join(rows), [name for name in FAILURE_CLASSES if not counts[name]]


def forbidden(run: Soak, settings: Settings, *, kills: int = 0) -> list[tuple[str, Sequence[str]]]:
    """Return the name of each violation that is checked, with the tracks, files, processes or runs that violate it.

    Parameters
    ----------
    run : Soak
        A finished soak test.
    settings : Settings
        Settings of its ingests.
    kills : int
        Number of runs at the beginning that should have been killed.
    """
    corpus, data = run.corpus, run.home / "data"
    records = {record.key: record for record in corpus.records()}
    undone = [key for key in run.tracks if not has_features(corpus, records.get(key), settings)]
    stray = [path for path in data.rglob("*.tmp") if path.stat().st_mtime < run.last_start]
    return [
        ("tracks without a failure that are not done", [key for key in undone if run.tracks[key].is_good]),
        (
            "tracks not done after the obstacles were removed",
            [key for key in undone if run.tracks[key].kind in AT_HOME],
        ),
        ("tracks requested although no download was needed", run.asked_again),
        ("tracks without a failure that were downloaded twice in one run", run.fetched_twice),
        ("changed records of finished tracks", run.written_again),
        ("records of unknown tracks", [key for key in records if key not in run.tracks]),
        ("temporary files older than the last run", [str(path) for path in stray]),
        ("remaining locks", [str(path) for path in corpus.track_locks_path.glob("*")]),
        ("remaining downloads", [str(path) for path in (data / "incoming").rglob("*.*") if path.is_file()]),
        ("unreadable files", list(_unreadable(data))),
        ("remaining processes", run.orphans),
        ("runs that ended with a defect", [line for line in run.runs if "ended with 1 " in line]),
        ("tracks still due before the obstacles were removed", run.still_due),
        (
            "runs that ended before they were killed",
            [line for line in run.runs[:kills] if not line.startswith("killed")],
        ),
    ]


def _unreadable(data: Path) -> Iterator[str]:
    """Yield the JSON and Parquet files that cannot be read, each with the error."""
    for path in data.rglob("*"):
        try:
            if path.suffix == ".parquet":
                pq.read_table(path, partitioning=None)
            elif path.suffix == ".json":
                json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            yield f"{path}: {error}"

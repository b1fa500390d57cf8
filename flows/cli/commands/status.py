"""Status: what the corpus holds, and what failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from songform.errors import FAILURE_CLASSES, CorpusError
from tasks.ingest.failures.rules import FAILURE_FIXES
from tasks.store.corpus import Corpus

__all__ = ["FailureGroup", "corpus_status", "failures_by_class"]


class FailureGroup(NamedTuple):
    """The tracks that failed alike: the class, what the user can do about it, and their summaries."""

    failure: str
    what_helps: str
    tracks: list[dict[str, Any]]


def corpus_status(home: Path) -> list[dict[str, Any]]:
    """Return a summary of every track's record, in order of the titles.

    Raises
    ------
    CorpusError
        If the home is not there, or a record cannot be read.
    """
    if not home.exists():
        raise CorpusError(f"there is no home {home}; check its name, or bring tracks in with songform ingest SOURCE")
    if not home.is_dir():
        raise CorpusError(f"the home {home} is no folder; name the folder that holds data/ with --home")
    records = sorted(Corpus(home).records(), key=lambda record: (record.title.casefold(), record.key))
    return [record.summary() for record in records]


def failures_by_class(tracks: Sequence[Mapping[str, Any]]) -> list[FailureGroup]:
    """Return the tracks whose last attempt failed, or that were skipped, by the failure's class.

    Parameters
    ----------
    tracks : sequence of dict
        As `corpus_status` returns them. A track that is done may be among the failures: by other settings.
    """
    groups = (
        FailureGroup(name, FAILURE_FIXES[name], [dict(track) for track in tracks if _class_of(track) == name])
        for name in FAILURE_CLASSES
    )
    return [group for group in groups if group.tracks]


def _class_of(track: Mapping[str, Any]) -> str | None:
    return track["error"]["class"] if track["error"] else None

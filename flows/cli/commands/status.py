"""The command `songform status`: list the tracks of the corpus and their failures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from rich.padding import Padding

from flows.cli.console import (
    DONE,
    MAX_ROWS,
    SOME_FAILED,
    Console,
    cell,
    counted,
    failure_reason,
    next_attempt,
    print_tracks,
    printable,
)
from flows.cli.context import CommandContext
from flows.ingest_report import upgrade_notes
from songform.errors import FAILURE_CLASSES, CorpusError, SettingsError

if TYPE_CHECKING:
    from tasks.settings import Settings

__all__ = [
    "FailureGroup",
    "corpus_status",
    "failures_by_class",
    "print_failures",
    "print_status",
    "status",
    "without_spectrum",
]

Failed = Annotated[
    bool,
    typer.Option("--failed", help="List only the failed tracks, by class of failure, with a fix for each class."),
]


class FailureGroup(NamedTuple):
    """Failed tracks of one class of failure: the class, its fix, and the summaries of the tracks."""

    failure: str
    what_helps: str
    tracks: list[dict[str, Any]]


def status(context: CommandContext, *, failed: Failed = False) -> int:
    """List the tracks of the corpus with their outcomes and the reasons for failures."""
    problems = []
    settings = None
    try:
        settings = context.settings()
    except SettingsError as error:  # this command hardly needs the settings, but other commands will fail
        problems.append(str(error))
    tracks, damaged = corpus_status(context.home)
    problems += damaged
    without = [] if settings is None else without_spectrum(context.home, settings)
    if failed:
        print_failures(context.console, failures_by_class(tracks), problems)
    else:
        print_status(context.console, tracks, problems, context.home, without)
    return SOME_FAILED if damaged else DONE


def corpus_status(home: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the summary of each track's record, sorted by title, and one sentence per record that cannot be read.

    Raises
    ------
    CorpusError
        If the home does not exist.
    """
    from tasks.store.corpus import Corpus

    if not home.exists():
        raise CorpusError(f"the home {home} does not exist; check its name, or create it with songform ingest SOURCE")
    if not home.is_dir():
        raise CorpusError(f"the home {home} is not a folder; give the folder that holds data/ with --home")
    found = Corpus(home).read_records()
    records = sorted(found.records, key=lambda record: (record.title.casefold(), record.key))
    return [record.summary() for record in records], found.problems


def without_spectrum(home: Path, settings: Settings) -> list[str]:
    """Return the keys of the finished tracks that have no semitone spectrum."""
    from tasks.store.corpus import Corpus
    from tasks.store.tables import lacks_spectrum

    corpus = Corpus(home)
    return lacks_spectrum(corpus, corpus.records(), settings)


def failures_by_class(tracks: Sequence[Mapping[str, Any]]) -> list[FailureGroup]:
    """Group the tracks whose last attempt failed or was skipped by their class of failure.

    Parameters
    ----------
    tracks : sequence of dict
        Summaries, as returned by `corpus_status`. They can include a track that is done, if an attempt with other
        settings failed.
    """
    from tasks.ingest.failures.rules import FAILURE_FIXES

    groups = (
        FailureGroup(name, FAILURE_FIXES[name], [dict(track) for track in tracks if _class_of(track) == name])
        for name in FAILURE_CLASSES
    )
    return [group for group in groups if group.tracks]


def _class_of(track: Mapping[str, Any]) -> str | None:
    return track["error"]["class"] if track["error"] else None


def print_status(
    console: Console,
    tracks: list[dict[str, Any]],
    problems: list[str],
    home: Path,
    without_spectrum: Sequence[str] = (),
) -> None:
    """Print the tracks of the corpus, a note about those to upgrade, and the problems that will stop other commands."""
    if console.json:
        console.document({"tracks": tracks, "problems": problems, "without_spectrum": list(without_spectrum)})
    elif not tracks:
        console.say(f"The corpus in {home} has no tracks yet; add some with songform ingest SOURCE.")
    else:
        print_tracks(console, tracks)
    console.notes(upgrade_notes(without_spectrum))
    console.problems(problems)


def print_failures(console: Console, groups: list[FailureGroup], problems: list[str]) -> None:
    """Print the failed tracks by class of failure, and how to fix each class."""
    if console.json:
        console.document({"tracks": [track for group in groups for track in group.tracks], "problems": problems})
    elif not groups:
        console.say("Nothing failed.")
    else:
        for group in groups:
            _print_group(console, group)
    console.problems(problems)


def _print_group(console: Console, group: FailureGroup) -> None:
    console.print(cell(f"{group.failure}: {counted(len(group.tracks), 'track')}", "bold red"))
    advice = f"{group.what_helps[:1].upper()}{group.what_helps[1:]}."
    console.print(Padding(cell(advice), (0, 0, 0, 2), expand=False))
    for track in group.tracks[:MAX_ROWS]:
        words = cell(track["title"], "bold").append(f"\n{printable(failure_reason(track))}", "not bold")
        if track["next_retry_at"]:  # for permanent failures, the advice above is enough
            words.append(f"\n{next_attempt(track)}", "not bold dim")
        console.print(Padding(words, (0, 0, 0, 4), expand=False))
    if len(group.tracks) > MAX_ROWS:
        console.say(f"    ({len(group.tracks) - MAX_ROWS} more; use --json to list all)")

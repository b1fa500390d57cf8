"""Output of the commands: text, JSON documents, tables of tracks, and exit codes.

With `--json`, exactly one JSON document is written to standard output, and text is written to standard error or
omitted. Titles and messages are untrusted text from the web and from files. They are printed without control characters
and never interpreted as markup. docs/json.md lists the exit codes; a defect ends with Python's exit code 1.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import IO, Any, Final, NoReturn

from rich.console import Console as RichConsole
from rich.table import Table
from rich.text import Text

from flows.ingest_report import IngestReport
from songform.time_format import clock

__all__ = [
    "DONE",
    "INTERRUPTED",
    "MAX_ROWS",
    "NOTHING_DONE",
    "OUTPUT_CLOSED",
    "SOME_FAILED",
    "USAGE",
    "Console",
    "cell",
    "counted",
    "duration_text",
    "exit_code",
    "failure_reason",
    "ingest_document",
    "next_attempt",
    "print_tracks",
    "print_unfinished_tracks",
    "printable",
]

DONE: Final = 0
USAGE: Final = 2
SOME_FAILED: Final = 3
NOTHING_DONE: Final = 4
INTERRUPTED: Final = 130  # 128 + SIGINT
OUTPUT_CLOSED: Final = 141  # 128 + SIGPIPE

_FINISHED: Final = ("done", "cached")
MAX_ROWS = 40
"""Maximum number of rows of a table; further entries are only counted."""


def exit_code(tracks: Sequence[dict[str, Any]], problems: Collection[str]) -> int:
    """Return the exit code of a command that processed some tracks."""
    n_failed = sum(track["status"] not in _FINISHED for track in tracks)
    if tracks and n_failed == len(tracks):
        return NOTHING_DONE
    return SOME_FAILED if n_failed or problems else DONE


class Console:
    """Standard output and standard error of a command.

    Parameters
    ----------
    json : bool
        Whether to print the result as a JSON document instead of text.

    Attributes
    ----------
    has_document : bool
        Whether the JSON document has been printed.
    """

    def __init__(self, *, json: bool) -> None:
        self.json = json
        self.has_document = False
        self._out = _PipeConsole(highlight=False, emoji=False)
        self._err = _PipeConsole(stderr=True, highlight=False, emoji=False)

    @property
    def width(self) -> int:
        """Number of columns of the terminal."""
        return self._out.width

    @property
    def is_unicode(self) -> bool:
        """Whether the encoding of standard output has all letters and lines."""
        return sys.stdout.encoding.lower().startswith("utf")

    def say(self, text: str) -> None:
        """Print a line of text on standard output, or on standard error with `--json`."""
        (self._err if self.json else self._out).print(printable(text), markup=False, soft_wrap=True)

    def print(self, *renderables: Any, sep: str = " ") -> None:
        """Print tables and styled text on standard output."""
        self._out.print(*renderables, sep=sep)

    def document(self, fields: dict[str, Any]) -> None:
        """Print the JSON document of a command."""
        # The document is encoded completely before it is written, so that an invalid value leaves no partial document.
        text = json.dumps(fields, ensure_ascii=not self.is_unicode, indent=2, allow_nan=False)
        try:
            text.encode()
        except UnicodeEncodeError:  # the name of a file that is not UTF-8
            text = json.dumps(fields, indent=2, allow_nan=False)
        self.has_document = True
        try:
            sys.stdout.write(f"{text}\n")
            sys.stdout.flush()  # so that a closed pipe raises the error here
        except BrokenPipeError:
            _exit_output_closed(sys.stdout)

    def notes(self, notes: Iterable[str]) -> None:
        """Print notes about unusual tracks, which are not failures."""
        for note in notes:
            self._err.print(f"note: {printable(note)}", markup=False, style="dim", soft_wrap=True)

    def problems(self, problems: Iterable[str]) -> None:
        """Print failures of a command that succeeded in part."""
        for problem in problems:
            self._err.print(f"songform: {printable(problem)}", markup=False, style="yellow", soft_wrap=True)

    def fail(self, error: Exception | str, code: int, **fields: Any) -> int:
        """Print why a command failed, and return its exit code.

        Parameters
        ----------
        error : Exception or str
            The reason, in one sentence.
        code : int
            Exit code.
        **fields
            Further fields of the JSON document.
        """
        message = printable(str(error))
        if self.json and not self.has_document:
            self.document({**fields, "error": message})
        self._err.print(f"songform: {message}", markup=False, style="red", soft_wrap=True)
        return code

    @contextmanager
    def progress(self) -> Iterator[None]:
        """Show the progress of tasks on standard error within a `with` block."""
        from flows.cli.progress_display import progress_display

        with progress_display(self._err):
            yield


class _PipeConsole(RichConsole):
    """Rich console that ends the program when its output pipe is closed."""

    def on_broken_pipe(self) -> None:
        _exit_output_closed(self.file)


def _exit_output_closed(stream: IO[str]) -> NoReturn:
    """Exit without a message and discard buffered output, for example in `songform status | head`."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    raise SystemExit(OUTPUT_CLOSED)


def printable(text: str) -> str:
    """Return text without control characters, except line breaks."""
    return "".join(letter for letter in text if letter == "\n" or letter.isprintable())


def cell(text: str, style: str = "") -> Text:
    """Return printable text for a table cell; markup in it is not interpreted."""
    return Text(printable(text), style=style)


def counted(count: int, noun: str) -> str:
    """Return a number and a noun in singular or plural, such as `1 track` or `2 tracks`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def duration_text(seconds: float | None) -> str:
    """Return a duration as minutes and seconds, or `?` if it is unknown."""
    return "?" if seconds is None else clock(seconds)


_STYLES = {"done": "green", "cached": "cyan", "failed": "red", "skipped": "yellow"}
_URGENCY = ("failed", "skipped", "done", "cached")  # order of the rows: tracks that need attention come first


def ingest_document(report: IngestReport) -> dict[str, Any]:
    """Return the JSON fields of an ingest."""
    return {"tracks": report.tracks, "problems": report.problems, "notes": report.notes} | {
        "without_spectrum": report.without_spectrum
    }


def print_tracks(console: Console, tracks: Sequence[dict[str, Any]], *, none: str = "No tracks.") -> None:
    """Print a table of tracks, with failed tracks first, and the number of tracks per outcome."""
    if not tracks:
        console.say(none)
        return
    _print_table(console, tracks)
    console.say(f"{counted(len(tracks), 'track')}: {_counts_by_outcome(tracks)}{_hidden(tracks)}")


def print_unfinished_tracks(console: Console, tracks: Sequence[dict[str, Any]]) -> None:
    """Print a table of the failed and skipped tracks, and the number of all tracks per outcome, unless all are done.

    It explains the exit code of a command whose output does not list the tracks.
    """
    unfinished = [track for track in tracks if track["status"] not in _FINISHED]
    if unfinished:
        console.print()
        _print_table(console, unfinished)
        console.say(f"{counted(len(tracks), 'track')}: {_counts_by_outcome(tracks)}{_hidden(unfinished)}")


def _print_table(console: Console, tracks: Sequence[dict[str, Any]]) -> None:
    """Print the outcome of each track and, if it failed, why; only the first tracks if there are many."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("outcome", no_wrap=True)
    table.add_column("length", justify="right", no_wrap=True)
    table.add_column("track", overflow="fold")
    for track in sorted(tracks, key=lambda track: _URGENCY.index(track["status"]))[:MAX_ROWS]:
        words = cell(track["title"])
        if track["error"]:
            words.append(f"\n{printable(failure_reason(track))}").append(f"\n{next_attempt(track)}", "dim")
        table.add_row(cell(track["status"], _STYLES[track["status"]]), duration_text(track["duration"]), words)
    console.print(table)


def failure_reason(track: dict[str, Any]) -> str:
    """Return why a track failed, without its title, which the table shows above."""
    message: str = track["error"]["message"]
    # The space is part of the prefix, so that the title `text` is not removed from `text.mp3 is not an audio file`.
    return message.removeprefix(f"{track['title']} ").strip()


def next_attempt(track: dict[str, Any]) -> str:
    """Return when a failed track is retried."""
    at: str | None = track["next_retry_at"]
    if at is None:
        return "not retried automatically; use songform ingest --retry-failed"
    now = datetime.now(UTC).isoformat(timespec="seconds")  # the format of records, so that strings can be compared
    return f"next retry: {at.replace('T', ' ')[:16]} UTC" if at > now else "next retry: at the next ingest"


def _counts_by_outcome(tracks: Sequence[dict[str, Any]]) -> str:
    counts = {status: sum(track["status"] == status for track in tracks) for status in _STYLES}
    return ", ".join(f"{count} {status}" for status, count in counts.items() if count)


def _hidden(tracks: Sequence[dict[str, Any]]) -> str:
    """Return how many tracks a table leaves out."""
    return f" ({len(tracks) - MAX_ROWS} not shown)" if len(tracks) > MAX_ROWS else ""

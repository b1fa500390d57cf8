"""Standard output and standard error: text for people, one JSON document for programs; tables of tracks; exit codes.

With `--json`, exactly one JSON document is written to standard output, and text goes to standard error or is left out.
Titles and messages come from other people's servers and files. They are printed without control characters and never
interpreted as markup. README lists the exit codes for users; a defect ends with Python's own, 1.
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
    "printable",
]

DONE: Final = 0
USAGE: Final = 2
SOME_FAILED: Final = 3
NOTHING_DONE: Final = 4
INTERRUPTED: Final = 130  # 128 + SIGINT, as shells report a process that Ctrl-C ended
OUTPUT_CLOSED: Final = 141  # 128 + SIGPIPE

MAX_ROWS = 40
"""Number of entries that a table lists one by one; the others are only counted."""


def exit_code(tracks: Sequence[dict[str, Any]], problems: Collection[str]) -> int:
    """Return the exit code of a command that processed some tracks."""
    n_failed = sum(track["status"] not in ("done", "cached") for track in tracks)
    if tracks and n_failed == len(tracks):
        return NOTHING_DONE
    return SOME_FAILED if n_failed or problems else DONE


class Console:
    """The terminal, or the program that reads the output.

    Parameters
    ----------
    json : bool
        Whether the result is printed as a JSON document.

    Attributes
    ----------
    has_document : bool
        Whether the JSON document was printed.
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

    def say(self, text: str) -> None:
        """Print a line of text; with JSON to standard error."""
        (self._err if self.json else self._out).print(printable(text), markup=False, soft_wrap=True)

    def print(self, *renderables: Any) -> None:
        """Print tables and styled text to standard output."""
        self._out.print(*renderables)

    def document(self, fields: dict[str, Any]) -> None:
        """Print the JSON document of a command."""
        # Encoded before the first byte is written: a value that JSON does not know must not leave half a document.
        is_unicode = sys.stdout.encoding.lower().startswith("utf")  # an older locale cannot write every title
        text = json.dumps(fields, ensure_ascii=not is_unicode, indent=2, allow_nan=False)
        self.has_document = True
        try:
            sys.stdout.write(f"{text}\n")
            sys.stdout.flush()  # here, where a closed pipe can be told from a defect
        except BrokenPipeError:
            _exit_output_closed(sys.stdout)

    def notes(self, notes: Iterable[str]) -> None:
        """Print what is unusual but not a failure."""
        for note in notes:
            self._err.print(f"note: {printable(note)}", markup=False, style="dim", soft_wrap=True)

    def problems(self, problems: Iterable[str]) -> None:
        """Print what failed while other things succeeded."""
        for problem in problems:
            self._err.print(f"songform: {printable(problem)}", markup=False, style="yellow", soft_wrap=True)

    def fail(self, error: Exception | str, code: int, **fields: Any) -> int:
        """Print why a command cannot do its work, and return its exit code.

        Parameters
        ----------
        error : Exception or str
            The reason, in one sentence.
        code : int
            The exit code.
        **fields
            More fields of the JSON document.
        """
        message = printable(str(error))
        if self.json and not self.has_document:
            self.document({**fields, "error": message})
        self._err.print(f"songform: {message}", markup=False, style="red", soft_wrap=True)
        return code

    @contextmanager
    def progress(self) -> Iterator[None]:
        """Show the progress of tasks on standard error for the length of a `with` block."""
        from flows.cli.progress_display import progress_display

        with progress_display(self._err):
            yield


class _PipeConsole(RichConsole):
    """Ends the program when the output pipe is closed."""

    def on_broken_pipe(self) -> None:
        _exit_output_closed(self.file)


def _exit_output_closed(stream: IO[str]) -> NoReturn:
    """End without a message, as `songform status | head` should; what is still buffered is discarded."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    raise SystemExit(OUTPUT_CLOSED)


def printable(text: str) -> str:
    """Return text without the characters that control a terminal."""
    return "".join(letter for letter in text if letter == "\n" or letter.isprintable())


def cell(text: str, style: str = "") -> Text:
    """Return text for a table, without markup and control characters."""
    return Text(printable(text), style=style)


def counted(count: int, noun: str) -> str:
    """Return a number with its noun: `1 track`, `2 tracks`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def duration_text(seconds: float | None) -> str:
    """Return a duration as minutes and seconds, `?` if it is not known."""
    return "?" if seconds is None else clock(seconds)


_STYLES = {"done": "green", "cached": "cyan", "failed": "red", "skipped": "yellow"}
_URGENCY = ("failed", "skipped", "done", "cached")  # what needs attention comes first


def ingest_document(report: IngestReport) -> dict[str, Any]:
    """Return the JSON fields of an ingest."""
    return {"tracks": report.tracks, "problems": report.problems, "notes": report.notes}


def print_tracks(console: Console, tracks: Sequence[dict[str, Any]]) -> None:
    """Print a table of tracks, those that failed first, and their number by outcome."""
    if not tracks:
        console.say("No tracks.")
        return
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
    console.say(f"{counted(len(tracks), 'track')}: {_counts_by_outcome(tracks)}")


def failure_reason(track: dict[str, Any]) -> str:
    """Return why a track failed, without the title, which is printed above it."""
    message: str = track["error"]["message"]
    # Only the title as a word of its own: `text.mp3 holds no audio` begins with the title `text`, too.
    return message.removeprefix(f"{track['title']} ").strip()


def next_attempt(track: dict[str, Any]) -> str:
    """Return when a failed track is tried again."""
    at: str | None = track["next_retry_at"]
    if at is None:
        return "left alone: only --retry-failed asks for it again"
    now = datetime.now(UTC).isoformat(timespec="seconds")  # as records write it, so that the two can be compared
    return f"next try: {at.replace('T', ' ')[:16]} UTC" if at > now else "next try: with the next ingest"


def _counts_by_outcome(tracks: Sequence[dict[str, Any]]) -> str:
    counts = {status: sum(track["status"] == status for track in tracks) for status in _STYLES}
    hidden = f" ({len(tracks) - MAX_ROWS} not shown)" if len(tracks) > MAX_ROWS else ""
    return ", ".join(f"{count} {status}" for status, count in counts.items() if count) + hidden

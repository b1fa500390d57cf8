"""Standard output and standard error: text for people, one JSON document for programs.

With `--json`, exactly one JSON document is written to standard output, and text goes to standard error or is left out.
Titles and messages come from other people's servers and files. They are printed without control characters and never
interpreted as markup.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any, NoReturn

from rich.console import Console as RichConsole
from rich.text import Text

from flows.cli.exit_codes import OUTPUT_CLOSED
from songform.time_format import clock

__all__ = ["MAX_ROWS", "Console", "cell", "counted", "duration_text", "printable"]

MAX_ROWS = 40
"""Number of entries that a table lists one by one; the others are only counted."""


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
        text = json.dumps(fields, ensure_ascii=False, indent=2, allow_nan=False)
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

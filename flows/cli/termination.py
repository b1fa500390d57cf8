"""Ctrl-C, SIGTERM and SIGHUP: each ends a command in an orderly way, with an exit code of its own.

This module imports nothing that takes time, so that a command can be interrupted while the others are imported.
"""

from __future__ import annotations

import itertools
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

__all__ = ["STOPPED", "Terminated", "asks_for_json", "interruption_code", "termination_as_interrupt"]

STOPPED: Final = "stopped; the same command continues where this one stopped"
"""What an interrupted command reports."""

_SIGNALS = (signal.SIGTERM, signal.SIGHUP)
_SHELL_OFFSET = 128  # shells report a process that signal N ended with the exit code 128 + N


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP arrived.

    It is a `KeyboardInterrupt`, so that everything that cleans up after Ctrl-C cleans up after these signals as well.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def termination_as_interrupt() -> Iterator[None]:
    """Raise `Terminated` on SIGTERM and SIGHUP for the length of a `with` block; a signal that is ignored stays so."""
    handled = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]  # as under `nohup`
    previous = [(number, signal.signal(number, _raise_terminated)) for number in handled]
    try:
        yield
    finally:
        for number, handler in previous:
            signal.signal(number, handler)


def _raise_terminated(number: int, _frame: Any) -> None:
    raise Terminated(number)


def interruption_code(interruption: BaseException | None) -> int:
    """Return the exit code of a command that was interrupted: 130, or 143 by SIGTERM, or 129 by SIGHUP."""
    while interruption is not None and not isinstance(interruption, Terminated):
        interruption = interruption.__cause__
    return _SHELL_OFFSET + (signal.SIGINT if interruption is None else interruption.number)


def asks_for_json(words: Sequence[str]) -> bool:
    """Return whether the arguments, which may be wrong, have the option `--json`; after `--` there are no options."""
    options = itertools.takewhile(lambda word: word != "--", words)
    return any(word.partition("=")[0] == "--json" for word in options)

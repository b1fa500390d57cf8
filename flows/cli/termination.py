"""Handling of Ctrl-C, SIGTERM and SIGHUP: each stops a command cleanly, with its own exit code.

This module has no slow imports, so that the signals are handled while the other modules are imported.
"""

from __future__ import annotations

import itertools
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

__all__ = ["STOPPED", "Terminated", "asks_for_json", "interruption_code", "termination_as_interrupt"]

STOPPED: Final = "stopped; run the same command again to continue where it stopped"
"""Message of an interrupted command."""

_SIGNALS = (signal.SIGTERM, signal.SIGHUP)
_SHELL_OFFSET = 128  # shells report 128 + N for a process that was ended by signal N


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP was received.

    This is a subclass of `KeyboardInterrupt`, so that the code that cleans up after Ctrl-C also runs for these signals.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def termination_as_interrupt() -> Iterator[None]:
    """Raise `Terminated` on SIGTERM and SIGHUP within a `with` block; ignored signals stay ignored."""
    handled = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]  # nohup ignores SIGHUP
    previous = [(number, signal.signal(number, _raise_terminated)) for number in handled]
    try:
        yield
    finally:
        for number, handler in previous:
            signal.signal(number, handler)


def _raise_terminated(number: int, _frame: Any) -> None:
    raise Terminated(number)


def interruption_code(interruption: BaseException | None) -> int:
    """Return the exit code of an interrupted command: 130 for Ctrl-C, 143 for SIGTERM, 129 for SIGHUP."""
    while interruption is not None and not isinstance(interruption, Terminated):
        interruption = interruption.__cause__
    return _SHELL_OFFSET + (signal.SIGINT if interruption is None else interruption.number)


def asks_for_json(words: Sequence[str]) -> bool:
    """Return whether the arguments contain the option `--json` before any `--`; they are not parsed, only searched."""
    options = itertools.takewhile(lambda word: word != "--", words)
    return any(word.partition("=")[0] == "--json" for word in options)

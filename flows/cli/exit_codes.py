"""Exit codes of the command line.

README lists them for users. A defect ends with Python's own exit code, 1. Commands that run until Ctrl-C (`ui` and
`schedule`) end with 0 then.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

__all__ = ["DONE", "INTERRUPTED", "NOTHING_DONE", "OUTPUT_CLOSED", "SOME_FAILED", "USAGE", "exit_code"]

DONE: Final = 0
USAGE: Final = 2
SOME_FAILED: Final = 3
NOTHING_DONE: Final = 4
INTERRUPTED: Final = 130  # 128 + SIGINT, as shells report a process that Ctrl-C ended
OUTPUT_CLOSED: Final = 141  # 128 + SIGPIPE


def exit_code(tracks: Sequence[dict[str, Any]], problems: Collection[str]) -> int:
    """Return the exit code of a command that processed some tracks."""
    n_failed = sum(track["status"] not in ("done", "cached") for track in tracks)
    if tracks and n_failed == len(tracks):
        return NOTHING_DONE
    return SOME_FAILED if n_failed or problems else DONE

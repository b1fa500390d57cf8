"""Entry point of the installed script `songform`."""

from __future__ import annotations

import gc
import io
import json
import sys
from typing import NoReturn

from flows.cli.termination import STOPPED, asks_for_json, interruption_code, termination_as_interrupt

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
    _replace_unencodable_letters()
    with termination_as_interrupt():
        try:
            from flows.cli.app import app
        except KeyboardInterrupt as interruption:
            _exit_interrupted(interruption)
        try:
            app(prog_name="songform")
        finally:
            gc.freeze()  # saves half a second: otherwise Python searches all imported modules for cycles at exit


def _replace_unencodable_letters() -> None:
    """Print `?` for letters that the terminal's encoding does not have, such as emoji in Latin-1."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _exit_interrupted(interruption: KeyboardInterrupt) -> NoReturn:
    """Exit like an interrupted command, without `Console`, which is not imported yet."""
    if asks_for_json(sys.argv[1:]):
        sys.stdout.write(json.dumps({"error": STOPPED}, indent=2) + "\n")
    sys.stderr.write(f"songform: {STOPPED}\n")
    sys.exit(interruption_code(interruption))

"""Command line of the benchmarks that measure one song: ``python -m benchmarks.<name> [SONG]``."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.measuring import Result, markdown
from benchmarks.songs import default_song

__all__ = ["print_results"]


def print_results(measure: Callable[[Path], Sequence[Result]]) -> None:
    """Print the table of a benchmark for the song that the command line names, or for a composed one."""
    with tempfile.TemporaryDirectory() as folder:
        song = Path(sys.argv[1]) if sys.argv[1:] else default_song(Path(folder))
        print(markdown(measure(song)))

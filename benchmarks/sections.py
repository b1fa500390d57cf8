"""Benchmark of beats and sections, which are found from the stored tables: a song of four minutes, and a long mix.

Run it with ``python -m benchmarks.sections [SONG]``. The tables of the song are repeated or cut to the wanted length,
with a different gain in each repetition, so that the repetitions are not equal.
"""

from __future__ import annotations

import sys
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

import songform
from benchmarks.measuring import Result, markdown, timed
from benchmarks.songs import default_song
from songform.beats.beat_tracking import find_beats
from songform.features.extraction import SongExtractor
from songform.features.frame_features import feature_table
from songform.sections.section_finding import Sections, find_sections

__all__ = ["measure"]

FOUR_MINUTES, TWO_HOURS = 240, 7200  # seconds
BOUND_SECONDS, BOUND_MB = 1.0, 400


def measure(song: Path) -> list[Result]:
    """Measure beats and sections.

    Parameters
    ----------
    song : Path
        An audio file of any format.
    """
    y, sr = songform.load(song)
    with threadpool_limits(1):
        tables = _tables(y, sr, FOUR_MINUTES)
        _found(*tables)
        took = timed(lambda: _found(*tables))
    n_sections, megabytes = _peak(y, sr)
    return [
        Result(
            "beats and sections of four minutes, one core, warm",
            f"{took:.2f} s",
            f"at most {BOUND_SECONDS:.0f} s",
            took.median <= BOUND_SECONDS,
        ),
        Result(
            f"memory for beats and sections of a mix of two hours ({n_sections} sections), beyond its tables",
            f"{megabytes:.0f} MB",
            f"at most {BOUND_MB} MB",
            megabytes <= BOUND_MB,
        ),
    ]


def _tables(y: NDArray[np.float32], sr: int, seconds: int) -> tuple[SongExtractor, object]:
    extractor, left, rng = SongExtractor(sr), seconds * sr, np.random.default_rng(0)
    rows = []
    while left > 0:
        part = y[:left] * np.float32(rng.uniform(0.7, 1))
        rows.append(extractor.push(part))
        left -= len(part)
    rows.append(extractor.flush())
    return extractor, feature_table(rows, extractor.columns, sr=sr)


def _found(extractor: SongExtractor, features: object) -> Sections:
    spectrum = extractor.semitone_spectrum()
    beats = find_beats(features, extractor.overview(), spectrum)
    return find_sections(features, spectrum, beats, len(features) * 512 / 22050)


def _peak(y: NDArray[np.float32], sr: int) -> tuple[int, float]:
    """Return the number of sections of a mix, and the peak of the memory that was allocated to find them, in MB."""
    tables = _tables(y, sr, TWO_HOURS)
    tracemalloc.start()
    found = _found(*tables)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return len(found.sections), peak / 1e6


def main() -> None:
    """Run the benchmark on the command line's file, or on a composed song."""
    with tempfile.TemporaryDirectory() as folder:
        song = Path(sys.argv[1]) if len(sys.argv) > 1 else default_song(Path(folder))
        print(markdown(measure(song)))


if __name__ == "__main__":
    main()

"""Run all benchmarks on one song and print their tables: ``python -m benchmarks [SONG]``, or ``make bench SONG=...``.

Without a file, a song is composed. `benchmarks.index`, which needs Chromium, is run separately, and so are three longer
programs, which do not measure speed: `benchmarks.study` (``make study``), `benchmarks.composer` and `benchmarks.soak`
(``make soak``).
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import time
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path

from benchmarks import (
    codecs,
    features,
    large,
    librosa_functions,
    memory,
    overhead,
    pages,
    pipeline,
    reports,
    sections,
    startup,
    throughput,
    training,
)
from benchmarks.measuring import markdown
from benchmarks.songs import default_song

PARTS = {
    "Features": features,
    "Functions that librosa also has": librosa_functions,
    "From file to Parquet": pipeline,
    "Beats and sections": sections,
    "Workers": throughput,
    "Memory": memory,
    "Codecs": codecs,
    "Reports": reports,
    "Pages": pages,
    "Training": training,
    "Whole programs": startup,
    "A thousand tracks": overhead,
    "Five thousand finished tracks": large,
}
LIBRARIES = ("numpy", "scipy", "librosa", "soundfile", "soxr", "pyarrow", "prefect")


def main() -> None:
    """Run one benchmark after the other, and print the system load before and after each."""
    print(machine(), flush=True)
    with tempfile.TemporaryDirectory(prefix="songform-bench-") as folder:
        song = Path(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1] else default_song(Path(folder))
        for title, part in PARTS.items():
            before, began = os.getloadavg()[0], time.monotonic()
            table = markdown(part.measure(song))
            spent = timedelta(seconds=round(time.monotonic() - began))
            print(
                f"\n## {title}\n\n{table}\n\nLoad {before:.1f} before, {os.getloadavg()[0]:.1f} after; {spent}.",
                flush=True,
            )


def machine() -> str:
    """Return the processor, the operating system, and the versions of Python and the libraries."""
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return (
        f"{processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}\n"
        f"Python {platform.python_version()}, {libraries}"
    )


def processor() -> str:
    """Return the name of the processor, or its architecture if the system does not report a name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    main()

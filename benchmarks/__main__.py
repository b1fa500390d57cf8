"""Run the benchmarks and print a table.

Each is a ratio or a wall time with its load, the median of several runs in this process or of whole processes.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time

RUNS = 7


def main() -> None:
    """Print the table: for now, how long the command line takes to answer."""
    seconds = [help_seconds() for _ in range(RUNS)]
    print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; median of {RUNS} (min to max)")
    print(
        f"songform --help: {statistics.median(seconds):.2f} s "
        f"({min(seconds):.2f} to {max(seconds):.2f}); the bound is 1 s"
    )


def help_seconds() -> float:
    """Return the wall time of `songform --help`, as a whole process."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "flows.cli", "--help"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()

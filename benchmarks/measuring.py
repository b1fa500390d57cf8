"""Timing of interleaved runs, medians, and the table that benchmarks print.

Two functions are compared in pairs, one run of each in turn, so that the load of other programs affects both equally.
The ratio is the median of the ratios of all pairs. Times in seconds mean little on a shared machine, so they are always
printed together with the system load.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

__all__ = ["RUNS", "Result", "Spread", "compared", "markdown", "seconds", "spread", "timed"]

RUNS = 7


@dataclass(frozen=True)
class Spread:
    """Median, smallest and largest value of some runs."""

    median: float
    least: float
    most: float

    def __format__(self, spec: str) -> str:
        return f"{self.median:{spec}} ({self.least:{spec}} to {self.most:{spec}})"


@dataclass(frozen=True)
class Result:
    """One row of the table.

    Parameters
    ----------
    what : str
        What was measured, in a few words.
    measured : str
        Median, smallest and largest value, with the unit.
    bound : str
        Bound that the median should meet; empty if there is none.
    met : bool, optional
        Whether the bound is met; None if there is none.
    """

    what: str
    measured: str
    bound: str = ""
    met: bool | None = None


def compared(one: Callable[[], object], other: Callable[[], object], *, runs: int = RUNS) -> Spread:
    """Return the time of `one` divided by that of `other`; the first run of each is not counted."""
    one(), other()
    return spread([seconds(one) / seconds(other) for _ in range(runs)])


def timed(what: Callable[[], object], *, runs: int = RUNS) -> Spread:
    """Return how long a function takes, in seconds."""
    return spread([seconds(what) for _ in range(runs)])


def seconds(what: Callable[[], object]) -> float:
    """Return how long one run of a function takes, in seconds."""
    began = time.perf_counter()
    what()
    return time.perf_counter() - began


def markdown(results: Sequence[Result]) -> str:
    """Return the results as a Markdown table, in which missed bounds are set in bold."""
    verdict = {True: "yes", False: "**no**", None: ""}
    rows = [f"| {r.what} | {r.measured} | {r.bound} | {verdict[r.met]} |" for r in results]
    return "\n".join(["| measured | median (minimum to maximum) | bound | met |", "|---|--:|--:|---|", *rows])


def spread(values: Iterable[float]) -> Spread:
    """Return the median, the smallest and the largest of some values."""
    all_of_them = list(values)
    return Spread(statistics.median(all_of_them), min(all_of_them), max(all_of_them))

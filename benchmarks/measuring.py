"""Measuring: interleaved runs, medians, and the table that is printed.

Two things are compared in pairs, one run of each in turn, so that a neighbour's load falls on both; the ratio is the
median of the pairs' ratios. Seconds alone say little on a shared machine and always stand beside the load.
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
    """The median of some runs, with the smallest and the largest."""

    median: float
    least: float
    most: float

    def __format__(self, spec: str) -> str:
        return f"{self.median:{spec}} ({self.least:{spec}} to {self.most:{spec}})"


@dataclass(frozen=True)
class Result:
    """One line of the table.

    Parameters
    ----------
    what : str
        What was measured, in a few words.
    measured : str
        The median, the smallest and the largest, with the unit.
    bound : str
        What it should be; empty if nothing was promised.
    met : bool, optional
        Whether it is; None if nothing was promised.
    """

    what: str
    measured: str
    bound: str = ""
    met: bool | None = None


def compared(one: Callable[[], object], other: Callable[[], object], *, runs: int = RUNS) -> Spread:
    """Return how many times as long `one` takes as `other`, after one run of each that does not count."""
    one(), other()
    return spread([seconds(one) / seconds(other) for _ in range(runs)])


def timed(what: Callable[[], object], *, runs: int = RUNS) -> Spread:
    """Return how long something takes, in s."""
    return spread([seconds(what) for _ in range(runs)])


def seconds(what: Callable[[], object]) -> float:
    """Return how long one run takes, in s."""
    began = time.perf_counter()
    what()
    return time.perf_counter() - began


def markdown(results: Sequence[Result]) -> str:
    """Return the results as a Markdown table: what falls short says so."""
    verdict = {True: "yes", False: "**no**", None: ""}
    rows = [f"| {r.what} | {r.measured} | {r.bound} | {verdict[r.met]} |" for r in results]
    return "\n".join(["| what | median (least to most) | bound | met |", "|---|--:|--:|---|", *rows])


def spread(values: Iterable[float]) -> Spread:
    """Return the median of some values, the smallest and the largest."""
    all_of_them = list(values)
    return Spread(statistics.median(all_of_them), min(all_of_them), max(all_of_them))

"""Filters of the pages' templates: numbers and times as text."""

from __future__ import annotations

from typing import NamedTuple

from songform.time_format import clock

__all__ = ["FILTERS", "Bar", "counted", "percent", "profile_bar", "signed"]

_MAX_DEVIATIONS = 2.5  # a profile's bars are clipped at this number of standard deviations


class Bar(NamedTuple):
    """Bar to the left or to the right of the middle of a table cell, as fractions of the cell's width."""

    start: float
    length: float


def counted(count: int, noun: str) -> str:
    """Return a number with its noun: `1 segment`, `1,250 segments`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def percent(share: float) -> str:
    """Return a share between 0 and 1 as a whole percentage: `62 %`."""
    return f"{100 * share:.0f} %"


def signed(value: float) -> str:
    """Return a number with its sign and one decimal; zero has a plus."""
    return f"{round(value, 1) or 0.0:+.1f}".replace("-", "\N{MINUS SIGN}")


def profile_bar(value: float) -> Bar:
    """Return the bar of a value in standard deviations."""
    length = min(abs(value), _MAX_DEVIATIONS) / _MAX_DEVIATIONS / 2
    return Bar(0.5 - length if value < 0 else 0.5, length)


FILTERS = {"clock": clock, "counted": counted, "percent": percent, "profile_bar": profile_bar, "signed": signed}
"""Filters by their name in a template."""

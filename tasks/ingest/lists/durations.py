"""Durations in lists."""

from __future__ import annotations

import math

__all__ = ["duration_seconds", "positive_seconds"]


def duration_seconds(text: str) -> float | None:
    """Return a duration in seconds, which is written in any of the forms that yt-dlp reads; None if it is not valid."""
    from yt_dlp.utils import parse_duration

    return positive_seconds(parse_duration(text)) if text else None


def positive_seconds(value: object) -> float | None:
    """Return a number of seconds; None if it is not a positive number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and value > 0 else None

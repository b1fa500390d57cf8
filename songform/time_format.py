"""Time format: a time as a person reads it, the same in the terminal, in pictures and on pages.

Half a second counts up, as JavaScript's `Math.round` has it, for the pages' scripts round as well
(`songform/pages/assets/words.js`). What is shown must not have been rounded before: 61.46 s, rounded to 61.5 s, would
become 1:02.
"""

from __future__ import annotations

import math

__all__ = ["clock"]


def clock(seconds: float, decimals: int = 0) -> str:
    """Return a time as `m:ss`, as `h:mm:ss` from one hour on.

    Parameters
    ----------
    seconds : float >= 0
        The time.
    decimals : int >= 0
        Of the seconds. They are rounded first, or 59.96 s would be 0:60.0.
    """
    count, scale = math.floor(seconds * 10**decimals + 0.5), 10**decimals
    minutes, rest = divmod(count, 60 * scale)
    second, fraction = divmod(rest, scale)
    tail = f"{second:02d}" + (f".{fraction:0{decimals}d}" if decimals else "")
    return f"{minutes // 60}:{minutes % 60:02d}:{tail}" if minutes >= 60 else f"{minutes}:{tail}"

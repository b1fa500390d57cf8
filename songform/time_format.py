"""Format of times in the terminal, in pictures and on pages.

Half a second is rounded up, like JavaScript's `Math.round`, because the scripts of the pages round in the same way
(`songform/pages/assets/words.js`). Pass unrounded times: 61.46 s is shown as 1:01, but if it is first rounded to 61.5 s
it is shown as 1:02.
"""

from __future__ import annotations

import math

__all__ = ["clock"]


def clock(seconds: float, decimals: int = 0) -> str:
    """Return a time as `m:ss`, or as `h:mm:ss` from one hour on.

    Parameters
    ----------
    seconds : float >= 0
        Time in seconds.
    decimals : int >= 0
        Number of decimals of the seconds.
    """
    # Round before the division into minutes: otherwise 59.96 s would become 0:60.0 with one decimal.
    count, scale = math.floor(seconds * 10**decimals + 0.5), 10**decimals
    minutes, rest = divmod(count, 60 * scale)
    second, fraction = divmod(rest, scale)
    tail = f"{second:02d}" + (f".{fraction:0{decimals}d}" if decimals else "")
    return f"{minutes // 60}:{minutes % 60:02d}:{tail}" if minutes >= 60 else f"{minutes}:{tail}"

r"""Text in pictures, which may come from anywhere.

The title of a song is text from the web. Matplotlib would read `$...$` as a formula and warn about each character that
is missing from the font, and a title of a thousand letters would not fit into the picture. `plain_text` converts any
text to one that Matplotlib draws literally and that fits.

Conventions
-----------
Font sizes are in points, widths in inches. The font is DejaVu Sans, which comes with Matplotlib, so that a picture is
the same on every machine.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_left
from typing import Any

import numpy as np
from matplotlib.font_manager import FontProperties, findfont, get_font

__all__ = ["FONT", "INK", "TITLE_SIZE", "TYPE", "plain_text"]

FONT = "DejaVu Sans"
INK = "#262626"
TYPE: dict[str, Any] = {"family": FONT, "size": 9.0, "color": INK, "weight": "normal"}
"""Matplotlib keywords of every text except the title."""
TITLE_SIZE = 11.0

_LONGEST = 1000  # characters; no picture has room for more, and titles from the web may be a megabyte long


def plain_text(text: str, *, width: float = np.inf, size: float = TITLE_SIZE) -> str:
    """Return text that Matplotlib draws literally.

    Control, format and combining characters are removed. White space is replaced by single spaces, and characters that
    are missing from the font by boxes. Dollar signs are escaped.

    Parameters
    ----------
    text : str
        Any text.
    width : float > 0
        Maximum width in inches. A wider text is cut and ends with an ellipsis.
    size : float > 0
        Font size in points.

    Returns
    -------
    str
        Text for Matplotlib.
    """
    # NFKC replaces ornamental letters by plain ones, and joins letters with their accents.
    letters = (" " if letter.isspace() else letter for letter in unicodedata.normalize("NFKC", text[:_LONGEST]))
    words = "".join(letter for letter in letters if unicodedata.category(letter)[0] not in "CM").split()
    font = get_font(findfont(FontProperties(family=FONT)))
    drawable = [letter if font.get_char_index(ord(letter)) else "\N{WHITE SQUARE}" for letter in " ".join(words)]
    return _cut("".join(drawable), width, size).replace("$", r"\$")


def _cut(text: str, width: float, size: float) -> str:
    """Cut a text to a width in inches, measured with the font."""
    font = get_font(findfont(FontProperties(family=FONT)))
    font.set_size(size, 72)

    def inches(candidate: str) -> float:
        font.set_text(candidate)
        return float(font.get_width_height()[0]) / 64 / 72

    if inches(text) <= width:
        return text
    too_long = bisect_left(range(len(text)), x=True, key=lambda length: inches(text[:length] + "…") > width)
    return text[: max(too_long - 1, 0)].rstrip() + "…"

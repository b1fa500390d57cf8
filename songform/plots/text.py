r"""Text in pictures, which may come from anywhere.

The title of a song is text from the web. Matplotlib would read `$...$` as a formula and warn about each character that
is missing from the font, and a title of a thousand letters would not fit into the picture. `plain_text` converts any
text to one that Matplotlib draws literally and that fits.

Conventions
-----------
Font sizes are in points, widths in inches. `songform.plots.fonts` describes which fonts are used.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_left
from typing import Any

import numpy as np

from songform.plots.fonts import FONT, font_families, font_of, is_drawable

__all__ = ["INK", "TITLE_SIZE", "TYPE", "plain_text", "text_width"]

INK = "#262626"
TYPE: dict[str, Any] = {"family": FONT, "size": 9.0, "color": INK, "weight": "normal"}
"""Matplotlib keywords of every text except the title."""
TITLE_SIZE = 11.0

_LONGEST = 1000  # characters; no picture has room for more, and titles from the web may be a megabyte long


def plain_text(text: str, *, width: float = np.inf, size: float = TITLE_SIZE) -> str:
    """Return text that Matplotlib draws literally.

    Control, format and combining characters are removed. White space is replaced by single spaces, and characters that
    no font has by boxes. Dollar signs are escaped.

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
    drawable = [letter if is_drawable(letter) else "\N{WHITE SQUARE}" for letter in " ".join(words)]
    return _cut("".join(drawable), width, size).replace("$", r"\$")


def text_width(text: str, size: float) -> float:
    """Return the width in inches of a text, which may contain any letters that can be drawn."""
    # A font object stores the text that was measured last; Matplotlib returns one for each thread.
    font = font_of(font_families(text))
    font.set_size(size, 72)
    font.set_text(text)
    return float(font.get_width_height()[0]) / 64 / 72


def _cut(text: str, width: float, size: float) -> str:
    """Cut a text to a width in inches."""
    if text_width(text, size) <= width:
        return text
    too_long = bisect_left(range(len(text)), x=True, key=lambda length: text_width(text[:length] + "…", size) > width)
    return text[: max(too_long - 1, 0)].rstrip() + "…"

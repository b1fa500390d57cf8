r"""Text in pictures: any text, from anyone, drawn as it stands.

A song's title comes from strangers. Matplotlib would take `$...$` for a formula and warn of each character that the
font lacks; a title of a thousand letters would leave the paper. `plain_text` makes any text safe and short.

Conventions
-----------
Sizes of type are in points, widths in inches. The font is DejaVu Sans, which comes with Matplotlib, so that a picture
is the same on every machine.
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
"""Keywords of every text but the title."""
TITLE_SIZE = 11.0

_LONGEST = 1000  # characters: no picture has room for more, and a stranger's title may be a megabyte


def plain_text(text: str, *, width: float = np.inf, size: float = TITLE_SIZE) -> str:
    """Text that Matplotlib draws as it stands.

    Control, format and combining characters are dropped, white space becomes single blanks, a character that the font
    lacks becomes a box, and a dollar sign is escaped.

    Parameters
    ----------
    text : str
        Text of any origin.
    width : float > 0
        A text that is wider than this many inches is cut, and ends with an ellipsis.
    size : float > 0
        The size of the type in points.

    Returns
    -------
    str
        The text for Matplotlib.
    """
    # NFKC turns ornamental letters into plain ones, and joins a letter with its accent.
    letters = (" " if letter.isspace() else letter for letter in unicodedata.normalize("NFKC", text[:_LONGEST]))
    words = "".join(letter for letter in letters if unicodedata.category(letter)[0] not in "CM").split()
    font = get_font(findfont(FontProperties(family=FONT)))
    drawable = [letter if font.get_char_index(ord(letter)) else "\N{WHITE SQUARE}" for letter in " ".join(words)]
    return _cut("".join(drawable), width, size).replace("$", r"\$")


def _cut(text: str, width: float, size: float) -> str:
    """Shorten a text to a width in inches, as the font measures it."""
    font = get_font(findfont(FontProperties(family=FONT)))
    font.set_size(size, 72)

    def inches(candidate: str) -> float:
        font.set_text(candidate)
        return float(font.get_width_height()[0]) / 64 / 72

    if inches(text) <= width:
        return text
    too_long = bisect_left(range(len(text)), x=True, key=lambda length: inches(text[:length] + "…") > width)
    return text[: max(too_long - 1, 0)].rstrip() + "…"

"""Plain text: what strangers wrote - titles, labels, addresses, messages - made safe to show on a line.

What a place needs beyond that stands where it is shown: formulas in `songform.annotation.formats.csv_labels`, for one.
"""

from __future__ import annotations

import re
import unicodedata

__all__ = ["plain_text"]

_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
# These turn the direction of all that follows: a title must not be able to rewrite the line it stands in.
_DIRECTION = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


def plain_text(text: object, length: int = 200) -> str:
    """Make text from strangers safe to show: one line, no control characters, bounded.

    Parameters
    ----------
    text : object
        A title or a message; None is empty.
    length : int > 0
        Most characters to keep.

    Returns
    -------
    str
        Without line breaks, tabs, escape sequences, marks of direction and lone surrogates; blanks are single.
    """
    line = _DIRECTION.sub("", _ANSI.sub("", "" if text is None else str(text)))
    line = line.encode("utf-8", "replace").decode("utf-8")  # a lone surrogate cannot be written to a file
    line = " ".join("".join(" " if unicodedata.category(char) == "Cc" else char for char in line).split())
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"

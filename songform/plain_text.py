"""Cleaning of untrusted text (titles, labels, addresses, messages) for one line of output.

Some outputs need further escaping, which is done where they are written; for example,
`songform.annotation.formats.csv_labels` escapes spreadsheet formulas.
"""

from __future__ import annotations

import re
import unicodedata

__all__ = ["plain_text"]

_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
# These characters change the direction of the text after them, so a title could change how its whole line is displayed.
_DIRECTION = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


def plain_text(text: object, length: int = 200) -> str:
    """Return untrusted text as one line of limited length without control characters.

    Parameters
    ----------
    text : object
        A title or a message; None gives an empty string.
    length : int > 0
        Maximum number of characters; longer text is shortened and ends with an ellipsis.

    Returns
    -------
    str
        Text without line breaks, tabs, escape sequences, direction marks and lone surrogates. Runs of whitespace are
        replaced by a single space.
    """
    line = _DIRECTION.sub("", _ANSI.sub("", "" if text is None else str(text)))
    line = line.encode("utf-8", "replace").decode("utf-8")  # lone surrogates cannot be written to a file
    line = " ".join("".join(" " if unicodedata.category(char) == "Cc" else char for char in line).split())
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"

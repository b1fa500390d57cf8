"""Sections of a song in several lines, for songs with more sections than fit above the axes.

Conventions
-----------
The song is read like a text: each line lasts equally long, and starts with its time. A section that does not end with
its line is continued in the next one; its letter is written on its longest piece.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from songform.plots.drawing import CLOCK_STEPS, axes_inches
from songform.plots.section_rows import SECTION_HEIGHT, Block, draw_row, letters_fit
from songform.plots.text import TYPE
from songform.time_format import clock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from songform.sections.section_finding import SongPart

__all__ = ["draw_section_lines", "line_seconds", "lines_height", "lines_of"]

_LINE_HEIGHT, _HEADING_HEIGHT = 0.27, 0.28  # inches
_SIZES = (8.0, 7.0, 6.5)
_MOST_LINES = 24


def line_seconds(parts: Sequence[SongPart], width: float) -> float:
    """Return how many seconds a line lasts.

    Parameters
    ----------
    parts : sequence of SongPart
        Sections of a song.
    width : float > 0
        Width of a line in inches.

    Returns
    -------
    float
        The largest round number with which all letters fit into their lines. There are at most 24 lines; if letters do
        not fit into those, they are left out. 0 if all letters fit into one row that is as long as the song.
    """
    duration = parts[-1].end
    if letters_fit(lines_of(parts, duration)[0], duration, width):
        return 0.0
    steps = [step for step in CLOCK_STEPS if duration / _MOST_LINES <= step < duration]
    fitting = (
        step for step in reversed(steps) if all(letters_fit(line, step, width) for line in lines_of(parts, step))
    )
    return float(next(fitting, steps[0] if steps else duration))


def lines_height(parts: Sequence[SongPart], seconds: float) -> float:
    """Return the height of the lines and their heading in inches."""
    return _HEADING_HEIGHT + _LINE_HEIGHT * _line_count(parts, seconds)


def lines_of(parts: Sequence[SongPart], seconds: float) -> list[list[Block]]:
    """Return the sections of a song in lines.

    Parameters
    ----------
    parts : sequence of SongPart
        Sections of a song.
    seconds : float > 0
        Length of a line.

    Returns
    -------
    list of list of Block
        The sections in each line, or pieces of them. Times are from the start of the line.
    """
    lines: list[list[Block]] = [[] for _ in range(_line_count(parts, seconds))]
    for part in parts:
        touched = range(int(part.start // seconds), len(lines))
        pieces = [(max(part.start - i * seconds, 0.0), min(part.end - i * seconds, seconds), i) for i in touched]
        pieces = [piece for piece in pieces if piece[0] < piece[1]]
        longest = max(pieces, key=lambda piece: piece[1] - piece[0], default=None)
        for piece in pieces:
            start, end, line = piece
            lines[line].append(Block(start, end, part.label, is_lettered=piece is longest))
    return lines


def draw_section_lines(ax: Axes, parts: Sequence[SongPart], seconds: float) -> None:
    """Draw the sections of a song in lines.

    Parameters
    ----------
    ax : Axes
        Axes of their own, as high as `lines_height`.
    parts : sequence of SongPart
        Sections of a song.
    seconds : float > 0
        Length of a line.
    """
    width, height = axes_inches(ax)
    ax.set_axis_off()
    ax.set_xlim(0, seconds)
    heading = f"all sections, in lines of {f'{seconds / 60:g} min' if seconds >= 60 else f'{seconds:g} s'}"
    ax.text(0, 1 - 0.15 / height, heading, transform=ax.transAxes, **TYPE | {"size": 8.0, "va": "top"})
    for i, line in enumerate(lines_of(parts, seconds)):
        above = -_HEADING_HEIGHT - (i + 1) * _LINE_HEIGHT
        draw_row(ax, line, above, SECTION_HEIGHT, sizes=_SIZES)
        style = TYPE | {"size": 8.0, "ha": "right", "va": "center"}
        middle = 1 + (above + SECTION_HEIGHT / 2) / height
        ax.text(-0.07 / width, middle, clock(i * seconds), transform=ax.transAxes, **style)


def _line_count(parts: Sequence[SongPart], seconds: float) -> int:
    # A song that ends with a line has no empty line after it.
    return max(int(np.ceil(parts[-1].end / seconds - 1e-9)), 1)

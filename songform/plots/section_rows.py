"""Rows of sections and phrases above the axes of pictures of songs, lines at their boundaries, and bar lines.

Conventions
-----------
A row is drawn above axes whose horizontal axis is time in seconds. Heights and widths are in inches, sizes of letters
in points. A section has the color of its letter, `songform.plots.palette.section_color`, and so has a phrase. All
letters of a row have the same size. A letter may be wider than its section, but never overlaps another letter; if it
would, it is left out, and if more than a fifth of the letters would be left out, none is written.
`songform.plots.section_lines` draws all letters in several lines.
"""

from __future__ import annotations

from bisect import bisect_left
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.collections import LineCollection, PolyCollection

from songform.plots.drawing import axes_inches
from songform.plots.palette import section_color
from songform.plots.text import INK, TYPE, text_width

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from songform.beats.beat_tracking import Beats
    from songform.sections.section_finding import Sections, SongPart

__all__ = [
    "LETTER_SIZES",
    "SECTION_HEIGHT",
    "Block",
    "draw_bar_lines",
    "draw_row",
    "draw_sections",
    "fitting_letters",
    "letters_fit",
    "rows_height",
]

SECTION_HEIGHT, PHRASE_HEIGHT, ROW_GAP = 0.19, 0.15, 0.05  # inches
LETTER_SIZES = (9.0, 7.5, 6.5)
"""Sizes of letters that are tried one after the other."""

_LETTER_GAP = 0.02  # inches between letters
_LEAST_BLOCK = 0.03  # inches of the median block, below which blocks have no edges
_LEAST_SPACE = 0.1  # inches of the median block, below which neither confidence nor lines at boundaries are drawn
_LEAST_SHARE = 0.8  # of the letters
_LEAST_BAR = 0.11  # inches between bar lines, in the median
_RAREST_BAR = 16  # lines at every 32nd bar say nothing
_PALE = 0.4
_LEGEND_LINE = "#9A9A9A"  # of bar lines, which are not visible on white


class Block(NamedTuple):
    """Section or phrase in a row, or a piece of one. The letter of a section is written on one of its pieces."""

    start: float
    end: float
    label: str
    confidence: float = 1.0
    is_lettered: bool = True


def rows_height(sections: Sections | None, *, with_phrases: bool = False) -> float:
    """Return the height of the rows above the axes in inches; 0 without sections."""
    if sections is None or not sections.sections:
        return 0.0
    return ROW_GAP + SECTION_HEIGHT + (ROW_GAP + PHRASE_HEIGHT if with_phrases else 0.0)


def draw_sections(
    axes: Sequence[Axes],
    sections: Sections | None,
    *,
    with_phrases: bool = False,
    with_confidence: bool = False,
    color: str = INK,
    alpha: float = 0.4,
) -> None:
    """Draw a row of sections above axes, a row of phrases between them, and a line at each boundary of sections.

    Parameters
    ----------
    axes : sequence of Axes
        Axes from 0 to the end of the song in seconds. The rows are above the first, the lines in all of them.
    sections : Sections, optional
        Sections and phrases; without them nothing is drawn.
    with_phrases : bool
        Whether there is a row of phrases.
    with_confidence : bool
        Whether only the part of a section is solid that is as high as its confidence, and the rest is pale.
    color, alpha : str, float
        Color and opacity of the lines.
    """
    if sections is None or not sections.sections:
        return
    above = ROW_GAP
    if with_phrases:
        draw_row(axes[0], _blocks(sections.phrases), above, PHRASE_HEIGHT, sizes=LETTER_SIZES[1:])
        _name_row(axes[0], "phrases", above, PHRASE_HEIGHT)
        above += PHRASE_HEIGHT + ROW_GAP
    draw_row(axes[0], _blocks(sections.sections, with_confidence=with_confidence), above, SECTION_HEIGHT)
    _name_row(axes[0], "sections", above, SECTION_HEIGHT)
    _draw_boundaries(axes, sections.sections, color=color, alpha=alpha)


def draw_row(
    ax: Axes, blocks: Sequence[Block], above: float, height: float, *, sizes: Sequence[float] = LETTER_SIZES
) -> bool:
    """Draw blocks and their letters, and return whether all letters fit.

    Parameters
    ----------
    ax : Axes
        Axes whose horizontal axis is time in seconds from 0.
    blocks : sequence of Block
        Blocks in order of time.
    above : float
        Distance of the bottom of the row from the top of the axes in inches, negative inside the axes.
    height : float > 0
        Height of the row in inches.
    sizes : sequence of float
        Sizes of letters. The first in which all letters fit is chosen, otherwise the last.
    """
    width, axes_height = axes_inches(ax)
    scale = width / ax.get_xlim()[1]
    bottom, top = (1 + edge / axes_height for edge in (above, above + height))
    block_width = scale * float(np.median([block.end - block.start for block in blocks]))
    confidence = np.nan_to_num([block.confidence for block in blocks])
    if block_width < _LEAST_SPACE or (confidence == 1).all():
        _add_blocks(ax, blocks, bottom, np.full(len(blocks), top))
    else:
        _add_blocks(ax, blocks, bottom, np.full(len(blocks), top), alpha=_PALE)
        _add_blocks(ax, blocks, bottom, bottom + (top - bottom) * np.clip(confidence, 0, 1))
    if block_width >= _LEAST_BLOCK:
        _add_edges(ax, blocks, bottom, top)
    return _write_letters(ax, blocks, (bottom + top) / 2, sizes)


def _write_letters(ax: Axes, blocks: Sequence[Block], y: float, sizes: Sequence[float]) -> bool:
    """Write letters at the height `y` of the axes, and return whether all fit.

    If more than a fifth do not fit, none is written, because the rest would look like another sequence.
    """
    width = axes_inches(ax)[0]
    lettered = [block for block in blocks if block.is_lettered]
    fits: list[tuple[int, float]] = []
    size = sizes[-1]
    for size in sizes:
        fits = _fitting(lettered, width / ax.get_xlim()[1], width, size)
        if len(fits) == len(lettered):
            break
    if len(fits) < _LEAST_SHARE * len(lettered):
        return False
    # Capital letters have no descenders, so that their center is that of the text without its descent.
    style = TYPE | {"size": size, "ha": "center", "va": "center_baseline", "transform": ax.transAxes}
    for i, center in fits:
        ax.text(center / width, y, lettered[i].label, **style)
    return len(fits) == len(lettered)


def letters_fit(blocks: Sequence[Block], seconds: float, width: float) -> bool:
    """Return whether all letters fit into a row of `width` inches that lasts `seconds`, in the smallest size."""
    lettered = [block for block in blocks if block.is_lettered]
    return len(_fitting(lettered, width / seconds, width, LETTER_SIZES[-1])) == len(lettered)


def draw_bar_lines(ax: Axes, beats: Beats | None, *, color: str, alpha: float) -> None:
    """Draw a line at every downbeat, or at every second, fourth, eighth or sixteenth, and name it in the legend.

    Parameters
    ----------
    ax : Axes
        Axes from 0 to the end of the song in seconds.
    beats : Beats, optional
        Beats of the song; without them nothing is drawn.
    color, alpha : str, float
        Color and opacity of the lines, which are at least 0.11 inches apart in the median. If lines at every sixteenth
        downbeat would be closer, there are none.
    """
    downbeats = np.empty(0) if beats is None else beats.downbeats
    duration = ax.get_xlim()[1]
    if len(downbeats) < 2:
        return
    bar = float(np.median(np.diff(downbeats))) / duration * axes_inches(ax)[0]
    every = 2 ** max(int(np.ceil(np.log2(_LEAST_BAR / bar))), 0)
    if every > _RAREST_BAR:
        return
    name = "bar line" if every == 1 else f"every {every}{'nd' if every == 2 else 'th'} bar line"
    lines = downbeats[::every]
    lines = lines[(lines > 0) & (lines < duration)]
    _add_lines(ax, lines, color=color, alpha=alpha, linewidth=0.6)
    ax.plot([], [], color=_LEGEND_LINE, linewidth=0.9, label=name)


def fitting_letters(centers: Sequence[float], widths: Sequence[float], row: float) -> list[tuple[int, float]]:
    """Return which letters fit into a row, and where.

    Parameters
    ----------
    centers : sequence of float
        Center of each letter in inches, in increasing order.
    widths : sequence of float
        Width of each letter in inches.
    row : float
        Width of the row in inches; letters at its ends are moved into it.

    Returns
    -------
    list of (int, float)
        Indices of letters, and their centers. Letters with the most space around them are placed first, and none
        overlaps another.
    """
    gaps = np.diff([-np.inf, *centers, np.inf])
    placed: list[tuple[float, float]] = []
    chosen = []
    for i in np.argsort(-np.minimum(gaps[:-1], gaps[1:]), kind="stable").tolist():
        half = widths[i] / 2
        center = min(max(centers[i], half), row - half)
        span = (center - half - _LETTER_GAP / 2, center + half + _LETTER_GAP / 2)
        at = bisect_left(placed, span)
        if (at == 0 or placed[at - 1][1] <= span[0]) and (at == len(placed) or span[1] <= placed[at][0]):
            placed.insert(at, span)
            chosen.append((i, center))
    return sorted(chosen)


def _draw_boundaries(axes: Sequence[Axes], parts: Sequence[SongPart], *, color: str, alpha: float) -> None:
    """Draw a line at each boundary, unless the lines would be closer than 0.1 inches in the median."""
    seconds = float(np.median([part.end - part.start for part in parts]))
    if seconds * axes_inches(axes[0])[0] / parts[-1].end >= _LEAST_SPACE:
        for ax in axes:
            _add_lines(ax, [part.start for part in parts[1:]], color=color, alpha=alpha, linewidth=0.9)


def _blocks(parts: Sequence[SongPart], *, with_confidence: bool = False) -> list[Block]:
    return [Block(part.start, part.end, part.label, part.confidence if with_confidence else 1.0) for part in parts]


def _fitting(blocks: Sequence[Block], scale: float, width: float, size: float) -> list[tuple[int, float]]:
    """Return which letters fit into a row, and their centers in inches; `scale` is in inches per second."""
    centers = [(block.start + block.end) / 2 * scale for block in blocks]
    return fitting_letters(centers, [_letter_width(block.label, size) for block in blocks], width)


@lru_cache(maxsize=2048)
def _letter_width(letter: str, size: float) -> float:
    return text_width(letter, size)


def _add_blocks(ax: Axes, blocks: Sequence[Block], bottom: float, tops: ArrayLike, *, alpha: float = 1.0) -> None:
    """Draw blocks; `bottom` and `tops` are in the height of the axes."""
    corners = [
        [(block.start, bottom), (block.end, bottom), (block.end, top), (block.start, top)]
        for block, top in zip(blocks, np.asarray(tops).tolist(), strict=True)
    ]
    colors = [section_color(block.label) for block in blocks]
    transform = ax.get_xaxis_transform()
    drawn = PolyCollection(corners, facecolors=colors, alpha=alpha, linewidths=0, transform=transform, clip_on=False)
    ax.add_collection(drawn, autolim=False)


def _add_edges(ax: Axes, blocks: Sequence[Block], bottom: float, top: float) -> None:
    """Draw white lines between blocks."""
    ends = [[(block.start, bottom), (block.start, top)] for block in blocks[1:]]
    style: dict[str, Any] = {"colors": "white", "linewidths": 1.2, "clip_on": False}
    ax.add_collection(LineCollection(ends, transform=ax.get_xaxis_transform(), **style), autolim=False)


def _add_lines(ax: Axes, times: ArrayLike, **style: Any) -> None:
    """Draw vertical lines from the bottom to the top of axes."""
    ends = [[(time, 0.0), (time, 1.0)] for time in np.asarray(times).tolist()]
    ax.add_collection(LineCollection(ends, transform=ax.get_xaxis_transform(), **style), autolim=False)


def _name_row(ax: Axes, name: str, above: float, height: float) -> None:
    """Write the name of a row at its left."""
    width, axes_height = axes_inches(ax)
    style = TYPE | {"size": 8.0, "ha": "right", "va": "center"}
    ax.text(-0.07 / width, 1 + (above + height / 2) / axes_height, name, transform=ax.transAxes, **style)

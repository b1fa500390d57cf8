"""Drawing functions that all pictures share: figures, time axes, lines, images, legends and PNG files.

Conventions
-----------
- Only Matplotlib's object interface is used, because `pyplot` and `rcParams` are shared by all threads. Fonts and
  colors are passed to each call, so that a style set by the caller has no effect.
- A picture is `WIDTH` inches wide at `DPI`. Its text remains legible at half that size.
- A picture does not contain more points than columns of pixels, see `songform.plots.downsample`.
- Pictures of songs have margins of fixed size (`time_axes`). Measuring all texts, as `layout="constrained"` does for
  pictures of training runs (`stacked_axes`), takes longer than drawing.
"""

from __future__ import annotations

from bisect import bisect_left
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from PIL import Image

from songform.plots.fonts import FONT, font_families
from songform.plots.text import INK, TITLE_SIZE, TYPE, plain_text, text_width
from songform.time_format import clock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage
    from numpy.typing import NDArray

    from songform.plots.downsample import Columns

__all__ = [
    "CLOCK_STEPS",
    "COLOR_SCALE_WIDTH",
    "DPI",
    "GRID",
    "KEY_HEIGHT",
    "LEFT",
    "LINE",
    "RIGHT",
    "SHADE",
    "WIDTH",
    "axes_inches",
    "bottom_axes",
    "clock_axis",
    "color_scale",
    "curve",
    "image",
    "key",
    "save_png",
    "stacked_axes",
    "style",
    "time_axes",
]

WIDTH = 8.0
"""Width of a picture in inches, which is 1200 pixels at `DPI`."""
DPI = 150
LINE = "#1F4E79"
SHADE = "#A9BFD2"
GRID = "#E4E4E4"

CLOCK_STEPS: tuple[float, ...] = (
    *(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 20, 30),
    *(60 * minutes for minutes in (1, 2, 5, 10, 15, 20, 30, 60, 120, 240, 360, 720, 1440)),
)
"""Seconds between the marks of a time axis."""

LEFT = 0.97
"""Left margin in inches, for numbers of up to seven characters and a label of two lines."""
RIGHT = 0.34
"""Right margin of pictures without a color bar in inches, for half of a time such as 10:00:00."""
KEY_HEIGHT = 0.2
"""Height of the legend in inches."""
COLOR_SCALE_WIDTH = 0.98
"""Width of a color bar with its label in inches."""

_TITLE_HEIGHT, _CLOCK_HEIGHT, _GAP = 0.34, 0.5, 0.1  # inches
_LABEL_DISTANCE = -0.62  # of the label of a vertical axis from the axis, in inches


def stacked_axes(*heights: float, name: str, title: str = "", width: float = WIDTH) -> tuple[Figure, list[Axes]]:
    """Return a figure with axes stacked vertically, whose margins are as wide as their texts need.

    Parameters
    ----------
    *heights : float > 0
        Height of each set of axes in inches, including its texts.
    name : str
        Name of the picture, such as `Training`.
    title : str
        Name of the model or the run; any text is safe.
    width : float > 0
        Width of the figure in inches.

    Returns
    -------
    figure : Figure
        The figure.
    axes : list of Axes
        The axes from top to bottom.
    """
    figure = Figure(figsize=(width, sum(heights) + 0.75), dpi=DPI, layout="constrained", facecolor="white")
    _write_heading(figure, name, title)
    grid = figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)
    for ax in grid[:, 0]:
        style(ax)
    return figure, list(grid[:, 0])


def time_axes(
    *heights: float,
    name: str,
    title: str = "",
    left: float = LEFT,
    right: float = RIGHT,
    title_gap: float = 0.0,
    bottom: float = 0.0,
    aside: str = "",
) -> tuple[Figure, list[Axes]]:
    """Return a figure with axes stacked vertically that share a time axis and have margins of fixed size.

    Parameters
    ----------
    *heights : float > 0
        Height of each set of axes in inches, without its texts.
    name : str
        Name of the picture, such as `Waveform`.
    title : str
        Title of the song; any text is safe.
    left, right : float > 0
        Margins in inches.
    title_gap, bottom : float >= 0
        Space between the title and the first axes, and below the time axis, in inches.
    aside : str
        Short text at the right of the title.

    Returns
    -------
    figure : Figure
        The figure.
    axes : list of Axes
        The axes from top to bottom.
    """
    height = _TITLE_HEIGHT + title_gap + sum(heights) + _GAP * (len(heights) - 1) + _CLOCK_HEIGHT + bottom
    figure = Figure(figsize=(WIDTH, height), dpi=DPI, facecolor="white")
    _write_heading(figure, name, title, aside, y=1 - 0.07 / height, va="top")
    top, axes = height - _TITLE_HEIGHT - title_gap, []
    for own in heights:
        box = (left / WIDTH, (top - own) / height, (WIDTH - left - right) / WIDTH, own / height)
        axes.append(figure.add_axes(box))
        style(axes[-1])
        axes[-1].yaxis.set_label_coords(_LABEL_DISTANCE / (WIDTH - left - right), 0.5)
        top -= own + _GAP
    return figure, axes


def bottom_axes(figure: Figure, left: float, right: float, height: float) -> Axes:
    """Return axes at the bottom of a figure, below its time axis; all sizes are in inches."""
    total = figure.get_size_inches()[1]
    return figure.add_axes((left / WIDTH, 0.08 / total, (WIDTH - left - right) / WIDTH, height / total))


def _write_heading(figure: Figure, name: str, title: str, aside: str = "", **place: Any) -> None:
    """Write the name of the picture and the title at the left, and a short text at the right.

    `place` is the vertical place of the title; without it, Matplotlib leaves room for the title above the axes.
    """
    width, height = figure.get_size_inches()
    taken = text_width(aside, TYPE["size"]) + 0.2 if aside else 0.0
    heading = plain_text(f"{name} \N{MIDDLE DOT} {title}" if title else name, width=width - taken - 0.2)
    style = TYPE | {"size": TITLE_SIZE, "family": font_families(heading)}
    figure.suptitle(heading, x=0.1 / width, ha="left", **place, **style)
    if aside:
        figure.text(1 - 0.1 / width, 1 - 0.1 / height, aside, ha="right", va="top", **TYPE)


def style(ax: Axes) -> None:
    """Set the font, the colors and the grid that all pictures have."""
    ax.set_facecolor("white")
    ax.tick_params(labelsize=TYPE["size"], labelfontfamily=FONT, colors=INK, direction="out", length=3)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(INK)
    ax.grid(visible=True, color=GRID, linewidth=0.6)
    ax.set_axisbelow(True)


def clock_axis(axes: Sequence[Axes], duration: float, *, note: str = "") -> None:
    """Set a common time axis from 0 to `duration` seconds, labeled at the bottom; `note` is added to its label."""
    step = float(CLOCK_STEPS[min(bisect_left(CLOCK_STEPS, duration / 8), len(CLOCK_STEPS) - 1)])
    decimals = next((n for n in range(3) if step >= 10.0**-n), 3)
    marks = np.arange(0, duration + step / 1000, step)
    for ax in axes:
        ax.set_xlim(0, duration)
        ax.xaxis.set_major_locator(NullLocator())
        if not ax.images:
            # One collection takes a tenth of the time of the grid of Matplotlib's axis, which consists of ticks.
            ax.vlines(marks, 0, 1, transform=ax.get_xaxis_transform(), colors=GRID, linewidths=0.6, zorder=0.5)
    bottom = axes[-1].xaxis
    bottom.set_major_locator(FixedLocator(marks.tolist()))
    bottom.set_major_formatter(FuncFormatter(lambda seconds, _: clock(seconds, decimals)))
    bottom.grid(visible=False)
    axes[-1].set_xlabel(f"time [{'h:mm:ss' if duration >= 3600 else 'm:ss'}]{note}", **TYPE)


def curve(ax: Axes, series: Columns, *, name: str, band: str) -> None:
    """Draw the mean of a series as a line, and its minimum to maximum as a band, with both names in the legend."""
    middles = (series.edges[1:] + series.edges[:-1]) / 2
    # Extend the line to both ends, so that a single column is visible as well.
    time = np.r_[series.edges[0], middles, series.edges[-1]]
    low, mean, high = (np.pad(values, 1, mode="edge") for values in series[1:])
    ax.plot(time, mean, color=LINE, linewidth=1.0, label=name)
    ax.fill_between(time, low, high, color=SHADE, linewidth=0, label=band)


def image(ax: Axes, values: NDArray[np.float64], duration: float, *, cmap: str, vmin: float, vmax: float) -> AxesImage:
    """Draw a table with one row per time as an image, with its first column at the bottom."""
    extent = (0.0, duration, 0.0, float(values.shape[1]))
    ax.grid(visible=False)
    return ax.imshow(
        values.T,
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        interpolation_stage="rgba",
        extent=extent,
        cmap=cmap,
        vmin=vmin,
        vmax=vmax,
    )


def color_scale(ax: Axes, drawn: AxesImage, label: str, *, has_margin: bool = False) -> None:
    """Add a color bar to the right of an image.

    Parameters
    ----------
    ax : Axes
        Axes of the image.
    drawn : AxesImage
        The image.
    label : str
        Label of the colors, with their unit; at most two lines.
    has_margin : bool
        Whether the figure is one of `time_axes` with a right margin of `COLOR_SCALE_WIDTH`.
    """
    figure = ax.figure
    if has_margin:
        box, total = ax.get_position(), axes_inches(ax)[0] / ax.get_position().width
        gap, width, label_start = 0.1, 0.13, 0.54  # inches
        cax = figure.add_axes((box.x1 + gap / total, box.y0, width / total, box.height))
        bar = figure.colorbar(drawn, cax=cax)
        cax.yaxis.set_label_coords(label_start / width, 0.5)
    else:
        bar = figure.colorbar(drawn, ax=ax, pad=0.015, fraction=0.05, aspect=25)
    bar.set_label(label, **TYPE)
    bar.outline.set_edgecolor(INK)
    bar.ax.tick_params(labelsize=TYPE["size"], labelfontfamily=FONT, colors=INK, length=3)


def axes_inches(ax: Axes) -> tuple[float, float]:
    """Return the width and the height of axes in inches."""
    # Unlike Axes.figure, Axes.bbox has one type.
    return ax.bbox.width / DPI, ax.bbox.height / DPI


def key(ax: Axes, *, above: float = 0.0) -> None:
    """Add the legend as one line, `above` inches above the axes, at the right."""
    font = FontProperties(family=FONT, size=TYPE["size"])
    ax.legend(
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0 + above / axes_inches(ax)[1]),
        borderaxespad=0.1,
        ncols=6,
        frameon=False,
        prop=font,
        labelcolor=INK,
        columnspacing=1.2,
        handlelength=1.5,
    )


def save_png(figure: Figure, file: str | Path | BinaryIO) -> None:
    """Write a figure as a PNG file whose bytes depend only on the picture.

    Parameters
    ----------
    figure : Figure
        Picture to write.
    file : str, Path or binary file
        Path or open file.
    """
    # Figure.savefig draws twice if the margins are not fixed, and stores an alpha channel.
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    pixels = np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])  # type: ignore[no-untyped-call]
    # Level 3 takes two thirds of the time of the default, level 6; the files are no larger.
    Image.fromarray(pixels).save(file, format="png", dpi=(DPI, DPI), compress_level=3)

"""Drawing functions that all pictures share: figures, time axes, lines, images, legends and PNG files.

Conventions
-----------
- Only Matplotlib's object interface is used, because `pyplot` and `rcParams` are shared by all threads. Fonts and
  colors are passed to each call, so that a style set by the caller has no effect.
- A picture is `WIDTH` inches wide at `DPI`. Its text remains legible at half that size.
- A picture does not contain more points than columns of pixels, see `songform.plots.downsample`.
"""

from __future__ import annotations

from bisect import bisect_left
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.ticker import FixedLocator, FuncFormatter

from songform.plots.text import FONT, INK, TITLE_SIZE, TYPE, plain_text
from songform.time_format import clock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage
    from numpy.typing import NDArray

    from songform.plots.downsample import Columns

__all__ = [
    "DPI",
    "LINE",
    "SHADE",
    "WIDTH",
    "clock_axis",
    "color_scale",
    "curve",
    "image",
    "key",
    "paper",
    "save_png",
    "style",
]

WIDTH = 8.0
"""Width of a picture in inches, which is 1200 pixels at `DPI`."""
DPI = 150
LINE = "#1F4E79"
SHADE = "#A9BFD2"

_GRID = "#E4E4E4"
_CLOCK_STEPS = (
    *(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 20, 30),
    *(60 * minutes for minutes in (1, 2, 5, 10, 15, 20, 30, 60, 120, 240, 360, 720, 1440)),
)


def paper(*heights: float, name: str, title: str = "", width: float = WIDTH) -> tuple[Figure, list[Axes]]:
    """Return a figure with axes stacked vertically.

    Parameters
    ----------
    *heights : float > 0
        Height of each set of axes in inches.
    name : str
        Name of the picture, such as `Waveform`.
    title : str
        Title of the song or name of the model; any text is safe.
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
    heading = plain_text(f"{name} \N{MIDDLE DOT} {title}" if title else name, width=width - 0.2)
    figure.suptitle(heading, x=0.1 / width, ha="left", **TYPE | {"size": TITLE_SIZE})
    grid = figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)
    for ax in grid[:, 0]:
        style(ax)
    return figure, list(grid[:, 0])


def style(ax: Axes) -> None:
    """Set the font, the colors and the grid that all pictures have."""
    ax.set_facecolor("white")
    ax.tick_params(labelsize=TYPE["size"], labelfontfamily=FONT, colors=INK, direction="out", length=3)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(INK)
    ax.grid(visible=True, color=_GRID, linewidth=0.6)
    ax.set_axisbelow(True)


def clock_axis(axes: Sequence[Axes], duration: float, *, note: str = "") -> None:
    """Set a common time axis from 0 to `duration` seconds, labeled at the bottom; `note` is added to its label."""
    step = float(_CLOCK_STEPS[min(bisect_left(_CLOCK_STEPS, duration / 8), len(_CLOCK_STEPS) - 1)])
    decimals = next((n for n in range(3) if step >= 10.0**-n), 3)
    marks = np.arange(0, duration + step / 1000, step)
    for ax in axes:
        ax.set_xlim(0, duration)
        ax.xaxis.set_major_locator(FixedLocator(marks.tolist()))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: clock(seconds, decimals)))
        ax.tick_params(labelbottom=ax is axes[-1])
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
        values.T, origin="lower", aspect="auto", interpolation="nearest", extent=extent, cmap=cmap, vmin=vmin, vmax=vmax
    )


def color_scale(ax: Axes, drawn: AxesImage, label: str) -> None:
    """Add a color bar to the right of an image."""
    bar = ax.figure.colorbar(drawn, ax=ax, pad=0.015, fraction=0.05, aspect=25)
    bar.set_label(label, **TYPE)
    bar.outline.set_edgecolor(INK)
    bar.ax.tick_params(labelsize=TYPE["size"], labelfontfamily=FONT, colors=INK, length=3)


def key(ax: Axes) -> None:
    """Add the legend as one line above the axes, at the right."""
    font = FontProperties(family=FONT, size=TYPE["size"])
    ax.legend(
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
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
    # By default, Matplotlib writes its version into the file.
    figure.savefig(file, format="png", dpi=DPI, facecolor="white", metadata={"Software": None})

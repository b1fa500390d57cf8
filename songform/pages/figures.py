"""Bokeh figures of a song, with a common time axis.

=============  ==================================================================================
`wave`         Waveform, colored by state.
`confidence`   Probability of the displayed state over time, and its mean in each segment.
`states`       Probability of each state over time.
`energy` ...   Context descriptors from which the states are found.
`mfcc`         Cepstral coefficients over time, in standard deviations.
=============  ==================================================================================

This module builds Bokeh's models; Bokeh draws them in the browser. To keep pages small, the data are reduced to a few
columns per pixel, and values that need at most 256 levels are stored in one byte.

Conventions
-----------
Time is in milliseconds, the unit of Bokeh's datetime axes. All figures share the range `view` and have the same
borders. A moment is therefore at the same horizontal position in all of them, and a single element can be laid over
all figures. Every model that the page's script changes has a name. The colors are those of the light theme, until the
script applies the current theme.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from bokeh.document import Document
from bokeh.models import (
    BasicTicker,
    ColumnDataSource,
    DatetimeTickFormatter,
    FixedTicker,
    Image,
    LinearColorMapper,
    PanTool,
    Range1d,
    WheelZoomTool,
)
from bokeh.plotting import figure as new_figure

from songform.pages.page_colors import LIGHT_GROUND, state_tone
from songform.plots.downsample import Columns, columns, overview_middles, standard_mfcc
from songform.structure.context import CONTEXT_COLUMNS
from songform.structure.pooling import UNIT_SECONDS
from songform.structure.silence import SILENCE

if TYPE_CHECKING:
    import pandas as pd
    from bokeh.plotting import figure as Figure  # noqa: N812  Bokeh names this class in lower case
    from numpy.typing import NDArray

    from songform.features.overview import Overview
    from songform.structure.segments import Segment

__all__ = ["BORDERS", "HEIGHTS", "MS", "figures_json", "song_figures"]

MS = 1000.0
BORDERS = (46, 12)
"""Widths of the left and the right border of each figure in pixels."""
HEIGHTS = {
    "wave": 150,
    "confidence": 64,
    "states": 92,
    "energy": 72,
    "rise": 64,
    "novelty": 64,
    "recurrence": 64,
    "mfcc": 118,
}
"""Height of each figure in pixels, from top to bottom."""

_WAVE_COLUMNS = 8000
_CURVE_COLUMNS = 2400
_IMAGE_COLUMNS = 1600
_AXIS_HEIGHT = 26
_MIN_VIEW_SECONDS = 2.0  # shortest time range that can be zoomed to
_CLOCK = "%-M:%S"
_HOURS = "%-H:%M:%S"
_FONT = "system-ui, sans-serif"
_INK = "#1D2026"

# Blue, background, red: values near the song's mean have nearly the background color in both themes.
_DIVERGING = {
    "light": ((33, 102, 172), (247, 247, 247), (178, 24, 43)),
    "dark": ((94, 174, 245), (29, 32, 39), (245, 122, 100)),
}


def song_figures(
    segments: Sequence[Segment],
    posterior: NDArray[np.float64],
    states: Sequence[str],
    *,
    overview: Overview,
    features: pd.DataFrame,
    context: pd.DataFrame,
) -> dict[str, Figure]:
    """Return the figures of a song by name, from top to bottom.

    Parameters
    ----------
    segments : sequence of Segment
        Segments of the song, without gaps or overlaps.
    posterior : np.ndarray, shape=(n_units, n_states)
        Probability of each state in each unit of 0.5 s.
    states : sequence of str, length n_states
        Names of the states.
    overview, features : Overview, pd.DataFrame
        Overview and frame features of the song.
    context : pd.DataFrame, shape=(n_units, 6)
        Context descriptors of the song, from `songform.context_descriptors`.

    Returns
    -------
    dict of str to bokeh.plotting.figure
        One figure per key of `HEIGHTS`.

    Raises
    ------
    ParameterError
        If a table has no rows, or the features have no MFCC columns.
    """
    duration = segments[-1].end
    view = _view(duration)
    posterior, states = _with_silence(posterior, states, segments)
    drawn = {
        "wave": _wave(view, overview, segments),
        "confidence": _confidence(view, posterior, states, segments),
        "states": _states(view, posterior, states, duration),
        **{name: _curve(view, name, context[name].to_numpy(), duration) for name in HEIGHTS if name in CONTEXT_COLUMNS},
        "mfcc": _mfcc(view, features, duration),
    }
    return {name: drawn[name] for name in HEIGHTS}


def figures_json(figures: Mapping[str, Figure]) -> dict[str, Any]:
    """Return figures as JSON for `Bokeh.embed.embed_items`, with `roots` mapping figure names to model ids.

    The same figures give the same JSON: Bokeh's model ids depend on all models created in the process, so the models
    are renumbered here.
    """
    document = Document()
    with document.models.freeze():  # otherwise Bokeh would traverse all models for each figure
        for figure in figures.values():
            document.add_root(figure)
    names: dict[str, str] = {}
    counted = _counted(document.to_json(deferred=False), names)
    return {"document": counted, "roots": {name: names[figure.id] for name, figure in figures.items()}}


def _counted(value: Any, names: dict[str, str]) -> Any:
    """Renumber Bokeh's models in the order of their first occurrence."""
    if isinstance(value, dict):
        return {
            key: names.setdefault(part, f"b{len(names)}") if key == "id" else _counted(part, names)
            for key, part in value.items()
        }
    return [_counted(part, names) for part in value] if isinstance(value, list | tuple) else value


def _with_silence(
    posterior: NDArray[np.float64], states: Sequence[str], segments: Sequence[Segment]
) -> tuple[NDArray[np.float64], list[str]]:
    """Add silence, if there is some, as a last state: it has probability 1 in the units whose centers are silent."""
    if all(segment.state != SILENCE for segment in segments):
        return posterior, list(states)
    is_silent = np.array([segment.state == SILENCE for segment in segments])[_owners(len(posterior), segments)]
    return np.c_[posterior * ~is_silent[:, None], is_silent], [*states, SILENCE]


def _owners(n_units: int, segments: Sequence[Segment]) -> NDArray[np.intp]:
    """Return the index of the segment that contains the center of each unit."""
    centres = (np.arange(n_units) + 0.5) * UNIT_SECONDS
    return np.asarray(np.searchsorted([segment.start for segment in segments], centres, side="right") - 1)


def _view(duration: float) -> Range1d:
    """Return the visible time range, initially the whole song."""
    whole, shortest = duration * MS, max(_MIN_VIEW_SECONDS * MS, duration * MS / 4000)
    return Range1d(start=0.0, end=whole, name="view", bounds=(0.0, whole), min_interval=min(shortest, whole))


def _paper(view: Range1d, name: str, low: float, high: float, *, clock: str = "") -> Figure:
    """Return an empty figure, with a time axis below it if `clock`, the format of its labels, is not empty."""
    left, right = BORDERS
    paper = new_figure(
        name=f"figure-{name}",
        x_range=view,
        y_range=Range1d(start=low, end=high),
        x_axis_type="datetime",
        height=HEIGHTS[name] + (_AXIS_HEIGHT if clock else 0),
        sizing_mode="stretch_width",
        toolbar_location=None,
        tools=[PanTool(dimensions="width"), WheelZoomTool(dimensions="width", modifiers="ctrl")],
        min_border_left=left,
        min_border_right=right,
        min_border_top=5,
        min_border_bottom=_AXIS_HEIGHT if clock else 7,
        background_fill_color=None,
        border_fill_color=None,
        outline_line_color=None,
        lod_threshold=None,  # otherwise Bokeh omits points of lines while the view is moving
    )
    _axes(paper, clock)
    return paper


def _axes(paper: Figure, clock: str) -> None:
    steps = ("seconds", "minsec", "minutes", "hourmin", "hours", "days")
    formatter = DatetimeTickFormatter(context=None)
    formatter.update(**dict.fromkeys(steps, clock or _CLOCK), milliseconds=f"{clock or _CLOCK}.%3N")
    paper.xaxis.formatter = formatter
    paper.xaxis.visible = bool(clock)
    paper.yaxis.ticker = BasicTicker(desired_num_ticks=3)
    for axis in paper.axis:
        axis.update(axis_line_color=None, minor_tick_line_color=None, major_tick_line_color=None)
        axis.update(major_tick_in=0, major_tick_out=0, minor_tick_in=0, minor_tick_out=0, major_label_standoff=5)
        axis.update(major_label_text_font=_FONT, major_label_text_font_size="11px", major_label_text_color=_INK)
    paper.grid.grid_line_color = _INK
    paper.grid.grid_line_alpha = 0.1
    paper.ygrid.visible = False


def _wave(view: Range1d, overview: Overview, segments: Sequence[Segment]) -> Figure:
    """Draw the waveform, colored by state.

    Each segment is a band of its state's color. A translucent layer in the background color covers the bands outside
    the waveform. When the user moves a boundary, only the bands have to change.
    """
    both = np.stack([overview.wave_min, overview.wave_max], axis=1)
    wave = columns(overview_middles(overview), both, limit=_WAVE_COLUMNS)
    low, high = wave.low[:, 0], wave.high[:, 1]
    peak = max(float(high.max()), -float(low.min()), 1e-3)  # avoids a division by zero in silence
    top = 1.06 * 127
    paper = _paper(view, "wave", -top, top, clock=_HOURS if segments[-1].end >= 3600 else _CLOCK)
    paper.yaxis.ticker = FixedTicker(ticks=[])
    bands = {
        "left": [segment.start * MS for segment in segments],
        "right": [segment.end * MS for segment in segments],
        "color": [state_tone(segment.state).light for segment in segments],
    }
    paper.quad("left", "right", top, -top, color="color", line_color=None, source=_source("bands", bands))
    data = {
        "time": _times(wave, segments[-1].end),
        "low": _ends(_steps(low / peak)),
        "high": _ends(_steps(high / peak)),
    }
    shape = _source("shape", data)
    for edge, border in (("low", -top), ("high", top)):
        paper.varea("time", edge, border, source=shape, name="ground", color=LIGHT_GROUND, alpha=0.84)
    return paper


def _confidence(
    view: Range1d, posterior: NDArray[np.float64], states: Sequence[str], segments: Sequence[Segment]
) -> Figure:
    """Draw the probability of the displayed state as an area, and its mean in each segment as a line."""
    centres = (np.arange(len(posterior)) + 0.5) * UNIT_SECONDS
    shown = np.array([states.index(segment.state) for segment in segments])[_owners(len(posterior), segments)]
    moments = columns(centres, posterior[np.arange(len(posterior)), shown], limit=_CURVE_COLUMNS)
    paper = _paper(view, "confidence", 0, 127)
    _percent(paper, 127)
    source = _source("moments", {"time": _times(moments, segments[-1].end), "value": _ends(_steps(moments.mean))})
    paper.varea("time", 0, "value", source=source, name="fill", color=_INK, alpha=0.16)
    means = np.nan_to_num([segment.confidence for segment in segments])
    steps = {
        "time": [time * MS for segment in segments for time in (segment.start, segment.end)],
        "value": np.repeat(127 * means, 2).round(1).tolist(),
    }
    paper.line("time", "value", source=_source("means", steps), name="line", color=_INK, line_width=1.5)
    return paper


def _states(view: Range1d, posterior: NDArray[np.float64], states: Sequence[str], duration: float) -> Figure:
    """Draw the probabilities of all states as stacked areas, with the first state at the bottom."""
    centres = (np.arange(len(posterior)) + 0.5) * UNIT_SECONDS
    moments = columns(centres, posterior, limit=_CURVE_COLUMNS)
    tops = _ends(_steps(np.c_[np.zeros(len(moments.mean)), np.cumsum(moments.mean, axis=1)]))
    data = {"time": _times(moments, duration), **{f"top{i}": top for i, top in enumerate(tops.T.copy())}}
    source = _source("stack", data)
    paper = _paper(view, "states", 0, 127)
    _percent(paper, 127)
    for i, state in enumerate(states):
        paper.varea("time", f"top{i}", f"top{i + 1}", source=source, name=f"state-{i}", color=state_tone(state).light)
    return paper


def _curve(view: Range1d, name: str, values: NDArray[np.float64], duration: float) -> Figure:
    """Draw a descriptor as a line, and the area between it and 0."""
    curve = columns((np.arange(len(values)) + 0.5) * UNIT_SECONDS, values, limit=_CURVE_COLUMNS)
    low, high = min(float(curve.mean.min()), 0.0), max(float(curve.mean.max()), 0.0)
    margin = 0.08 * (high - low) if high > low else 1.0
    paper = _paper(view, name, low - (margin if low < 0 else 0), high + margin)
    data = {"time": _times(curve, duration), "value": _ends(curve.mean.astype(np.float32))}
    source = _source(name, data)
    paper.varea("time", 0, "value", source=source, name="fill", color=_INK, alpha=0.16)
    paper.line("time", "value", source=source, name="line", color=_INK, line_width=1.5)
    return paper


def _mfcc(view: Range1d, features: pd.DataFrame, duration: float) -> Figure:
    """Draw the cepstral coefficients as an image, each standardized within the song."""
    mfcc = standard_mfcc(features, limit=_IMAGE_COLUMNS)
    n_coefficients = mfcc.mean.shape[1]
    paper = _paper(view, "mfcc", 0.5, n_coefficients + 0.5)
    mapper = LinearColorMapper(palette=diverging_palette("light"), low=0, high=254, name="mfcc-colors")
    source = _source("mfcc", {"image": [_shades(mfcc.mean).T.copy()]})
    paper.add_glyph(source, Image(image="image", x=0, y=0.5, dw=duration * MS, dh=n_coefficients, color_mapper=mapper))
    paper.yaxis.ticker = FixedTicker(ticks=sorted({1, (n_coefficients + 1) // 2, n_coefficients}))
    return paper


def diverging_palette(ground: str, n_colors: int = 51) -> list[str]:
    """Return colors from blue to red, with the background color of a theme in the middle.

    Parameters
    ----------
    ground : str
        Theme: `light` or `dark`.
    n_colors : int
        Number of colors.

    Returns
    -------
    list of str
        Colors as `#rrggbb`.
    """
    place = np.linspace(0, 2, n_colors)
    parts = [np.interp(place, [0, 1, 2], channel) for channel in zip(*_DIVERGING[ground], strict=True)]
    return [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in np.round(parts).astype(int).T.tolist()]


def _percent(paper: Figure, whole: float) -> None:
    paper.yaxis.ticker = FixedTicker(ticks=[0, whole])
    paper.yaxis.major_label_overrides = {0: "0", whole: "100 %"}


def _source(name: str, data: Mapping[str, Any]) -> ColumnDataSource:
    return ColumnDataSource(dict(data), name=name)


def _times(series: Columns, duration: float) -> NDArray[np.float32]:
    """Return the start of the song, the center of each column, and the end of the song, in ms."""
    middles = (series.edges[1:] + series.edges[:-1]) / 2
    times = np.concatenate([[0.0], np.minimum(middles, duration), [duration]]) * MS
    return times.astype(np.float32)


def _ends(values: NDArray[Any]) -> NDArray[Any]:
    """Repeat the first and the last value for the start and the end of the song, to match `_times`."""
    return np.concatenate([values[:1], values, values[-1:]])


def _steps(values: NDArray[np.float64]) -> NDArray[np.int8]:
    """Quantize values in -1 to 1 to steps of 1/127, which are smaller than a pixel of any figure with such values."""
    return np.round(127 * np.clip(values, -1, 1)).astype(np.int8)


def _shades(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Quantize values in -3 to 3 to the integers from 0 to 254."""
    return np.round(127 + 127 / 3 * np.clip(values, -3, 3)).astype(np.uint8)

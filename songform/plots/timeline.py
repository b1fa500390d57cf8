"""Picture of the form of a song: its sections, the waveform in the colors of its states, and one lane per state.

States have lanes instead of sharing one row. Their names are next to the lanes, so that they do not have to fit into
short segments, and the picture remains readable with hundreds of segments and without colors. Sections share one row,
because they have letters, which are short. If there are too many of them for one row, as in a mix, all letters are
repeated below in several lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.patches import StepPatch

from songform.beats.tempo_text import tempo_text
from songform.plots.downsample import IMAGE_COLUMNS, Columns, columns, overview_middles, require_rows
from songform.plots.drawing import LEFT, RIGHT, WIDTH, bottom_axes, clock_axis, time_axes
from songform.plots.fonts import font_families
from songform.plots.palette import state_color, state_order
from songform.plots.section_lines import draw_section_lines, line_seconds, lines_height
from songform.plots.section_rows import draw_sections, rows_height
from songform.plots.text import TYPE, plain_text, text_width
from songform.structure.silence import SILENCE
from songform.time_format import clock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from songform.beats.beat_tracking import Beats
    from songform.features.overview import Overview
    from songform.sections.section_finding import Sections
    from songform.structure.segments import Segment

__all__ = ["draw_wave", "envelope", "state_timeline"]

_BAR = 0.84  # height of a bar, as a share of the height of a lane


def state_timeline(
    overview: Overview,
    segments: Sequence[Segment],
    *,
    title: str = "",
    sections: Sections | None = None,
    beats: Beats | None = None,
) -> Figure:
    """Draw sections, phrases and states over time, with their confidences.

    Parameters
    ----------
    overview : Overview
        Overview of the song.
    segments : sequence of Segment
        Segments of the song, in order of time.
    title : str
        Title of the song.
    sections : Sections, optional
        Sections and phrases of the song; no rows without them.
    beats : Beats, optional
        Beats of the song, for its tempo and metre beside the title.

    Returns
    -------
    Figure
        Top: one row of sections and one of phrases, with their letters. Below: the waveform in the colors of the
        states, with a line at each boundary of sections. Below: one lane per state, with its name and its share of the
        sound, and one lane for silence, with its length. The solid part of a bar or a section is as high as its
        confidence; the rest is pale. The confidence of phrases is not shown, because it is not calibrated.

    Raises
    ------
    ParameterError
        If the overview has no row, or there is no segment.
    """
    require_rows(len(segments), "segments")
    states = state_order(segment.state for segment in segments)
    names = _lane_names(states, segments)
    left = max(LEFT, *(text_width(name, TYPE["size"]) + 0.15 for name in names))
    parts = () if sections is None else sections.sections
    seconds = line_seconds(parts, WIDTH - left - RIGHT) if parts else 0.0
    figure, [top, lanes] = time_axes(
        *(1.2, max(0.25 * len(states), 0.4)),
        name="Form",
        title=title,
        left=left,
        title_gap=rows_height(sections, with_phrases=True),
        bottom=lines_height(parts, seconds) if seconds else 0.0,
        aside="" if beats is None else tempo_text(beats.tempo, beats.metre, is_metre_sure=beats.is_metre_sure),
    )
    wave = envelope(top, overview)
    state_at = _column_states(wave, segments)
    for lane, state in enumerate(states):
        mine = state_at == state
        high, low = np.where(mine, wave.high, np.nan), np.where(mine, wave.low, np.nan)
        draw_wave(top, Columns(wave.edges, low, wave.mean, high), state_color(state))
        _draw_lane(lanes, lane, [segment for segment in segments if segment.state == state])
    _name_lanes(lanes, names)
    note = " of sections and states" if parts else ""
    clock_axis([top, lanes], segments[-1].end, note=f" \N{MIDDLE DOT} height: confidence{note}, 0 to 100 %")
    draw_sections([top], sections, with_phrases=True, with_confidence=True)
    if seconds:
        draw_section_lines(bottom_axes(figure, left, RIGHT, lines_height(parts, seconds)), parts, seconds)
    return figure


def envelope(ax: Axes, overview: Overview) -> Columns:
    """Downsample the waveform to the columns of the picture, and set the amplitude axis.

    Parameters
    ----------
    ax : Axes
        Axes whose limits, ticks and label of the amplitude are set.
    overview : Overview
        Overview of the song.

    Returns
    -------
    Columns
        Minimum and maximum sample of each column.

    Raises
    ------
    ParameterError
        If the overview has no row.
    """
    both = np.stack([overview.wave_min, overview.wave_max], axis=1)
    wave = columns(overview_middles(overview), both, limit=IMAGE_COLUMNS)
    low, high = wave.low[:, 0], wave.high[:, 1]
    peak = max(float(high.max()), -float(low.min()))
    # Do not scale the axis to silence.
    limit = 1.05 * peak if peak > 1e-3 else 1.0
    ax.set_ylim(-limit, limit)
    ax.locator_params(axis="y", nbins=5)
    ax.set_ylabel("amplitude\n[full scale = 1]", **TYPE)
    return Columns(wave.edges, low, wave.mean.mean(axis=1), high)


def draw_wave(ax: Axes, wave: Columns, color: str) -> None:
    """Fill the waveform from minimum to maximum, except where they are NaN. A thin edge makes silence visible."""
    style: dict[str, Any] = {"baseline": wave.low, "fill": True, "facecolor": color, "edgecolor": color}
    # Axes.stairs would compute the limits of the data, which takes longer than drawing.
    ax.add_artist(StepPatch(wave.high, wave.edges, linewidth=0.4, **style))


def _column_states(wave: Columns, segments: Sequence[Segment]) -> NDArray[np.str_]:
    """Return the state at the center of each column."""
    starts = np.array([segment.start for segment in segments])
    middles = (wave.edges[1:] + wave.edges[:-1]) / 2
    owner = np.maximum(np.searchsorted(starts, middles, side="right") - 1, 0)
    return np.array([segment.state for segment in segments])[owner]


def _draw_lane(ax: Axes, lane: int, segments: Sequence[Segment]) -> None:
    """Draw the segments of one state as pale bars, filled up to the height of their confidence."""
    color = state_color(segments[0].state)
    confidence = np.clip(np.nan_to_num([segment.confidence for segment in segments]), 0, 1)
    pale, solid = (_boxes(segments, lane - _BAR / 2, heights) for heights in (np.ones(len(segments)), confidence))
    ax.add_collection(PolyCollection(pale, facecolors=color, alpha=0.25, linewidths=0))
    # The thin edge keeps segments visible that are narrower than a pixel.
    ax.add_collection(PolyCollection(solid, facecolors=color, edgecolors=color, linewidths=0.4))


def _boxes(segments: Sequence[Segment], y: float, heights: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Return the corners of one box per segment, with its bottom at `y`."""
    spans = zip(segments, y + _BAR * heights, strict=True)
    return [np.array([(s.start, y), (s.end, y), (s.end, top), (s.start, top)]) for s, top in spans]


def _lane_names(states: Sequence[str], segments: Sequence[Segment]) -> list[str]:
    """Return the name of each state with its share of the sound, or the length of the silence."""
    seconds = {s: sum(segment.end - segment.start for segment in segments if segment.state == s) for s in states}
    sound = sum(seconds.values()) - seconds.get(SILENCE, 0.0)
    names = []
    for state in states:
        amount = clock(seconds[state]) if state == SILENCE else f"{100 * seconds[state] / sound:.0f} %"
        names.append(f"{plain_text(state, width=1.2, size=TYPE['size'])}  {amount}")
    return names


def _name_lanes(ax: Axes, names: Sequence[str]) -> None:
    """Label each lane."""
    ax.set_yticks(range(len(names)), names, family=font_families("".join(names)))
    ax.set_ylim(-0.6, len(names) - 0.4)
    ax.grid(visible=False, axis="y")
    ax.tick_params(axis="y", length=0)

"""Pictures of one song: waveform and features over time.

=================  ===================================================================
`waveform`         minimum and maximum sample over time
`rms`              RMS level, and its standard deviation within each frame
`feature_curves`   seven features over time
`bandwidth`        spectral centroid and bandwidth
=================  ===================================================================

Conventions
-----------
Each function takes the tables of a song and returns a new `matplotlib.figure.Figure`. Time is on the horizontal axis as
m:ss. `features` is the table of `songform.features.frame_features`, `overview` that of `songform.features.overview`.
`title` is the title of the song. `sections` are marked in all pictures: a row of letters above the axes, and a line at
each boundary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from songform.plots.downsample import Columns, feature_series
from songform.plots.drawing import KEY_HEIGHT, LINE, clock_axis, curve, key, time_axes
from songform.plots.section_rows import draw_sections, rows_height
from songform.plots.text import TYPE
from songform.plots.timeline import draw_wave, envelope

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from songform.features.overview import Overview
    from songform.sections.section_finding import Sections

__all__ = ["bandwidth", "feature_curves", "rms", "waveform"]

_LEAST_RMS = 1e-5  # -100 dBFS; the level of silence would be minus infinity


class _Row(NamedTuple):
    """One row of `feature_curves`. Values with the unit dBFS are converted from amplitudes."""

    column: str
    name: str
    unit: str
    scale: float = 1.0


_ROWS = (
    _Row("rms_mean", "RMS", "dBFS"),
    _Row("zcr_mean", "zero crossings", "% of samples", 100),
    _Row("centroid_hz", "centroid", "kHz", 1e-3),
    _Row("bandwidth_hz", "bandwidth", "kHz", 1e-3),
    _Row("rolloff_hz", "roll-off", "kHz", 1e-3),
    _Row("db_mean", "mean of bins", "dB"),
    _Row("db_std", "std. of bins", "dB"),
)


def waveform(overview: Overview, *, title: str = "", sections: Sections | None = None) -> Figure:
    """Draw the waveform as the minimum and maximum sample of each column.

    Parameters
    ----------
    overview : Overview
        Overview of the song.
    title : str
        Title of the song.
    sections : Sections, optional
        Sections of the song, which are drawn above the axes; no row and no lines without them.

    Returns
    -------
    Figure
        Amplitude over time; full scale is 1.

    Raises
    ------
    ParameterError
        If the overview has no row.
    """
    figure, [ax] = time_axes(1.6, name="Waveform", title=title, title_gap=rows_height(sections))
    wave = envelope(ax, overview)
    draw_wave(ax, wave, LINE)
    clock_axis([ax], wave.edges[-1])
    draw_sections([ax], sections)
    return figure


def rms(features: pd.DataFrame, *, title: str = "", sections: Sections | None = None) -> Figure:
    """Draw the RMS over time, with its standard deviation within each frame.

    The axis is in decibels, because loudness is perceived as a ratio. 0 dBFS is the RMS of a full-scale square wave.

    Parameters
    ----------
    features : pd.DataFrame
        Frame features of the song, with the columns `rms_mean` and `rms_std`.
    title : str
        Title of the song.
    sections : Sections, optional
        Sections of the song, which are drawn above the axes; no row and no lines without them.

    Returns
    -------
    Figure
        RMS in dBFS over time.

    Raises
    ------
    ParameterError
        If the table has no frame, or a column is missing.
    """
    mean, std = feature_series(features, "rms_mean"), feature_series(features, "rms_std").mean
    figure, [ax] = time_axes(1.9, name="RMS", title=title, title_gap=KEY_HEIGHT + rows_height(sections))
    levels = Columns(mean.edges, _dbfs(mean.mean - std), _dbfs(mean.mean), _dbfs(mean.mean + std))
    curve(ax, levels, name="mean", band="\N{PLUS-MINUS SIGN} standard deviation within the frame")
    _fit(ax, levels)
    ax.set_ylabel("RMS [dBFS]", **TYPE)
    key(ax, above=rows_height(sections))
    clock_axis([ax], mean.edges[-1])
    draw_sections([ax], sections)
    return figure


def feature_curves(features: pd.DataFrame, *, title: str = "", sections: Sections | None = None) -> Figure:
    """Draw seven features over time, one above the other.

    Parameters
    ----------
    features : pd.DataFrame
        Frame features of the song.
    title : str
        Title of the song.
    sections : Sections, optional
        Sections of the song, which are drawn above the axes; no row and no lines without them.

    Returns
    -------
    Figure
        One row per feature, with its unit. Frames in the same column of the picture are drawn as their mean, with a
        band from their minimum to their maximum.

    Raises
    ------
    ParameterError
        If the table has no frame, or a column is missing.
    """
    title_gap = KEY_HEIGHT + rows_height(sections)
    figure, axes = time_axes(
        *[0.62] * len(_ROWS), name="Features over time", title=title, left=1.65, title_gap=title_gap
    )
    for ax, row in zip(axes, _ROWS, strict=True):
        edges, *values = feature_series(features, row.column)
        series = Columns(edges, *(_dbfs(value) if row.unit == "dBFS" else value * row.scale for value in values))
        curve(ax, series, name="mean of adjacent frames", band="minimum to maximum")
        _fit(ax, series)
        ax.locator_params(axis="y", nbins=3)
        ax.set_ylabel(f"{row.name}\n[{row.unit}]", rotation=0, ha="right", va="center", **TYPE)
    key(axes[0], above=rows_height(sections))
    clock_axis(axes, edges[-1])
    draw_sections(axes, sections)
    return figure


def bandwidth(features: pd.DataFrame, *, title: str = "", sections: Sections | None = None) -> Figure:
    """Draw the spectral centroid and the spectral bandwidth over time.

    Parameters
    ----------
    features : pd.DataFrame
        Frame features of the song, with the columns `centroid_hz` and `bandwidth_hz`.
    title : str
        Title of the song.
    sections : Sections, optional
        Sections of the song, which are drawn above the axes; no row and no lines without them.

    Returns
    -------
    Figure
        Top: the centroid with a band of one bandwidth on either side. Bottom: the bandwidth. Both are in kHz.

    Raises
    ------
    ParameterError
        If the table has no frame, or a column is missing.
    """
    edges, *values = feature_series(features, "bandwidth_hz")
    alone = Columns(edges, *(value / 1e3 for value in values))
    middle = feature_series(features, "centroid_hz").mean / 1e3
    around = Columns(edges, np.maximum(middle - alone.mean, 0), middle, middle + alone.mean)
    title_gap = KEY_HEIGHT + rows_height(sections)
    figure, axes = time_axes(1.5, 0.85, name="Spectral bandwidth", title=title, title_gap=title_gap)
    curve(axes[0], around, name="centroid", band="\N{PLUS-MINUS SIGN} bandwidth")
    curve(axes[1], alone, name="bandwidth", band="minimum to maximum")
    axes[0].set_ylabel("frequency\n[kHz]", **TYPE)
    axes[1].set_ylabel("bandwidth\n[kHz]", **TYPE)
    for ax in axes:
        ax.set_ylim(bottom=0)
    key(axes[0], above=rows_height(sections))
    clock_axis(axes, edges[-1])
    draw_sections(axes, sections)
    return figure


def _dbfs(amplitude: NDArray[np.float64]) -> NDArray[np.float64]:
    decibels: NDArray[np.float64] = 20 * np.log10(np.maximum(amplitude, _LEAST_RMS))
    return decibels


def _fit(ax: Axes, series: Columns) -> None:
    """Scale an axis to the usual range of the song, so that a second of silence does not compress the rest."""
    low, high = float(np.quantile(series.low, 0.04)), float(series.high.max())
    margin = 0.1 * (high - low) if high > low else 1.0
    ax.set_ylim(low - margin, high + margin)

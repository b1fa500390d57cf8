"""Pictures of one song: its wave, its features, its form.

=================  ===================================================================
`waveform`         the least and greatest sample of each moment
`rms`              level, and its spread within the frames
`feature_curves`   seven features, one above the other
`bandwidth`        the spectrum's middle and width
=================  ===================================================================

Conventions
-----------
Each function takes a song's tables and returns a `matplotlib.figure.Figure` of its own; nothing is shown, nothing is
kept. Time runs to the right as m:ss. `features` is the table of `songform.features.frame_features`, `overview` that of
`songform.features.overview`, `segments` those of `songform.structure.segments`; `title` names the song. The pictures of
a training run are in `songform.plots.training_runs`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from songform.plots.downsample import Columns, feature_series
from songform.plots.drawing import LINE, clock_axis, curve, key, paper
from songform.plots.text import TYPE
from songform.plots.timeline import draw_wave, envelope

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from songform.features.overview import Overview

__all__ = ["bandwidth", "feature_curves", "rms", "waveform"]

_LEAST_RMS = 1e-5  # -100 dBFS, so that silence has a level


class _Row(NamedTuple):
    """One row of `feature_curves`; a unit of dBFS is computed from an amplitude."""

    column: str
    name: str
    unit: str
    scale: float = 1.0


_ROWS = (
    _Row("rms_mean", "RMS", "dBFS"),
    _Row("zcr_mean", "zero cross.", "% of samples", 100),
    _Row("centroid_hz", "centroid", "kHz", 1e-3),
    _Row("bandwidth_hz", "bandwidth", "kHz", 1e-3),
    _Row("rolloff_hz", "roll-off", "kHz", 1e-3),
    _Row("db_mean", "bins' mean", "dB"),
    _Row("db_std", "bins' spread", "dB"),
)


def waveform(overview: Overview, *, title: str = "") -> Figure:
    """Waveform: the least and greatest sample of each column.

    Parameters
    ----------
    overview : Overview
        The song's overview.
    title : str
        The song's title.

    Returns
    -------
    Figure
        Amplitude, where full scale is 1, over time.

    Raises
    ------
    ParameterError
        If the overview holds no row.
    """
    figure, [ax] = paper(1.8, name="Waveform", title=title)
    wave = envelope(ax, overview)
    draw_wave(ax, wave, LINE)
    clock_axis([ax], wave.edges[-1])
    return figure


def rms(features: pd.DataFrame, *, title: str = "") -> Figure:
    """RMS over time, with its spread within the frames.

    Loudness is heard in ratios, so the axis is in decibels: 0 dBFS is the RMS of a full-scale square wave.

    Parameters
    ----------
    features : pd.DataFrame
        The song's frame features; `rms_mean` and `rms_std` are used.
    title : str
        The song's title.

    Returns
    -------
    Figure
        RMS in decibels below full scale, over time.

    Raises
    ------
    ParameterError
        If the table holds no frame, or a column is missing.
    """
    mean, std = feature_series(features, "rms_mean"), feature_series(features, "rms_std").mean
    figure, [ax] = paper(2.2, name="RMS", title=title)
    levels = Columns(mean.edges, _dbfs(mean.mean - std), _dbfs(mean.mean), _dbfs(mean.mean + std))
    curve(ax, levels, name="mean", band="\N{PLUS-MINUS SIGN} standard deviation within the frame")
    _fit(ax, levels)
    ax.set_ylabel("RMS [dBFS]", **TYPE)
    key(ax)
    clock_axis([ax], mean.edges[-1])
    return figure


def feature_curves(features: pd.DataFrame, *, title: str = "") -> Figure:
    """Features over time, one above the other.

    Parameters
    ----------
    features : pd.DataFrame
        The song's frame features.
    title : str
        The song's title.

    Returns
    -------
    Figure
        A row a feature, each with its unit. Frames that share a column of the picture are drawn as their mean, in a
        band from the least to the greatest.

    Raises
    ------
    ParameterError
        If the table holds no frame, or a column is missing.
    """
    figure, axes = paper(*[0.72] * len(_ROWS), name="Features over time", title=title)
    for ax, row in zip(axes, _ROWS, strict=True):
        edges, *values = feature_series(features, row.column)
        series = Columns(edges, *(_dbfs(value) if row.unit == "dBFS" else value * row.scale for value in values))
        curve(ax, series, name="mean of neighbouring frames", band="least to greatest")
        _fit(ax, series)
        ax.locator_params(axis="y", nbins=3)
        ax.set_ylabel(f"{row.name}\n[{row.unit}]", rotation=0, ha="right", va="center", **TYPE)
    figure.align_ylabels(axes)
    key(axes[0])
    clock_axis(axes, edges[-1])
    return figure


def bandwidth(features: pd.DataFrame, *, title: str = "") -> Figure:
    """Spectral bandwidth around the spectral centroid, over time.

    Parameters
    ----------
    features : pd.DataFrame
        The song's frame features; `centroid_hz` and `bandwidth_hz` are used.
    title : str
        The song's title.

    Returns
    -------
    Figure
        Above, the centroid with a band of one bandwidth to either side; below, the bandwidth alone. Kilohertz.

    Raises
    ------
    ParameterError
        If the table holds no frame, or a column is missing.
    """
    edges, *values = feature_series(features, "bandwidth_hz")
    alone = Columns(edges, *(value / 1e3 for value in values))
    middle = feature_series(features, "centroid_hz").mean / 1e3
    around = Columns(edges, np.maximum(middle - alone.mean, 0), middle, middle + alone.mean)
    figure, axes = paper(1.7, 1.0, name="Spectral bandwidth", title=title)
    curve(axes[0], around, name="centroid", band="\N{PLUS-MINUS SIGN} bandwidth")
    curve(axes[1], alone, name="bandwidth", band="least to greatest")
    axes[0].set_ylabel("frequency\n[kHz]", **TYPE)
    axes[1].set_ylabel("bandwidth\n[kHz]", **TYPE)
    for ax in axes:
        ax.set_ylim(bottom=0)
    key(axes[0])
    figure.align_ylabels(axes)
    clock_axis(axes, edges[-1])
    return figure


def _dbfs(amplitude: NDArray[np.float64]) -> NDArray[np.float64]:
    decibels: NDArray[np.float64] = 20 * np.log10(np.maximum(amplitude, _LEAST_RMS))
    return decibels


def _fit(ax: Axes, series: Columns) -> None:
    """Scale an axis to what is usual in the song: a second of silence must not flatten all the rest."""
    low, high = float(np.quantile(series.low, 0.04)), float(series.high.max())
    margin = 0.1 * (high - low) if high > low else 1.0
    ax.set_ylim(low - margin, high + margin)

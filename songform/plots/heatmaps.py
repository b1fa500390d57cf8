"""Heat maps of a song: log-mel spectrogram and MFCCs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from songform.errors import ParameterError
from songform.features.filters import hz_to_mel
from songform.plots.downsample import IMAGE_COLUMNS, columns, feature_series, overview_middles, standard_mfcc
from songform.plots.drawing import COLOR_SCALE_WIDTH, KEY_HEIGHT, clock_axis, color_scale, image, key, time_axes
from songform.plots.section_rows import draw_bar_lines, draw_sections, rows_height
from songform.plots.text import TYPE

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from songform.beats.beat_tracking import Beats
    from songform.features.overview import Overview
    from songform.sections.section_finding import Sections

__all__ = ["mfcc_heatmap", "spectrogram"]

_ROLLOFF = "#7FFFD4"
_MARKS_HZ = (250, 500, 1000, 2000, 4000, 8000, 16000)


def spectrogram(
    overview: Overview,
    features: pd.DataFrame,
    *,
    sr: float = 22050,
    title: str = "",
    sections: Sections | None = None,
    beats: Beats | None = None,
) -> Figure:
    """Draw the log-mel spectrogram with the roll-off frequency and bar lines.

    Parameters
    ----------
    overview : Overview
        Overview of the song. Its mel bands range from 0 to `sr / 2`.
    features : pd.DataFrame
        Frame features of the song, with the column `rolloff_hz`.
    sr : number > 0
        Sampling rate of the analyzed signal in Hz.
    title : str
        Title of the song.
    sections : Sections, optional
        Sections of the song, which are drawn above the axes; no row and no lines without them.
    beats : Beats, optional
        Beats of the song. If its bar lines would be closer than a tenth of an inch, only every second, fourth, eighth
        and so on is drawn.

    Returns
    -------
    Figure
        Level in decibels over time and frequency. The colors cover the 80 dB below the maximum.

    Raises
    ------
    ParameterError
        If a table has no row, a column is missing, or `sr` is not positive.
    """
    if not sr > 0:
        raise ParameterError(f"sr must be a positive number of samples per second, not {sr}; the default is 22050")
    mel = columns(overview_middles(overview), overview.logmel_db, limit=IMAGE_COLUMNS)
    n_bands = mel.mean.shape[1]
    title_gap = KEY_HEIGHT + rows_height(sections)
    figure, [ax] = time_axes(2.6, name="Log-mel spectrogram", title=title, right=COLOR_SCALE_WIDTH, title_gap=title_gap)
    top = max(float(mel.mean.max()), -20.0)
    drawn = image(ax, mel.mean, mel.edges[-1], cmap="magma", vmin=top - 80, vmax=top)
    rolloff = feature_series(features, "rolloff_hz")
    # The roll-off of silence is not drawn.
    height = np.where(rolloff.high > 0, _mel_row(rolloff.mean, sr=sr, n_bands=n_bands), np.nan)
    ax.stairs(height, rolloff.edges, baseline=None, color=_ROLLOFF, linewidth=1.0, label="85 % roll-off")
    marks = [hertz for hertz in _MARKS_HZ if hertz < 0.95 * sr / 2]
    ax.set_yticks(_mel_row(np.array(marks), sr=sr, n_bands=n_bands), [f"{hertz}" for hertz in marks])
    ax.set_ylim(0, n_bands)
    ax.set_ylabel("frequency [Hz], mel scale", **TYPE)
    clock_axis([ax], mel.edges[-1])
    draw_sections([ax], sections, color="white", alpha=0.8)
    draw_bar_lines(ax, beats, color="white", alpha=0.5)
    key(ax, above=rows_height(sections))
    color_scale(ax, drawn, "level [dB]", has_margin=True)
    return figure


def mfcc_heatmap(features: pd.DataFrame, *, title: str = "", sections: Sections | None = None) -> Figure:
    """Draw the MFCCs over time, each coefficient standardized within the song.

    Without standardization, only the first coefficient would be visible: it is a hundred times larger than the last.

    Parameters
    ----------
    features : pd.DataFrame
        Frame features of the song, with the columns `mfcc_01`, `mfcc_02`, ...
    title : str
        Title of the song.
    sections : Sections, optional
        Sections of the song, which are drawn above the axes; no row and no lines without them.

    Returns
    -------
    Figure
        Standard deviations from the mean of each coefficient, over time and coefficient.

    Raises
    ------
    ParameterError
        If the table has no frame, or no MFCC.
    """
    mfcc = standard_mfcc(features)
    n_coefficients = mfcc.mean.shape[1]
    figure, [ax] = time_axes(2.1, name="MFCC", title=title, right=COLOR_SCALE_WIDTH, title_gap=rows_height(sections))
    drawn = image(ax, mfcc.mean, mfcc.edges[-1], cmap="RdBu_r", vmin=-3, vmax=3)
    numbers = range(1, n_coefficients + 1, 2)
    ax.set_yticks([number - 0.5 for number in numbers], [str(number) for number in numbers])
    ax.set_ylabel("coefficient [index]", **TYPE)
    color_scale(ax, drawn, "standard deviations\nfrom the song's mean", has_margin=True)
    clock_axis([ax], mfcc.edges[-1])
    draw_sections([ax], sections, alpha=0.8)
    return figure


def _mel_row(hertz: NDArray[np.float64], *, sr: float, n_bands: int) -> NDArray[np.float64]:
    """Return the vertical position of a frequency in an image of mel bands."""
    # Band b is drawn from b to b + 1. It peaks at step b + 1 of n_bands + 1 equal steps in mel from 0 to sr / 2.
    row: NDArray[np.float64] = (n_bands + 1) * hz_to_mel(hertz) / hz_to_mel(np.array(sr / 2)) - 0.5
    return row

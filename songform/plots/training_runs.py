"""Pictures of a training run: training curves, confusion matrix, profile of the states, and scores.

Conventions
-----------
Each function returns a new `matplotlib.figure.Figure`. States have the colors of `songform.plots.palette`. `title` is
the name of the run or of the model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import ScaledTranslation

from songform.errors import ParameterError
from songform.plots.downsample import require_rows
from songform.plots.drawing import LINE, SHADE, WIDTH, color_scale, key, stacked_axes
from songform.plots.fonts import font_families
from songform.plots.palette import state_color
from songform.plots.text import INK, TYPE, plain_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray

__all__ = ["cluster_profile", "confusion_matrix", "metric_bars", "training_curves"]

_VALIDATION = "#B84300"
_SCORES = (("accuracy", "accuracy", LINE), ("macro_f1", "macro-F1", SHADE))


def training_curves(history: Mapping[str, Sequence[float]], *, title: str = "") -> Figure:
    """Draw loss and accuracy per epoch, and mark the best epoch.

    Parameters
    ----------
    history : mapping of str to sequence of float
        One value per epoch of `loss` and, if they were computed, `accuracy`, `val_loss` and `val_accuracy`.
    title : str
        Name of the run.

    Returns
    -------
    Figure
        Top: loss. Bottom: accuracy. The best epoch is the one with the lowest validation loss.

    Raises
    ------
    ParameterError
        If the history has no loss.
    """
    if len(history.get("loss", ())) == 0:
        raise ParameterError("history has no loss; was the model trained for at least one epoch?")
    figure, axes = stacked_axes(1.6, 1.6, name="Training", title=title)
    for ax, metric, label in zip(axes, ("loss", "accuracy"), ("loss [nats]", "accuracy [%]"), strict=True):
        for name, prefix, color in (("training", "", LINE), ("validation", "val_", _VALIDATION)):
            values = np.asarray(history.get(prefix + metric, ()), dtype=np.float64) * (100 if metric != "loss" else 1)
            # Without accuracy or validation the line is empty, but the legend remains complete.
            marker = "o" if values.size < 30 else ""
            ax.plot(np.arange(1, values.size + 1), values, color=color, marker=marker, ms=3, lw=1.3, label=name)
        ax.set_ylabel(label, **TYPE)
        ax.set_xlim(0.5, len(history["loss"]) + 0.5)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=10, min_n_ticks=1))
        ax.tick_params(labelbottom=ax is axes[-1])
    _mark_best(axes, np.asarray(history.get("val_loss", ()), dtype=np.float64))
    key(axes[0])
    figure.align_ylabels(axes)
    axes[-1].set_xlabel("epoch", **TYPE)
    return figure


def confusion_matrix(matrix: ArrayLike, states: Sequence[str], *, title: str = "") -> Figure:
    """Draw the confusion matrix of true and predicted states.

    Parameters
    ----------
    matrix : np.ndarray of int, shape=(k, k)
        Counts, with one row per true state and one column per predicted state.
    states : sequence of str, length k
        Names of the states.
    title : str
        Name of the model.

    Returns
    -------
    Figure
        Share of the row and count in each cell. The row of a state that does not occur has dashes.

    Raises
    ------
    ParameterError
        If there is no state, or the shape of the matrix does not match the number of states.
    """
    counts = np.asarray(matrix, dtype=np.float64)
    require_rows(len(states), "states")
    if counts.shape != (len(states), len(states)):
        k = len(states)
        raise ParameterError(f"matrix must have one row and one column per state, shape {k, k}, not {counts.shape}")
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
    figure, [ax] = stacked_axes(
        0.55 * len(states) + 0.5, name="Confusion matrix", title=title, width=max(2.4 + 0.8 * len(states), 5.5)
    )
    drawn = ax.imshow(100 * shares, cmap="Blues", vmin=0, vmax=100, aspect="auto", interpolation="nearest")
    for (true, predicted), share in np.ndenumerate(shares):
        text = f"{100 * share:.0f} %\n{counts[true, predicted]:.0f}" if totals[true] else "\N{EN DASH}"
        _write(ax, predicted, true, text, pale=share > 0.55)
    _name_rows(figure, ax, states)
    _name_columns(ax, states)
    ax.set_ylabel("true state [% of row, count]", **TYPE)
    ax.set_xlabel("predicted state", **TYPE)
    color_scale(ax, drawn, "share of the true state [%]")
    return figure


def cluster_profile(profile: pd.DataFrame, *, title: str = "") -> Figure:
    """Draw the descriptors of each state as a table.

    Parameters
    ----------
    profile : pd.DataFrame
        One row per state and one column per descriptor, in standard deviations from the mean of all frames.
    title : str
        Name of the model.

    Returns
    -------
    Figure
        Values on a diverging color map, which is white at 0.

    Raises
    ------
    ParameterError
        If the table is empty.
    """
    require_rows(profile.size, "profile")
    values = profile.to_numpy(dtype=np.float64)
    n_states, n_columns = values.shape
    limit = float(np.clip(np.abs(np.nan_to_num(values)).max(), 1, 3))
    width = max(WIDTH, 2.6 + 0.55 * n_columns)
    figure, [ax] = stacked_axes(0.42 * n_states + 0.9, name="Profile of the states", title=title, width=width)
    drawn = ax.imshow(values, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto", interpolation="nearest")
    for (state, column), value in np.ndenumerate(values):
        # Adding 0 converts -0.0 to 0.0.
        text = f"{round(value, 1) + 0:+.1f}".replace("-", "\N{MINUS SIGN}") if np.isfinite(value) else "\N{EN DASH}"
        _write(ax, column, state, text, pale=abs(value) > 0.65 * limit)
    _name_rows(figure, ax, [str(state) for state in profile.index])
    _name_columns(ax, [str(column).replace("_", " ") for column in profile.columns])
    color_scale(ax, drawn, "standard deviations\nfrom the mean")
    return figure


def metric_bars(metrics: Mapping[str, Mapping[str, float]], *, title: str = "") -> Figure:
    """Draw accuracy and macro-F1 of a model and its baselines as bars.

    Parameters
    ----------
    metrics : mapping of str to mapping of str to float
        `accuracy` and `macro_f1` on the test tracks, 0 to 1, for each model or baseline, in the order of the picture.
    title : str
        Name of the run.

    Returns
    -------
    Figure
        Two bars per model, with their values.

    Raises
    ------
    ParameterError
        If `metrics` is empty.
    """
    require_rows(len(metrics), "metrics")
    figure, [ax] = stacked_axes(0.5 * len(metrics) + 0.1, name="Test scores", title=title)
    for offset, (metric, label, color) in zip((-0.19, 0.19), _SCORES, strict=True):
        scores = [100 * float(of_model.get(metric, np.nan)) for of_model in metrics.values()]
        places = np.arange(len(scores)) + offset
        ax.barh(places, np.nan_to_num(scores), height=0.36, color=color, label=label)
        for place, score in zip(places, scores, strict=True):
            text = f"{score:.1f} %" if np.isfinite(score) else "not computed"
            ax.text(np.nan_to_num(score) + 0.8, place, text, va="center", ha="left", **TYPE)
    names = [plain_text(name.replace("_", " "), width=1.8, size=TYPE["size"]) for name in metrics]
    ax.set_yticks(range(len(names)), names, family=font_families("".join(names)))
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xlim(0, 109)
    ax.set_xticks(range(0, 101, 20))
    ax.set_xlabel("score on the test tracks [%]", **TYPE)
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=False, axis="y")
    key(ax)
    return figure


def _mark_best(axes: Sequence[Axes], val_loss: NDArray[np.float64]) -> None:
    """Mark the epoch with the lowest validation loss, if there is one."""
    if not np.isfinite(val_loss).any():
        return
    best = int(np.nanargmin(val_loss)) + 1
    for ax in axes:
        ax.axvline(best, color=INK, linewidth=0.9, linestyle=":", label=f"best epoch: {best}")


def _write(ax: Axes, x: int, y: int, text: str, *, pale: bool) -> None:
    """Write text at the center of a cell."""
    ax.text(x, y, text, ha="center", va="center", **TYPE | {"size": 8.0, "color": "white" if pale else INK})


def _name_rows(figure: Figure, ax: Axes, states: Sequence[str]) -> None:
    """Label the rows of a table with the names of the states, and with dots in their colors."""
    rows = range(len(states))
    names = [plain_text(state, width=1.4, size=TYPE["size"]) for state in states]
    ax.set_yticks(rows, names, family=font_families("".join(names)))
    # Seven points to the left of the table, independent of its size.
    place = ax.get_yaxis_transform() + ScaledTranslation(-7 / 72, 0, figure.dpi_scale_trans)
    ax.scatter([0] * len(states), rows, s=36, c=[state_color(s) for s in states], transform=place, clip_on=False)
    ax.tick_params(axis="y", length=0, pad=14)
    ax.set_ylim(len(states) - 0.5, -0.5)


def _name_columns(ax: Axes, names: Sequence[str]) -> None:
    """Label the columns of a table. More than six names are slanted."""
    plain = [plain_text(name, width=1.6, size=TYPE["size"]) for name in names]
    slanted = len(names) > 6
    style: dict[str, Any] = {"rotation": 35, "ha": "right"} if slanted else {"rotation": 0, "ha": "center"}
    ax.set_xticks(range(len(names)), plain, family=font_families("".join(plain)), **style)
    ax.tick_params(axis="x", length=0)
    ax.set_xlim(-0.5, len(names) - 0.5)
    ax.spines[:].set_visible(False)
    ax.grid(visible=False)

"""Pictures of a training run."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from songform import plots
from songform.errors import ParameterError
from songform.plots.palette import state_color

STATES = ["Calm", "BuildUp", "Energetic", "Transition", "Repetitive"]
HISTORY = {
    "loss": [1.6, 1.1, 0.8, 0.6],
    "val_loss": [1.7, 1.2, 1.0, 1.1],
    "accuracy": [0.2, 0.5, 0.6, 0.7],
    "val_accuracy": [0.2, 0.4, 0.5, 0.5],
}


def written(figure):
    """Return the texts in the first axes."""
    return [text.get_text() for text in figure.axes[0].texts]


def png(figure):
    buffer = io.BytesIO()
    plots.save_png(figure, buffer)
    return buffer.getvalue()


def test_training_curves_start_at_epoch_one_and_mark_the_best():
    figure = plots.training_curves(HISTORY, title="$lstm$")
    loss, accuracy = figure.axes
    assert list(loss.lines[0].get_xdata()) == [1, 2, 3, 4]
    assert list(accuracy.lines[1].get_ydata()) == [20, 40, 50, 50]
    assert "best epoch: 3" in [text.get_text() for text in loss.get_legend().get_texts()]
    assert (loss.get_ylabel(), accuracy.get_ylabel()) == ("loss [nats]", "accuracy [%]")
    assert "epoch" in accuracy.get_xlabel()
    assert png(figure)


@pytest.mark.parametrize(
    "history",
    [{"loss": [0.5]}, HISTORY | {"val_loss": [np.nan] * 4}, {"loss": [np.inf, 1.0], "accuracy": [0.1, 0.2]}],
    ids=["one epoch, no validation", "diverged", "infinite"],
)
def test_history_without_a_best_epoch_is_drawn(history):
    figure = plots.training_curves(history)
    assert png(figure)
    assert not any("best" in text.get_text() for text in figure.axes[0].get_legend().get_texts())


def test_confusion_matrix_shows_counts_and_shares_of_the_row():
    figure = plots.confusion_matrix([[30, 10], [0, 0]], ["Calm", "Energetic"])
    assert written(figure) == ["75 %\n30", "25 %\n10", "\N{EN DASH}", "\N{EN DASH}"]
    np.testing.assert_allclose(figure.axes[0].images[0].get_array(), [[75, 25], [0, 0]])
    assert figure.axes[0].get_xlabel() == "predicted state"
    assert png(figure)


def test_rows_of_a_table_have_the_colours_of_their_states():
    [dots] = plots.confusion_matrix(np.eye(5), STATES).axes[0].collections
    assert [to_hex(color).upper() for color in dots.get_facecolors()] == [state_color(state) for state in STATES]


def test_cluster_profile_is_white_at_zero_and_shows_its_values():
    profile = pd.DataFrame([[1.24, -0.02], [-2.0, np.nan]], ["Calm", "$6"], ["energy", "abs_slope"])
    figure = plots.cluster_profile(profile)
    assert written(figure) == ["+1.2", "+0.0", "\N{MINUS SIGN}2.0", "\N{EN DASH}"]
    image = figure.axes[0].images[0]
    assert image.norm.vmin == -image.norm.vmax == -2.0
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["energy", "abs slope"]
    assert png(figure)


def test_metric_bars_are_drawn_with_their_values():
    scores = {"lstm": {"accuracy": 0.8, "macro_f1": 0.71}, "persistence_oracle": {"accuracy": float("nan")}}
    figure = plots.metric_bars(scores)
    assert written(figure) == ["80.0 %", "not computed", "71.0 %", "not computed"]
    assert [bar.get_width() for bar in figure.axes[0].patches] == pytest.approx([80, 0, 71, 0])
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["lstm", "persistence oracle"]
    assert png(figure)


@pytest.mark.parametrize("k", [1, 12])
def test_text_of_tables_with_one_or_twelve_states_is_within_the_picture(k):
    states = [f"State {i}" for i in range(k)]
    profile = pd.DataFrame(np.zeros((k, 12)), states, [f"descriptor_{i}" for i in range(12)])
    for figure in (plots.confusion_matrix(100000 * np.eye(k), states), plots.cluster_profile(profile)):
        figure.draw_without_rendering()
        ax, width = figure.axes[0], figure.bbox.width
        boxes = [text.get_window_extent() for text in (*ax.get_xticklabels(), *ax.get_yticklabels(), *ax.texts)]
        assert min(box.x0 for box in boxes) >= 0
        assert max(box.x1 for box in boxes) <= width
        assert min(box.y0 for box in boxes) >= 0


def test_empty_and_inconsistent_input_is_rejected():
    with pytest.raises(ParameterError, match=r"history has no loss.*at least one epoch"):
        plots.training_curves({"loss": []})
    with pytest.raises(ParameterError, match="per state, shape \\(2, 2\\), not \\(2, 3\\)"):
        plots.confusion_matrix(np.ones((2, 3)), ["a", "b"])
    with pytest.raises(ParameterError, match="states must have at least one row"):
        plots.confusion_matrix(np.ones((0, 0)), [])
    with pytest.raises(ParameterError, match="profile must have at least one row"):
        plots.cluster_profile(pd.DataFrame())
    with pytest.raises(ParameterError, match="metrics must have at least one row"):
        plots.metric_bars({})

"""Tests of the Bokeh figures of a song."""

from __future__ import annotations

import json

import numpy as np
import pytest

from songform.errors import ParameterError
from songform.pages.figures import BORDERS, HEIGHTS, diverging_palette, figures_json, song_figures
from songform.pages.page_colors import state_tone
from songform.structure.segments import Segment
from songform.structure.silence import SILENCE


def drawn(view):
    return song_figures(
        view.segments,
        view.posterior,
        view.states.states,
        overview=view.overview,
        features=view.features,
        context=view.context,
    )


def source(figures, name):
    """Return the data of a named source."""
    (found,) = {r.data_source for figure in figures.values() for r in figure.renderers if r.data_source.name == name}
    return found.data


@pytest.fixture(scope="module")
def figures(song):
    return drawn(song())


def test_all_figures_have_the_same_time_range_and_borders(figures):
    assert list(figures) == list(HEIGHTS)
    (view,) = {figure.x_range for figure in figures.values()}
    assert (view.start, view.end, view.bounds) == (0, 60_000, (0, 60_000))
    assert {(figure.min_border_left, figure.min_border_right) for figure in figures.values()} == {BORDERS}


def test_the_bands_of_the_waveform_have_the_bounds_and_colours_of_the_segments(song, figures):
    segments, bands = song().segments, source(figures, "bands")
    assert bands["left"] == [1000 * segment.start for segment in segments]
    assert bands["right"] == [1000 * segment.end for segment in segments]
    assert bands["color"] == [state_tone(segment.state).light for segment in segments]


def test_the_waveform_covers_the_song_and_is_scaled_to_its_peak(song, figures):
    shape, overview = source(figures, "shape"), song().overview
    peak = max(overview.wave_max.max(), -overview.wave_min.min())
    np.testing.assert_allclose(shape["high"][1:-1] / 127, overview.wave_max / peak, atol=0.5 / 127)
    np.testing.assert_allclose(shape["low"][1:-1] / 127, overview.wave_min / peak, atol=0.5 / 127)
    assert (shape["time"][0], shape["time"][-1]) == (0, 60_000)
    np.testing.assert_allclose(shape["time"][1:-1], (overview.time_s + 0.05) * 1000, rtol=1e-6)


def test_the_stacked_probabilities_of_the_states_sum_to_one(song, figures):
    stack, view = source(figures, "stack"), song()
    tops = np.stack([stack[f"top{i}"] for i in range(6)], axis=1)[1:-1] / 127
    np.testing.assert_allclose(np.diff(tops, axis=1), view.posterior, atol=1 / 127)
    assert (tops[:, -1] == 1).all()


def test_confidence_is_the_probability_of_the_displayed_state(song, figures):
    view = song()
    moments = source(figures, "moments")
    shown = [next(s.state for s in view.segments if s.start <= time < s.end) for time in view.context.index]
    expected = [row[view.states.states.index(state)] for row, state in zip(view.posterior, shown, strict=True)]
    np.testing.assert_allclose(moments["value"][1:-1] / 127, expected, atol=0.5 / 127)
    means = source(figures, "means")
    np.testing.assert_allclose(
        np.array(means["value"]) / 127, np.repeat([s.confidence for s in view.segments], 2), atol=1e-3
    )


@pytest.mark.parametrize("name", ["energy", "rise", "novelty", "recurrence"])
def test_a_descriptor_is_drawn_unchanged_and_within_its_figure(song, figures, name):
    context = song().context
    np.testing.assert_allclose(source(figures, name)["value"][1:-1], context[name], rtol=1e-6)
    figure = figures[name]
    assert figure.y_range.start <= context[name].min()
    assert figure.y_range.end >= context[name].max()


def test_mfccs_are_coloured_by_their_deviation_from_the_songs_mean(song):
    """One standard deviation is a third of the difference between the middle shade, 127, and the last shade, 254."""
    view = song()
    view.features["mfcc_03"] = np.r_[np.full(1290, -5.0), np.full(1290, 7.0)]
    (image,) = source(drawn(view), "mfcc")["image"]
    assert (image.shape, image.dtype) == ((13, 1600), np.uint8)
    assert set(image[2, :800]) == {85}
    assert set(image[2, 800:]) == {169}


def test_the_size_of_the_data_is_bounded_for_long_songs(song):
    many = drawn(song(2 * 3600, 200))
    for figure in many.values():
        for renderer in figure.renderers:
            for name, column in renderer.data_source.data.items():
                assert len(column) <= 8002, (figure.name, name)
    assert len(json.dumps(figures_json(many))) < 400_000


def test_the_time_axis_has_hours_from_one_hour_on(song):
    formats = {drawn(song(seconds))["wave"].xaxis[0].formatter.minutes for seconds in (60, 3599)}
    assert formats == {"%-M:%S"}
    assert drawn(song(3600))["wave"].xaxis[0].formatter.minutes == "%-H:%M:%S"


def test_the_same_song_gives_the_same_json_and_all_references_are_to_existing_models(song):
    one, other = (json.dumps(figures_json(drawn(song()))) for _ in range(2))
    assert one == other
    figures = json.loads(one)
    made, used = [], []

    def walk(value):
        if isinstance(value, dict):
            if "id" in value:
                (made if "name" in value else used).append(value["id"])
            value = list(value.values())
        if isinstance(value, list):
            for part in value:
                walk(part)

    walk(figures["document"])
    assert len(made) == len(set(made))
    assert set(used) <= set(made)
    assert set(figures["roots"].values()) <= set(made)


@pytest.mark.parametrize("duration", [0.02, 0.5, 1.0])
def test_the_shortest_song_can_be_drawn(song, duration):
    figures = drawn(song(duration, 1))
    assert all(len(source(figures, name)["time"]) >= 3 for name in ("shape", "moments", "stack", "energy"))
    json.dumps(figures_json(figures), allow_nan=False)


def test_digital_silence_is_a_further_state_with_probability_one(song):
    """The first 30 s of a minute are silent."""
    segments = [Segment(0, 30, SILENCE, 1.0), Segment(30, 60, "Calm", 0.5)]
    view = song(segments=segments)
    figures = drawn(view)
    stack, moments = source(figures, "stack"), source(figures, "moments")
    is_silent = np.array(stack["time"]) < 30_000
    assert set(stack["top5"][is_silent]) == {0}
    assert set(stack["top6"][is_silent]) == {127}
    assert set(stack["top6"][~is_silent] - stack["top5"][~is_silent]) == {0}
    assert set(moments["value"][is_silent]) == {127}
    assert [glyph.name for glyph in figures["states"].renderers] == [f"state-{i}" for i in range(6)]


def test_silence_is_drawn_as_a_flat_line(song):
    view = song()
    for name in ("wave_min", "wave_max"):
        getattr(view.overview, name)[:] = 0
    view.context[:] = 0.0
    figures = drawn(view)
    assert not source(figures, "shape")["high"].any()
    assert all(figure.y_range.end > figure.y_range.start for figure in figures.values())


def test_features_without_mfccs_are_an_error(song):
    view = song()
    with pytest.raises(ParameterError, match="no MFCC"):
        song_figures(
            view.segments,
            view.posterior,
            view.states.states,
            overview=view.overview,
            features=view.features[["rms_mean"]],
            context=view.context,
        )


@pytest.mark.parametrize(("ground", "middle"), [("light", "#f7f7f7"), ("dark", "#1d2027")])
def test_the_middle_of_the_palette_is_the_background_colour(ground, middle):
    palette = diverging_palette(ground)
    assert len(palette) == len(set(palette)) == 51
    assert palette[25] == middle

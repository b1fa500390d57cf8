"""Rows of sections and phrases, lines of sections, boundaries and bar lines in pictures of songs."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_hex
from matplotlib.text import Text

from songform import plots
from songform.beats.beat_tracking import NO_BEATS, Beats
from songform.features.frame_features import feature_columns
from songform.features.overview import Overview
from songform.plots.drawing import time_axes
from songform.plots.palette import section_color
from songform.plots.section_lines import line_seconds, lines_of
from songform.plots.section_rows import draw_bar_lines, fitting_letters
from songform.sections.letters import letters
from songform.sections.section_finding import Sections, SongPart
from songform.structure.segments import Segment

WIDTH = 6.5  # inches


def parts(cuts, labels, confidence=1.0):
    rows = zip(itertools.pairwise(np.asarray(cuts, float).tolist()), labels, strict=True)
    return tuple(SongPart(start, end, label, confidence) for (start, end), label in rows)


def sections_of(n, duration):
    """Return that many sections of different lengths, each with two phrases."""
    cuts = np.r_[0, np.cumsum(1 + np.arange(n) * 7 % 5)] / sum(1 + np.arange(n) * 7 % 5) * duration
    groups = np.arange(n) * 3 // 4
    halves = np.sort(np.r_[cuts, (cuts[1:] + cuts[:-1]) / 2])
    small = [letter.lower() for letter in letters(np.repeat(groups, 2).tolist())]
    return Sections(parts(cuts, letters(groups.tolist()), 0.5), parts(halves, small, 0.5))


def beats_of(seconds_per_bar, duration, first=0.5):
    times = np.arange(first, duration, seconds_per_bar / 4)
    return Beats(times, 1 + np.arange(len(times)) % 4, 240 / seconds_per_bar, 4, is_metre_sure=True, confidence=0.9)


def tables(duration):
    cells = int(duration * 10)
    ones = np.ones((cells, 12), dtype=np.float32)
    levels = np.full((cells, 64), 100, dtype=np.uint8)
    wave = np.abs(np.sin(np.arange(cells, dtype=np.float32)))
    overview = Overview(np.arange(cells) / 10, -wave, wave, levels, ones, wave, wave, np.ones(cells, dtype=np.int32))
    names = feature_columns()
    values = np.tile([1000 if name.endswith("_hz") else 0.1 for name in names], (cells, 1)).astype(np.float32)
    return pd.DataFrame(values, index=pd.Index(np.arange(cells) / 10, name="time_s"), columns=names), overview


def pictures_of(duration, sections, beats, title="A Song"):
    features, overview = tables(duration)
    segments = [Segment(0, duration / 2, "Calm", 0.5), Segment(duration / 2, duration, "Energetic", 0.5)]
    shown = {"title": title, "sections": sections}
    return {
        "waveform": plots.waveform(overview, **shown),
        "rms": plots.rms(features, **shown),
        "spectrogram": plots.spectrogram(overview, features, beats=beats, **shown),
        "feature_curves": plots.feature_curves(features, **shown),
        "mfcc_heatmap": plots.mfcc_heatmap(features, **shown),
        "bandwidth": plots.bandwidth(features, **shown),
        "state_timeline": plots.state_timeline(overview, segments, beats=beats, **shown),
    }


def form(duration, sections=None, beats=None):
    return plots.state_timeline(tables(duration)[1], [Segment(0, duration, "Calm", 1)], sections=sections, beats=beats)


def written(ax, labels):
    """Return the letters of axes in order from left to right and from top to bottom."""
    found = [text for text in ax.texts if text.get_text() in labels]
    found.sort(key=lambda text: (-round(text.get_position()[1], 3), text.get_position()[0]))
    return [text.get_text() for text in found]


def overlaps(boxes):
    """Return which boxes overlap by more than 4 pixels, which is the space for descenders and accents."""
    pairs = itertools.combinations(boxes, 2)
    return [(a, b) for a, b in pairs if min(a.x1, b.x1) - max(a.x0, b.x0) > 4 and min(a.y1, b.y1) - max(a.y0, b.y0) > 4]


@pytest.fixture(scope="module")
def song():
    """Return 12 sections and the pictures of a song of four minutes."""
    sections = sections_of(12, 240)
    return sections, pictures_of(240, sections, beats_of(2.0, 240))


def test_every_picture_shows_the_letters_in_order(song):
    sections, pictures = song
    expected = [part.label for part in sections.sections]
    for figure in pictures.values():
        assert written(figure.axes[0], set(expected)) == expected
    phrases = [part.label for part in sections.phrases]
    assert written(pictures["state_timeline"].axes[0], set(phrases)) == phrases


def test_blocks_are_where_the_sections_are_and_have_their_colours(song):
    sections, pictures = song
    blocks = next(drawn for drawn in pictures["mfcc_heatmap"].axes[0].collections if isinstance(drawn, PolyCollection))
    spans = [(path.vertices[:, 0].min(), path.vertices[:, 0].max()) for path in blocks.get_paths()]
    assert spans == [(part.start, part.end) for part in sections.sections]
    colors = [to_hex(color).upper() for color in blocks.get_facecolors()]
    assert colors == [section_color(part.label) for part in sections.sections]


def test_every_axis_with_time_has_a_line_at_each_boundary(song):
    sections, pictures = song
    starts = {part.start for part in sections.sections[1:]}
    for name, figure in pictures.items():
        for ax in figure.axes[:-1] if name in {"spectrogram", "mfcc_heatmap", "state_timeline"} else figure.axes:
            lines = [c for c in ax.collections if isinstance(c, LineCollection)]
            assert any({line[0][0] for line in drawn.get_segments()} == starts for drawn in lines), name


def test_height_of_a_section_is_its_confidence():
    found = Sections(parts([0, 60, 90, 120], "ABA", 0.25), parts([0, 60, 120], "ab", 0.25))
    phrases, pale, solid = (c for c in form(120, found).axes[0].collections if isinstance(c, PolyCollection))
    heights = [np.ptp(path.vertices[:, 1]) for drawn in (solid, pale) for path in drawn.get_paths()]
    np.testing.assert_allclose(np.divide(heights[:3], heights[3:]), 0.25)
    assert (pale.get_alpha(), solid.get_alpha(), phrases.get_alpha()) == (pytest.approx(0.4), 1, 1)


def test_no_text_of_a_picture_overlaps_another_or_leaves_the_picture(song):
    for name, figure in song[1].items():
        assert_texts_have_room(figure, name)


def test_texts_have_room_in_a_form_of_ten_hours_with_a_long_title():
    states = [Segment(0, 18000, "W" * 50, 1), Segment(18000, 36000, "Calm", 1)]
    sections, beats = sections_of(30, 36000), beats_of(2.0, 36000)
    overview = tables(36000)[1]
    figure = plots.state_timeline(overview, states, title="W" * 300, sections=sections, beats=beats)
    assert_texts_have_room(figure, "form")


def assert_texts_have_room(figure, name):
    figure.draw_without_rendering()
    boxes = {text: text.get_window_extent() for text in visible_texts(figure)}
    assert overlaps(boxes.values()) == [], name
    for text, box in boxes.items():
        assert min(box.x0, box.y0) >= 0, (name, text)
        assert box.x1 <= figure.bbox.width, (name, text)
        assert box.y1 <= figure.bbox.height, (name, text)


def visible_texts(figure):
    """Return all texts, without the labels of marks outside of the axes."""
    texts = [*figure.findobj(Text, include_self=False)]
    for axis in itertools.chain.from_iterable((ax.xaxis, ax.yaxis) for ax in figure.axes):
        low, high = sorted(axis.get_view_interval())
        marks = zip(axis.get_ticklabels(), axis.get_ticklocs(), strict=True)
        hidden = [label for label, place in marks if not low <= place <= high]
        texts = [text for text in texts if text not in hidden]
    return [text for text in texts if text.get_visible() and text.get_text().strip()]


def test_without_sections_a_picture_has_neither_rows_nor_lines():
    plain = pictures_of(60, None, None)
    reason = pictures_of(60, Sections(reason="the song is too short"), NO_BEATS)
    for name, figure in plain.items():
        assert figure.get_size_inches().tolist() == reason[name].get_size_inches().tolist()
        assert list(figure.axes[0].texts) == []
        assert [len(ax.collections) for ax in figure.axes] == [len(ax.collections) for ax in reason[name].axes]


def test_mix_of_two_hundred_sections_has_all_letters_in_lines():
    """The row above the waveform has no room for them, so that it has no letters."""
    sections = sections_of(200, 7200)
    figure = form(7200, sections)
    row, _, lines = figure.axes
    expected = [part.label for part in sections.sections]
    assert written(row, set(expected)) == []
    assert written(lines, set(expected)) == expected
    figure.draw_without_rendering()
    assert overlaps([text.get_window_extent() for text in lines.texts]) == []


def test_song_whose_letters_fit_has_no_lines():
    assert len(form(240, sections_of(16, 240)).axes) == 2


@settings(max_examples=30)
@given(st.lists(st.floats(0.1, 60), min_size=1, max_size=40), st.floats(3, 500))
def test_lines_contain_every_section_once_with_its_letter(lengths, seconds):
    song = parts(np.r_[0, np.cumsum(lengths)], letters(range(len(lengths))))
    lines = lines_of(song, seconds)
    assert [block.label for line in lines for block in line if block.is_lettered] == [part.label for part in song]
    for i, line in enumerate(lines):
        assert all(before.end == after.start for before, after in itertools.pairwise(line))
        assert line[0].start == 0
        assert line[-1].end == pytest.approx(seconds if i + 1 < len(lines) else song[-1].end - i * seconds)


def test_lines_are_as_long_as_the_letters_allow():
    """300 letters need more than ten lines of 6.5 inches; a few need none."""
    assert line_seconds(sections_of(10, 240).sections, WIDTH) == 0
    few, many = (line_seconds(sections_of(n, 7200).sections, WIDTH) for n in (100, 300))
    assert 300 <= many <= few < 7200
    assert line_seconds(sections_of(1000, 7200).sections, WIDTH) == 300  # 24 lines


@given(st.lists(st.tuples(st.floats(0, 6), st.floats(0.05, 0.3)), min_size=1, max_size=40).map(sorted), st.floats(6, 8))
def test_letters_that_are_written_do_not_overlap(wanted, row):
    centers, widths = zip(*wanted, strict=True)
    chosen = fitting_letters(centers, widths, row)
    edges = [(center - widths[i] / 2, center + widths[i] / 2) for i, center in chosen]
    assert chosen
    assert [i for i, _ in chosen] == sorted({i for i, _ in chosen})
    assert all(before[1] < after[0] for before, after in itertools.pairwise(edges))
    assert edges[0][0] > -1e-9
    assert edges[-1][1] < row + 1e-9


def test_letters_far_apart_are_all_written_at_their_centers():
    assert fitting_letters([0.5, 1.0, 1.5], [0.2] * 3, 2.0) == [(0, 0.5), (1, 1.0), (2, 1.5)]
    assert fitting_letters([0.01, 1.99], [0.2] * 2, 2.0) == [(0, 0.1), (1, pytest.approx(1.9))]


@pytest.mark.parametrize(
    ("duration", "every", "name"),
    [(60, 1, "bar line"), (240, 2, "every 2nd bar line"), (300, 4, "every 4th bar line"), (1500, 16, "every 16th bar")],
)
def test_bar_lines_are_thinned_to_every_second_fourth_and_so_on(duration, every, name):
    beats = beats_of(2.0, duration)
    _, [ax] = time_axes(1.0, name="Bars")
    ax.set_xlim(0, duration)
    draw_bar_lines(ax, beats, color="white", alpha=0.5)
    [drawn] = ax.collections
    np.testing.assert_allclose([line[0][0] for line in drawn.get_segments()], np.arange(0.5, duration, 2.0 * every))
    [text] = ax.get_legend_handles_labels()[1]
    assert text.startswith(name)


@pytest.mark.parametrize("beats", [None, NO_BEATS, beats_of(2.0, 36000)])
def test_no_bar_lines_without_beats_or_room(beats):
    _, [ax] = time_axes(1.0, name="Bars")
    ax.set_xlim(0, 36000)
    draw_bar_lines(ax, beats, color="white", alpha=0.5)
    assert (list(ax.collections), ax.get_legend_handles_labels()[1]) == ([], [])


def test_form_names_tempo_and_metre():
    sure = beats_of(2.0, 60)
    unsure = Beats(sure.times, sure.positions, 89.6, 3, is_metre_sure=False, confidence=0.5)
    texts = [[text.get_text() for text in form(60, beats=beats).texts] for beats in (sure, unsure, NO_BEATS, None)]
    assert ["120 BPM, 4/4" in found for found in texts] == [True, False, False, False]
    assert "90 BPM, 3/4 (unsure)" in texts[1]
    assert not any("BPM" in text for found in texts[2:] for text in found)

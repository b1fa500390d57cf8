"""Pictures of a song."""

from __future__ import annotations

import io
import itertools
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import matplotlib as mpl
import matplotlib.style
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex
from PIL import Image

from songform import plots
from songform.errors import ParameterError
from songform.features.extraction import describe_audio
from songform.features.filters import fft_frequencies, mel_filters
from songform.features.frame_features import feature_columns
from songform.features.overview import Overview
from songform.plots import cluster_profile
from songform.plots.downsample import IMAGE_COLUMNS, LINE_COLUMNS
from songform.structure.segments import Segment
from songform.structure.silence import SILENCE

STATES = ("Calm", "BuildUp", "Energetic", "Transition", "Repetitive")


def tables(duration):
    """Return frame features and an overview of that many seconds, with random numbers in the usual ranges."""
    rng = np.random.default_rng(0)
    n, cells = int(duration * 43), int(duration * 10)
    names = feature_columns()
    hertz = np.array([1000.0 if name.endswith("_hz") else 0.1 for name in names], dtype=np.float32)
    values = rng.random((n, len(names)), dtype=np.float32) * hertz
    features = pd.DataFrame(values, index=pd.Index(np.arange(n) / 43, name="time_s"), columns=names)
    wave = rng.random((cells, 2), dtype=np.float32)
    levels = rng.integers(0, 256, (cells, 64), dtype=np.uint8)
    ones = np.ones((cells, 12), dtype=np.float32)
    counts = ones[:, 0].astype(np.int32)
    overview = Overview(np.arange(cells) / 10, -wave[:, 0], wave[:, 1], levels, ones, ones[:, 0], ones[:, 0], counts)
    return features, overview


def form(n_segments, duration):
    """Return segments of equal length and of different confidence."""
    cuts = np.linspace(0, duration, n_segments + 1)
    spans = enumerate(itertools.pairwise(cuts))
    return [Segment(float(a), float(b), STATES[i % 5], (i % 11) / 10) for i, (a, b) in spans]


def drawn(features, overview, segments, title=""):
    """Return all pictures of a song by name."""
    return {
        "waveform": plots.waveform(overview, title=title),
        "rms": plots.rms(features, title=title),
        "spectrogram": plots.spectrogram(overview, features, title=title),
        "feature_curves": plots.feature_curves(features, title=title),
        "mfcc_heatmap": plots.mfcc_heatmap(features, title=title),
        "bandwidth": plots.bandwidth(features, title=title),
        "state_timeline": plots.state_timeline(overview, segments, title=title),
    }


def png(figure):
    buffer = io.BytesIO()
    plots.save_png(figure, buffer)
    return buffer.getvalue()


def colors(figure):
    """Return all fill colors of a figure."""
    filled = [artist.get_facecolor() for ax in figure.axes for artist in (*ax.patches, *ax.collections)]
    return {to_hex(color, keep_alpha=False).upper() for many in filled for color in np.atleast_2d(many)}


def polygons(ax):
    """Return the collections of filled shapes, without those of lines."""
    return [drawn for drawn in ax.collections if isinstance(drawn, PolyCollection)]


@pytest.fixture(scope="module")
def described():
    """Return features, overview and segments of one minute."""
    return *tables(60), form(9, 60)


@pytest.fixture(scope="module")
def pictures(described):
    return drawn(*described, title="A Song")


def test_every_picture_has_a_title_and_a_time_axis(pictures):
    assert all("A Song" in figure.get_suptitle() for figure in pictures.values())
    assert all(any(ax.get_xlabel().startswith("time [m:ss]") for ax in figure.axes) for figure in pictures.values())


def test_every_axis_has_a_unit(pictures):
    """The lanes of the states are an exception: they have names."""
    for name, figure in pictures.items():
        lanes = figure.axes[1:] if name == "state_timeline" else []
        for ax in figure.axes:
            assert ax in lanes or "[" in ax.get_ylabel() or "standard deviations" in ax.get_ylabel(), name


def test_every_picture_is_written_as_a_png_with_content(pictures):
    for figure in pictures.values():
        with Image.open(io.BytesIO(png(figure))) as picture:
            assert picture.width == 1200
            assert len(picture.convert("RGB").getcolors(1 << 24)) > 10


def test_same_song_gives_the_same_bytes_in_four_threads(described):
    features, overview, segments = described

    def draw(_):
        figures = plots.spectrogram(overview, features), plots.state_timeline(overview, segments)
        return [png(figure) for figure in figures]

    alone = draw(0)
    with ThreadPoolExecutor(4) as pool:
        assert all(together == alone for together in pool.map(draw, range(4)))


def test_dark_style_of_the_caller_has_no_effect(described):
    features, overview, segments = described

    def draw():
        return png(plots.spectrogram(overview, features)), png(plots.state_timeline(overview, segments))

    plain = draw()
    with mpl.style.context(["dark_background", {"font.family": "serif", "font.size": 20}]):
        assert draw() == plain


def test_pyplot_is_not_imported_and_the_global_style_is_unchanged(described):
    before = dict(mpl.rcParams)
    drawn(*described)
    assert dict(mpl.rcParams) == before
    program = "import sys, songform.plots; print('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout == b"False\n"


def test_state_has_the_same_colour_in_every_picture(described):
    _, overview, segments = described
    expected = {plots.state_color(state) for state in STATES}
    assert expected <= colors(plots.state_timeline(overview, segments))
    assert expected <= colors(cluster_profile(pd.DataFrame(np.zeros((5, 2)), index=list(STATES))))


def test_timeline_labels_states_with_their_shares(described):
    _, overview, _ = described
    segments = [Segment(0, 15, "Energetic", 1), Segment(15, 45, "Calm", 1), Segment(45, 60, "$x_$", 1)]
    lanes = plots.state_timeline(overview, segments).axes[1]
    assert [label.get_text() for label in lanes.get_yticklabels()] == ["Calm  50 %", "Energetic  25 %", r"\$x_\$  25 %"]


def test_timeline_has_a_lane_with_the_length_of_the_silence(described):
    _, overview, _ = described
    segments = [Segment(0, 30, SILENCE, 1), Segment(30, 45, "Energetic", 0.5), Segment(45, 60, "Calm", 1)]
    lanes = plots.state_timeline(overview, segments).axes[1]
    names = ["Calm  50 %", "Energetic  50 %", "Silence  0:30"]
    assert [label.get_text() for label in lanes.get_yticklabels()] == names
    lanes = plots.state_timeline(overview, [Segment(0, 60, SILENCE, 1)]).axes[1]
    assert [label.get_text() for label in lanes.get_yticklabels()] == ["Silence  1:00"]


def test_height_of_a_bar_is_its_confidence(described):
    _, overview, _ = described
    segments = [Segment(0, 30, "Calm", 0.25), Segment(30, 50, "Calm", 1.0), Segment(50, 60, "Calm", float("nan"))]
    pale, solid = polygons(plots.state_timeline(overview, segments).axes[1])
    heights = [[np.ptp(path.vertices[:, 1]) for path in bars.get_paths()] for bars in (pale, solid)]
    np.testing.assert_allclose(np.divide(*heights[::-1]), [0.25, 1, 0], atol=1e-9)
    assert [path.vertices[:, 0].max() for path in solid.get_paths()] == [30, 50, 60]


def test_waveform_has_the_colours_of_the_segments(described):
    _, overview, _ = described
    top = plots.state_timeline(overview, [Segment(0, 20, "Calm", 1), Segment(20, 60, "Energetic", 1)]).axes[0]
    calm, energetic = (patch.get_data() for patch in top.patches)
    assert calm.edges[:-1][np.isfinite(calm.values)].max() == pytest.approx(20, abs=0.11)
    assert energetic.edges[:-1][np.isfinite(energetic.values)].min() == pytest.approx(20, abs=0.11)


@pytest.mark.parametrize("sr", [8000, 22050, 44100])
def test_frequency_marks_are_at_their_mel_bands(described, sr):
    """The expected positions are computed from the peaks of the mel filters."""
    features, overview, _ = described
    ax = plots.spectrogram(overview, features, sr=sr).axes[0]
    peaks = fft_frequencies(sr, 1 << 16)[mel_filters(sr, 1 << 16, 64).argmax(axis=1)]
    marks = [float(label.get_text()) for label in ax.get_yticklabels()]
    np.testing.assert_allclose(ax.get_yticks(), np.interp(marks, peaks, np.arange(64) + 0.5), atol=0.05)


def test_rms_is_drawn_in_decibels_below_full_scale():
    features, _ = tables(10)
    features["rms_mean"], features["rms_std"] = 0.1, 0.0
    [line] = plots.rms(features).axes[0].lines
    np.testing.assert_allclose(line.get_ydata(), -20, atol=1e-5)


def test_second_of_silence_does_not_compress_the_rest():
    features, _ = tables(60)
    features["rms_mean"] = np.linspace(0.1, 0.2, len(features))
    features.iloc[:43, features.columns.get_loc("rms_mean")] = 0
    assert plots.rms(features).axes[0].get_ylim()[0] > -40


def test_hours_are_drawn_with_at_most_one_point_per_pixel():
    features, overview = tables(2 * 3600)
    pictures = drawn(features, overview, form(200, 2 * 3600))
    for figure in pictures.values():
        for ax in figure.axes:
            assert all(len(line.get_xdata()) <= LINE_COLUMNS + 2 for line in ax.lines)
            assert all(len(patch.get_data().values) <= IMAGE_COLUMNS for patch in ax.patches)
            assert all(max(image.get_array().shape) <= IMAGE_COLUMNS for image in ax.images)
            assert all(len(path) <= 2 * LINE_COLUMNS + 8 for drawn in ax.collections for path in drawn.get_paths())
    assert pictures["waveform"].axes[0].get_xlabel() == "time [h:mm:ss]"


@pytest.mark.parametrize(
    ("n_samples", "loudness"),
    [(1, 0.0), (1, 0.3), (1102, 0.3), (66150, 0.0)],
    ids=["one silent sample", "one sample", "0.05 s", "3 s of silence"],
)
def test_shortest_and_quietest_songs_can_be_drawn(n_samples, loudness):
    y = loudness * np.random.default_rng(0).standard_normal(n_samples).astype(np.float32)
    features, overview, _ = describe_audio([y])
    for name, figure in drawn(features, overview, [Segment(0, n_samples / 22050, "Calm", 1)]).items():
        figure.draw_without_rendering()  # a warning would be an error
        assert all(np.isfinite([*ax.get_xlim(), *ax.get_ylim()]).all() for ax in figure.axes), name


def test_two_hundred_segments_have_one_bar_each(described):
    _, overview, _ = described
    lanes = plots.state_timeline(overview, form(200, 60)).axes[1]
    assert sum(len(bars.get_paths()) for bars in polygons(lanes)) == 2 * 200
    assert len(lanes.get_yticks()) == 5


def test_missing_rows_columns_and_sampling_rate_are_rejected(described):
    features, overview, segments = described
    empty = Overview(*(value[:0] for value in vars(overview).values()))
    for draw, words in (
        (partial(plots.waveform, empty), "overview must have at least one row"),
        (partial(plots.spectrogram, empty, features), "overview must have at least one row"),
        (partial(plots.state_timeline, empty, segments), "overview must have at least one row"),
        (partial(plots.state_timeline, overview, []), "segments must have at least one row"),
        (partial(plots.rms, features[:0]), "features must have at least one row"),
        (partial(plots.mfcc_heatmap, features[:0]), "features must have at least one row"),
        (partial(plots.bandwidth, features[["centroid_hz"]]), "no column 'bandwidth_hz'.*frame_features"),
        (partial(plots.mfcc_heatmap, features[["rms_mean", "mfcc_delta_01"]]), "no MFCC.*frame_features"),
        (partial(plots.spectrogram, overview, features, sr=0), "sr must be a positive number.* not 0"),
    ):
        with pytest.raises(ParameterError, match=words):
            draw()

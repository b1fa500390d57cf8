"""Golden values of pictures, pages, exports, the table of segments, sonification, and scores against labels."""

from __future__ import annotations

import hashlib
import json
import re
import struct
from dataclasses import replace
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import jams
import numpy as np
import pandas as pd
import pytest
from bokeh.resources import Resources
from matplotlib.collections import LineCollection, PathCollection, PolyCollection
from matplotlib.ticker import FixedLocator

from songform import __version__, pages, plots
from songform.annotation import formats, segmentation_scores
from songform.annotation.annotations import Annotation
from songform.annotation.formats.songform_report import report_annotation
from songform.beats.beat_tracking import Beats
from songform.output import section_table, segment_table, sonification
from songform.output.song_rows import replaced_rows
from songform.pages.figures import song_figures
from songform.sections.section_finding import Sections, SongPart
from songform.structure.context import CONTEXT_COLUMNS
from songform.structure.segments import Segment
from tasks.report.exports import JAMS, export_suffixes, write_exports

TITLE = "A «Song» & another"
EVERY = 8  # of every 8 points or columns of a picture, one is stored


@pytest.fixture(scope="module")
def report(song_segments):
    """Return a report with the fields that exports and tables use."""
    segments = [segment._asdict() for segment in song_segments]
    track = {"key": "file-0123456789abcdef", "title": TITLE, "source": "a.mp3", "duration": 40.0}
    sections = [_part(0.0, 16.0, "A"), _part(16.0, 40.0, "B", is_loudest=True)]
    phrases = [
        _part(0.0, 8.1, "a", occurrences=2, is_most_repeated=True),
        _part(8.1, 16.0, "a", occurrence=2, occurrences=2, is_most_repeated=True, is_loudest=True),
        _part(16.0, 40.0, "b"),
    ]
    beats = {"tempo": 118.25, "metre": 4, "is_metre_sure": True, "confidence": 0.9, "path": "data/beats/x.parquet"}
    found = {"sections": sections, "phrases": phrases, "beats": beats}
    return {"track": track, "model": {"id": "0123456789ab"}, "segments": segments, **found}


def _part(start, end, label, **more):
    facts = {"occurrence": 1, "occurrences": 1, "is_most_repeated": False, "is_loudest": False}
    return {"start": start, "end": end, "label": label, "confidence": 0.75, **facts, **more}


def drawn(figure):
    """Return the numbers, colors and texts of a picture, which depend neither on fonts nor on Matplotlib's version."""
    return {
        "size": list(figure.get_size_inches()),
        "words": [text.get_text() for text in figure.texts],
        "axes": [_drawn_axes(axes) for axes in figure.axes],
    }


def _drawn_axes(axes):
    lines = [{"color": line.get_color(), "points": _some(line.get_xydata())} for line in axes.lines]
    shapes = [
        {"colors": shape.get_facecolor(), "points": [_some(path.vertices) for path in shape.get_paths()]}
        for shape in axes.collections
        if isinstance(shape, PolyCollection | PathCollection)
    ]
    stairs = [
        {"color": patch.get_facecolor(), "values": patch.get_data()[0][::EVERY]}
        for patch in axes.patches
        if hasattr(patch, "get_data")
    ]
    rules = [
        {"colors": shape.get_edgecolor(), "times": _some([points[0][0] for points in shape.get_segments()])}
        for shape in axes.collections
        if isinstance(shape, LineCollection)
    ]
    images = [{"extent": image.get_extent(), "shades": _shades(image)} for image in axes.images]
    limits = {"x": axes.get_xlim(), "y": axes.get_ylim()}
    words = [axes.get_title(), axes.get_xlabel(), axes.get_ylabel(), *(text.get_text() for text in axes.texts)]
    legend = axes.get_legend()
    words += [text.get_text() for text in legend.get_texts()] if legend else []
    named = (axis for axis in (axes.xaxis, axes.yaxis) if isinstance(axis.get_major_locator(), FixedLocator))
    words += [label.get_text() for axis in named for label in axis.get_ticklabels()]
    drawn = {"lines": lines, "shapes": shapes, "stairs": stairs, "rules": rules, "images": images}
    return {**drawn, "limits": limits, "words": words}


def _some(points):
    return points[:: EVERY if len(points) > 4 * EVERY else 1]


def _shades(image):
    values = np.ma.filled(np.ma.asarray(image.get_array(), np.float64), np.nan)
    return {"values": values[:: max(len(values) // 8, 1), ::EVERY], "range": image.get_clim(), "map": image.cmap.name}


SECTIONS = Sections(
    (SongPart(0.0, 16.0, "A", 1.0), SongPart(16.0, 40.0, "B", 0.75)),
    (SongPart(0.0, 8.1, "a", 1.0), SongPart(8.1, 16.0, "a", 0.5), SongPart(16.0, 40.0, "b", 0.75)),
)
BEAT_TIMES = 0.1 + 0.5 * np.arange(79)
BEATS = Beats(BEAT_TIMES, 1 + np.arange(79) % 4, 120.0, 4, is_metre_sure=True, confidence=0.9)
SHOWN = {"title": TITLE, "sections": SECTIONS}
PICTURES = {
    "waveform": lambda song: plots.waveform(song.overview, **SHOWN),
    "rms": lambda song: plots.rms(song.features, **SHOWN),
    "spectrogram": lambda song: plots.spectrogram(song.overview, song.features, sr=8000, beats=BEATS, **SHOWN),
    "features": lambda song: plots.feature_curves(song.features, **SHOWN),
    "mfcc": lambda song: plots.mfcc_heatmap(song.features, **SHOWN),
    "bandwidth": lambda song: plots.bandwidth(song.features, **SHOWN),
    "states": lambda song: plots.state_timeline(song.overview, song.segments, beats=BEATS, **SHOWN),
}


@pytest.fixture(scope="module")
def view(song_features, song_overview, song_segments, song_states):
    """Return a song's view, whose probabilities and context of 80 units are computed by formula."""
    unit = np.arange(80)[:, None]
    odds = np.exp(2 * np.sin(0.3 * unit + 1.7 * np.arange(5)))
    index = pd.Index((unit[:, 0] + 0.5) / 2, name="time_s")
    context = np.sin(0.2 * unit * (1 + np.arange(len(CONTEXT_COLUMNS))) + 0.4)
    return pages.SongView(
        key="file-0123456789abcdef",
        title=TITLE,
        source="a.mp3",
        segments=song_segments,
        posterior=odds / odds.sum(axis=1, keepdims=True),
        states=song_states,
        model="models:/songform/1",
        overview=song_overview,
        features=song_features,
        context=pd.DataFrame(context, index=index, columns=list(CONTEXT_COLUMNS)),
        sound=pages.Sound("data:audio/mpeg;base64,AAAA"),
    )


@pytest.mark.parametrize("name", PICTURES)
def test_content_of_pictures_matches_stored_values(golden, view, name):
    golden.check(f"picture_{name}", [plots], drawn(PICTURES[name](view)))


def test_size_of_a_saved_picture_matches_stored_values(golden, view):
    """The PNG stores width and height in its chunk IHDR, and pixels per meter in its chunk pHYs."""
    file = BytesIO()
    plots.save_png(plots.rms(view.features, title=TITLE), file)
    png = file.getvalue()
    width, height = struct.unpack(">II", png[16:24])
    start = png.index(b"pHYs") + 4
    per_metre = struct.unpack(">II", png[start : start + 8])
    dpi = [round(number * 0.0254) for number in per_metre]
    golden.check("picture_size", [plots], {"pixels": [width, height], "dpi": dpi})


def _with_sections(view):
    """Add sections, phrases and beats of 8 s, 4 s and 0.5 s."""
    duration = view.segments[-1].end
    sections = SongPart(0, 8, "A", 1.0, 1, 1, False, True), SongPart(8, duration, "B", 0.4)
    phrases = tuple(SongPart(a, b, "a", 0.5, i, 3, True) for i, a, b in ((1, 0, 4), (2, 4, 8), (3, 8, duration)))
    times = np.arange(0.75, duration, 0.5)
    beats = Beats(times, np.arange(len(times)) % 4 + 1, 120.0, 4, True, 0.9)
    return replace(view, sections=Sections(sections, phrases), beats=beats)


def test_text_of_a_page_matches_stored_digest(golden, view):
    """Bokeh's JavaScript and the data of its figures are left out, because they differ between versions of Bokeh."""
    html = pages.song_page(_with_sections(view), stamp="0123456789ab")
    for script in Resources(mode="inline", components=["bokeh"], log_level="warn").js_raw:
        html = html.replace(script, "")
    html = re.sub(r"script-src [^;]*;", "script-src;", html)
    data = re.search(r'<script type="application/json" id="song-data">(.*?)</script>', html, re.DOTALL)[1]
    about = {name: value for name, value in json.loads(data).items() if name != "figures"}
    digest = hashlib.sha256(html.replace(data, "").encode()).hexdigest()
    golden.check("page", [pages, plots], {"sha256": digest, "data": about})


def test_figures_of_a_page_match_stored_values(golden, view):
    """Levels are integers up to 127, and rounding may differ by one, which is within the tolerance."""
    figures = song_figures(
        view.segments,
        view.posterior,
        view.states.states,
        overview=view.overview,
        features=view.features,
        context=view.context,
    )
    output = {}
    for name, figure in figures.items():
        sources = {renderer.data_source.name: renderer.data_source.data for renderer in figure.renderers}
        output[name] = {source: {key: _numbers(part) for key, part in data.items()} for source, data in sources.items()}
    golden.check("page_figures", [pages, plots], output, tolerance=0.01)


def _numbers(values):
    """Return every eighth value of a Bokeh column as floats, which are compared with a tolerance."""
    first = values[0]
    if isinstance(first, str):
        return list(values)
    if np.ndim(first) == 2:
        return np.asarray(first, np.float64)[:, ::EVERY]
    return np.asarray(values, np.float64)[:: EVERY if len(values) > 2 * EVERY else 1]


@pytest.mark.parametrize("suffix", formats.WRITERS)
def test_text_of_exports_matches_stored_values(golden, report, suffix):
    annotation = report_annotation(report, annotator="songform model 0123456789ab", tool="songform")
    text = formats.WRITERS[suffix](annotation).replace(jams.__version__, "(version)")
    golden.check(f"export{suffix.replace('.', '_')}", [formats], {"lines": text.split("\n")})


def test_text_of_exports_of_sections_and_beats_matches_stored_values(golden, report, tmp_path):
    beats = Beats(0.31 + 0.5074 * np.arange(77), np.arange(77) % 4 + 1, 118.25, 4, is_metre_sure=True, confidence=0.9)
    audio = Path("/songs/a.mp3")
    document = {**report, "exports": export_suffixes(report, audio)}
    write_exports(tmp_path / "song.json", document, beats=beats, audio=audio)
    names = [suffix for suffix in document["exports"] if suffix not in formats.WRITERS or suffix == JAMS]
    texts = {suffix: (tmp_path / f"song{suffix}").read_text(encoding="utf-8") for suffix in names}
    texts[JAMS] = texts[JAMS].replace(jams.__version__, "(version)").replace(f"songform {__version__}", "songform")
    lines = {suffix: text.split("\n") for suffix, text in texts.items()}
    golden.check("export_sections_and_beats", [formats], lines)


def test_sonified_song_matches_stored_values(golden, song_segments):
    sr = 8000
    song = 0.1 * np.sin(2 * np.pi * 311.1 * np.arange(41 * sr) / sr + 0.2)
    segments = [*song_segments, Segment(40.0, 41.0, "State 6", 0.5)]
    beats = Beats(0.25 + 0.5 * np.arange(80), np.arange(80) % 4 + 1, 120.0, 4, is_metre_sure=True, confidence=0.9)
    sections = [SongPart(0.0, 16.1, "A", 1.0), SongPart(16.1, 41.0, "F", 0.5)]
    y = sonification.sonified(song, sr, segments, beats=beats, sections=sections)
    times = [*(segment.end for segment in song_segments), *beats.times[:5], 16.1]
    clicks = {f"{time:g} s": y[int(time * sr) :][:240:5] for time in times}
    levels = np.sqrt(np.mean(y.reshape(-1, sr).astype(np.float64) ** 2, axis=1))
    tones = sonification.state_tones([segment.state for segment in song_segments] + ["Solo", "State 6"])
    bells = {label: list(sonification.bell_strokes(label)) for label in ("A", "D", "E", "L", "Z", "A1")}
    output = {"levels": levels, "clicks": clicks, "tones": tones, "bells": bells}
    golden.check("sonification", [sonification], output)


def test_table_of_segments_matches_stored_values(golden, report, song_features):
    """The table has no VERSION, because each analysis computes the rows of its songs again."""
    golden.check("segment_table", [], rows_of(segment_table.segment_rows, segment_table.LAYOUT, report, song_features))


def test_table_of_sections_matches_stored_values(golden, report, song_features):
    """It has no VERSION for the same reason."""
    golden.check("section_table", [], rows_of(section_table.section_rows, section_table.LAYOUT, report, song_features))


def rows_of(make, layout, report, features):
    table = replaced_rows(None, {report["track"]["key"]: make(report, features)}, layout)
    return {"types": {field.name: str(field.type) for field in table.schema}, "columns": table.to_pydict()}


def test_segmentation_scores_match_stored_values(golden):
    def labelled(*edges):
        return Annotation(np.array(list(pairwise(edges))), [f"{n % 3}" for n in range(len(edges) - 1)], duration=60.0)

    people = {"one": labelled(0, 9, 21, 30.4, 45, 60), "other": labelled(0, 10, 20, 29, 52, 60)}
    found = segmentation_scores.song_scores(people, labelled(0, 9.3, 18, 31, 44.8, 50, 60), 60.0)
    golden.check("segmentation_scores", [segmentation_scores], found)

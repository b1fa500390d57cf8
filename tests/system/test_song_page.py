"""Tests of a song's page in a real browser: playing, seeking, zooming, editing and saving.

They need Chromium (Debian: apt-get install chromium).
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from songform.annotation.formats import read_annotation
from songform.bundle import Bundle
from songform.features.extraction import describe_audio
from songform.pages import SongView, Sound, song_page
from songform.pages.figures import HEIGHTS
from songform.plots.palette import state_color
from songform.structure.context import context_descriptors
from songform.structure.states import fit_states, unit_vectors
from tests.system.browser import (
    CONTRASTS,
    PLAYHEAD,
    RANGE,
    TIME,
    TOO_SMALL,
    TOO_WIDE,
    at,
    edit,
    now,
    opened,
    placed,
    saved,
    swipe,
    until,
    visited,
)

pytestmark = pytest.mark.system

HOSTILE = "</script><!--<script>alert(1)</script>\"'><img src=x onerror=alert(1)><svg onload=alert(1)>&amp;\u2028"


@pytest.fixture(scope="module")
def report(reported):
    """Return the path of the first song's page, and its segments, duration and title."""
    path = min(reported.glob("file-*.html"))
    document = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    segments = document["segments"]
    assert len(segments) >= 4
    return SimpleNamespace(path=path, segments=segments, duration=segments[-1]["end"], title=document["track"]["title"])


@pytest.fixture
def page(visit, report):
    return opened(visit(report.path))


def segments(page):
    """Return start and label of each segment, as the table shows them."""
    return page.evaluate(
        "[...document.querySelectorAll('#rows-states tr')].map(row => "
        "[row.querySelector('.from').textContent, row.querySelector('.label').textContent])"
    )


# --- playing


def test_playing_updates_the_time_the_current_state_and_the_current_row(page, report):
    assert page.get_by_role("button", name="Play", exact=True).is_enabled()
    page.click("#play")
    until(page, f"{TIME} > 0.5")
    assert page.get_by_role("button", name="Pause", exact=True).is_visible()
    page.evaluate(f"document.getElementById('audio').currentTime = {report.segments[1]['start'] - 0.3}")
    second = report.segments[1]["state"]
    until(page, f"document.getElementById('live').textContent.startsWith('{second}, ')")
    assert page.inner_text("#state-now").startswith(second)
    page.click("#play")
    assert page.evaluate("document.getElementById('audio').paused")
    time = page.evaluate(TIME)
    assert now(page) == pytest.approx(time, abs=0.2)
    assert page.locator("#rows-states tr[aria-current=true]").get_attribute("data-row") == "1"


def test_playhead_moves_smoothly_and_bokeh_does_not_redraw(page):
    """Positions are read once per frame of the screen; Bokeh's calls of canvas functions are counted."""
    page.evaluate(
        """() => {
            window.painted = 0
            for (const name of ["fill", "stroke", "drawImage", "fillText"]) {
                const paint = CanvasRenderingContext2D.prototype[name]
                CanvasRenderingContext2D.prototype[name] = function (...words) {
                    window.painted += 1
                    return paint.apply(this, words)
                }
            }
        }"""
    )
    page.click("#play")
    page.mouse.move(5, 5)
    until(page, f"{TIME} > 0.3")
    page.evaluate("window.painted = 0")
    places = page.evaluate(
        f"""() => new Promise(done => {{
            const places = []
            const look = () => places.push({PLAYHEAD}) < 40 ? requestAnimationFrame(look) : done(places)
            requestAnimationFrame(look)
        }})"""
    )
    assert page.evaluate("window.painted") == 0
    assert places == sorted(places)
    assert len(set(places)) > 20


def test_playing_at_the_end_starts_from_the_beginning(page, report):
    page.keyboard.press("End")
    assert now(page) == pytest.approx(report.duration, abs=0.06)
    page.click("#play")
    until(page, f"0 < {TIME} && {TIME} < 5")


def test_playback_speed_can_be_changed(page):
    page.select_option("#rate", "1.5")
    assert page.evaluate("document.getElementById('audio').playbackRate") == 1.5


def test_audio_file_next_to_the_page_is_played(visit, report, tmp_path):
    html = report.path.read_text(encoding="utf-8")
    beside = re.sub(r'src="data:audio[^"]*"', 'src="one%20song.flac"', html).replace(
        "media-src data:", "media-src 'self' file:"
    )
    (tmp_path / "page.html").write_text(beside, encoding="utf-8")
    content = re.search(r'src="data:audio/flac;base64,([^"]*)"', html)[1]
    (tmp_path / "one song.flac").write_bytes(base64.b64decode(content))
    page = opened(visit(tmp_path / "page.html"))
    page.click("#play")
    until(page, f"{TIME} > 0.2")
    assert page.evaluate("document.getElementById('audio').currentSrc").endswith("/one%20song.flac")


def test_missing_audio_file_is_reported_on_the_page(chromium, report, tmp_path):
    html = report.path.read_text(encoding="utf-8")
    beside = re.sub(r'src="data:audio[^"]*"', 'src="one%20song.flac"', html)
    (tmp_path / "page.html").write_text(beside.replace("media-src data:", "media-src 'self' file:"), encoding="utf-8")
    context = chromium.new_context()  # without `visit`, because the browser reports the missing file on its console
    page = visited(context, tmp_path / "page.html")
    alert = page.get_by_role("alert")
    alert.wait_for()
    assert re.search(r"cannot be played.* one song\.flac .*same folder", alert.inner_text())
    assert page.locator("#play").is_disabled()
    context.close()


# --- seeking


@pytest.mark.parametrize("name", HEIGHTS)
def test_click_on_any_curve_seeks(page, report, name):
    time = 0.37 * report.duration
    page.mouse.click(*at(page, time, report.duration, name))
    until(page, f"Math.abs({TIME} - {time}) < 0.1")
    assert now(page) == pytest.approx(time, abs=0.1)


def test_click_on_a_row_plays_its_segment(page, report):
    page.locator("#rows-states tr").nth(2).locator(".label").click()
    start = report.segments[2]["start"]
    until(page, f"{TIME} > {start} && !document.getElementById('audio').paused")
    assert page.evaluate(TIME) < start + 3


def test_enter_on_a_row_plays_it_and_click_on_the_lane_seeks(page, report):
    page.locator("#rows-states .from").nth(1).focus()
    page.keyboard.press("Enter")
    until(page, f"{TIME} > {report.segments[1]['start']} && !document.getElementById('audio').paused")
    page.keyboard.press("Escape")
    page.click("#play")
    page.locator("#lane-states .block").nth(3).click()
    third = report.segments[3]
    assert third["start"] <= now(page) <= third["end"]


def test_keys_seek_play_and_can_be_disabled(page, report):
    starts = [segment["start"] for segment in report.segments]
    for keys, expected in (
        (["ArrowRight", "ArrowRight"], 10),
        (["ArrowLeft", "Shift+ArrowLeft"], 4),
        (["Home", "j"], starts[1]),
        (["j", "j", "k"], starts[2]),
        (["End"], report.duration),
        (["Home", "k"], 0),
    ):
        for key in keys:
            page.keyboard.press(key)
        assert now(page) == pytest.approx(expected, abs=0.06), keys
    page.keyboard.press("Space")
    until(page, f"{TIME} > 0.1")
    page.keyboard.press("Space")
    assert page.evaluate("document.getElementById('audio').paused")
    page.keyboard.press("?")
    assert page.get_by_role("dialog", name="Keyboard shortcuts").is_visible()
    page.uncheck("#keys-on")
    page.keyboard.press("Escape")
    page.keyboard.press("Home")
    page.keyboard.press("j")
    assert now(page) == 0


def test_seek_bar_is_a_slider_with_the_state_as_its_text(page, report):
    slider = page.get_by_role("slider", name="Position in the song")
    slider.fill(str(round(report.segments[1]["start"] + 0.5, 1)))
    assert report.segments[1]["state"] in slider.get_attribute("aria-valuetext")
    assert now(page) == pytest.approx(report.segments[1]["start"] + 0.5, abs=0.1)


def test_second_of_two_quick_clicks_seeks(page, report):
    """Bokeh treats two quick clicks as a double click, even at different positions."""
    x, y = at(page, 2.0, report.duration)
    further, _ = at(page, 9.0, report.duration)
    page.mouse.click(x, y)
    page.mouse.click(further, y)
    until(page, f"Math.abs({TIME} - 9) < 0.1")


def test_fragment_of_the_address_sets_the_time(visit, report):
    page = opened(visit(f"{report.path}#t=7.5"))
    assert now(page) == 7.5
    page.evaluate("location.hash = '#t=3.25'")
    until(page, f"Math.abs({TIME} - 3.25) < 0.01")


# --- zooming and panning


def test_playhead_matches_the_time_axis_of_every_curve_at_any_zoom(page, report):
    time = 0.4 * report.duration
    page.mouse.click(*at(page, time, report.duration))
    for button in (None, "#zoom-in", "#zoom-in", "#zoom-out", "#zoom-whole"):
        if button:
            page.click(button)
        page.wait_for_timeout(200)
        shown = page.evaluate(
            TIME
        )  # more precise than the displayed time, whose tenths of a second are several pixels wide
        line = page.evaluate(PLAYHEAD)
        assert placed(page, shown) == pytest.approx([line] * len(HEIGHTS), abs=2), button


def test_zoom_and_pan_change_the_range_of_all_curves_and_of_the_lane(page, report):
    whole = page.evaluate(RANGE)
    assert whole == [0, pytest.approx(report.duration * 1000)]
    page.keyboard.press("+")
    page.keyboard.press("+")
    start, end = page.evaluate(RANGE)
    assert end - start == pytest.approx(whole[1] / 4)
    assert page.locator("#ribbon-view").is_visible()
    x, y = at(page, report.duration / 2, report.duration, "energy")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 100, y, steps=5)
    page.mouse.up()
    until(page, f"{RANGE}[0] > {start} + 100")
    moved = page.evaluate(RANGE)
    assert moved[1] - moved[0] == pytest.approx(end - start)
    assert now(page) == 0  # dragging does not seek
    edge = page.locator(".edge").first.bounding_box()["x"]
    assert placed(page, report.segments[1]["start"])[0] == pytest.approx(edge, abs=2)
    page.keyboard.press("0")
    assert page.evaluate(RANGE) == whole


def test_wheel_scrolls_the_page_and_zooms_only_with_ctrl(page, report):
    page.mouse.move(*at(page, report.duration / 2, report.duration))
    before = page.evaluate("scrollY")
    page.mouse.wheel(0, 150)
    until(page, f"scrollY === {before + 150}")  # scrolling is animated
    assert page.evaluate(RANGE) == [0, pytest.approx(report.duration * 1000)]
    page.mouse.move(*at(page, report.duration / 2, report.duration))
    page.keyboard.down("Control")
    page.mouse.wheel(0, -150)
    page.keyboard.up("Control")
    until(page, f"{RANGE}[1] - {RANGE}[0] < {report.duration * 990}")


def test_zoomed_view_follows_the_playhead(page, report):
    page.keyboard.press("+")
    page.keyboard.press("+")
    before = page.evaluate(RANGE)
    page.evaluate(f"document.getElementById('audio').currentTime = {before[1] / 1000 - 0.5}")
    page.click("#play")
    until(page, f"{RANGE}[0] > {before[0]} + 1000")
    after = page.evaluate(RANGE)
    assert after[1] - after[0] == pytest.approx(before[1] - before[0])  # the zoom is unchanged
    assert after[0] <= 1000 * page.evaluate(TIME) <= after[1]


def test_view_that_does_not_contain_the_playhead_stays_during_playback(page, report):
    page.keyboard.press("+")
    page.keyboard.press("+")
    page.click("#play")
    end = report.duration * 1000
    page.evaluate(f"Bokeh.documents[0].get_model_by_name('view').setv({{ start: {end / 2}, end: {end} }})")
    time = page.evaluate(TIME)
    until(page, f"{TIME} > {time} + 0.3")
    assert page.evaluate(RANGE) == [pytest.approx(end / 2), pytest.approx(end)]
    page.keyboard.press("Home")
    assert page.evaluate(RANGE)[0] == 0


def test_hovering_over_a_curve_shows_the_state_there(page, report):
    segment = report.segments[1]
    page.mouse.move(*at(page, segment["start"] + 1, report.duration))
    assert page.locator("#hover-words").is_visible()
    assert segment["state"] in page.inner_text("#hover-words")


# --- themes, phones, accessibility


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_has_sufficient_contrast_in_both_themes(visit, report, scheme):
    page = opened(visit(report.path, color_scheme=scheme))
    edit(page)
    page.wait_for_timeout(300)  # the change of colors is animated
    assert page.evaluate(CONTRASTS) == []


def test_theme_follows_the_system_and_the_button_also_in_the_curves(visit, report):
    page = opened(visit(report.path, color_scheme="dark"))
    look = """() => [getComputedStyle(document.body).backgroundColor,
                     Bokeh.documents[0].roots()[0].below[0].major_label_text_color,
                     Bokeh.documents[0].get_model_by_name('mfcc-colors').palette[25]]"""
    dark = page.evaluate(look)
    assert dark[0] == "rgb(14, 16, 19)"
    page.get_by_role("button", name="light theme").click()
    light = page.evaluate(look)
    assert all(one != other for one, other in zip(dark, light, strict=True))
    page.reload()
    opened(page)
    assert page.evaluate(look) == light
    page.get_by_role("button", name="dark theme").click()
    assert page.evaluate(look) == dark


def test_page_fits_the_width_of_a_phone_and_a_tap_seeks(visit, report):
    page = opened(visit(report.path, width=360, height=740, has_touch=True, is_mobile=True))
    edit(page)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert page.evaluate(TOO_WIDE) == []
    assert page.evaluate(TOO_SMALL) == []
    longest = max(report.segments, key=lambda segment: segment["end"] - segment["start"])
    middle = (longest["start"] + longest["end"]) / 2  # far from the boundaries, because touching near one drags it
    page.touchscreen.tap(*at(page, middle, report.duration))
    until(page, f"Math.abs({TIME} - {middle}) < 0.3")


def test_vertical_swipe_on_a_curve_scrolls_the_page(visit, report):
    page = opened(visit(report.path, width=360, height=740, has_touch=True, is_mobile=True))
    x, y = at(page, report.duration / 2, report.duration)
    before = page.evaluate(TIME)
    swipe(page, (x, y + 60), (x, y - 140))
    until(page, "scrollY > 50")
    assert page.evaluate(TIME) == before  # a swipe does not seek


def test_accessibility_tree_has_landmarks_headings_and_named_controls(page, report):
    tree = page.locator("body").aria_snapshot()
    for line in (
        "- banner",
        "- main",
        "- contentinfo",
        f'- heading "{report.title}" [level=1]',
        '- region "Player"',
        '- heading "Segments" [level=2]',
        '- slider "Position in the song"',
        '- group "Zoom"',
        '- columnheader "Confidence"',
        '- dialog "Keyboard shortcuts"',
    ):
        assert line in tree or line.startswith("- dialog"), line
    assert re.findall(r"^\s*- (button|slider|textbox|combobox|img)(?!.*\")", tree, re.MULTILINE) == []


def test_tab_key_visits_the_controls_in_order_and_skips_the_canvases(page):
    seen = []
    for _ in range(12):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.id || document.activeElement.className"))
    assert seen[:9] == [
        *("skip", "keys-button", "theme-button", "play", "rate", "seek", "zoom-out", "zoom-in", "zoom-whole"),
    ]
    assert seen[9:] == ["edit-button", "from", "from"]


# --- untrusted text and missing audio


def test_untrusted_text_is_shown_and_not_executed(visit, report, tmp_path):
    html = hostile_page()
    (tmp_path / "page.html").write_text(html, encoding="utf-8")
    page = opened(visit(tmp_path / "page.html"))
    assert page.title().startswith("</script><!--<script>alert(1)")
    assert page.inner_text("h1").startswith("</script><!--<script>alert(1)")
    assert page.locator("#lane-states .block").first.inner_text().startswith("</script>")
    edit(page)
    page.fill("#edit-label", HOSTILE)
    page.press("#edit-label", "Enter")
    assert page.locator("#rows-states .label").first.inner_text().startswith("</script><!--")
    assert page.locator("img, svg[onload]").count() == 0


def hostile_page():
    """Return a page all of whose texts are hostile."""
    y = np.random.default_rng(0).standard_normal(22050 * 8).astype(np.float32) * np.linspace(
        0.01, 0.3, 22050 * 8, dtype=np.float32
    )
    features, overview, _ = describe_audio([y])
    model = fit_states([unit_vectors(features, overview)])
    model = replace(model, states=(HOSTILE, *model.states[1:]), weak=(HOSTILE,) * 5)
    form = Bundle(model, None, 0.0, tuple(features.columns)).form(features, overview, 8.0)
    segments = [segment._replace(state=HOSTILE) if i == 0 else segment for i, segment in enumerate(form.segments)]
    return song_page(
        SongView(
            HOSTILE,
            HOSTILE,
            HOSTILE,
            segments,
            form.joint,
            model,
            HOSTILE,
            overview,
            features,
            context_descriptors(features, overview),
            Sound(note=HOSTILE),
        )
    )


def test_seeking_works_without_audio(visit, tmp_path):
    (tmp_path / "page.html").write_text(hostile_page(), encoding="utf-8")
    page = opened(visit(tmp_path / "page.html"))
    assert page.locator("#play").is_disabled()
    assert page.locator("#no-sound").is_visible()
    page.mouse.click(*at(page, 4.0, 8.0))
    assert now(page) == pytest.approx(4.0, abs=0.1)
    page.keyboard.press("Space")
    assert now(page) == pytest.approx(4.0, abs=0.1)


# --- editing


def snap_off(page):
    """Boundaries of states are between bar lines, too."""
    if page.locator("#edit-snap").count():
        page.uncheck("#edit-snap")


def test_boundary_is_dragged_with_the_mouse(page, report):
    edit(page)
    snap_off(page)
    grip = page.locator(".edge").first.bounding_box()
    target, _ = at(page, report.segments[1]["start"] + 1.5, report.duration)
    page.mouse.move(grip["x"] + grip["width"] / 2, grip["y"] + 15)
    page.mouse.down()
    page.mouse.move(target, grip["y"] + 15, steps=6)
    page.mouse.up()
    moved = page.evaluate("Bokeh.documents[0].get_model_by_name('bands').data.left[1]") / 1000
    assert moved == pytest.approx(report.segments[1]["start"] + 1.5, abs=0.1)
    assert segments(page)[1][0] == f"0:{moved:04.1f}"
    assert "Unsaved changes" in page.inner_text("#edit-note")
    assert page.locator("#rows-states .sure").first.inner_text().strip().endswith("%")


def test_boundary_is_dragged_by_touch(visit, report):
    page = opened(visit(report.path, width=360, height=740, has_touch=True, is_mobile=True))
    edit(page)
    snap_off(page)
    page.locator("#lane-states").scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    grip = page.locator(".edge").first.bounding_box()
    x, y = grip["x"] + grip["width"] / 2, grip["y"] + 15
    swipe(page, (x, y), (x + 25, y))
    until(page, "document.getElementById('edit-note').textContent.includes('Unsaved')")
    moved = page.evaluate("Bokeh.documents[0].get_model_by_name('bands').data.left[1]") / 1000
    width = page.locator("#overlay").bounding_box()["width"]
    assert moved == pytest.approx(report.segments[1]["start"] + 25 / width * report.duration, abs=0.3)


def test_boundary_is_a_slider_that_arrow_keys_move(page, report):
    edit(page)
    slider = page.get_by_role("slider", name=re.compile("^Boundary between")).first
    slider.focus()
    start = report.segments[1]["start"]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("ArrowLeft")
    assert float(slider.get_attribute("aria-valuenow")) == pytest.approx(start + 1.0)
    assert page.evaluate("document.activeElement.dataset.edge") == "1"
    assert now(page) == 0  # the arrows moved the boundary, not the playhead
    for _ in range(3):
        page.keyboard.press("Control+z")
    assert float(slider.get_attribute("aria-valuenow")) == pytest.approx(start)
    assert page.inner_text("#edit-note") == "No unsaved changes."


def test_boundary_cannot_be_moved_past_its_neighbours(page, report):
    edit(page)
    slider = page.get_by_role("slider", name=re.compile("^Boundary between")).first
    slider.focus()
    for _ in range(round(report.segments[0]["end"]) + 2):
        page.keyboard.press("Shift+ArrowLeft")
    assert float(slider.get_attribute("aria-valuenow")) == pytest.approx(0.1)


def test_splitting_merging_and_labelling_can_be_undone_and_redone(page, report):
    before = segments(page)
    edit(page)
    snap_off(page)
    page.mouse.click(*at(page, report.segments[1]["start"] + 2, report.duration))
    page.keyboard.press("s")
    assert len(segments(page)) == len(before) + 1
    assert "segment 3 of" in page.inner_text("#edit-which")
    page.fill("#edit-label", "  Strophe\t1 ")
    page.press("#edit-label", "Enter")
    assert segments(page)[2][1] == "Strophe 1"
    assert page.locator("#rows-states .sure").nth(2).inner_text().strip() == "by hand"
    band = page.evaluate("Bokeh.documents[0].get_model_by_name('bands').data.color[2]")
    assert band.upper() == state_color("Strophe 1")
    page.locator("#rows-states tr").first.locator(".label").click()  # to leave the input field
    page.click("#play")
    page.mouse.click(*at(page, report.segments[1]["start"] + 2.5, report.duration))
    page.keyboard.press("1")
    assert segments(page)[2][1] == "Calm"
    page.keyboard.press("Shift+M")
    after = segments(page)
    assert len(after) == len(before)
    assert after[1] == [before[1][0], "Calm"]
    for _ in range(4):
        page.keyboard.press("Control+z")
    assert segments(page) == before
    assert page.locator("#edit-undo").is_disabled()
    for _ in range(4):
        page.keyboard.press("Control+Shift+z")
    assert segments(page) == after


@pytest.mark.filterwarnings("ignore:Passing a schema to Validator:DeprecationWarning")  # jams' own
def test_saved_labels_are_read_by_mir_eval_jams_and_songform(page, report, tmp_path):
    import jams
    import mir_eval

    edit(page)
    snap_off(page)
    page.mouse.click(*at(page, report.segments[1]["start"] + 2, report.duration))
    page.click("#edit-split")
    page.fill("#edit-label", '# A "quoted" label, with äöü 夜')
    page.press("#edit-label", "Enter")
    bands = page.evaluate("Bokeh.documents[0].get_model_by_name('bands').data")
    labels = [label for _, label in segments(page)]
    lab, jam = saved(page, "#save-lab"), saved(page, "#save-jams")
    assert (lab.suggested_filename, jam.suggested_filename) == (f"{report.path.stem}.lab", f"{report.path.stem}.jams")
    lab.save_as(tmp_path / "one.lab")
    jam.save_as(tmp_path / "one.jams")
    intervals, names = mir_eval.io.load_labeled_intervals(str(tmp_path / "one.lab"))
    assert names == labels
    assert intervals == pytest.approx(np.transpose([bands["left"], bands["right"]]) / 1000, abs=0.00051)
    read = jams.load(str(tmp_path / "one.jams"))
    assert read.validate()
    (annotation,) = read.annotations
    assert annotation.namespace == "segment_open"
    jam_intervals, jam_labels = annotation.to_interval_values()
    assert jam_labels == labels
    assert jam_intervals == pytest.approx(intervals, abs=1e-6)
    assert read.file_metadata.title == report.title
    for name in ("one.lab", "one.jams"):  # the function that `songform annotate` uses
        annotation = read_annotation(tmp_path / name)
        assert list(annotation.labels) == labels
        assert annotation.intervals == pytest.approx(intervals, abs=1e-6)
    assert read.file_metadata.duration == pytest.approx(report.duration)
    assert re.search(rf"{re.escape(report.path.stem)}\.jams.*songform annotate", page.inner_text("#edit-note"))


@pytest.mark.parametrize("label", ["verse", "A", "Größe 夜", "🎵", "x" * 80])
def test_custom_label_has_the_same_colour_as_in_pictures(page, label):
    edit(page)
    page.fill("#edit-label", label)
    page.press("#edit-label", "Enter")
    band = page.evaluate("Bokeh.documents[0].get_model_by_name('bands').data.color[0]")
    assert band.upper() == state_color(label)


def test_leaving_the_page_asks_for_confirmation_only_with_unsaved_changes(chromium, report):
    context = chromium.new_context()
    page = opened(visited(context, report.path))
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.reload()
    opened(page)
    assert asked == []
    edit(page)
    snap_off(page)
    page.mouse.click(*at(page, report.segments[1]["start"] + 2, report.duration))
    page.click("#edit-split")
    page.reload()
    assert asked == ["beforeunload"]
    context.close()


def test_leaving_edit_mode_keeps_the_edits(page, report):
    edit(page)
    snap_off(page)
    page.mouse.click(*at(page, report.segments[1]["start"] + 2, report.duration))
    page.keyboard.press("s")
    page.keyboard.press("e")
    assert not page.locator("#editor").is_visible()
    assert page.locator("#lane-states .block").count() == len(report.segments) + 1
    assert page.get_by_role("slider", name=re.compile("^Boundary")).count() == 0

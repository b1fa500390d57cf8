"""Tests of sections, phrases and bar lines on a song's page, in a real browser.

The song has 40 s of noise, bars of 2 s, five sections of 8 s, and phrases of 4 s. The tests need Chromium (Debian:
apt-get install chromium).
"""

from __future__ import annotations

import base64
import io
import re
import wave
from dataclasses import replace

import numpy as np
import pytest

from songform.annotation.formats import read_annotation
from songform.beats.beat_tracking import Beats
from songform.bundle import Bundle
from songform.features.extraction import describe_audio
from songform.pages import SongView, Sound, song_page
from songform.plots.palette import section_color
from songform.sections.section_finding import Sections, SongPart, _with_facts
from songform.structure.context import context_descriptors
from songform.structure.segments import Segment
from songform.structure.states import fit_states, unit_vectors
from tests.system.browser import (
    CONTRASTS,
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

SR = 22050
DURATION = 40.0
LETTERS = "ABABC"
PAUSED = "document.getElementById('audio').paused"


def louder(start, end):
    return -start


def parts(labels, duration=DURATION):
    """Return parts of equal length, of which the first is the loudest."""
    length = duration / len(labels)
    found = [SongPart(i * length, (i + 1) * length, label, 1.0 - i / 100) for i, label in enumerate(labels)]
    return _with_facts(found, louder)


def beats(duration=DURATION, seconds=0.5):
    times = np.arange(0, duration, seconds)
    return Beats(times, np.arange(len(times)) % 4 + 1, 60 / seconds, 4, True, 0.9)


@pytest.fixture(scope="module")
def view():
    y = np.random.default_rng(0).standard_normal(round(SR * DURATION)).astype(np.float32) * 0.1
    y[: SR * 20] *= np.linspace(0.1, 1, SR * 20, dtype=np.float32)
    features, overview, _ = describe_audio([y])
    model = fit_states([unit_vectors(features, overview)])
    form = Bundle(model, None, 0.0, tuple(features.columns)).form(features, overview, DURATION)
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 2, SR, 0, "NONE", ""))
        sound.writeframes((y * 32767).astype("<i2").tobytes())
    return SongView(
        key="file-1",
        title="Noise",
        source="noise.wav",
        segments=[Segment(0, 9.3, "Calm", 0.5), Segment(9.3, 21.7, "Energetic", 0.9), Segment(21.7, 40, "Calm", 0.7)],
        posterior=form.joint,
        states=model,
        model="own",
        overview=overview,
        features=features,
        context=context_descriptors(features, overview),
        sound=Sound(f"data:audio/wav;base64,{base64.b64encode(file.getvalue()).decode()}"),
        sections=Sections(parts(LETTERS), parts("ab" * 5)),
        beats=beats(),
    )


@pytest.fixture(scope="module")
def path(view, tmp_path_factory):
    return written(tmp_path_factory.mktemp("page") / "page.html", view)


def written(path, view):
    path.write_text(song_page(view), encoding="utf-8")
    return path


@pytest.fixture
def page(visit, path):
    return opened(visit(path))


def letter(page, number, level="sections"):
    """Return the block of a section or phrase."""
    return page.locator(f"#lane-{level} .block").nth(number)


def highlighted(page, where):
    """Return the numbers of the marked elements."""
    classes = page.evaluate(f"[...document.querySelectorAll('{where}')].map((element) => [...element.classList])")
    return [number for number, names in enumerate(classes) if "is-highlighted" in names]


def edit_level(page, level="sections"):
    edit(page)
    page.select_option("#edit-level", level)


def table(page, name, level="sections"):
    """Return the text of a column of the table of a level."""
    return page.locator(f"#rows-{level} .{name}").all_inner_texts()


def seek_audio(page, time):
    page.evaluate(f"document.getElementById('audio').currentTime = {time}")


# --- listening


def test_letters_are_buttons_above_the_states_with_names_for_screen_readers(page):
    names = [button.get_attribute("aria-label") for button in page.locator("#lane-sections button").all()]
    assert names == [
        "Section A, 1 of 2, 0:00 to 0:08, play",
        "Section B, 1 of 2, 0:08 to 0:16, play",
        "Section A, 2 of 2, 0:16 to 0:24, play",
        "Section B, 2 of 2, 0:24 to 0:32, play",
        "Section C, 1 of 1, 0:32 to 0:40, play",
    ]
    assert letter(page, 0).get_attribute("aria-description") == "first, most repeated, loudest"
    assert page.get_by_role("group", name="Sections", exact=True).is_visible()
    tops = [page.locator(f"#lane-{name}").bounding_box()["y"] for name in ("sections", "states")]
    assert tops[0] < tops[1]
    boxes = [letter(page, number).bounding_box() for number in range(5)]
    assert [box["x"] for box in boxes] == pytest.approx([placed(page, 8 * i)[0] for i in range(5)], abs=2)


def test_click_on_a_letter_plays_its_section_and_stops_at_its_end(page):
    letter(page, 1).click()
    until(page, f"8 < {TIME} && !{PAUSED}")
    assert page.evaluate(TIME) < 12
    seek_audio(page, 15.7)
    until(page, PAUSED)
    assert now(page) == pytest.approx(16, abs=0.06)
    assert "Section B, 1 of 2" in page.inner_text("#letter-words")  # the section that was played is still current
    page.keyboard.press("Escape")
    page.click("#play")
    until(page, f"{TIME} > 16.3")


def test_playing_a_section_does_not_stop_at_its_end_after_the_user_went_elsewhere(page):
    letter(page, 1).click()
    until(page, f"8 < {TIME} && !{PAUSED}")
    page.mouse.click(*at(page, 14, DURATION))
    seek_audio(page, 15.8)
    until(page, f"{TIME} > 16.3")
    assert not page.evaluate(PAUSED)


@pytest.mark.parametrize("how", ["#letter-play", "p"])
def test_section_at_the_playhead_is_played_from_its_start(page, how):
    page.mouse.click(*at(page, 19, DURATION))
    page.click(how) if how.startswith("#") else page.keyboard.press(how)
    until(page, f"16 < {TIME} && {TIME} < 18.5 && !{PAUSED}")


@pytest.mark.parametrize("how", ["#letter-loop", "l"])
def test_section_is_repeated_until_the_loop_is_switched_off(page, how):
    def press():
        page.click(how) if how.startswith("#") else page.keyboard.press(how)

    press()
    loop = page.get_by_role("button", name="Loop")
    assert loop.get_attribute("aria-pressed") == "true"
    letter(page, 1).click()
    until(page, f"8 < {TIME} && !{PAUSED}")
    seek_audio(page, 15.8)
    until(page, f"8 <= {TIME} && {TIME} < 12")
    assert not page.evaluate(PAUSED)
    page.mouse.click(*at(page, 30, DURATION))  # the loop moves to the section that the user chose
    seek_audio(page, 31.8)
    until(page, f"24 <= {TIME} && {TIME} < 28")
    press()
    assert loop.get_attribute("aria-pressed") == "false"
    seek_audio(page, 31.8)
    until(page, f"{TIME} > 32.2")


def test_last_section_is_repeated_although_the_audio_ends(page):
    page.click("#letter-loop")
    letter(page, 4).click()
    until(page, f"32 < {TIME} && !{PAUSED}")
    seek_audio(page, 39.7)
    until(page, f"32 <= {TIME} && {TIME} < 36 && !{PAUSED}")


def test_keys_go_to_the_next_and_the_previous_section_or_phrase(page):
    for keys, expected in ((["J"], 8), (["J", "K"], 8), (["K"], 0), (["v", "J", "J", "J"], 12), (["K"], 8)):
        for key in keys:
            page.keyboard.press(key)
        assert now(page) == pytest.approx(expected, abs=0.06), keys


def test_new_section_is_announced_and_described(page):
    page.keyboard.press("J")
    assert page.inner_text("#live") == "Section B, 1 of 2, 0:08 to 0:16"
    page.mouse.click(*at(page, 33, DURATION))
    assert page.inner_text("#live") == "Calm, 0:22 to 0:40, confidence 70 percent. Section C, 1 of 1, 0:32 to 0:40"
    text = page.inner_text("#letter-words")
    assert all(part in text for part in ("Section C, 1 of 1", "0:32.0 to 0:40.0", "0:08.0, 4 bars", "last"))
    assert "Section C" in page.get_by_role("slider", name="Position in the song").get_attribute("aria-valuetext")
    assert page.locator("#rows-sections tr[aria-current=true]").get_attribute("data-row") == "4"
    current = page.locator("#lane-sections .block[aria-current]")
    assert [block.get_attribute("data-row") for block in current.all()] == ["4"]


def test_row_of_the_table_plays_on_after_its_section(page):
    page.locator("#rows-sections tr").nth(1).locator(".label").click()
    until(page, f"8 < {TIME} && !{PAUSED}")
    seek_audio(page, 15.8)
    until(page, f"{TIME} > 16.2")


def test_letter_of_a_song_without_audio_goes_to_its_section(visit, view, tmp_path):
    page = opened(visit(written(tmp_path / "page.html", replace(view, sound=Sound(note="No sound.")))))
    assert letter(page, 2).get_attribute("aria-label").endswith("0:16 to 0:24, go there")
    assert page.locator("#letter-play").is_disabled()
    assert page.locator("#letter-loop").is_disabled()
    letter(page, 2).click()
    page.keyboard.press("l")
    assert now(page) == 16


def test_letters_are_not_offered_to_play_after_the_audio_failed(page):
    assert letter(page, 2).get_attribute("aria-label").endswith(", play")
    page.evaluate("document.getElementById('audio').dispatchEvent(new Event('error'))")
    assert letter(page, 2).get_attribute("aria-label").endswith(", go there")


# --- parts that return


def test_pointing_at_a_letter_marks_all_returns_and_describes_it(page):
    letter(page, 3).hover()
    assert highlighted(page, "#lane-sections .block") == [1, 3]
    assert highlighted(page, "#rows-sections tr") == [1, 3]
    bands = page.locator("#highlighted-parts i")
    assert [band.bounding_box()["x"] for band in bands.all()] == pytest.approx(
        [placed(page, 8)[0], placed(page, 24)[0]], abs=2
    )
    assert "Section B, 2 of 2" in page.inner_text("#letter-words")
    page.locator("#rows-sections tr").nth(2).hover()
    assert highlighted(page, "#lane-sections .block") == [0, 2]
    page.mouse.move(5, 5)
    assert highlighted(page, "#lane-sections .block") == highlighted(page, "#rows-sections tr") == []
    assert bands.count() == 0
    assert "Section A, 1 of 2" in page.inner_text("#letter-words")  # the one at the playhead


def test_letters_are_reached_by_one_tab_and_the_arrow_keys_and_mark_their_returns(page):
    page.locator("#show-phrases").focus()
    page.keyboard.press("Tab")
    focused = "document.activeElement.getAttribute('aria-label')"
    assert page.evaluate(focused).startswith("Section A, 1 of 2")
    assert highlighted(page, "#lane-sections .block") == [0, 2]
    for key, name, marked in (
        ("ArrowRight", "Section B, 1 of 2", [1, 3]),
        ("End", "Section C, 1 of 1", [4]),
        ("ArrowRight", "Section C, 1 of 1", [4]),
        ("ArrowLeft", "Section B, 2 of 2", [1, 3]),
        ("Home", "Section A, 1 of 2", [0, 2]),
    ):
        page.keyboard.press(key)
        assert page.evaluate(focused).startswith(name)
        assert highlighted(page, "#lane-sections .block") == marked
    assert now(page) == 0  # the arrow keys did not seek
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    until(page, f"8 < {TIME} && !{PAUSED}")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('.lane')") is None  # the first row of the table
    assert highlighted(page, "#lane-sections .block") == [0, 2]
    page.locator("#play").focus()
    assert highlighted(page, "#lane-sections .block") == []


def test_focused_letter_is_marked_again_after_the_pointer_crossed_the_table(page):
    page.locator("#show-phrases").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    assert highlighted(page, "#lane-sections .block") == [1, 3]
    page.locator("#rows-sections tr").nth(4).hover()
    assert highlighted(page, "#lane-sections .block") == [4]
    page.mouse.move(5, 5)
    assert highlighted(page, "#lane-sections .block") == highlighted(page, "#rows-sections tr") == [1, 3]


def test_focused_letter_outside_of_the_view_is_scrolled_into_it(page):
    page.keyboard.press("+")
    page.keyboard.press("+")
    letter(page, 0).focus()
    page.keyboard.press("End")
    start, end = page.evaluate(RANGE)
    assert start < 39_000
    assert end == pytest.approx(40_000)
    assert page.evaluate("document.getElementById('lane-sections').scrollLeft") == 0
    box = letter(page, 4).bounding_box()
    assert box["x"] == pytest.approx(placed(page, 32)[0], abs=2)


def test_phrases_are_shown_instead_of_sections(page):
    page.get_by_role("button", name="Phrases", exact=True).click()
    assert page.locator("#lane-phrases").is_visible()
    assert page.locator("#list-phrases").is_visible()
    assert not page.locator("#lane-sections").is_visible()
    assert not page.locator("#list-sections").is_visible()
    assert letter(page, 9, "phrases").get_attribute("aria-label") == "Phrase b, 5 of 5, 0:36 to 0:40, play"
    assert page.locator("#show-phrases").get_attribute("aria-pressed") == "true"
    assert page.get_by_role("button", name="Play this phrase").is_visible()
    letter(page, 4, "phrases").hover()
    assert highlighted(page, "#lane-phrases .block") == [0, 2, 4, 6, 8]
    page.mouse.move(5, 5)
    page.keyboard.press("v")
    assert page.locator("#lane-sections").is_visible()
    assert page.locator("#show-sections").get_attribute("aria-pressed") == "true"
    assert highlighted(page, ".block") == []


def test_page_of_a_song_with_sections_but_without_phrases_works(visit, view, tmp_path):
    page = opened(visit(written(tmp_path / "page.html", replace(view, sections=Sections(parts(LETTERS), [])))))
    page.keyboard.press("v")
    assert page.locator("#lane-sections").is_visible()
    letter(page, 2).click()
    until(page, f"16 < {TIME}")


# --- bar lines


def test_bar_lines_are_drawn_when_zoomed_in_at_their_times_with_numbers(page):
    for _ in range(3):
        page.keyboard.press("+")
    page.evaluate("Bokeh.documents[0].get_model_by_name('view').setv({ start: 11000, end: 16000 })")
    page.wait_for_timeout(200)
    lines = page.locator("#bar-lines i")
    assert [line.bounding_box()["x"] for line in lines.all()] == pytest.approx(
        [placed(page, time)[0] for time in (12, 14, 16)], abs=2
    )
    assert page.locator("#ruler .bar-number").all_inner_texts() == ["7", "8", "9"]
    page.mouse.move(*at(page, 20, DURATION))
    assert page.inner_text("#hover-words").endswith("bar 7")


def test_only_numbers_are_shown_where_bars_are_narrow(visit, path):
    page = opened(visit(path, width=360, height=740))
    page.wait_for_timeout(200)
    assert page.locator("#bar-lines i").count() == 0
    numbers = [int(text) for text in page.locator("#ruler .bar-number").all_inner_texts()]
    assert numbers == [1, 5, 9, 13, 17]


def test_long_mix_has_elements_only_for_the_bar_lines_in_view(visit, view, tmp_path):
    """It has 200 sections, 600 phrases and 1,800 bars within an hour."""
    labels = [f"{chr(65 + i % 26)}{i // 26 or ''}" for i in range(200)]
    long = replace(
        view,
        segments=[Segment(18 * i, 18 * i + 18, ("Calm", "Energetic")[i % 2], 0.5) for i in range(200)],
        sections=Sections(parts(labels, 3600), parts([label.lower() for label in labels] * 3, 3600)),
        beats=beats(3600),
    )
    page = opened(visit(written(tmp_path / "page.html", long)))
    assert page.locator("#lane-sections .block").count() == 200
    for _ in range(12):
        page.wait_for_timeout(100)
        assert page.locator("#bar-lines i, #ruler i").count() < 100
        page.keyboard.press("+")
    assert page.locator("#bar-lines i").count() > 0
    assert page.locator("#lane-sections .is-narrow").count() < 5
    page.keyboard.press("0")
    page.keyboard.press("v")
    assert page.locator("#lane-phrases .block").count() == 600


# --- editing


def test_a_long_label_stays_within_the_editor(page):
    edit_level(page)
    page.fill("#edit-label", "W" * 300)
    page.keyboard.press("Enter")
    right = "document.getElementById('editor').getBoundingClientRect().right"
    buttons = "[...document.querySelectorAll('#editor button')].map(button => button.getBoundingClientRect().right)"
    assert max(page.evaluate(buttons)) <= page.evaluate(right)


def drag(page, number, time, key=None):
    """Drag the boundary before a part to a time on the whole song."""
    grip = page.locator(f".edge[data-edge='{number}']").bounding_box()
    target, _ = at(page, time, DURATION)
    grip = page.locator(f".edge[data-edge='{number}']").bounding_box()
    page.mouse.move(grip["x"] + grip["width"] / 2, grip["y"] + 15)
    page.mouse.down()
    if key:
        page.keyboard.down(key)
    page.mouse.move(target, grip["y"] + 15, steps=5)
    page.mouse.up()
    if key:
        page.keyboard.up(key)


def boundary(page, number):
    return float(page.locator(f".edge[data-edge='{number}']").get_attribute("aria-valuenow"))


@pytest.mark.parametrize("level", ["states", "sections"])
def test_dragged_boundary_snaps_to_the_nearest_bar_line(page, level):
    edit_level(page, level)
    drag(page, 1, 12.7)
    assert boundary(page, 1) == 12
    assert "Unsaved changes" in page.inner_text("#edit-note")
    assert "bar 7" not in page.inner_text("#edit-note")


@pytest.mark.parametrize("key", ["Alt", "Control", None])
def test_key_or_the_check_box_frees_a_boundary_from_the_bar_lines(page, key):
    edit_level(page)
    if key is None:
        page.uncheck("#edit-snap")
    drag(page, 2, 18.8, key)
    assert boundary(page, 2) == pytest.approx(18.8, abs=0.1)
    assert table(page, "occurrence") == ["1 of 2", "1 of 2", "2 of 2", "2 of 2", "1 of 1"]


def test_boundary_snaps_only_to_bar_lines_between_its_neighbours(page):
    edit_level(page)
    drag(page, 1, 25)
    assert boundary(page, 1) == 14  # the next boundary is at 16 s
    drag(page, 2, 12)
    assert boundary(page, 2) == 16


def test_pressing_a_boundary_without_moving_it_does_not_snap_it(page):
    edit_level(page, "states")
    grip = page.locator(".edge[data-edge='1']").bounding_box()
    page.mouse.move(grip["x"] + 12, grip["y"] + 15)
    page.mouse.down()
    page.mouse.move(grip["x"] + 13, grip["y"] + 15)
    page.mouse.up()
    assert boundary(page, 1) == pytest.approx(9.3)


def test_cancelled_drag_restores_the_boundary_and_the_blocks(page):
    edit_level(page)
    before = letter(page, 1).bounding_box()
    grip = page.locator(".edge[data-edge='1']").bounding_box()
    page.mouse.move(grip["x"] + 12, grip["y"] + 15)
    page.mouse.down()
    page.mouse.move(grip["x"] + 90, grip["y"] + 15, steps=5)
    until(page, "document.getElementById('edit-note').textContent.startsWith('Boundary at')")
    assert letter(page, 1).bounding_box() != before
    page.evaluate("document.querySelector('.edge').dispatchEvent(new PointerEvent('pointercancel'))")
    assert letter(page, 1).bounding_box() == before
    assert boundary(page, 1) == 8
    assert table(page, "label") == [*LETTERS]
    page.mouse.up()


def pulled(page, number, pixels):
    """Press the pointer on a boundary, move it, and do not release it."""
    grip = page.locator(f".edge[data-edge='{number}']").bounding_box()
    page.mouse.move(grip["x"] + grip["width"] / 2, grip["y"] + 15)
    page.mouse.down()
    page.mouse.move(grip["x"] + pixels, grip["y"] + 15, steps=5)
    until(page, "document.getElementById('edit-note').textContent.startsWith('Boundary at')")


def starts(page, level="sections"):
    """Return where the parts of a level begin, which its lane and its table must agree on."""
    places = page.evaluate(f"[...document.querySelectorAll('#blocks-{level} .block')].map((e) => e.style.left)")
    blocks = [float(place.rstrip("%")) * DURATION / 100 for place in places]
    rows = page.locator(f"#rows-{level} .from").all_text_contents()
    assert [float(row.split(":")[1]) for row in rows] == pytest.approx(blocks, abs=0.051)
    return blocks


@pytest.mark.parametrize(
    ("key", "n_changes"), [("v", 1), ("e", 1), ("s", 2), ("m", 2), ("ArrowRight", 2), ("Control+z", 0)]
)
def test_key_during_a_drag_finds_the_dragged_boundary_in_the_history(page, key, n_changes):
    edit_level(page)
    page.locator("#seek").fill("30")
    pulled(page, 1, 90)
    page.keyboard.press(key)
    page.mouse.move(300, 5, steps=3)
    page.mouse.up()
    assert (starts(page)[1] > 8) == (n_changes > 0)
    if key == "e":
        page.keyboard.press("e")
    note = "Unsaved changes of sections" if n_changes else "No unsaved changes"
    assert page.inner_text("#edit-note").startswith(note)
    page.select_option("#edit-level", "sections")
    for _ in range(n_changes):
        page.click("#edit-undo")
    assert page.locator("#edit-undo").is_disabled()
    assert starts(page) == pytest.approx([0, 8, 16, 24, 32])
    assert page.inner_text("#edit-note") == "No unsaved changes."


def test_drag_of_a_removed_boundary_changes_its_own_level(page):
    edit_level(page)
    pulled(page, 1, 90)
    page.locator("#edit-level").select_option("states")  # as by touch with another finger
    page.mouse.move(300, 5, steps=3)
    page.mouse.up()
    assert page.locator("#edit-undo").is_disabled()
    assert starts(page)[1] > 8
    page.select_option("#edit-level", "sections")
    page.click("#edit-undo")
    assert starts(page) == pytest.approx([0, 8, 16, 24, 32])


def test_section_boundary_is_dragged_by_touch(visit, path):
    page = opened(visit(path, width=360, height=740, has_touch=True, is_mobile=True))
    edit_level(page)
    page.locator("#lane-sections").scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    box = page.locator(".edge[data-edge='1']").bounding_box()
    assert box["y"] == pytest.approx(page.locator("#lane-sections").bounding_box()["y"], abs=1)
    width = page.locator("#overlay").bounding_box()["width"]
    x, y = box["x"] + box["width"] / 2, box["y"] + 15
    swipe(page, (x, y), (x + 4.5 / DURATION * width, y))
    until(page, "document.getElementById('edit-note').textContent.includes('Unsaved')")
    assert boundary(page, 1) == 12


def test_page_keys_move_a_boundary_by_bar_lines(page):
    edit_level(page)
    slider = page.get_by_role("slider", name="Boundary between A and B").first
    slider.focus()
    for key, expected in (("PageUp", 10), ("ArrowRight", 10.1), ("PageDown", 10), ("PageDown", 8), ("PageUp", 10)):
        page.keyboard.press(key)
        assert boundary(page, 1) == pytest.approx(expected), key
    assert now(page) == 0


def test_split_is_made_at_the_bar_line_nearest_to_the_playhead(page):
    edit_level(page)
    page.mouse.click(*at(page, 4.8, DURATION))
    page.keyboard.press("s")
    assert table(page, "label") == [*"AABABC"]
    assert [text.strip() for text in page.locator("#rows-sections .from").all_inner_texts()][1] == "0:04.0"
    page.keyboard.press("Control+z")
    page.uncheck("#edit-snap")
    page.keyboard.press("Escape")
    page.locator("#edit-split").click()
    assert boundary(page, 1) == pytest.approx(4.8, abs=0.1)


def test_letters_are_set_and_the_returns_counted_again(page):
    edit_level(page)
    choices = page.locator("#edit-choices button")
    assert choices.all_inner_texts() == ["A", "B", "C", "D"]  # D is the next unused letter
    letter(page, 4).click(position={"x": 20, "y": 10})
    assert page.evaluate(PAUSED)  # in edit mode, a click selects a section
    assert "section 5 of 5" in page.inner_text("#edit-which")
    page.keyboard.press("1")
    assert table(page, "label") == [*"ABABA"]
    assert table(page, "occurrence")[4] == "3 of 3"
    assert table(page, "facts")[4] == "last, most repeated"
    assert letter(page, 0).get_attribute("aria-label") == "Section A, 1 of 3, 0:00 to 0:08, select"
    page.fill("#edit-label", "Chorus")
    page.press("#edit-label", "Enter")
    tone = page.evaluate("document.querySelectorAll('#lane-sections .block')[4].style.getPropertyValue('--tone')")
    assert section_color("Chorus").lower() in tone
    assert choices.all_inner_texts() == ["A", "B", "Chorus", "C"]


def test_each_level_has_its_own_history_and_unsaved_changes(page):
    edit_level(page, "states")
    page.keyboard.press("m")
    page.select_option("#edit-level", "sections")
    page.click("#edit-merge-after")
    assert "states and sections" in page.inner_text("#edit-note")
    assert table(page, "label") == [*"AABC"]
    page.click("#edit-undo")
    assert page.locator("#edit-undo").is_disabled()
    assert table(page, "label") == [*LETTERS]
    assert page.locator("#rows-states tr").count() == 2
    page.select_option("#edit-level", "states")
    page.click("#edit-undo")
    assert page.inner_text("#edit-note") == "No unsaved changes."
    assert page.locator("#rows-states tr").count() == 3


def test_edited_level_is_the_one_that_is_shown(page):
    edit_level(page, "phrases")
    assert page.locator("#lane-phrases").is_visible()
    assert page.locator(".edge").count() == 9
    page.keyboard.press("Escape")
    page.click("#show-sections")
    assert page.input_value("#edit-level") == "sections"
    assert page.locator(".edge").count() == 4
    page.click("#edit-button")
    assert page.locator(".edge").count() == 2  # those of the states
    assert page.get_by_role("slider", name=re.compile("^Boundary")).count() == 0


@pytest.mark.parametrize("level", ["sections", "phrases"])
def test_saved_letters_are_read_back(page, level, tmp_path):
    edit_level(page, level)
    drag(page, 1, 1.7)
    page.fill("#edit-label", "Größe 夜")
    page.press("#edit-label", "Enter")
    labels = table(page, "label", level)
    for button, suffix in (("#save-lab", ".lab"), ("#save-jams", ".jams")):
        file = saved(page, button)
        assert file.suggested_filename == f"file-1.{level}{suffix}"
        file.save_as(tmp_path / file.suggested_filename)
        found = read_annotation(tmp_path / file.suggested_filename)
        assert list(found.labels) == labels
        assert found.intervals[0].tolist() == [0, 2]
        assert found.intervals[-1, 1] == DURATION
    assert "songform annotate" in page.inner_text("#edit-note")


def test_leaving_the_page_asks_for_confirmation_with_unsaved_sections(chromium, path):
    context = chromium.new_context()
    page = opened(visited(context, path))
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    edit_level(page)
    page.click("#edit-merge-after")
    page.select_option("#edit-level", "states")
    page.reload()
    assert asked == ["beforeunload"]
    context.close()


# --- themes, phones, songs without sections


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("level", ["sections", "phrases"])
def test_text_has_sufficient_contrast_also_while_returns_are_marked(visit, path, scheme, level):
    page = opened(visit(path, color_scheme=scheme))
    edit_level(page, level)
    page.wait_for_timeout(300)  # the change of colors is animated
    assert page.evaluate(CONTRASTS) == []
    letter(page, 1, level).hover()
    page.wait_for_timeout(300)
    assert page.evaluate(CONTRASTS) == []


@pytest.mark.parametrize("level", ["sections", "phrases"])
def test_page_with_sections_fits_the_width_of_a_phone(visit, path, level):
    page = opened(visit(path, width=360, height=740, has_touch=True, is_mobile=True))
    edit_level(page, level)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert page.evaluate(TOO_WIDE) == []
    assert page.evaluate(TOO_SMALL) == []
    page.click("#edit-button")
    letter(page, 1, level).tap()
    until(page, f"{TIME} > 4 && !{PAUSED}")


@pytest.mark.parametrize("has_beats", [False, True])
def test_page_of_a_song_without_sections_says_why_and_works(visit, view, tmp_path, has_beats):
    plain = replace(view, sections=Sections(reason="the song is too short"), beats=beats() if has_beats else None)
    page = opened(visit(written(tmp_path / "page.html", plain)))
    assert page.locator("#no-sections").inner_text().endswith("the song is too short.")
    for key in ("p", "l", "v", "J", "K"):
        page.keyboard.press(key)
    assert now(page) == 0
    assert page.evaluate(PAUSED)
    edit(page)
    assert not page.locator("#edit-level").count()
    drag(page, 1, 12.7)
    assert boundary(page, 1) == (12 if has_beats else pytest.approx(12.7, abs=0.1))
    assert page.locator("#ruler").count() == has_beats

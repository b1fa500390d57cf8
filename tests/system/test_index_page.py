"""Tests of the index page in a real browser: searching, sorting, filtering, and going to songs and back.

They need Chromium (Debian: apt-get install chromium).
"""

from __future__ import annotations

import numpy as np
import pytest

from songform.pages import SongEntry, index_page
from songform.sections.section_finding import SongPart
from songform.structure.naming import STATES
from songform.structure.segments import Segment

pytestmark = pytest.mark.system

HOSTILE = "</script><!--<script>alert(1)</script>\"'><img src=x onerror=alert(1)><svg onload=alert(1)>&amp;\u2028"
SONGS = [
    SongEntry("Émile 10", "file-1.html", [Segment(0, 60, "Calm", 0.9), Segment(60, 80, "Energetic", 0.3)]),
    SongEntry("emile 9", "file-2.html", [Segment(0, 100, "Energetic", 0.5)]),
    SongEntry("Zoo", "", [Segment(0, 10, "Calm", 0.4), Segment(10, 20, "BuildUp", 0.7)]),
    SongEntry(HOSTILE, "file-4.html", [Segment(0, 3700, "Repetitive", 0.7)]),
]


def lettered(letters, seconds=10.0):
    """Return sections of equal length with the given letters."""
    return [SongPart(seconds * i, seconds * (i + 1), letter, 0.5) for i, letter in enumerate(letters)]


# Lengths, shares of Calm, tempos and numbers of sections in four different orders.
FORMS = [
    SongEntry("One", "", [Segment(0, 30, "Calm", 0.9), Segment(30, 60, "Energetic", 0.5)], lettered("ABABAB"), 99.5),
    SongEntry("Two", "", [Segment(0, 5, "Calm", 0.9), Segment(5, 200, "Energetic", 0.5)], lettered("AB", 100), 140.0),
    SongEntry("Three", "", [Segment(0, 120.4, "Calm", 0.9)], lettered("ABC", 40.0), 61.0),
    SongEntry("Old", "", [Segment(0, 90, "Energetic", 0.9)]),
]


def titles(page):
    return page.locator("#songs .name").all_inner_texts()


@pytest.fixture
def written(tmp_path):
    """Return a function that writes an index page and returns its path."""

    def write(songs=SONGS):
        path = tmp_path / "index.html"
        path.write_text(index_page(songs, model="models:/songform/1"), encoding="utf-8")
        return path

    return write


def test_songs_are_sorted_naturally_by_title_and_hostile_titles_are_shown_as_text(visit, written):
    page = visit(written())
    assert titles(page)[1:] == ["emile 9", "Émile 10", "Zoo"]
    assert titles(page)[0].startswith("</script><!--<script>alert(1)</script>")
    assert page.locator("#found").inner_text() == "4 songs"
    assert page.locator("#songs img, #songs svg").count() == 0


@pytest.mark.parametrize(
    ("typed", "found"),
    [("EMILE", ["emile 9", "Émile 10"]), ("10 émi", ["Émile 10"]), ("zoo", ["Zoo"]), ("nothing like it", [])],
)
def test_search_ignores_case_word_order_and_accents(visit, written, typed, found):
    page = visit(written())
    page.keyboard.press("/")
    page.keyboard.type(typed)
    assert titles(page) == found
    assert page.locator("#found").inner_text() == f"{len(found)} of 4 songs"
    assert page.locator("#nothing").is_visible() == (not found)


@pytest.mark.parametrize(
    ("by", "order"),
    [
        ("Lowest confidence", ["Émile 10", "Zoo", "emile 9", HOSTILE]),
        ("Mean confidence", ["emile 9", "Zoo", HOSTILE, "Émile 10"]),
        ("Length", ["Zoo", "Émile 10", "emile 9", HOSTILE]),
    ],
)
def test_songs_are_sorted_in_both_directions_and_aria_sort_shows_which(visit, written, by, order):
    page = visit(written())
    page.get_by_label("Sort by").select_option(by)
    assert [title[:5] for title in titles(page)] == [title[:5] for title in order]
    assert page.locator("[aria-sort]").get_attribute("aria-sort") == "ascending"
    page.locator("#direction").click()
    assert [title[:5] for title in titles(page)] == [title[:5] for title in order[::-1]]
    assert page.locator("[aria-sort]").get_attribute("aria-sort") == "descending"


def test_sorting_by_the_share_of_a_state_shows_the_shares_largest_first(visit, written):
    page = visit(written())
    page.get_by_label("Sort by").select_option("Share of Calm")
    assert titles(page)[:2] == ["Émile 10", "Zoo"]
    assert page.locator("#songs .share").all_inner_texts() == ["75 %", "50 %", "0 %", "0 %"]
    assert page.locator("th.share").inner_text().startswith("Calm")


def test_column_header_sorts(visit, written):
    page = visit(written())
    page.get_by_role("button", name="Lowest").click()
    assert titles(page)[0] == "Émile 10"
    page.get_by_role("button", name="Lowest").click()
    assert titles(page)[-1] == "Émile 10"


def test_timeline_draws_segments_at_their_positions_and_has_their_shares_as_label(visit, written):
    page = visit(written())
    timeline = page.get_by_role("img", name="Calm 75 %, Energetic 25 %")
    assert "75%" in timeline.evaluate("element => element.style.background")


def test_silence_is_not_counted_in_the_shares_of_the_states(visit, written):
    parts = [Segment(0, 20, "Silence", 1.0), Segment(20, 50, "Calm", 0.9), Segment(50, 60, "Energetic", 0.3)]
    page = visit(written([SongEntry("Quiet", "", parts), SongEntry("Silent", "", [Segment(0, 65, "Silence", 1.0)])]))
    assert page.get_by_role("img", name="Calm 75 %, Energetic 25 %, Silence 0:20").count() == 1
    assert page.get_by_role("img", name="Silence 1:05", exact=True).count() == 1
    page.get_by_label("Sort by").select_option("Share of Silence")
    assert titles(page) == ["Silent", "Quiet"]
    assert page.locator("#songs .share").all_inner_texts() == ["100 %", "33 %"]


def test_link_to_the_lowest_confidence_opens_the_song_at_that_time(visit, reported):
    page = visit(reported / "index.html")
    page.locator("#songs a").nth(1).click()
    page.wait_for_url("**/file-*.html#t=*")
    page.wait_for_selector("html.is-drawn")
    start = float(page.url.partition("#t=")[2])
    assert page.evaluate("document.getElementById('seek').valueAsNumber") == pytest.approx(start, abs=0.1)


def test_letters_of_the_sections_are_above_the_timeline_and_as_wide_as_their_sections(visit, written):
    parts = [SongPart(0, 40, "A", 1.0), SongPart(40, 99, "B", 0.5), SongPart(99, 100, "C", 0.5)]
    song = SongEntry("Song", "", [Segment(0, 100, "Calm", 0.9)], parts)
    page = visit(written([song, FORMS[-1]]))
    letters = page.get_by_role("img", name="Sections A B C", exact=True)
    row, timeline = letters.bounding_box(), page.locator(".letters + .timeline").bounding_box()
    assert row["y"] + row["height"] <= timeline["y"] <= row["y"] + 30
    boxes = [box.bounding_box() for box in letters.locator(".letter").all()]
    assert [box["width"] for box in boxes] == pytest.approx([row["width"] * s for s in (0.4, 0.59, 0.01)], abs=1)
    assert boxes[1]["x"] == pytest.approx(timeline["x"] + 0.4 * timeline["width"], abs=1)
    tops = [letter.bounding_box()["y"] for letter in letters.locator("b").all()]
    assert tops[0] < row["y"] + row["height"]
    assert tops[2] >= row["y"] + row["height"], "a letter that does not fit must be outside the visible line"
    assert page.locator(".letters").count() == 1  # the other song has no sections


def test_a_letter_has_the_same_color_in_every_song(visit, written):
    page = visit(written([FORMS[0], SongEntry("Zwei", "", FORMS[1].segments, lettered("BCA", 60))]))
    colors = page.locator(".letter").evaluate_all(
        "all => all.map((box) => [box.textContent, getComputedStyle(box).backgroundColor])"
    )
    assert len({tuple(pair) for pair in colors}) == len({letter for letter, _ in colors}) == 3
    assert len({color for _, color in colors}) == 3


@pytest.mark.parametrize(
    ("by", "ascending", "descending"),
    [
        ("Tempo", ["Three", "One", "Two", "Old"], ["Two", "One", "Three", "Old"]),
        ("Number of sections", ["Two", "Three", "One", "Old"], ["One", "Three", "Two", "Old"]),
    ],
)
def test_songs_without_tempo_or_sections_come_last_in_both_directions(visit, written, by, ascending, descending):
    page = visit(written(FORMS))
    page.get_by_label("Sort by").select_option(by)
    assert titles(page) == ascending
    page.locator("#direction").click()
    assert titles(page) == descending
    header = page.locator("[aria-sort]")
    assert header.get_attribute("aria-sort") == "descending"
    assert header.inner_text().split()[0] in by.title()
    header.get_by_role("button").click()
    assert titles(page) == ascending


def test_tempo_and_number_of_sections_are_listed_and_missing_ones_are_read_as_none(visit, written):
    page = visit(written(FORMS))
    assert page.locator("#songs .tempo").all_inner_texts()[1:] == ["100 BPM", "61 BPM", "140 BPM"]
    assert page.locator("#songs .sections").all_inner_texts()[1:] == ["6", "3", "2"]
    old = page.get_by_role("row", name="Old")
    assert [cell.text_content() for cell in old.locator(".tempo, .sections").all()] == ["–none", "–none"]
    assert old.get_by_role("cell", name="none", exact=True).count() == 2


@pytest.mark.parametrize(
    ("state", "share", "found"),
    [
        ("Calm", "10", ["One", "Three"]),
        ("Calm", "50", ["One", "Three"]),
        ("Calm", "51", ["Three"]),
        ("Calm", "0", ["One", "Three", "Two"]),
        ("Calm", "", ["One", "Three", "Two"]),
        ("Energetic", "98", ["Old", "Two"]),  # "Two" is displayed as 98 %, although it has less
        ("Any", "98", ["Old", "One", "Three", "Two"]),
    ],
)
def test_songs_are_filtered_by_the_share_of_a_state(visit, written, state, share, found):
    page = visit(written(FORMS))
    least = page.get_by_label("Share of the state, at least")
    assert least.is_disabled()
    page.get_by_role("combobox", name="State", exact=True).select_option("Calm")
    least.fill(share)
    page.get_by_role("combobox", name="State", exact=True).select_option(state)
    assert least.is_disabled() == (state == "Any")
    assert titles(page) == found


@pytest.mark.parametrize(
    ("shortest", "longest", "found"),
    [
        ("1", "", ["Old", "One", "Three", "Two"]),
        ("1.5", "2", ["Old", "Three"]),  # "Three" lasts 120.4 s, and is displayed as 2:00
        ("", "1", ["One"]),
        ("2.5", "", ["Two"]),
        ("3", "2", []),
    ],
)
def test_songs_are_filtered_by_length_in_minutes(visit, written, shortest, longest, found):
    page = visit(written(FORMS))
    page.get_by_label("Length from").fill(shortest)
    page.get_by_label("Length to").fill(longest)
    assert titles(page) == found
    assert page.locator("#found").inner_text() == (f"{len(found)} of 4 songs" if len(found) < 4 else "4 songs")


def test_filters_and_search_are_combined_and_cleared_together(visit, written):
    page = visit(written(FORMS))
    clear = page.get_by_role("button", name="Clear search and filters")
    assert not clear.is_visible()
    page.get_by_label("Sort by").select_option("Length")
    page.get_by_role("combobox", name="State", exact=True).select_option("Calm")
    page.get_by_label("Length to").fill("3")
    assert titles(page) == ["One", "Three"]
    page.get_by_label("Search").fill("two")
    assert titles(page) == []
    assert page.get_by_text("No song matches the search and the filters.").is_visible()
    clear.click()
    assert titles(page) == ["One", "Old", "Three", "Two"]  # the order stays
    assert [page.locator(f"#{name}").input_value() for name in ("search", "state", "to")] == ["", "", ""]
    assert page.evaluate("document.activeElement.id") == "search"


def test_filters_and_order_work_with_the_keyboard_alone(visit, written):
    page = visit(written(FORMS))
    page.keyboard.press("/")
    for key in ("Tab", "t", "e", "m", "p"):  # to the order, and to the option that begins so
        page.keyboard.press(key)
    assert titles(page) == ["Three", "One", "Two", "Old"]
    for key in ("Tab", "Enter"):  # the direction
        page.keyboard.press(key)
    assert titles(page) == ["Two", "One", "Three", "Old"]
    for key in ("Tab", "C", "Tab", "ArrowUp"):  # the state, and its share in steps of 5 %
        page.keyboard.press(key)
    assert page.locator("#share").input_value() == "15"
    assert titles(page) == ["One", "Three"]
    for key in ("Tab", "2"):
        page.keyboard.press(key)
    assert titles(page) == ["Three"]


def test_query_and_place_are_kept_when_going_back_from_a_song(visit, written, tmp_path):
    (tmp_path / "song.html").write_text("<!doctype html><title>A song</title>", encoding="utf-8")
    songs = [
        SongEntry(f"Song {i}", "song.html", [Segment(0, 60 + i, ("Calm", "Energetic")[i % 2], 0.5)]) for i in range(900)
    ]
    page = visit(written(songs))
    page.get_by_label("Search").fill("song")
    page.get_by_role("combobox", name="State", exact=True).select_option("Calm")
    page.get_by_label("Length from").fill("2")
    page.get_by_label("Sort by").select_option("Length")
    page.locator("#direction").click()
    link = page.get_by_role("link", name="Song 598", exact=True)
    while not link.count():
        page.locator("#songs tr").last.scroll_into_view_if_needed()
        page.wait_for_timeout(50)
    link.scroll_into_view_if_needed()
    place = link.bounding_box()["y"]
    before = titles(page)
    link.click()
    page.wait_for_url("**/song.html")
    page.go_back()
    page.wait_for_selector("#songs tr")
    assert titles(page)[: len(before)] == before
    values = [page.locator(f"#{name}").input_value() for name in ("search", "sort", "state", "share", "from", "to")]
    assert values == ["song", "length", "Calm", "10", "2", ""]
    assert page.locator("[aria-sort]").get_attribute("aria-sort") == "descending"
    assert link.bounding_box()["y"] == pytest.approx(place, abs=2)


def test_an_address_with_a_query_can_be_bookmarked_and_changed(visit, written):
    path = written(FORMS)
    page = visit(f"{path}#sort=share+of+Calm&order=descending&state=Calm&share=40")
    assert titles(page) == ["Three", "One"]
    page.get_by_label("Search").fill("on")
    page.wait_for_url(f"file://{path}#search=on&sort=share+of+Calm&order=descending&state=Calm&share=40")
    page.evaluate("location.hash = '#sort=tempo'")
    page.wait_for_selector("[data-by=tempo]")
    assert titles(page) == ["Three", "One", "Two", "Old"]
    page.get_by_label("Sort by").select_option("Title")
    page.wait_for_url(f"file://{path}")


@pytest.mark.parametrize(
    "fragment", ["songs", "sort=plain&state=Loud&share=much&from=%3Cb%3E", "sort=share+of+Loud", "sort=__proto__", "%"]
)
def test_an_address_that_asks_for_something_impossible_shows_all_songs(visit, written, fragment):
    page = visit(f"{written(FORMS)}#{fragment}")
    assert titles(page) == ["Old", "One", "Three", "Two"]
    assert page.locator("#sort").input_value() == "title"
    assert page.locator("#share").input_value() == "10"


def test_skip_link_does_not_reset_the_list(visit, written):
    page = visit(f"{written(FORMS)}#sort=tempo")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_timeout(300)
    assert titles(page) == ["Three", "One", "Two", "Old"]


def test_10000_songs_are_shown_incrementally_and_searched(visit, written):
    rng = np.random.default_rng(0)
    songs = []
    for i in range(10_000):
        cuts = np.sort(rng.uniform(0, 240, 29)).tolist()
        spans = zip([0.0, *cuts], [*cuts, 240.0], strict=True)
        segments = [Segment(a, b, STATES[j % 5], float(rng.uniform(0.2, 0.9))) for j, (a, b) in enumerate(spans)]
        songs.append(SongEntry(f"Song {i}", f"file-{i}.html", segments, lettered("ABCABCABCD", 24), 60 + i % 97))
    page = visit(written(songs))
    assert len(titles(page)) <= 300
    assert titles(page)[:3] == ["Song 0", "Song 1", "Song 2"]
    page.get_by_label("Search").fill("song 9999")
    assert titles(page) == ["Song 9999"]
    page.get_by_label("Search").fill("")
    page.get_by_label("Sort by").select_option("Share of Calm")
    before = len(titles(page))
    page.locator("#more").scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    assert len(titles(page)) > before
    assert "9," in page.locator("#more").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_index_fits_the_width_of_a_phone(visit, written, scheme):
    page = visit(written(), width=360, height=740, is_mobile=True, has_touch=True, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    for by, column in {"Share of Calm": ".share", "Tempo": ".tempo", "Lowest confidence": ".lowest"}.items():
        page.get_by_label("Sort by").select_option(by)
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        assert page.locator("#songs td:visible").count() == 2 * len(titles(page))
        assert page.locator(f"#songs {column}").first.is_visible()
    page.get_by_role("combobox", name="State", exact=True).select_option("Calm")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    for row in page.locator("#songs .timeline, #songs .letters").all():
        assert row.bounding_box()["width"] == pytest.approx(318, abs=2)

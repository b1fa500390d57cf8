"""Tests of the index page in a real browser: searching, sorting, and opening songs.

They need Chromium (Debian: apt-get install chromium).
"""

from __future__ import annotations

import numpy as np
import pytest

from songform.pages import SongEntry, index_page
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


def test_5000_songs_are_shown_incrementally_and_searched(visit, written):
    rng = np.random.default_rng(0)
    songs = []
    for i in range(5000):
        cuts = np.sort(rng.uniform(0, 240, 29)).tolist()
        spans = zip([0.0, *cuts], [*cuts, 240.0], strict=True)
        segments = [Segment(a, b, STATES[j % 5], float(rng.uniform(0.2, 0.9))) for j, (a, b) in enumerate(spans)]
        songs.append(SongEntry(f"Song {i}", f"file-{i}.html", segments))
    page = visit(written(songs))
    assert len(titles(page)) <= 300
    assert titles(page)[:3] == ["Song 0", "Song 1", "Song 2"]
    page.get_by_label("Search").fill("song 4999")
    assert titles(page) == ["Song 4999"]
    page.get_by_label("Search").fill("")
    page.get_by_label("Sort by").select_option("Share of Calm")
    before = len(titles(page))
    page.locator("#more").scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    assert len(titles(page)) > before
    assert "4," in page.locator("#more").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_index_fits_the_width_of_a_phone(visit, written, scheme):
    page = visit(written(), width=360, height=740, is_mobile=True, has_touch=True, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.get_by_label("Sort by").select_option("Share of Calm")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert page.locator("#songs .timeline").first.is_visible()

"""Tests of the index page."""

from __future__ import annotations

import json
import re
import weakref

import pytest

from songform.errors import ParameterError
from songform.pages import SongEntry, index_page
from songform.pages.page_colors import contrast
from songform.sections.section_finding import SongPart
from songform.structure.segments import Segment
from songform.structure.silence import SILENCE

HOSTILE = "</script><!--<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&amp;\u2028$data"


def entry(title="A Song", *segments, page="file-1.html"):
    return SongEntry(title, page, segments or (Segment(0, 30, "Calm", 0.5), Segment(30, 40, "Energetic", 0.25)))


def data(reader):
    return json.loads(reader.one("script", id="index-data").text)


def sections(**ends):
    """Return sections with the given ends, by their letters."""
    starts = [0.0, *ends.values()]
    return [SongPart(start, end, label, 0.5) for start, (label, end) in zip(starts, ends.items(), strict=False)]


def test_a_song_is_listed_with_duration_confidences_and_timeline(read):
    reader = read(index_page([entry()], model="models:/songform/1"))
    found = data(reader)
    assert [state["name"] for state in found["states"]] == ["Calm", "Energetic"]
    mean = (30 * 0.5 + 10 * 0.25) / 40
    assert found["songs"] == [["A Song", "file-1.html", 40, round(mean, 3), 0.25, 30, [30, 0, 40, 1], None, []]]
    assert [element.text for element in reader.all("span") if element.text.endswith("%")] == ["75 %", "25 %"]


def test_the_duration_in_the_data_is_not_rounded(read):
    """The terminal shows 61.46 s as 1:01. Rounded to 61.5 first, the page would show 1:02."""
    found = data(read(index_page([entry("Song", Segment(0, 61.46, "Calm", 0.9))], model="")))
    assert found["songs"][0][2] == 61.46


def test_songs_can_be_sorted_by_the_share_of_each_state(read):
    songs = [entry(), entry("Other", Segment(0, 10, "Verse", 0.9))]
    options = read(index_page(songs, model="")).all("option")
    shares = [(o.attributes["value"], o.text) for o in options if o.attributes["value"].startswith("share of")]
    assert shares == [(f"share of {state}", f"Share of {state}") for state in ("Calm", "Energetic", "Verse")]


def test_songs_can_be_filtered_by_each_state(read):
    quiet = entry("Quiet", Segment(0, 5, SILENCE, 1.0), Segment(5, 10, "Verse", 0.9))
    options = read(index_page([entry(), quiet], model="")).all("option")
    states = ["Calm", "Energetic", "Verse", SILENCE]
    assert [option.text for option in options if option.attributes["value"] in ["", *states]] == ["Any", *states]


def test_a_song_has_its_tempo_and_the_ends_and_letters_of_its_sections(read):
    first = entry()._replace(tempo=125.954, sections=sections(A=10.04, C=40.0))
    second = entry("Other")._replace(sections=sections(C=20.0, A=40.0))
    reader = read(index_page([first, second], model=""))
    found = data(reader)
    assert [song[7:] for song in found["songs"]] == [[125.95, [10.0, 0, 40.0, 1]], [None, [20.0, 1, 40.0, 0]]]
    assert found["letters"] == ["A", "C"]
    assert "Sections with the same letter repeat each other" in reader.one("footer").text + "".join(
        element.text for element in reader.all("p") if "footer" in element.parents
    )


def test_without_sections_the_page_does_not_explain_letters(read):
    texts = [element.text for element in read(index_page([entry()], model="")).all("p")]
    assert not [text for text in texts if "letter" in text]


def test_the_letters_of_sections_are_readable_on_their_colors(read):
    parts = sections(**{letter: end for end, letter in enumerate(["A", "B", "N", "Z", "A1", "refrain"], start=1)})
    style = read(index_page([entry()._replace(sections=parts)], model="")).one("style").text
    rule = r"\.letter-\d+ { --tone: light-dark\((#\w{6}), (#\w{6})\); --on-tone: light-dark\((#\w{6}), (#\w{6})\) }"
    colors = re.findall(rule, style)
    assert len(colors) == 6
    assert all(contrast(light, ink) >= 4.5 for light, _, ink, _ in colors)
    assert all(contrast(dark, ink) >= 4.5 for _, dark, _, ink in colors)


def test_songs_are_read_one_after_the_other(read):
    """The songs of a large corpus take too much memory to be held at once."""
    read_before = []

    class Segments(list):
        """List that a weak reference can refer to."""

    def songs():
        for number in range(4):
            assert sum(reference() is not None for reference in read_before) <= 1  # the one that was just added
            segments = Segments([Segment(0, 1, "Calm", 0.5)])
            read_before.append(weakref.ref(segments))
            yield SongEntry(f"Song {number}", "", segments)
            del segments

    assert len(data(read(index_page(songs(), model="")))["songs"]) == 4


def test_silence_is_stated_separately_and_the_shares_and_confidences_are_those_of_the_sound(read):
    parts = Segment(0, 20, SILENCE, 1.0), Segment(20, 50, "Calm", 0.5), Segment(50, 60, "Energetic", 0.25)
    reader = read(index_page([entry("Song", *parts)], model=""))
    found = data(reader)
    assert [state["name"] for state in found["states"]] == ["Calm", "Energetic", SILENCE]
    assert found["numbers"] == [2, 0, 1]  # the rows number states by their first occurrence
    mean = (30 * 0.5 + 10 * 0.25) / 40
    assert found["songs"] == [["Song", "file-1.html", 60, round(mean, 3), 0.25, 50, [20, 0, 50, 1, 60, 2], None, []]]
    legend = reader.one("ul")
    assert legend.attributes["aria-label"] == "States and their share of the sound"
    assert [e.text for e in reader.all("span") if "li" in e.parents and e.text] == ["75 %", "25 %", "0:20"]
    assert "Share of Silence" in [option.text for option in reader.all("option")]


def test_an_index_of_a_silent_song_has_its_length(read):
    reader = read(index_page([entry("Song", Segment(0, 20, SILENCE, 1.0))], model=""))
    assert data(reader)["songs"][0][3] == 1
    assert [e.text for e in reader.all("span") if "li" in e.parents and e.text] == ["0:20"]


def test_nothing_is_fetched_and_hostile_titles_are_text(read):
    songs = [entry(HOSTILE, Segment(0, 1, HOSTILE, 0.5))._replace(sections=sections(**{HOSTILE: 1.0}))]
    reader = read(index_page(songs, model=HOSTILE))
    assert data(reader)["songs"][0][0] == HOSTILE
    assert data(reader)["letters"] == [HOSTILE]
    assert len(reader.all("script")) == 2
    assert not reader.all("img")
    assert not reader.comments
    linked = [e.attributes[name] for e in reader.elements for name in ("src", "href") if name in e.attributes]
    assert {value for value in linked if not value.startswith(("data:,", "#"))} == set()


def test_the_page_has_landmarks_labels_and_column_headers(read):
    reader = read(index_page([entry()], model=""))
    assert {element.tag for element in reader.elements} >= {"header", "main", "footer", "caption"}
    assert reader.one("form").attributes["role"] == "search"
    assert reader.one("p", id="found").attributes["role"] == "status"
    assert all("label" in element.parents for tag in ("input", "select") for element in reader.all(tag))
    assert len(reader.all("th", scope="col")) == 7
    assert reader.one("div", role="group").attributes["aria-label"] == "Filters"


@pytest.mark.parametrize(("count", "said"), [(1, "1 song"), (5000, "5,000 songs")])
def test_songs_are_counted(read, count, said):
    html = index_page([entry(f"Song {i}") for i in range(count)], model="")
    assert said in [element.text for element in read(html).all("span")]


def test_an_index_of_five_thousand_songs_has_less_than_three_megabytes():
    segments = [Segment(8.0 * i, 8.0 * i + 8, ("Calm", "Energetic")[i % 2], 0.4321) for i in range(30)]
    parts = [SongPart(24.0 * i, 24.0 * i + 24, "ABC"[i % 3], 0.4321) for i in range(10)]
    title = "A song with a title of usual length"
    songs = (SongEntry(f"{title} {i}", f"file-{i:016x}.html", segments, parts, 123.45) for i in range(5000))
    assert len(index_page(songs, model="")) < 3_000_000


def test_a_song_without_segments_is_an_error_with_its_title():
    with pytest.raises(ParameterError, match="A Song has none"):
        index_page([entry(), SongEntry("A Song", "", [])], model="")

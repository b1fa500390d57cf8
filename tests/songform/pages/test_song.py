"""Tests of the page of a song, as a browser without JavaScript shows it."""

from __future__ import annotations

import itertools
import json
import re

import pytest

from songform.pages import Sound, song_page
from songform.structure.context import CONTEXT_COLUMNS, CONTEXT_DESCRIPTIONS
from songform.structure.naming import STATES
from songform.structure.segments import Segment
from songform.structure.silence import SILENCE
from songform.structure.states import StateModel
from songform.time_format import clock

HOSTILE = "</script><!--<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&amp;\u2028${title}"
LANDMARKS = {"header", "main", "footer"}
ATTRIBUTES_THAT_FETCH = {
    "src",
    "href",
    "srcset",
    "poster",
    "data",
    "action",
    "formaction",
    "background",
    "ping",
    "cite",
}


@pytest.fixture(scope="module")
def html(song):
    return song_page(song(), stamp="0123456789ab")


@pytest.fixture(scope="module")
def reader(html, read):
    return read(html)


def data(reader):
    return json.loads(reader.one("script", id="song-data").text)


def references(reader):
    """Return all URLs to which the elements of the page refer."""
    return [
        value
        for element in reader.elements
        for name, value in element.attributes.items()
        if name in ATTRIBUTES_THAT_FETCH
    ]


def words(reader):
    """Return all visible text."""
    return "".join(e.text for e in reader.elements if e.tag not in {"script", "style"})


def test_the_page_fetches_nothing(reader):
    assert {value for value in references(reader) if not value.startswith(("data:", "#"))} == set()
    assert not {"iframe", "object", "embed", "base"} & {element.tag for element in reader.elements}
    styles = "".join(element.text for element in reader.all("style"))
    assert re.findall(r"url\(|@import", styles) == []


def test_the_page_has_landmarks_one_title_and_headings_in_order(reader):
    assert {element.tag for element in reader.elements} >= LANDMARKS
    assert reader.one("html").attributes["lang"] == "en"
    assert reader.one("h1").text == "A Song"
    levels = [int(element.tag[1]) for element in reader.elements if re.fullmatch(r"h\d", element.tag)]
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_every_reference_within_the_page_has_a_unique_target(reader):
    ids = [element.attributes["id"] for element in reader.elements if "id" in element.attributes]
    assert len(ids) == len(set(ids))
    for element in reader.elements:
        for name in ("aria-labelledby", "aria-controls", "aria-describedby", "for", "list"):
            assert set(element.attributes.get(name, "").split()) <= set(ids), element
        if element.attributes.get("href", "").startswith("#"):
            assert element.attributes["href"][1:] in ids


def test_every_control_has_a_name(reader):
    labelled = {"".join(e.text.split()) for e in reader.all("label")}
    for element in reader.elements:
        if element.tag == "button":
            assert element.text.strip() or element.attributes.get("aria-label"), element
        if element.tag in {"input", "select"}:
            assert "label" in element.parents or element.attributes.get("aria-label"), element
    assert "" not in labelled


def test_every_figure_has_a_description(reader):
    plots = reader.all("div", class_="plot")
    assert len(plots) == 8
    assert all(plot.attributes["role"] == "img" and len(plot.attributes["aria-label"]) > 20 for plot in plots)
    energy = reader.one("div", id="plot-energy").attributes["aria-label"]
    assert re.fullmatch(r"Energy over time: lowest at \d:\d\d, highest at \d:\d\d\.", energy)


def test_changes_are_announced_to_screen_readers(reader):
    assert reader.one("p", id="live").attributes["aria-live"] == "polite"
    assert reader.one("p", id="edit-note").attributes["role"] == "status"


def test_the_segments_are_a_table_with_headers_and_a_caption(reader, song):
    assert "table" in reader.one("tbody", id="rows").parents
    assert [e.text for e in reader.all("th", scope="col")] == ["No.", "Start", "End", "Length", "State", "Confidence"]
    segments = song().segments
    assert [e.text for e in reader.all("button", class_="from")] == [clock(segment.start, 1) for segment in segments]
    assert [e.text for e in reader.all("td", class_="label")] == [segment.state for segment in segments]
    assert [e.text for e in reader.all("td", class_="sure")] == [f"{round(100 * s.confidence)} %" for s in segments]
    assert len(reader.all("caption")) == 1 + len(STATES)


def test_each_state_has_a_description_and_a_weak_name_has_a_reason(reader):
    assert [e.text for e in reader.all("h3") if e.attributes["id"].startswith("state-")] == list(STATES)
    (weak,) = reader.all("p", class_="weak")
    assert "not the highest in novelty" in weak.text
    assert len(reader.all("table", class_="profile")) == 5
    profile = [e.text for e in reader.all("td") if re.fullmatch(r"[+\u2212]\d\.\d", e.text)]
    assert len(profile) == 5 * len(CONTEXT_COLUMNS)
    heads = [e for e in reader.all("th", scope="row") if "title" in e.attributes]
    assert [e.attributes["title"] for e in heads] == 5 * list(CONTEXT_DESCRIPTIONS.values())
    assert [e.text for e in heads][:6] == ["Energy", "Rise", "Novelty", "Recurrence", "Variance", "Slope"]
    assert (profile[0], profile[-1]) == ("\u22123.0", "+3.0")


def test_silence_is_listed_after_the_states_and_is_not_counted_in_their_shares(song, read):
    segments = [Segment(0, 30, SILENCE, 1.0), Segment(30, 45, "Calm", 0.25), Segment(45, 60, "Energetic", 0.5)]
    reader = read(song_page(song(segments=segments)))
    assert [state["name"] for state in data(reader)["states"]] == [*STATES, SILENCE]
    assert reader.one("h3", id="silence").text == SILENCE
    found = [e.text for e in reader.all("p", class_="found")]
    assert found[-1] == "0:30 of this song, 1 segment"
    assert [text for text in found[:-1] if "%" in text] == ["50 % of the sound of this song, 1 segment"] * 2
    assert [e.text for e in reader.all("td", class_="label")] == [SILENCE, "Calm", "Energetic"]
    assert len(reader.all("span", class_="swatch tone-5")) == 1
    assert ".tone-5 { --tone: light-dark(" in "".join(element.text for element in reader.all("style"))


def test_a_page_without_silence_does_not_mention_it(reader):
    assert SILENCE not in words(reader)
    assert SILENCE not in " ".join(e.attributes.get("aria-label", "") for e in reader.elements)
    assert SILENCE not in [state["name"] for state in data(reader)["states"]]


def test_a_silent_song_has_a_page(song, read):
    reader = read(song_page(song(n_segments=1, segments=[Segment(0, 60, SILENCE, 1.0)])))
    found = [e.text for e in reader.all("p", class_="found")]
    assert found == ["not in this song"] * 5 + ["1:00 of this song, 1 segment"]


def test_notes_about_the_audio_are_listed_as_text(song, read, reader):
    notes = ("12 ms at 1:23 are missing", HOSTILE)
    shown = read(song_page(song(notes=notes)))
    assert [e.text for e in shown.all("li")] == list(notes)
    assert shown.one("h2", id="audio-notes").text == "About the audio file"
    assert len(shown.all("script")) == 4
    assert not reader.all("h2", id="audio-notes")


def test_the_data_are_those_of_the_song(reader, song):
    found, view = data(reader), song()
    assert found["title"] == "A Song"
    assert found["duration"] == 60
    assert [Segment(s["start"], s["end"], s["label"], s["confidence"]) for s in found["segments"]] == view.segments
    assert [state["name"] for state in found["states"]] == list(STATES)
    assert set(found["figures"]["roots"]) == {e.attributes["id"][5:] for e in reader.all("div", class_="plot")}


def test_hostile_titles_sources_and_states_are_text(song, read):
    states = (HOSTILE, *STATES[1:])
    view = song(title=HOSTILE, source=HOSTILE, model=HOSTILE)
    model = StateModel(**{**vars(view.states), "states": states, "weak": (HOSTILE,) * 5})
    segments = [segment._replace(state=HOSTILE) if segment.state == STATES[0] else segment for segment in view.segments]
    view = song(title=HOSTILE, source=HOSTILE, model=HOSTILE, key=HOSTILE, states=model, segments=segments)
    reader = read(song_page(view))
    assert reader.one("h1").text == HOSTILE
    assert reader.one("title").text.startswith(HOSTILE)
    assert data(reader)["segments"][0]["label"] == HOSTILE
    assert len(reader.all("script")) == 4
    assert not reader.all("img")
    assert not reader.comments
    assert all(not name.startswith("on") for element in reader.elements for name in element.attributes)
    assert words(reader).count("alert(1)") > 10


def test_the_policy_allows_only_embedded_audio_if_audio_is_embedded(reader):
    assert reader.one("audio").attributes["src"] == "data:audio/mpeg;base64,AAAA"
    assert "media-src data:;" in reader.one("meta", http_equiv="Content-Security-Policy").attributes["content"]


def test_audio_beside_the_page_has_a_relative_url_and_is_allowed(song, read):
    reader = read(song_page(song(sound=Sound("file-1.mp3"))))
    assert reader.one("audio").attributes["src"] == "file-1.mp3"
    policy = reader.one("meta", http_equiv="Content-Security-Policy").attributes["content"]
    assert "media-src 'self' file:;" in policy


def test_a_page_without_audio_shows_the_reason(song, read):
    reader = read(song_page(song(sound=Sound(note="The audio was not kept <yet>."))))
    assert not reader.all("audio")
    assert reader.one("p", id="no-sound").text == "The audio was not kept <yet>."


def test_the_same_song_gives_the_same_page(html, song):
    assert song_page(song(), stamp="0123456789ab") == html


@pytest.mark.parametrize(("duration", "n_segments"), [(240, 30), (2 * 3600, 400)], ids=["four minutes", "two hours"])
def test_a_page_without_audio_has_less_than_two_and_a_half_megabytes(song, duration, n_segments):
    assert len(song_page(song(duration, n_segments, sound=Sound(note="-"))).encode()) < 2_500_000


@pytest.mark.parametrize(("duration", "n_segments"), [(0.5, 1), (60, 1)])
def test_a_song_of_one_segment_has_a_page(song, read, duration, n_segments):
    reader = read(song_page(song(duration, n_segments)))
    assert reader.one("span", id="count").text == "1 segment"
    assert "not in this song" in words(reader)

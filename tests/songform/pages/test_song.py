"""Tests of the page of a song, as a browser without JavaScript shows it."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import astuple, replace

import numpy as np
import pytest

from songform.beats.beat_tracking import NO_BEATS, Beats
from songform.pages import Sound, song_page
from songform.pages.form_levels import bar_lines_of
from songform.pages.page_colors import section_tone
from songform.sections.section_finding import Sections, SongPart, _with_facts
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
def page_without_curves():
    """Return a function that makes a page but does not draw its curves, which takes most of the time."""

    def make(view):
        with pytest.MonkeyPatch.context() as patch:
            for name in ("song_figures", "figures_json"):
                patch.setattr(f"songform.pages.song.{name}", lambda *_, **__: {})
            return song_page(view)

    return make


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
    assert "table" in reader.one("tbody", id="rows-states").parents
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


def test_silence_is_listed_after_the_states_and_is_not_counted_in_their_shares(song, read, page_without_curves):
    segments = [Segment(0, 30, SILENCE, 1.0), Segment(30, 45, "Calm", 0.25), Segment(45, 60, "Energetic", 0.5)]
    reader = read(page_without_curves(song(segments=segments)))
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


def test_notes_about_the_audio_are_listed_as_text(song, read, reader, page_without_curves):
    notes = ("12 ms at 1:23 are missing", HOSTILE)
    shown = read(page_without_curves(song(notes=notes)))
    assert [e.text for e in shown.all("li")] == list(notes)
    assert shown.one("h2", id="audio-notes").text == "About the audio file"
    assert len(shown.all("script")) == 4
    assert not reader.all("h2", id="audio-notes")


def test_the_data_are_those_of_the_song(reader, song):
    found, view = data(reader), song()
    (states,) = found["levels"]
    assert found["title"] == "A Song"
    assert found["duration"] == 60
    assert [Segment(s["start"], s["end"], s["label"], s["confidence"]) for s in states["parts"]] == view.segments
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
    assert data(reader)["levels"][0]["parts"][0]["label"] == HOSTILE
    assert len(reader.all("script")) == 4
    assert not reader.all("img")
    assert not reader.comments
    assert all(not name.startswith("on") for element in reader.elements for name in element.attributes)
    assert words(reader).count("alert(1)") > 10


def test_the_policy_allows_only_embedded_audio_if_audio_is_embedded(reader):
    assert reader.one("audio").attributes["src"] == "data:audio/mpeg;base64,AAAA"
    assert "media-src data:;" in reader.one("meta", http_equiv="Content-Security-Policy").attributes["content"]


def test_audio_beside_the_page_has_a_relative_url_and_is_allowed(song, read, page_without_curves):
    reader = read(page_without_curves(song(sound=Sound("file-1.mp3"))))
    assert reader.one("audio").attributes["src"] == "file-1.mp3"
    policy = reader.one("meta", http_equiv="Content-Security-Policy").attributes["content"]
    assert "media-src 'self' file:;" in policy


def test_a_page_without_audio_shows_the_reason(song, read, page_without_curves):
    reader = read(page_without_curves(song(sound=Sound(note="The audio was not kept <yet>."))))
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
    assert reader.one("span", id="count-states").text == "1 segment"
    assert "not in this song" in words(reader)


# --- sections and bars

LETTERS = "ABABC"


@pytest.fixture(scope="module")
def parts():
    """Return the sections of a minute, two phrases in each, and beats at 120 BPM from the first downbeat at 1 s."""
    sections = _with_facts([SongPart(12 * i, 12 * i + 12, x, 0.9 - i / 10) for i, x in enumerate(LETTERS)], rising)
    phrases = [SongPart(6 * i, 6 * i + 6, "ab"[i % 2], 0.5) for i in range(10)]
    beats = Beats(np.arange(1.0, 59.5, 0.5), np.arange(117) % 4 + 1, 120.0, 4, True, 0.9)
    return {"sections": Sections(sections, _with_facts(phrases, rising)), "beats": beats}


def rising(start, end):
    return start + end


@pytest.fixture(scope="module")
def sectioned(song, parts, read, page_without_curves):
    return read(page_without_curves(song(**parts)))


def table(reader, name):
    """Return the text of each cell of the table of a level, by the class of the cell."""
    rows = {}
    inside = itertools.dropwhile(lambda e: e.attributes.get("id") != f"rows-{name}", reader.elements)
    for element in itertools.takewhile(lambda e: e.tag != "section", inside):
        if element.tag in {"td", "th"}:
            rows.setdefault(element.attributes.get("class", ""), []).append(element.text)
    return rows


def test_sections_and_phrases_have_tables_with_what_is_true_of_them(sectioned):
    sections, phrases = table(sectioned, "sections"), table(sectioned, "phrases")
    assert sections["label"] == [*LETTERS]
    assert sections["occurrence"] == ["1 of 2", "1 of 2", "2 of 2", "2 of 2", "1 of 1"]
    assert sections["facts"] == ["first, most repeated", *["most repeated"] * 3, "last, loudest"]
    assert sections["sure"] == ["90 %", "80 %", "70 %", "60 %", "50 %"]
    assert phrases["label"] == [*"ab"] * 5
    assert phrases["occurrence"][-1] == "5 of 5"
    heads = [e.text for e in sectioned.all("th", scope="col")]
    assert heads[:8] == ["No.", "Start", "End", "Length", "Section", "Return", "Notes", "Confidence"]
    assert [e.text for e in sectioned.all("h2") if "tabindex" in e.attributes] == ["Sections", "Phrases", "Segments"]


def test_a_page_with_sections_has_lanes_controls_and_unique_ids(sectioned, song):
    test_every_reference_within_the_page_has_a_unique_target(sectioned)
    test_every_control_has_a_name(sectioned)
    lanes = [e.attributes["id"] for e in sectioned.all("div") if "lane" in e.attributes.get("class", "").split()]
    assert lanes == ["lane-sections", "lane-phrases", "lane-states"]  # the sections are above the states
    assert "hidden" in sectioned.one("div", id="lane-phrases").attributes
    assert [e.text for e in sectioned.all("option") if "value" in e.attributes][-3:] == [
        "States",
        "Sections",
        "Phrases",
    ]
    about = [e.text for e in sectioned.all("span") if e.parents[-1] == "p" and "header" in e.parents]
    assert about[:4] == ["1:00", "120 BPM, 4/4", "5 sections", "9 segments"]


def test_the_data_of_sections_and_bar_lines_are_those_of_the_song(sectioned, parts):
    found = data(sectioned)
    states, sections, phrases = found["levels"]
    assert [(level["noun"], level["loudest"]) for level in found["levels"]] == [
        ("segment", None),
        ("section", 4),
        ("phrase", 9),
    ]
    assert len(states["parts"]) == 9
    for level, name in ((sections, "sections"), (phrases, "phrases")):
        kept = [SongPart(**part) for part in level["parts"]]
        assert [part[:4] for part in map(astuple, kept)] == [
            astuple(part)[:4] for part in getattr(parts["sections"], name)
        ]
    # A bar has 2 s, and the first downbeat is at 1 s.
    assert found["bars"] == {"times": [*range(1, 60, 2)], "n_before": 0}


@pytest.mark.parametrize(
    ("first", "times", "n_before"),
    [(3.0, [1.0, 3.0, 5.0], 1), (0.2, [0.2, 2.2, 4.2], 0), (2.1, [0.1, 2.1, 4.1], 1), (1.75, [0.0, 1.75, 3.75], 1)],
)
def test_bar_lines_are_continued_within_the_song(first, times, n_before):
    beats = Beats(first + np.arange(8) / 2, np.arange(8) % 4 + 1, 120.0, 4, True, 0.9)
    lines = bar_lines_of(beats, 60.0)
    assert lines.times[:3] == times
    assert lines.n_before == n_before
    assert max(lines.times) < 60
    assert np.diff(lines.times).min() > 1.7


def test_letters_have_colors_on_which_text_is_readable(sectioned):
    style = "".join(element.text for element in sectioned.all("style"))
    for name, labels in (("sections", "ABC"), ("phrases", "ab")):
        for i, label in enumerate(labels):
            tone = section_tone(label)
            assert f".{name}-{i} {{ --tone: light-dark({tone.light}, {tone.dark})" in style


@pytest.mark.parametrize("has_beats", [False, True])
def test_a_song_without_sections_says_why_and_has_no_controls_for_them(
    song, parts, read, page_without_curves, has_beats
):
    reason = "the song has no regular beat <so far>"
    beats = parts["beats"] if has_beats else None
    reader = read(page_without_curves(song(sections=Sections(reason=reason), beats=beats)))
    what = "No sections" if has_beats else "No sections and no bar lines"
    assert reader.one("p", id="no-sections").text == f"{what}: {reason}."
    assert len(data(reader)["levels"]) == 1
    ids = {e.attributes.get("id") for e in reader.elements}
    assert not ids & {"letters", "lane-sections", "rows-sections", "edit-level", "show-phrases"}
    assert ("ruler" in ids, "edit-snap" in ids) == (has_beats, has_beats)
    assert "calibrated on songs" not in words(reader)


def test_a_song_whose_beats_were_not_found_has_no_bar_lines_and_no_tempo(song, read, page_without_curves):
    reader = read(page_without_curves(song(sections=Sections(reason="it is too short"), beats=NO_BEATS)))
    assert data(reader)["bars"] == {"times": [], "n_before": 0}
    assert "BPM" not in words(reader)


def test_the_meaning_of_letters_and_of_their_confidence_is_explained(sectioned):
    text = words(sectioned)
    for part in ("same letter sound alike", "not say what a section is", "probability that a person hears a boundary"):
        assert part in text


@pytest.mark.parametrize(
    ("origin", "words"),
    [
        ("shipped", ("the model shipped with songform", "calibrated on composed songs", "may be too high")),
        ("adapted", ("adapted to the songs of a corpus", "calibrated on composed songs", "may be too high")),
        ("people", ("labels that people gave", "calibrated on labeled songs")),
        ("few people", ("labels that people gave", "not calibrated")),
        ("clusters", ("clusters that songform found", "not calibrated")),
    ],
)
def test_the_page_says_where_the_states_come_from_and_what_their_confidence_means(
    song, page_without_curves, origin, words
):
    footer = page_without_curves(song(origin=origin)).rpartition("<footer>")[2]
    assert [word for word in words if word not in footer] == []


def test_hostile_labels_of_sections_are_text(song, read, page_without_curves):
    hostile = (SongPart(0, 30, HOSTILE, 1.0), SongPart(30, 60, "A", 0.5))
    reader = read(page_without_curves(song(sections=Sections(hostile, hostile, ""))))
    assert table(reader, "sections")["label"] == [HOSTILE, "A"]
    assert len(reader.all("script")) == 4
    assert not reader.all("img")


def test_a_mix_of_two_hours_with_many_sections_stays_small(song, page_without_curves):
    """It has 200 sections, 600 phrases and 4,000 bars."""
    sections, phrases = (
        _with_facts([SongPart(7200 / n * i, 7200 / n * (i + 1), f"A{i % 40}", 0.5) for i in range(n)], rising)
        for n in (200, 600)
    )
    beats = Beats(np.arange(0, 7200, 0.45), np.arange(16_000) % 4 + 1, 133.0, 4, True, 0.9)
    plain = song(7200, 400)
    view = replace(plain, sections=Sections(sections, phrases), beats=beats)
    assert len(page_without_curves(view)) - len(page_without_curves(plain)) < 500_000

"""Tests of the page's scripts that need no browser (formatting, colors, edits, exports), which are run by Deno.

Expected values come from the Python code that computes the same values or reads the exported files.
"""

from __future__ import annotations

import json
import math
import subprocess
from itertools import pairwise
from string import ascii_uppercase

import deno
import numpy as np
import pytest

from songform import read_annotation
from songform.pages.form_levels import form_levels
from songform.pages.markup import asset
from songform.pages.page_colors import section_tone, state_tone
from songform.plots.palette import STATE_COLORS
from songform.sections.section_finding import Sections, SongPart, _with_facts
from songform.structure.segments import Segment
from songform.structure.silence import SILENCE
from songform.time_format import clock

DURATION = 60.0
SEGMENTS = [
    {"start": 0.0, "end": 9.5, "label": "Calm", "confidence": 0.43},
    {"start": 9.5, "end": 20.0, "label": "Energetic", "confidence": 0.9},
    {"start": 20.0, "end": 20.15, "label": "Transition", "confidence": 0.5},
    {"start": 20.15, "end": 45.0, "label": "Energetic", "confidence": None},
    {"start": 45.0, "end": DURATION, "label": "Calm", "confidence": 0.7},
]
SECTIONS = [
    {"start": 0.0, "end": 20.0, "label": "A", "confidence": 1.0},
    {"start": 20.0, "end": 30.5, "label": "B", "confidence": 0.4},
    {"start": 30.5, "end": DURATION, "label": "A", "confidence": 0.8},
]
PHRASES = [{"start": 0.0, "end": DURATION, "label": "a", "confidence": 1.0}]
SHORTEST = 0.1  # seconds; the page makes no shorter segment
# Replacement of the parts of the browser that the scripts use: the page's data and the theme.
BROWSER = """
const document = { getElementById: () => ({ textContent: JSON.stringify(DATA) }) };
const theme = { isDark: () => DARK };
"""


@pytest.fixture
def javascript(tmp_path):
    """Return a function that runs some of the page's scripts and evaluates an expression, which may use `given`."""

    def evaluate(*names, expression, given=None, states=(), segments=SEGMENTS, bars=(), is_dark=False):
        levels = [
            {"name": "states", "noun": "segment", "parts": segments, "loudest": None},
            {"name": "sections", "noun": "section", "parts": SECTIONS, "loudest": 1},
            {"name": "phrases", "noun": "phrase", "parts": PHRASES, "loudest": 0},
        ]
        data = {"key": "file-0", "title": "A song", "duration": DURATION, "states": states, "levels": levels}
        data["silence"] = {"name": SILENCE, **state_tone(SILENCE)._asdict()}
        data["letters"] = [{"name": letter, **section_tone(letter)._asdict()} for letter in "ABCDEFGHIJKLMN"]
        data["bars"] = {"times": list(bars), "n_before": 1}
        browser = BROWSER.replace("DATA", json.dumps(data)).replace("DARK", json.dumps(is_dark))
        scripts = "\n".join(asset(name) for name in names)
        program = (
            f"{browser}\n{scripts}\nconst given = {json.dumps(given)};\nconsole.log(JSON.stringify({expression}));"
        )
        command = [
            deno.find_deno_bin(),
            "run",
            "--quiet",
            "--no-config",
            "--no-lock",
            "--no-remote",
            "--no-prompt",
            "-",
        ]
        environment = {"DENO_DIR": str(tmp_path), "DENO_NO_UPDATE_CHECK": "1", "NO_COLOR": "1"}
        run = subprocess.run(command, input=program, env=environment, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
        return json.loads(run.stdout)

    return evaluate


def random_segments(rng):
    edges = np.r_[0.0, np.unique(rng.uniform(1, DURATION - 1, rng.integers(1, 12)).round(3)), DURATION]
    return [
        {"start": start, "end": end, "label": f"label {rng.integers(3)}", "confidence": round(rng.uniform(), 3)}
        for start, end in pairwise(edges.tolist())
    ]


def assert_partition(segments, *, of=DURATION):
    assert segments[0]["start"] == 0
    assert segments[-1]["end"] == of
    assert all(before["end"] == after["start"] for before, after in pairwise(segments))
    assert all(segment["end"] > segment["start"] for segment in segments)


def test_clock_agrees_with_python(javascript):
    times = [0, 0.04, 0.06, 9.96, 59.94, 59.96, 61.46, 599.9, 3599.94, 3599.96, 3600, 7325.7, 86399.99]
    assert javascript("words.js", expression="given.map((t) => words.clock(t))", given=times) == [
        clock(time, 1) for time in times
    ]
    assert javascript("words.js", expression="given.map((t) => words.clock(t, false))", given=times) == [
        clock(time) for time in times
    ]


def test_numbers_in_words(javascript):
    expression = "[words.percent(0.625), words.percent(null), words.counted(1, 'x'), words.counted(1250, 'x')]"
    assert javascript("words.js", expression=expression) == ["63 %", "by hand", "1 x", "1,250 xs"]
    expression = "[2, 3].map((number) => words.part(levels.states, number))"
    spoken = javascript("signals.js", "levels.js", "words.js", expression=expression)
    assert all(part in spoken[0] for part in ("Transition", "0:20 to 0:20", "50 percent"))
    assert all(part in spoken[1] for part in ("Energetic", "0:20 to 0:45", "by hand"))


@pytest.mark.parametrize("is_dark", [False, True])
def test_label_has_the_color_of_the_pictures(javascript, is_dark):
    states = [{"name": state, **state_tone(state)._asdict()} for state in STATE_COLORS]
    own = [SILENCE, "Chorus", "état 3", "鼓", "a & b", ""]
    got = javascript(
        *("signals.js", "levels.js", "labels.js"),
        expression="given.map((label) => labels.color(label, levels.states))",
        given=[*STATE_COLORS, *own],
        states=states,
        is_dark=is_dark,
    )
    of_states = [state_tone(state).dark if is_dark else state_tone(state).light for state in STATE_COLORS]
    assert got[: len(states)] == of_states
    assert [color.upper() for color in got[len(states) :]] == [state_tone(label).light for label in own]


def test_text_on_a_label_is_as_readable_as_python_computes(javascript):
    labels = [f"label {number}" for number in range(40)]
    expression = """given.map((label) => {
        const element = { style: { setProperty(name, value) { this[name] = value; } } };
        labels.applyColors(element, label, levels.states);
        return element.style["--on-tone"];
    })"""
    inks = javascript("signals.js", "levels.js", "labels.js", expression=expression, given=labels)
    tones = [state_tone(label) for label in labels]
    assert [ink.upper() for ink in inks] == [f"LIGHT-DARK({tone.light_ink}, {tone.light_ink})" for tone in tones]
    assert len({tone.light_ink for tone in tones}) == 2


@pytest.mark.parametrize("is_dark", [False, True])
def test_letter_has_the_color_of_the_pictures(javascript, is_dark):
    """Phrases have the colors of the sections' letters; letters after N and other labels are computed."""
    names = [*"ABNOZ", "A1", "Z12", *"anz", "a1", "Chorus", "état 3", "鼓", "AB", "A12345", ""]
    expression = "given.map((label) => labels.color(label, levels.named('phrases')))"
    got = javascript("signals.js", "levels.js", "labels.js", expression=expression, given=names, is_dark=is_dark)
    tones = map(section_tone, names)
    assert [color.upper() for color in got] == [tone.dark if is_dark else tone.light for tone in tones]


def test_segment_at_a_time(javascript):
    times = np.r_[np.linspace(0, DURATION, 200), 9.5, 20.0, 20.15].tolist()
    got = javascript("signals.js", "levels.js", expression="given.map((time) => levels.states.at(time))", given=times)
    starts = [segment["start"] for segment in SEGMENTS]
    assert got == (np.searchsorted(starts, np.array(times) + 1e-6, side="right") - 1).tolist()


def test_facts_of_sections_are_those_of_python(javascript):
    rng = np.random.default_rng(1)
    cases = ["A", "AB", "ABA", "ABAB", *("".join(rng.choice([*"ABCD"], 12)) for _ in range(20))]
    expression = """given.map((labels) => {
        const parts = [...labels].map((label, i) => ({ start: i, end: i + 1, label, confidence: 1 }));
        const level = new Level({ name: "sections", noun: "section", parts, loudest: 0 });
        return parts.map((_, number) => Object.values(level.facts(number)));
    })"""
    got = javascript("signals.js", "levels.js", expression=expression, given=cases)
    for labels, facts in zip(cases, got, strict=True):
        parts = _with_facts([SongPart(i, i + 1, label, 1.0) for i, label in enumerate(labels)], lambda start, _: -start)
        (_, level, _) = form_levels([Segment(0, 1, "Calm", 1.0)], ["Calm"], Sections(parts, parts))
        assert facts == [[part.occurrence, part.facts] for part in level.parts]


def test_loudest_section_is_not_known_after_a_boundary_was_moved(javascript):
    expression = """[0, 1, 2].map((change) => {
        const level = levels.named("sections");
        level.parts = level.found;
        if (change === 1) level.parts = edits.labelled(level.parts, 0, "X");
        if (change === 2) level.parts = edits.moved(level.parts, 1, 19);
        return level.facts(1).words;
    })"""
    got = javascript("signals.js", "levels.js", "edits.js", expression=expression)
    assert got == ["loudest", "loudest", ""]


def test_name_of_a_section_has_its_number_among_its_returns_and_its_times(javascript):
    expression = "[0, 1, 2].map((number) => words.part(levels.named('sections'), number))"
    assert javascript("signals.js", "levels.js", "words.js", expression=expression) == [
        *("Section A, 1 of 2, 0:00 to 0:20", "Section B, 1 of 1, 0:20 to 0:31", "Section A, 2 of 2, 0:31 to 1:00"),
    ]


def test_next_letter_is_the_first_unused_one(javascript):
    used = ["", "A", "AC", ascii_uppercase, "a", f"{ascii_uppercase}Z"]
    expression = "given.map((used) => [nextLetter([...used], false), nextLetter([...used], true)])"
    got = javascript("signals.js", "levels.js", expression=expression, given=used)
    assert got == [["A", "a"], ["B", "a"], ["B", "a"], ["A1", "a"], ["A", "b"], ["A1", "a"]]


# --- bar lines

BARS = [0.5, 2.5, 4.5, 6.6, 8.5]  # the first one is before the first downbeat


def test_nearest_bar_line_is_within_the_bounds(javascript):
    given = [[0, 0, 60], [3.4, 0, 60], [3.6, 0, 60], [59, 0, 60], [3.6, 0, 4.4], [3.6, 2.6, 4.4], [4.5, 4.5, 4.5]]
    got = javascript("signals.js", "bars.js", expression="given.map((g) => bars.nearest(...g))", given=given, bars=BARS)
    assert got == [0.5, 2.5, 4.5, 8.5, 2.5, 3.6, 4.5]
    assert javascript("signals.js", "bars.js", expression="[bars.nearest(3), bars.next(3, 1)]") == [3, 3]


def test_number_of_the_bar_and_neighboring_lines(javascript):
    times = [0, 0.5, 2.49, 2.5, 4.4, 8.5, 50]
    expression = "given.map((t) => [bars.numberAt(t), bars.next(t, -1), bars.next(t, 1)])"
    got = javascript("signals.js", "bars.js", expression=expression, given=times, bars=BARS)
    numbers = [None, None, None, 1, 1, 4, 4]
    before = [0, 0.5, 0.5, 0.5, 2.5, 6.6, 8.5]
    after = [0.5, 2.5, 2.5, 4.5, 4.5, 8.5, 50]
    assert got == [list(row) for row in zip(numbers, before, after, strict=True)]
    spans = [[0, 60], [0.5, 4.5], [2.505, 6.6], [2.5, 2.5]]
    got = javascript("signals.js", "bars.js", expression="given.map((g) => bars.between(...g))", given=spans, bars=BARS)
    assert got == [5, 2, 2, 0]


@pytest.mark.parametrize("n_bars", [2, 80, 5000])
def test_only_visible_bar_lines_are_drawn_and_numbers_have_room(javascript, n_bars):
    """Numbers are a power of two apart, from bar 1; lines are drawn only where bars are wide enough."""
    bars = np.arange(n_bars + 1) * 2.0
    views = [[start, start + length, 1000] for start in (0, 31, 2 * n_bars - 8) for length in (7, 60, 400, 10_000)]
    expression = "given.map((g) => bars.visible(...g))"
    shown = javascript("signals.js", "bars.js", expression=expression, given=views, bars=bars.tolist())
    for (start, end, width), lines in zip(views, shown, strict=True):
        pixels = 2 * width / (end - start)
        inside = [time for time in bars if start <= time <= end]
        assert len(lines) <= width / 24 + 1
        assert all(line["isLine"] == (pixels >= 24) for line in lines)
        if pixels >= 24:
            assert [line["time"] for line in lines] == inside
        numbers = [line["number"] for line in lines if line["number"]]
        assert all(line["number"] == line["time"] / 2 for line in lines if line["number"])  # bar 1 begins at 2 s
        apart = {after - before for before, after in pairwise(numbers)}
        assert all(distance * pixels >= 36 and math.log2(distance).is_integer() for distance in apart)
        assert all((number - 1) % distance == 0 for distance in apart for number in numbers)


# --- edits


def test_moved_boundary_stays_between_its_neighbours(javascript):
    given = [[1, 12.3456], [1, -5], [1, 99], [2, 0], [3, 20.02], [4, 45]]
    moved = javascript(
        "edits.js", expression="given[1].map(([n, t]) => edits.moved(given[0], n, t))", given=[SEGMENTS, given]
    )
    cuts = [segments[number]["start"] for segments, (number, _) in zip(moved, given, strict=True)]
    # Each neighbor keeps at least 0.1 s, or less if it is short itself.
    assert cuts == [12.346, 0.1, 19.9, 9.6, 20.1, 45.0]
    for segments in moved:
        assert_partition(segments)
        assert [segment["label"] for segment in segments] == [segment["label"] for segment in SEGMENTS]


def test_split_is_rejected_if_a_part_would_be_too_short(javascript):
    times = [9.7, 9.59, 19.95, 9.601, 15.12345]
    expression = "given[1].map((t) => edits.split(given[0], 1, t))"
    split = javascript("edits.js", expression=expression, given=[SEGMENTS, times])
    assert [segments is None for segments in split] == [False, True, True, False, False]
    for segments, cut in zip(split, [9.7, None, None, 9.601, 15.123], strict=True):
        if segments is not None:
            assert_partition(segments)
            assert segments[1:3] == [{**SEGMENTS[1], "end": cut}, {**SEGMENTS[1], "start": cut}]


def test_merged_segments_have_a_confidence_only_if_their_labels_are_equal(javascript):
    alike = [{**SEGMENTS[0], "label": "Energetic"}, SEGMENTS[1]]
    merge = "edits.merged(given, {number}, 'Verse')"
    (whole,) = javascript("edits.js", expression=merge.format(number=0), given=alike)
    expected = (0.43 * 9.5 + 0.9 * 10.5) / 20
    assert whole == {"start": 0.0, "end": 20.0, "label": "Verse", "confidence": pytest.approx(expected)}
    merged = javascript("edits.js", expression=merge.format(number=2), given=SEGMENTS)
    assert merged[2] == {"start": 20.0, "end": 45.0, "label": "Verse", "confidence": None}
    assert merged[:2] + merged[3:] == [*SEGMENTS[:2], SEGMENTS[4]]


def test_label_set_by_hand_is_one_line_without_confidence(javascript):
    texts = ["  Verse\t1\n", "Calm", "   ", "x" * 100, "a\u2028b\u0000c"]
    expression = "given[1].map((text) => edits.labelled(given[0], 0, text))"
    labelled = javascript("edits.js", expression=expression, given=[SEGMENTS, texts])
    got = [(segments[0]["label"], segments[0]["confidence"]) for segments in labelled]
    assert got == [("Verse 1", None), ("Calm", 0.43), ("Calm", 0.43), ("x" * 80, None), ("a b c", None)]
    assert all(segments[1:] == SEGMENTS[1:] for segments in labelled)


def test_segments_have_no_gaps_or_overlaps_after_random_edits(javascript):
    rng = np.random.default_rng(4)
    cases = []
    for _ in range(50):
        segments = random_segments(rng)
        orders = [
            [str(rng.choice(["moved", "split", "merged", "labelled"])), rng.uniform(), rng.uniform(-5, DURATION + 5)]
            for _ in range(30)
        ]
        cases.append([segments, orders])
    expression = """given.map(([segments, orders]) => orders.map(([name, place, time]) => {
        const number = Math.floor(place * segments.length);
        let edited = segments;
        if (name === "moved" && number > 0) edited = edits.moved(segments, number, time);
        if (name === "split") edited = edits.split(segments, number, time) || segments;
        if (name === "merged" && number + 1 < segments.length) edited = edits.merged(segments, number, "joined");
        if (name === "labelled") edited = edits.labelled(segments, number, `label ${time}`);
        segments = edited;
        return segments;
    }))"""
    histories = javascript("edits.js", expression=expression, given=cases)
    assert sum(before != after for history in histories for before, after in pairwise(history)) > 500
    for (first, _), history in zip(cases, histories, strict=True):
        shortest = min(SHORTEST, min(segment["end"] - segment["start"] for segment in first) / 2)
        for segments in history:
            assert_partition(segments)
            assert min(segment["end"] - segment["start"] for segment in segments) > shortest / 2


@pytest.mark.parametrize("suffix", [".lab", ".jams"])
def test_export_is_read_back(javascript, tmp_path, suffix):
    labelled = [{**SEGMENTS[0], "label": 'état "3" <b>'}, *SEGMENTS[1:]]
    expression = f"exporting{suffix}(levels.states.parts)"
    path = tmp_path / f"song{suffix}"
    path.write_text(
        javascript(*("signals.js", "levels.js", "exports.js"), expression=expression, segments=labelled),
        encoding="utf-8",
    )
    found = read_annotation(path)  # which checks a .jams file against the schema
    assert found.labels == tuple(segment["label"] for segment in labelled)
    np.testing.assert_allclose(found.intervals, [[segment["start"], segment["end"]] for segment in labelled])
    if suffix == ".jams":
        sure = [np.nan if segment["confidence"] is None else segment["confidence"] for segment in labelled]
        np.testing.assert_array_equal(found.confidences, sure)
        assert (found.title, found.duration) == ("A song", DURATION)

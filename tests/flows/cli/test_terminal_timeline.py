from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from flows.cli.terminal_timeline import beat_text, legend, section_lines, segment_table, timeline
from songform.plots.palette import state_color
from songform.structure.naming import STATES


def report(*lengths, states=STATES):
    """Return a report with segments of the given lengths, in seconds."""
    ends = [sum(lengths[: n + 1]) for n in range(len(lengths))]
    segments = [
        {"start": end - length, "end": end, "state": states[n % len(states)], "confidence": 0.5}
        for n, (end, length) in enumerate(zip(ends, lengths, strict=True))
    ]
    return {"segments": segments}


def with_sections(*lengths, labels="ABCDEFGHIJKLMNOPQRSTUVWXYZ"):
    """Return a report with sections of the given lengths, in seconds."""
    ends = [sum(lengths[: n + 1]) for n in range(len(lengths))]
    names = [labels[n % len(labels)] for n in range(len(lengths))]
    sections = [
        {"start": end - length, "end": end, "label": label, "occurrences": names.count(label)}
        for end, length, label in zip(ends, lengths, names, strict=True)
    ]
    return {"sections": sections}


@given(st.lists(st.floats(0.1, 600), min_size=1, max_size=60), st.integers(1, 200))
def test_sections_are_as_wide_as_the_timeline_and_each_start_is_above_its_letter(lengths, width):
    times, letters = section_lines(with_sections(*lengths), width=width)
    assert len(letters.plain) == width
    assert len(times.plain) <= width
    for found in re.finditer(r"\S+", times.plain):
        assert letters.plain[found.start()].isupper()


def test_letters_and_times_are_where_the_sections_begin():
    times, letters = section_lines(with_sections(10, 2, 20, 8, labels="ABAC"), width=40, rule="-")
    assert times.plain == "0:00      0:10                  0:32"  # there is no room for 0:12
    assert letters.plain == "A-------- B A------------------ C-------"


def test_sections_line_up_with_the_segments_below_them():
    lengths = (17, 3, 0.2, 40, 0.1, 9)
    _, letters = section_lines(with_sections(*lengths), width=50)
    states = timeline(report(*lengths), width=50)
    starts = [column for column, letter in enumerate(letters.plain) if letter.isupper()]
    assert starts == [span.start for span in states.spans]


def test_only_letters_that_return_have_a_color_and_equal_letters_have_the_same_one():
    _, letters = section_lines(with_sections(10, 10, 10, 10, 10, labels="ABACB"), width=50)
    styles = [span.style for span in letters.spans if str(span.style).startswith("bold")]
    assert styles[0] == styles[2] != styles[1] == styles[4]
    assert styles[3] == "bold default"


def test_more_sections_than_columns_fill_the_line():
    times, letters = section_lines(with_sections(*[1] * 30), width=10)
    assert letters.plain == "ABCDEFGHIJ"
    assert times.plain == "0:00 0:05"


@pytest.mark.parametrize(
    ("beats", "text"),
    [
        (None, ""),
        ({"tempo": None, "metre": None, "is_metre_sure": False}, ""),
        ({"tempo": 119.6, "metre": 3, "is_metre_sure": True}, "120 BPM, 3/4"),
        ({"tempo": 90.0, "metre": 4, "is_metre_sure": False}, "90 BPM, 4/4 (unsure)"),
    ],
)
def test_tempo_and_metre_are_named(beats, text):
    assert beat_text({"beats": beats}) == text


@given(st.lists(st.floats(0.1, 600), min_size=1, max_size=60), st.integers(1, 200))
def test_timeline_has_the_given_width(lengths, width):
    assert len(timeline(report(*lengths), width=width).plain) == width


def test_segment_width_is_proportional_and_begins_with_the_name_or_its_letter():
    line = timeline(report(10, 2, 8), width=40)
    assert line.plain == "Calm".ljust(20) + "B".ljust(4) + "Energetic".ljust(16)
    assert [(span.start, span.end) for span in line.spans] == [(0, 20), (20, 24), (24, 40)]
    for span, state in zip(line.spans, STATES, strict=False):
        assert span.style.endswith(f"on {state_color(state)}")


def test_segment_shorter_than_a_column_is_still_visible():
    assert timeline(report(100, 0.1, 100), width=20).plain.count("B") == 1


@pytest.mark.parametrize("state", [*STATES, "State 6"])
def test_letters_are_readable_on_the_colour_of_every_state(state):
    """The contrast ratio of WCAG 2 is at least 3."""
    color = state_color(state)
    ink, _, ground = timeline(report(1, states=[state]), width=1).spans[0].style.partition(" on ")
    assert ground == color

    def luminance(code):
        parts = [int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted([luminance(color), {"black": 0.0, "white": 1.0}[ink]])
    assert (high + 0.05) / (low + 0.05) >= 3


def test_segment_table_shows_minutes_and_tenths_of_seconds():
    console = Console(width=60, record=True, file=None)
    with console.capture() as capture:
        console.print(segment_table(report(59.96, 65.4)))
    rows = [line.split() for line in capture.get().splitlines()]
    assert rows == [
        ["start", "end", "state", "confidence"],
        ["0:00.0", "1:00.0", "Calm", "0.50"],
        ["1:00.0", "2:05.4", "BuildUp", "0.50"],
    ]


def test_legend_shows_each_state_in_its_colour():
    document = {"model": {"states": ["Calm", "Energetic"]}, "segments": [{"state": "Calm"}]}
    line = legend([document, document])
    assert line.plain.split() == ["Calm", "Energetic"]
    silent = {**document, "segments": [{"state": "Silence"}]}
    assert legend([document, silent]).plain.split() == ["Calm", "Energetic", "Silence"]

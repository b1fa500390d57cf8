from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from flows.cli.terminal_timeline import legend, segment_table, timeline
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

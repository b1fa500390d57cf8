"""Rows of the table of segments, and the label of the section that has most of a segment."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from songform.output.segment_table import LAYOUT, label_at, segment_rows

FEATURES = pd.DataFrame(
    {"rms": [0.0, 2.0, 4.0, 6.0], "zcr": [1.0, 3.0, 5.0, 7.0]}, index=pd.Index([0.0, 0.5, 1.0, 1.5], name="time_s")
)


def parts(*edges, labels="ABCDEFGHIJ"):
    return [{"start": a, "end": b, "label": label} for (a, b), label in zip(pairwise(edges), labels, strict=False)]


def report(**more):
    segments = [
        {"start": 0.0, "end": 1.0, "state": "Calm", "confidence": 0.5},
        {"start": 1.0, "end": 2.0, "state": "Energetic", "confidence": 0.5},
    ]
    track = {"key": "a", "title": "A", "source": "x", "duration": 2.0}
    return {"track": track, "model": {"id": "own"}, "segments": segments, "sections": [], "phrases": []} | more


def test_row_has_the_segment_its_section_and_phrase_and_the_means_of_its_frames():
    found = report(sections=parts(0, 1.4, 2), phrases=parts(0, 0.4, 1.4, 2, labels="xyz"))
    table = segment_rows(found, FEATURES)
    assert table.schema.names == [*LAYOUT.facts.names, "rms", "zcr"]
    assert table.to_pylist()[0] == {
        "track": "a",
        "title": "A",
        "start": 0.0,
        "end": 1.0,
        "state": "Calm",
        "confidence": 0.5,
        "model": "own",
        "section": "A",
        "phrase": "y",
        "rms": 1.0,
        "zcr": 2.0,
    }
    assert (table.column("section").to_pylist(), table.column("phrase").to_pylist()) == (["A", "B"], ["y", "z"])


def test_section_and_phrase_are_null_in_a_song_without_sections():
    table = segment_rows(report(), FEATURES)
    assert (table.column("section").to_pylist(), table.column("phrase").to_pylist()) == ([None] * 2, [None] * 2)


@given(
    st.lists(st.integers(1, 99), unique=True, max_size=9).map(sorted),
    st.integers(0, 99),
    st.integers(1, 100),
)
def test_label_is_that_of_the_part_with_the_largest_overlap(inner, start, length):
    """The overlaps are counted on a grid of seconds."""
    end = min(start + length, 100)
    found = parts(0, *inner, 100)
    owner = np.searchsorted([part["start"] for part in found], np.arange(start, end), side="right") - 1
    assert label_at(found, start, end) == found[np.bincount(owner).argmax()]["label"]


@pytest.mark.parametrize("sections", [(), []])
def test_there_is_no_label_without_parts(sections):
    assert label_at(sections, 0.0, 1.0) is None

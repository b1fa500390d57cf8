"""Rows of the table of sections."""

from __future__ import annotations

import pandas as pd

from songform.output.section_table import LAYOUT, section_rows

FEATURES = pd.DataFrame({"rms": [0.0, 2.0, 4.0, 6.0]}, index=pd.Index([0.0, 0.5, 1.0, 1.5], name="time_s"))


def part(start, end, label, **more):
    facts = {"confidence": 0.5, "occurrence": 1, "occurrences": 1, "is_most_repeated": False, "is_loudest": False}
    return {"start": start, "end": end, "label": label, **facts, **more}


REPORT = {
    "track": {"key": "k", "title": "T"},
    "sections": [part(0.0, 2.0, "A", is_loudest=True)],
    "phrases": [part(0.0, 1.0, "a"), part(1.0, 2.0, "b", confidence=0.25)],
    "beats": {"tempo": 120.5, "metre": 3, "is_metre_sure": True, "confidence": 0.9, "path": "x"},
}


def test_each_section_and_each_phrase_is_a_row():
    table = section_rows(REPORT, FEATURES)
    assert table.schema.names == [*LAYOUT.facts.names, "rms"]
    assert table.select(["level", "start", "end", "label", "confidence", "rms"]).to_pylist() == [
        {"level": "section", "start": 0.0, "end": 2.0, "label": "A", "confidence": 0.5, "rms": 3.0},
        {"level": "phrase", "start": 0.0, "end": 1.0, "label": "a", "confidence": 0.5, "rms": 1.0},
        {"level": "phrase", "start": 1.0, "end": 2.0, "label": "b", "confidence": 0.25, "rms": 5.0},
    ]
    shared = {"track": "k", "title": "T", "tempo": 120.5, "metre": 3}
    assert all(row.items() >= shared.items() for row in table.to_pylist())
    assert table.column("is_loudest").to_pylist() == [True, False, False]


def test_song_without_sections_has_no_row():
    assert section_rows({**REPORT, "sections": [], "phrases": [], "beats": None}, FEATURES).num_rows == 0

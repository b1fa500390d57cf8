"""Table of beats: round trip, and tables that are not tables of beats."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from songform.beats.beat_tracking import BEATS_SCHEMA, NO_BEATS, Beats
from songform.errors import ParameterError

BEATS = Beats(np.array([0.5, 1.0, 1.5, 2.0]), np.array([3, 1, 2, 3]), 120.0, 3, is_metre_sure=True, confidence=0.75)


@given(
    st.lists(st.floats(0, 1e4), min_size=1, unique=True).map(sorted),
    st.floats(30, 300),
    st.sampled_from([3, 4]),
    st.booleans(),
    st.floats(0, 1),
)
def test_beats_round_trip(times, tempo, metre, is_sure, confidence):
    positions = np.arange(len(times)) % metre + 1
    found = Beats.from_table(
        Beats(np.array(times), positions, tempo, metre, is_metre_sure=is_sure, confidence=confidence).to_table()
    )
    assert found.times.tolist() == times
    assert found.positions.tolist() == positions.tolist()
    assert (found.tempo, found.metre, found.is_metre_sure, found.confidence) == (tempo, metre, is_sure, confidence)


def test_beats_of_a_song_without_beats_round_trip():
    table = NO_BEATS.to_table()
    assert (table.schema, table.num_rows) == (BEATS_SCHEMA, 0)
    found = Beats.from_table(table)
    assert (found.times.tolist(), found.tempo, found.metre, found.confidence) == ([], None, None, 0)


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"tempo": None}, "no column tempo"),
        ({"position": pa.array([1.0, 2.0, 3.0, 4.0])}, "other types"),
        ({"time_s": pa.array([0.5, 0.5, 1.0, 1.5])}, "do not increase"),
        ({"time_s": pa.array([0.5, np.nan, 1.0, 1.5])}, "do not increase"),
        ({"position": pa.array([0, 1, 2, 3], pa.int8())}, "not positive"),
        ({"position": pa.array([1, None, 3, 4], pa.int8())}, "missing"),
        ({"tempo": pa.array([None, 1.0, 1.0, 1.0])}, "missing"),
    ],
)
def test_table_of_something_else_raises_one_sentence(columns, reason):
    whole = {name: BEATS.to_table().column(name) for name in BEATS_SCHEMA.names} | columns
    table = pa.table({name: column for name, column in whole.items() if column is not None})
    with pytest.raises(ParameterError, match=f"^this is not a table of beats; .*{reason}"):
        Beats.from_table(table)

"""Rows of tables with several rows per song: means per segment, and replacement of the rows of single songs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from songform.errors import ParameterError
from songform.output.song_rows import Layout, fact_rows, replaced_rows, segment_means

LAYOUT = Layout(
    pa.schema(
        [
            pa.field("track", pa.string(), nullable=False),
            pa.field("level", pa.string(), nullable=False),
            pa.field("start", pa.float64(), nullable=False),
            pa.field("label", pa.string()),
        ]
    ),
    order=(("track", "ascending"), ("level", "descending"), ("start", "ascending")),
    later=frozenset({"label"}),
)


def frames(n, columns=("rms", "zcr"), step=0.5):
    values = np.arange(n * len(columns), dtype=np.float32).reshape(n, len(columns))
    return pd.DataFrame(values, columns=list(columns), index=pd.Index(np.arange(n) * step, name="time_s"))


def rows(key, *parts, columns=("rms", "zcr")):
    """Return the rows of a song of 2 s; a part is a level, a start and a label."""
    named = [dict(zip(("level", "start", "label"), part, strict=True)) for part in parts or [("a", 0.0, "A")]]
    return fact_rows(named, {"track": key}, frames(4, columns), LAYOUT)


def replaced(table, *songs):
    return replaced_rows(table, {str(song.column("track")[0]): song for song in songs}, LAYOUT)


def test_row_has_the_facts_and_the_means_of_its_frames():
    table = rows("a", ("x", 0.0, "A"), ("x", 1.0, "B"))
    assert table.schema.names == [*LAYOUT.facts.names, "rms", "zcr"]
    assert table.to_pylist() == [
        {"track": "a", "level": "x", "start": 0.0, "label": "A", "rms": 1.0, "zcr": 2.0},
        {"track": "a", "level": "x", "start": 1.0, "label": "B", "rms": 5.0, "zcr": 6.0},
    ]


@given(st.integers(1, 40), st.lists(st.floats(0.1, 19), max_size=6, unique=True))
def test_weighted_means_of_segments_equal_the_means_of_the_song(n, inner):
    starts = np.array([0.0, *sorted(inner)])
    times, values = np.arange(n) * 0.5, np.random.default_rng(n).standard_normal((n, 3))
    means = segment_means(starts, times, values)
    counts = [
        ((start <= times) & (times < end)).sum() for start, end in zip(starts, [*starts[1:], np.inf], strict=True)
    ]
    assert np.allclose((means * np.array(counts)[:, None]).sum(axis=0) / n, values.mean(axis=0))


def test_segment_without_a_frame_has_the_values_of_the_next_frame():
    means = segment_means(np.array([0.0, 0.6, 0.7, 5.0]), np.array([0.0, 0.5, 1.0]), np.array([[1.0], [3.0], [7.0]]))
    assert means.ravel().tolist() == [2.0, 7.0, 7.0, 7.0]


@pytest.mark.parametrize(("starts", "times"), [([], [0.0]), ([0.0], [])])
def test_means_without_segments_or_frames_are_rejected(starts, times):
    facts = f"at least one segment and one frame, not from {len(starts)} segments and {len(times)} frames"
    with pytest.raises(ParameterError, match=facts):
        segment_means(np.array(starts), np.array(times), np.zeros((len(times), 2)))


def test_rows_of_a_song_are_replaced_and_others_are_kept():
    first = replaced(None, rows("b"), rows("a"), rows("c"))
    assert first.column("track").to_pylist() == ["a", "b", "c"]
    second = replaced(first, rows("b", ("a", 0.0, "X"), ("a", 1.0, "Y")), rows("d"))
    assert second.column("track").to_pylist() == ["a", "b", "b", "c", "d"]
    assert second.column("label").to_pylist() == ["A", "X", "Y", "A", "A"]
    assert second.slice(0, 1).equals(first.slice(0, 1))


def test_song_without_rows_loses_those_of_its_earlier_analysis():
    table = replaced(None, rows("a"), rows("b"))
    left = replaced_rows(table, {"a": LAYOUT.facts.empty_table()}, LAYOUT)
    assert left.column("track").to_pylist() == ["b"]
    assert replaced_rows(left, {"b": LAYOUT.facts.empty_table()}, LAYOUT).num_rows == 0


def test_rows_are_sorted_in_the_order_of_the_layout():
    table = replaced(None, rows("b", ("phrase", 0.0, "a"), ("phrase", 1.0, "b")), rows("a"))
    table = replaced_rows(table, {"c": rows("c", ("section", 0.0, "A"), ("section", 1.0, "B"))}, LAYOUT)
    mixed = pa.concat_tables([rows("d", ("phrase", 0.0, "a")), rows("d", ("section", 0.0, "A"))])
    order = replaced_rows(table, {"d": mixed}, LAYOUT).select(["track", "level", "start"]).to_pylist()
    assert [(row["track"], row["level"], row["start"]) for row in order] == [
        ("a", "a", 0.0),
        ("b", "phrase", 0.0),
        ("b", "phrase", 1.0),
        ("c", "section", 0.0),
        ("c", "section", 1.0),
        ("d", "section", 0.0),
        ("d", "phrase", 0.0),
    ]


def test_replacing_rows_by_equal_rows_changes_nothing():
    table = replaced(None, rows("a"), rows("b"))
    assert replaced(table, rows("b")).equals(table)
    assert replaced(table).equals(table)


def test_missing_features_of_a_song_are_null():
    table = replaced(replaced(None, rows("a")), rows("b", columns=("rms", "mfcc_20"))).to_pandas()
    assert table.zcr.isna().tolist() == [False, True]
    assert table.mfcc_20.isna().tolist() == [True, False]


def test_table_of_an_earlier_version_gets_its_missing_columns_before_the_features():
    """Other songs have null there, until they are analyzed again."""
    table = replaced(None, rows("a"), rows("b"))
    earlier = table.drop_columns(["label"])
    found = replaced(LAYOUT.checked(earlier), rows("b"))
    assert found.schema.names == table.schema.names
    assert found.column("label").to_pylist() == [None, "A"]
    assert found.drop_columns(["label"]).equals(earlier)


def test_table_that_another_program_rewrote_keeps_its_rows():
    """For example, pandas writes other types of strings, and nullable columns."""
    table = replaced(None, rows("a"), rows("b"))
    types = {"track": pa.large_string(), "label": pa.dictionary(pa.int32(), pa.string()), "rms": pa.float64()}
    columns = {name: table.column(name).cast(types.get(name, table.field(name).type)) for name in table.column_names}
    found = replaced(LAYOUT.checked(pa.table(columns)), rows("b"), rows("c"))
    assert found.select(LAYOUT.facts.names).schema.equals(LAYOUT.facts)
    assert found.to_pylist() == replaced(table, rows("b"), rows("c")).to_pylist()


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"level": None}, "it has no column level"),
        ({"start": pa.array(["early"])}, "its column start has the type string instead of double"),
        ({"start": pa.array([None], pa.float64())}, "its column start has missing values"),
    ],
)
def test_table_of_something_else_is_refused(columns, reason):
    whole = {name: replaced(None, rows("a")).column(name) for name in LAYOUT.facts.names} | columns
    table = pa.table({name: column for name, column in whole.items() if column is not None})
    with pytest.raises(ParameterError, match=f"^{reason}$"):
        LAYOUT.checked(table)


def test_table_without_songs_has_no_rows():
    assert replaced_rows(None, {}, LAYOUT).schema.equals(LAYOUT.facts)

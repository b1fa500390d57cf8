"""Tables that are written piece by piece: whole or not at all, and they say what they are."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.store.tables import read_table, table_writer, write_table

SCHEMA = pa.schema([("time_s", pa.float64()), ("rms", pa.float32())])


def piece(start, n):
    return pa.table([np.arange(start, start + n, dtype=float), np.linspace(0, 1, n, dtype=np.float32)], schema=SCHEMA)


def test_pieces_come_back_as_one_table_of_as_many_row_groups(tmp_path):
    pieces = [piece(0, 300), piece(300, 200), piece(500, 1)]
    with table_writer(tmp_path / "c" / "t.parquet", SCHEMA) as writer:
        for each in pieces:
            writer.write(each)
    assert read_table(tmp_path / "c" / "t.parquet").equals(pa.concat_tables(pieces))
    groups = pq.ParquetFile(tmp_path / "c" / "t.parquet").metadata
    assert [groups.row_group(i).num_rows for i in range(groups.num_row_groups)] == [300, 200, 1]


def test_what_is_said_at_the_end_is_read_where_all_tables_say_it(tmp_path):
    path = tmp_path / "t.parquet"
    with table_writer(path, SCHEMA) as writer:
        writer.write(piece(0, 10))
        writer.describe({"sha256": "é"})
    for metadata in (
        pq.read_schema(path).metadata,
        read_table(path).schema.metadata,
        read_table(path, columns=["rms"]).schema.metadata,
    ):
        assert json.loads(metadata[b"songform"]) == {"sha256": "é"}


def test_a_table_without_rows_is_a_table(tmp_path):
    with table_writer(tmp_path / "t.parquet", SCHEMA):
        pass
    assert read_table(tmp_path / "t.parquet").equals(SCHEMA.empty_table())


def test_where_the_rows_fail_midway_nothing_is_left_and_what_stood_still_stands(tmp_path):
    path = tmp_path / "t.parquet"
    write_table(path, piece(0, 5))
    before = path.read_bytes()
    with pytest.raises(ValueError, match="schema"), table_writer(path, SCHEMA) as writer:  # noqa: PT012  two pieces
        writer.write(piece(0, 300))
        writer.write(piece(0, 300).drop_columns("rms"))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


TABLES = {
    "numbers": {"i": pa.array([1, None, 3], pa.int64()), "f": pa.array([0.5, np.nan, -np.inf], pa.float32())},
    "lists": {
        "u": pa.array([[1, 2], [3, 4]], pa.list_(pa.uint8(), 2)),
        "f": pa.array([[], [1.5]], pa.list_(pa.float32())),
    },
    "words": {"state": pa.array(["Calm", "Calm"]).dictionary_encode(), "x": pa.array([1.0, 2.0])},
    "truths": {"weak": pa.array([True, None, False])},
    "nothing": {"x": pa.array([], pa.float64())},
}


@pytest.mark.parametrize("columns", TABLES.values(), ids=TABLES)
def test_any_kind_of_column_comes_back(tmp_path, columns):
    table = pa.table(columns)
    write_table(tmp_path / "t.parquet", table)
    found = read_table(tmp_path / "t.parquet")
    assert found.schema.equals(table.schema)
    assert str(found.to_pydict()) == str(table.to_pydict())  # as words, because NaN is not NaN


@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=400))
def test_every_bit_of_a_number_comes_back(tmp_path_factory, bits):
    """NaNs with a message, denormal numbers and the negative zero, too."""
    values = np.frombuffer(bits[: len(bits) // 4 * 4], "<f4")
    path = tmp_path_factory.mktemp("bits") / "t.parquet"
    write_table(path, pa.table({"x": values}))
    assert read_table(path).column("x").to_numpy().tobytes() == values.tobytes()

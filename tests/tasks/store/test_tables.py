"""Parquet tables, written at once or piece by piece: whole or not at all, and they say what they are."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from songform.errors import CorpusError
from tasks.store.tables import read_table, table_writer, write_table

TABLE = pa.table({"time_s": np.arange(300.0), "rms": np.linspace(0, 1, 300, dtype=np.float32)})
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


def test_a_table_comes_back_as_it_was_and_says_what_it_is(tmp_path):
    path = tmp_path / "c" / "t.parquet"
    write_table(path, TABLE.replace_schema_metadata({"pandas": "{}"}), about={"sha256": "é"})
    table = read_table(path)
    assert table.equals(TABLE)
    assert json.loads(table.schema.metadata[b"songform"]) == {"sha256": "é"}
    assert table.schema.metadata[b"pandas"] == b"{}"
    assert read_table(path, columns=["rms"]).column_names == ["rms"]
    assert pq.ParquetFile(path).metadata.row_group(0).column(0).compression == "ZSTD"


@pytest.fixture(scope="module")
def parquet(tmp_path_factory):
    path = tmp_path_factory.mktemp("table") / "t.parquet"
    write_table(path, TABLE)
    return path


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_table_that_was_cut_or_overwritten_is_read_or_is_one_sentence(parquet, data):
    whole = parquet.read_bytes()
    broken = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for place in data.draw(st.lists(st.integers(0, max(len(broken) - 1, 0)), max_size=8)):
        broken[place : place + 1] = data.draw(st.binary(min_size=1, max_size=1))
    path = parquet.with_name("broken.parquet")
    path.write_bytes(broken)
    try:
        read_table(path)
    except CorpusError as error:
        assert str(error).startswith(f"{path} cannot be read (")  # noqa: PT017  both ends are right
        assert "\n" not in str(error)  # noqa: PT017


@pytest.mark.parametrize("content", [None, b"", b"PAR1", b"no table at all"])
def test_a_missing_or_empty_table_is_one_sentence(tmp_path, content):
    path = tmp_path / "t.parquet"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CorpusError, match=r"^\S+t\.parquet cannot be read \(.+\); delete it and ingest"):
        read_table(path)


def test_a_table_without_a_wanted_column_is_one_sentence(parquet):
    with pytest.raises(CorpusError, match="chroma"):
        read_table(parquet, columns=["chroma"])

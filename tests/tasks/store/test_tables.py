"""Parquet tables: atomic writes, at once or incrementally, reading, and metadata."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from songform.errors import CorpusError, UnreadableFileError
from songform.features.frame_features import feature_columns
from tasks.settings import Settings
from tasks.store.corpus import Corpus
from tasks.store.tables import features_config, read_features, read_table, table_writer, write_table

TABLE = pa.table({"time_s": np.arange(300.0), "rms": np.linspace(0, 1, 300, dtype=np.float32)})
SCHEMA = pa.schema([("time_s", pa.float64()), ("rms", pa.float32())])


def piece(start, n):
    return pa.table([np.arange(start, start + n, dtype=float), np.linspace(0, 1, n, dtype=np.float32)], schema=SCHEMA)


def test_each_write_becomes_one_row_group_of_the_table(tmp_path):
    pieces = [piece(0, 300), piece(300, 200), piece(500, 1)]
    with table_writer(tmp_path / "c" / "t.parquet", SCHEMA) as writer:
        for each in pieces:
            writer.write(each)
    assert read_table(tmp_path / "c" / "t.parquet").equals(pa.concat_tables(pieces))
    groups = pq.ParquetFile(tmp_path / "c" / "t.parquet").metadata
    assert [groups.row_group(i).num_rows for i in range(groups.num_row_groups)] == [300, 200, 1]


def test_metadata_set_at_the_end_is_read_like_that_of_any_table(tmp_path):
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


def test_table_without_rows_can_be_written(tmp_path):
    with table_writer(tmp_path / "t.parquet", SCHEMA):
        pass
    assert read_table(tmp_path / "t.parquet").equals(SCHEMA.empty_table())


def test_failed_write_keeps_the_old_table_and_leaves_no_temporary_file(tmp_path):
    path = tmp_path / "t.parquet"
    write_table(path, piece(0, 5))
    before = path.read_bytes()
    with pytest.raises(ValueError, match="schema"), table_writer(path, SCHEMA) as writer:  # noqa: PT012  two writes
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
def test_columns_of_any_type_round_trip(tmp_path, columns):
    table = pa.table(columns)
    write_table(tmp_path / "t.parquet", table)
    found = read_table(tmp_path / "t.parquet")
    assert found.schema.equals(table.schema)
    assert str(found.to_pydict()) == str(table.to_pydict())  # as text, because NaN is not equal to NaN


@settings(max_examples=25)
@given(st.binary(max_size=400))
def test_every_bit_of_a_number_round_trips(tmp_path_factory, bits):
    """The bits include NaNs with a payload, denormal numbers and negative zero."""
    values = np.frombuffer(bits[: len(bits) // 4 * 4], "<f4")
    path = tmp_path_factory.mktemp("bits") / "t.parquet"
    write_table(path, pa.table({"x": values}))
    assert read_table(path).column("x").to_numpy().tobytes() == values.tobytes()


def test_table_and_its_metadata_round_trip(tmp_path):
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


@settings(max_examples=150)
@given(data=st.data())
def test_damaged_table_is_read_or_raises_one_sentence(parquet, data):
    whole = parquet.read_bytes()
    broken = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for place in data.draw(st.lists(st.integers(0, max(len(broken) - 1, 0)), max_size=8)):
        broken[place : place + 1] = data.draw(st.binary(min_size=1, max_size=1))
    path = parquet.with_name("broken.parquet")
    path.write_bytes(broken)
    try:
        read_table(path)
    except CorpusError as error:
        assert str(error).startswith(f"{path} cannot be read (")  # noqa: PT017  either outcome is correct
        assert "\n" not in str(error)  # noqa: PT017


@pytest.mark.parametrize("content", [None, b"", b"PAR1", b"no table at all"])
def test_missing_or_empty_table_raises_one_sentence(tmp_path, content):
    path = tmp_path / "t.parquet"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CorpusError, match=r"^\S+t\.parquet cannot be read \(.+\); ingest the track again"):
        read_table(path)


def test_missing_column_is_named_in_the_error(parquet):
    with pytest.raises(CorpusError, match="chroma"):
        read_table(parquet, columns=["chroma"])


@settings(max_examples=150, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
@example(place=0.728515625, flip=128)  # a byte of the name of a column, which is no longer text
def test_changed_byte_of_a_table_never_changes_a_value(parquet, place, flip):
    """The pages have checksums; without them, most changed bytes would be read as other numbers."""
    broken = bytearray(parquet.read_bytes())
    broken[int(place * len(broken))] ^= flip
    path = parquet.with_name("flipped.parquet")
    path.write_bytes(broken)
    try:
        found = read_table(path)
    except UnreadableFileError as error:
        assert error.is_damaged  # noqa: PT017  either outcome is correct
    else:
        assert found.to_pydict() == read_table(parquet).to_pydict() or found.schema != TABLE.schema


@pytest.mark.parametrize(("letter", "reason"), [(b"\xf2ms", "utf-8"), (b"smr", "no column rms")])
def test_features_with_a_damaged_column_name_raise_one_sentence(tmp_path, letter, reason):
    """The checksums of the pages do not cover the names of the columns."""
    columns = {name: np.zeros(3, np.float32) for name in feature_columns()}
    path = Corpus(tmp_path).features_path(features_config(Settings()), "key")
    write_table(path, pa.table({"time_s": np.arange(3.0), **columns}))
    path.write_bytes(path.read_bytes().replace(b"rms", letter))
    with pytest.raises(UnreadableFileError, match=rf"\(.*{reason}.*\); ingest the track again") as caught:
        read_features(Corpus(tmp_path), "key", Settings())
    assert caught.value.is_damaged


def test_table_without_permission_is_not_called_damaged(parquet, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tasks.store.tables.pq.read_table", refuse)
    with pytest.raises(UnreadableFileError, match=r"Permission denied.*; fix its permissions$") as caught:
        read_table(parquet)
    assert not caught.value.is_damaged

"""Parquet tables of the corpus: atomic writing, reading, and the feature and overview tables of a track.

References
----------
Apache Parquet's encodings: https://parquet.apache.org/docs/file-format/data-pages/encodings/
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from songform.audio import stream
from songform.errors import UnreadableFileError, first_line
from songform.features import frame_features
from songform.features import overview as overviews
from songform.features.frame_features import feature_columns
from songform.features.overview import Overview
from tasks.settings import Settings, digest, later_versions
from tasks.store.atomic_files import atomic_path
from tasks.store.corpus import Corpus
from tasks.store.damaged_files import is_content_fault
from tasks.store.tracks import TrackRecord

__all__ = [
    "ROW_GROUP",
    "TableWriter",
    "check_ends",
    "check_features",
    "check_overview",
    "count_frames",
    "count_rows",
    "features_config",
    "has_feature_tables",
    "has_features",
    "read_features",
    "read_overview",
    "read_table",
    "table_writer",
    "write_table",
]

_MAGIC = b"PAR1"
# pyarrow's errors on a damaged file; its metadata may also contain invalid text or impossible numbers of rows.
_FAULTS = (OSError, pa.ArrowException, ValueError, KeyError, OverflowError, MemoryError)
ROW_GROUP = 16_384  # six minutes, so that most songs are one row group; the writer holds several copies of it


def write_table(path: Path, table: pa.Table, *, about: dict[str, Any] | None = None) -> None:
    """Write a Parquet file atomically, compressed with zstd.

    Parameters
    ----------
    path : Path
        Path of the file.
    table : pa.Table
        Rows to write.
    about : dict, optional
        Metadata of the file, stored as JSON under the key `songform`.
    """
    if about is not None:
        table = table.replace_schema_metadata({**(table.schema.metadata or {}), **_metadata(about)})
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, row_group_size=ROW_GROUP, **_encoding(table.schema))


class TableWriter:
    """Incremental writer of a Parquet file; `table_writer` opens one."""

    def __init__(self, writer: pq.ParquetWriter) -> None:
        self._writer = writer

    def write(self, table: pa.Table) -> None:
        """Write rows as one row group; about 10,000 rows per call are best."""
        self._writer.write_table(table)

    def describe(self, about: dict[str, Any]) -> None:
        """Set the metadata of the file, at any time before the end; see the parameter `about` of `write_table`."""
        self._writer.add_key_value_metadata(_metadata(about))


@contextmanager
def table_writer(path: Path, schema: pa.Schema) -> Iterator[TableWriter]:
    """Write a Parquet file incrementally and atomically, without holding it in memory.

    Parameters
    ----------
    path : Path
        Path of the file, which is created when the `with` block ends without an exception.
    schema : pa.Schema
        Columns of the table. Only Parquet's own types: Arrow's additions (dictionaries, lists of fixed size) are lost.
    """
    # Without Arrow's schema, because Arrow's readers take the metadata from it and ignore what is added at the end.
    with (
        atomic_path(path) as temporary,
        pq.ParquetWriter(temporary, schema, store_schema=False, **_encoding(schema)) as writer,
    ):
        yield TableWriter(writer)


def read_table(path: Path, columns: list[str] | None = None) -> pa.Table:
    """Read a Parquet file of the corpus, or some of its columns.

    Raises
    ------
    UnreadableFileError
        If the file is missing or cannot be read.
    """
    try:
        table = pq.read_table(path, columns=columns, partitioning=None, page_checksum_verification=True)
        _ = table.column_names  # raises UnicodeDecodeError if a name is damaged; the checksums do not cover names
    except _FAULTS as error:
        raise _unreadable(path, error) from error
    return table


def count_rows(path: Path) -> int:
    """Return the number of rows of a Parquet file of the corpus; only its metadata is read.

    Raises
    ------
    UnreadableFileError
        If the file is missing or cannot be read.
    """
    try:
        return int(pq.read_metadata(path).num_rows)
    except _FAULTS as error:
        raise _unreadable(path, error) from error


def check_ends(path: Path) -> None:
    """Check that a file begins and ends like a Parquet file, which takes 10 µs; a damaged middle is not found.

    Raises
    ------
    UnreadableFileError
        If it does not, or if it cannot be read.
    """
    try:
        with path.open("rb") as file:
            begin = file.read(len(_MAGIC))
            file.seek(-min(len(_MAGIC), path.stat().st_size), os.SEEK_END)
            if (begin, file.read()) == (_MAGIC, _MAGIC):
                return
    except OSError as error:
        raise _unreadable(path, error) from error
    raise _unreadable(path, ValueError("it is not a Parquet file"))


def _unreadable(path: Path, error: Exception) -> UnreadableFileError:
    is_damaged = is_content_fault(error)
    fix = (
        "fix its permissions"
        if isinstance(error, PermissionError)
        else "ingest the track again, which creates it again"
    )
    return UnreadableFileError(f"{path} cannot be read ({first_line(error)}); {fix}", path, is_damaged=is_damaged)


def _metadata(about: dict[str, Any]) -> dict[bytes, bytes]:
    return {b"songform": json.dumps(about).encode()}


def _encoding(schema: pa.Schema) -> dict[str, Any]:
    # Measured values rarely repeat, so dictionary encoding does not pay. With BYTE_STREAM_SPLIT instead, features take
    # two thirds of the space and a quarter of the time. Parquet offers that encoding for numbers only.
    numbers = [field.name for field in schema if _is_number(field.type)]
    words = [field.name for field in schema if field.name not in numbers]
    return {
        "compression": "zstd",
        "compression_level": 1,
        "write_page_checksum": True,  # otherwise most damage would be read as other numbers
        "use_dictionary": words or False,
        "use_byte_stream_split": numbers if words else True,
    }


def _is_number(kind: pa.DataType) -> bool:
    if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        return _is_number(kind.value_type)
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def features_config(settings: Settings) -> str:
    """Return the digest that names the folder of the features: of the settings and versions that determine them."""
    encoding, versions = settings.audio.encoding, (frame_features.VERSION, overviews.VERSION)
    later = later_versions(stream=stream.VERSION)
    return digest(settings.frames, settings.features, encoding, *versions, later=later)


def has_features(corpus: Corpus, record: TrackRecord | None, settings: Settings) -> bool:
    """Return whether a track is done and its features and overview exist with the sizes that its record states."""
    return has_feature_tables(corpus, record, features_config(settings))


def has_feature_tables(corpus: Corpus, record: TrackRecord | None, config: str) -> bool:
    """Like `has_features`, but given the return value of `features_config`, which many tracks share."""
    if record is None or record.status != "done":
        return False
    return corpus.has_files(record, *corpus.table_names(config, record.key))


def check_features(corpus: Corpus, key: str, settings: Settings, *, whole: bool = True) -> None:
    """Check that the features of a track can be read.

    Parameters
    ----------
    corpus, key, settings
        Corpus, key of the track, and all settings.
    whole : bool
        Whether to read the whole table, which takes 5 ms, and not only the ends of the file.

    Raises
    ------
    UnreadableFileError
        If they cannot be read.
    """
    if whole:
        read_features(corpus, key, settings)
    else:
        check_ends(corpus.features_path(features_config(settings), key))


def check_overview(corpus: Corpus, key: str, settings: Settings, *, whole: bool = True) -> None:
    """Check that the overview of a track can be read; see `check_features`."""
    if whole:
        read_overview(corpus, key, settings)
    else:
        check_ends(corpus.overview_path(features_config(settings), key))


def read_features(corpus: Corpus, key: str, settings: Settings) -> pd.DataFrame:
    """Read the frame features of a track, indexed by time."""
    path = corpus.features_path(features_config(settings), key)
    table: pd.DataFrame = read_table(path).to_pandas()
    expected = ("time_s", *feature_columns(settings.features.n_mfcc))
    if missing := [name for name in expected if name not in table.columns]:
        raise _unreadable(path, ValueError(f"it has no column {missing[0]}"))
    return table.set_index("time_s")


def count_frames(corpus: Corpus, key: str, settings: Settings) -> int:
    """Return the number of frames of a track without reading its features."""
    return count_rows(corpus.features_path(features_config(settings), key))


def read_overview(corpus: Corpus, key: str, settings: Settings) -> Overview:
    """Read the overview of a track."""
    path = corpus.overview_path(features_config(settings), key)
    table = read_table(path)
    try:
        return Overview.from_table(table)
    except _FAULTS as error:
        raise _unreadable(path, error) from error

"""Parquet tables of the corpus (zstd), written whole or not at all, and the two of a track: features and overview.

References
----------
Apache Parquet's encodings: https://parquet.apache.org/docs/file-format/data-pages/encodings/
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from songform.audio import stream
from songform.errors import CorpusError, first_line
from songform.features import frame_features
from songform.features import overview as overviews
from songform.features.overview import Overview
from tasks.settings import Settings, digest, later_versions
from tasks.store.atomic_files import atomic_path
from tasks.store.corpus import Corpus
from tasks.store.tracks import TrackRecord

__all__ = [
    "ROW_GROUP",
    "TableWriter",
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

ROW_GROUP = 16_384  # six minutes of frames: most songs are one group, of which the writer holds several copies


def write_table(path: Path, table: pa.Table, *, about: dict[str, Any] | None = None) -> None:
    """Write a Parquet file (zstd) whole or not at all.

    Parameters
    ----------
    path : Path
        The target.
    table : pa.Table
        The rows.
    about : dict, optional
        What the file should say of itself; kept as JSON under the metadata key `songform`.
    """
    if about is not None:
        table = table.replace_schema_metadata({**(table.schema.metadata or {}), **_metadata(about)})
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, row_group_size=ROW_GROUP, **_encoding(table.schema))


class TableWriter:
    """Writes a Parquet file piece by piece; `table_writer` opens one."""

    def __init__(self, writer: pq.ParquetWriter) -> None:
        self._writer = writer

    def write(self, table: pa.Table) -> None:
        """Write rows, as a row group of their own: some 10,000 are best."""
        self._writer.write_table(table)

    def describe(self, about: dict[str, Any]) -> None:
        """Let the file say of itself what may be known only at its end, as `write_table` does."""
        self._writer.add_key_value_metadata(_metadata(about))


@contextmanager
def table_writer(path: Path, schema: pa.Schema) -> Iterator[TableWriter]:
    """Write a Parquet file that memory need not hold, whole or not at all.

    Parameters
    ----------
    path : Path
        The target; it stands when the `with` block has ended well.
    schema : pa.Schema
        The columns. Parquet's own types only: what Arrow adds to them (dictionaries, lists of fixed size) is not kept.
    """
    # Arrow's schema stands at the beginning of the metadata, and would hide from its readers what is added at the end.
    with (
        atomic_path(path) as temporary,
        pq.ParquetWriter(temporary, schema, store_schema=False, **_encoding(schema)) as writer,
    ):
        yield TableWriter(writer)


def read_table(path: Path, columns: list[str] | None = None) -> pa.Table:
    """Read a Parquet file of the corpus.

    Raises
    ------
    CorpusError
        If it is missing or not readable.
    """
    try:
        return pq.read_table(path, columns=columns, partitioning=None)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error


def count_rows(path: Path) -> int:
    """Return the number of rows of a Parquet file of the corpus, from its metadata alone.

    Raises
    ------
    CorpusError
        If it is missing or not readable.
    """
    try:
        return int(pq.read_metadata(path).num_rows)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> CorpusError:
    return CorpusError(f"{path} cannot be read ({first_line(error)}); delete it and ingest the track again")


def _metadata(about: dict[str, Any]) -> dict[bytes, bytes]:
    return {b"songform": json.dumps(about).encode()}


def _encoding(schema: pa.Schema) -> dict[str, Any]:
    # Measured numbers hardly repeat, so a dictionary only costs: with their bytes sorted by significance instead,
    # features take two thirds of the space and a quarter of the time. Parquet knows that for numbers alone.
    numbers = [field.name for field in schema if _is_number(field.type)]
    words = [field.name for field in schema if field.name not in numbers]
    return {
        "compression": "zstd",
        "compression_level": 1,
        "use_dictionary": words or False,
        "use_byte_stream_split": numbers if words else True,
    }


def _is_number(kind: pa.DataType) -> bool:
    if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        return _is_number(kind.value_type)
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def features_config(settings: Settings) -> str:
    """Return what names the folder of the features: the digest of all that determines them."""
    encoding, versions = settings.audio.encoding, (frame_features.VERSION, overviews.VERSION)
    later = later_versions(stream=stream.VERSION)
    return digest(settings.frames, settings.features, encoding, *versions, later=later)


def has_features(corpus: Corpus, record: TrackRecord | None, settings: Settings) -> bool:
    """Return whether a track's feature table and its overview exist as its record says."""
    return has_feature_tables(corpus, record, features_config(settings))


def has_feature_tables(corpus: Corpus, record: TrackRecord | None, config: str) -> bool:
    """Return the same for settings with this digest, which is computed once for thousands of tracks."""
    if record is None or record.status != "done":
        return False
    return corpus.has_files(record, *corpus.table_names(config, record.key))


def read_features(corpus: Corpus, key: str, settings: Settings) -> pd.DataFrame:
    """Read a track's frame features."""
    table: pd.DataFrame = read_table(corpus.features_path(features_config(settings), key)).to_pandas()
    return table.set_index("time_s")


def count_frames(corpus: Corpus, key: str, settings: Settings) -> int:
    """Return the number of a track's frames without reading them."""
    return count_rows(corpus.features_path(features_config(settings), key))


def read_overview(corpus: Corpus, key: str, settings: Settings) -> Overview:
    """Read a track's overview."""
    return Overview.from_table(read_table(corpus.overview_path(features_config(settings), key)))

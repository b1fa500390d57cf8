"""Parquet tables of the corpus: atomic writing, reading, and the tables of a track.

A track has features, an overview and a semitone spectrum. Earlier versions of songform wrote no spectrum. A track that
they ingested is done without it: `has_features` is about the other two tables, and `has_spectrum` about this one.

References
----------
Apache Parquet's encodings: https://parquet.apache.org/docs/file-format/data-pages/encodings/
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from songform.audio import stream
from songform.errors import UnreadableFileError, first_line
from songform.features import frame_features, semitone_spectrum
from songform.features import overview as overviews
from songform.features.frame_features import feature_columns
from songform.features.overview import Overview
from songform.features.semitone_spectrum import SemitoneSpectrum
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
    "check_spectrum",
    "count_frames",
    "count_rows",
    "features_config",
    "has_feature_tables",
    "has_features",
    "has_spectrum",
    "is_same_table",
    "lacks_spectrum",
    "lost_spectrum",
    "read_as",
    "read_features",
    "read_overview",
    "read_spectrum",
    "read_table",
    "size_errors",
    "spectrum_config",
    "table_writer",
    "write_table",
]

Result = TypeVar("Result")

_MAGIC = b"PAR1"
# pyarrow's errors on a damaged file; its metadata may also contain invalid text or impossible numbers of rows.
_FAULTS = (OSError, pa.ArrowException, ValueError, KeyError, OverflowError, MemoryError)
_INGEST_AGAIN = "ingest the track again, which creates it again"
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


def read_table(path: Path, columns: list[str] | None = None, *, remedy: str = _INGEST_AGAIN) -> pa.Table:
    """Read a Parquet file of the corpus, or some of its columns.

    Parameters
    ----------
    path : Path
        Path of the file.
    columns : list of str, optional
        Columns to read. Default: all.
    remedy : str
        What the user has to do if the file is damaged, as the end of the message.

    Raises
    ------
    UnreadableFileError
        If the file is missing or cannot be read.
    """
    try:
        table = pq.read_table(path, columns=columns, partitioning=None, page_checksum_verification=True)
        _ = table.column_names  # raises UnicodeDecodeError if a name is damaged; the checksums do not cover names
    except _FAULTS as error:
        raise _unreadable(path, error, remedy) from error
    return table


def read_as(from_table: Callable[[pa.Table], Result], path: Path, *, remedy: str = _INGEST_AGAIN) -> Result:
    """Read a Parquet file of the corpus, and return what a function makes of it; see `read_table`.

    Raises
    ------
    UnreadableFileError
        If the file is missing or cannot be read, or the function raises an error that a damaged table causes.
    """
    table = read_table(path, remedy=remedy)
    try:
        return from_table(table)
    except _FAULTS as error:
        raise _unreadable(path, error, remedy) from error


def is_same_table(path: Path, other: Path) -> bool:
    """Return whether two Parquet files can be read and have equal columns; one column at a time is in memory."""
    try:
        names = [pq.read_schema(one).names for one in (path, other)]
        return names[0] == names[1] and all(
            read_table(path, [name]).column(0).equals(read_table(other, [name]).column(0)) for name in names[0]
        )
    except (*_FAULTS, UnreadableFileError):
        return False


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


def _unreadable(path: Path, error: Exception, remedy: str = _INGEST_AGAIN) -> UnreadableFileError:
    is_damaged = is_content_fault(error)
    fix = "fix its permissions" if isinstance(error, PermissionError) else remedy
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


def spectrum_config(settings: Settings) -> str:
    """Return the digest that names the folder of the semitone spectra: of the settings and versions of their content.

    It depends on all frame settings, because the onset strength is computed from the frames of the features.
    """
    later = later_versions(stream=stream.VERSION)
    return digest(settings.frames, settings.audio.encoding, semitone_spectrum.VERSION, later=later)


def has_features(corpus: Corpus, record: TrackRecord | None, settings: Settings) -> bool:
    """Return whether a track is done and its features and overview exist with the sizes that its record states."""
    return has_feature_tables(corpus, record, features_config(settings))


def has_feature_tables(corpus: Corpus, record: TrackRecord | None, config: str) -> bool:
    """Like `has_features`, but given the return value of `features_config`, which many tracks share."""
    if record is None or record.status != "done":
        return False
    return corpus.has_files(record, *corpus.table_names(config, record.key))


def has_spectrum(corpus: Corpus, record: TrackRecord, config: str) -> bool:
    """Return whether the semitone spectrum of a track exists with the size that its record states.

    Parameters
    ----------
    corpus, record
        Corpus, and the record of the track.
    config : str
        Return value of `spectrum_config`.
    """
    return corpus.has_files(record, corpus.spectrum_name(config, record.key))


def lost_spectrum(corpus: Corpus, record: TrackRecord, config: str) -> bool:
    """Return whether the semitone spectrum of a track was written, but no longer exists as it was written."""
    return corpus.spectrum_name(config, record.key) in record.files and not has_spectrum(corpus, record, config)


def lacks_spectrum(corpus: Corpus, records: Iterable[TrackRecord], settings: Settings) -> list[str]:
    """Return the keys of the tracks that have features, but no semitone spectrum."""
    config, spectra = features_config(settings), spectrum_config(settings)
    return [
        record.key
        for record in records
        if has_feature_tables(corpus, record, config) and not has_spectrum(corpus, record, spectra)
    ]


def size_errors(corpus: Corpus, record: TrackRecord, *names: str) -> list[UnreadableFileError]:
    """Return an error for each table of a track that exists, but with another size than its record states.

    Such a table was cut or overwritten, because songform writes tables atomically. The parameters are those of
    `Corpus.has_files`.
    """
    return [
        _unreadable(corpus.data / name, ValueError(f"it has {size} bytes instead of {record.files[name]}"))
        for name, size in corpus.other_sizes(record, *names).items()
    ]


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


def check_spectrum(corpus: Corpus, key: str, settings: Settings, *, whole: bool = True) -> None:
    """Check that the semitone spectrum of a track can be read; see `check_features`."""
    if whole:
        read_spectrum(corpus, key, settings)
    else:
        check_ends(corpus.spectrum_path(spectrum_config(settings), key))


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
    return read_as(Overview.from_table, corpus.overview_path(features_config(settings), key))


def read_spectrum(corpus: Corpus, key: str, settings: Settings) -> SemitoneSpectrum:
    """Read the semitone spectrum of a track."""
    return read_as(SemitoneSpectrum.from_table, corpus.spectrum_path(spectrum_config(settings), key))

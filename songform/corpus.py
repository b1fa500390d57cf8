"""The corpus: where everything lies, and how it gets there whole.

`Corpus` is the only place that knows a path below the home::

    data/tracks/<key>.json                  the record of a track
    data/incoming/<encoding>/<key>.*        downloaded audio that waits for its features, e.g. mp3-192/<key>.mp3
    data/audio/<encoding>/<key>.*           downloaded audio, if `audio.keep`
    data/features/<config>/<key>.parquet    38 features a frame
    data/overview/<config>/<key>.parquet    all that later steps want of the sound
    data/states/<model>/                    a state model, and each track's states by it
    data/bundles/<bundle>/                  a trained model, whole
    data/composed/<config>/<name>.*         composed songs with known form, by which models are compared
    data/reports/<model>/<key>.*            segments and pictures
    data/segments.parquet                   the segments of all songs, a row each
    data/annotations/<key>/<name>.jams      what people said of a track, a file a person
    data/claims/<key>.lock                  which process works on a track
    data/hosts/<host>.*                     what is known of the hosts that audio comes from
    data/alarms.json                        what somebody was told of
    data/local-files.json                   the hashes of files outside the home
    mlruns/mlflow.db, mlruns/artifacts/     MLflow's store

The file is the cache: a path is made of all that determines the content, so a file that stands is right. Files are
written beside their target, flushed to disk and renamed: after a power cut there is the old file, or the new one, or
none, but never half of one.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from songform.errors import CorpusError
from songform.settings import AudioSettings
from songform.sources import TrackRecord

__all__ = [
    "AUDIO_SUFFIXES",
    "ROW_GROUP",
    "Corpus",
    "atomic_path",
    "moved",
    "read_table",
    "table_writer",
    "write_json",
    "write_table",
]

# The only suffixes of downloads that reach a path: a site may call its files what it likes.
AUDIO_SUFFIXES = (
    *(".mp3", ".m4a", ".webm", ".opus", ".ogg", ".flac", ".wav"),
    *(".aac", ".mp4", ".mka", ".oga", ".aif", ".aiff", ".wma"),
)
DEFAULT_ENCODING = AudioSettings().encoding
ROW_GROUP = 16_384  # six minutes of frames: most songs are one group, of which the writer holds several copies

_SUFFIXES = (*AUDIO_SUFFIXES, ".audio")


class Corpus:
    """All files under one home.

    Parameters
    ----------
    home : path
        The folder that holds `data/`, `mlruns/` and `songform.toml`.
    """

    def __init__(self, home: Path | str) -> None:
        self.home = Path(home).absolute()
        self.data = self.home / "data"
        self.mlruns = self.home / "mlruns"

    def prepare(self) -> None:
        """Make the home's folders and clear away what an interrupted process left half written.

        Raises
        ------
        CorpusError
            If the home cannot be written.
        """
        try:
            for folder in (self.data / "tracks", self.mlruns):
                folder.mkdir(parents=True, exist_ok=True)
            probe = self.data / f".probe.{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            msg = (
                f"the home {self.home} cannot be written ({error.strerror or error}); "
                "choose another with --home, or mend its permissions"
            )
            raise CorpusError(msg) from error
        self._sweep()

    def record_path(self, key: str) -> Path:
        """Return where the record of a track lies."""
        return self.data / "tracks" / f"{key}.json"

    def incoming_path(self, key: str, encoding: str = DEFAULT_ENCODING, suffix: str = ".mp3") -> Path:
        """Return where downloaded audio waits for its features.

        Parameters
        ----------
        key : str
            The track's key.
        encoding : str
            What determines the file beside the track: `AudioSettings.encoding`.
        suffix : str
            The file's own; one that is not in `AUDIO_SUFFIXES` becomes `.audio`.
        """
        return self.data / "incoming" / encoding / f"{key}{_safe_suffix(suffix)}"

    def audio_path(self, key: str, encoding: str = DEFAULT_ENCODING, suffix: str = ".mp3") -> Path:
        """Return where kept audio lies; the parameters are those of `incoming_path`."""
        return self.data / "audio" / encoding / f"{key}{_safe_suffix(suffix)}"

    def incoming_audio(self, key: str, encoding: str) -> Path | None:
        """Return the downloaded audio that waits, whatever its suffix, or None if there is none of this encoding."""
        return _first_file(self.incoming_path(key, encoding, suffix) for suffix in _SUFFIXES)

    def waiting_audio(self, encoding: str) -> list[Path]:
        """Return all downloads of an encoding that wait for their features."""
        folder = self.data / "incoming" / encoding
        return [path for path in folder.glob("*") if not path.name.startswith(".") and path.is_file()]

    def kept_audio(self, key: str, encoding: str) -> Path | None:
        """Return the kept audio, whatever its suffix, or None if there is none of this encoding."""
        return _first_file(self.audio_path(key, encoding, suffix) for suffix in _SUFFIXES)

    def features_path(self, config: str, key: str) -> Path:
        """Return where a track's features lie; `config` is the digest of all that determines them."""
        return self.data / "features" / config / f"{key}.parquet"

    def overview_path(self, config: str, key: str) -> Path:
        """Return where a track's overview lies."""
        return self.data / "overview" / config / f"{key}.parquet"

    def states_path(self, model: str, name: str) -> Path:
        """Return where a file of a state model lies: a track's states, or the model's own arrays."""
        return self.data / "states" / model / name

    def bundle_path(self, bundle: str) -> Path:
        """Return the folder of a trained model."""
        return self.data / "bundles" / bundle

    def composed_path(self, config: str, name: str) -> Path:
        """Return where a file of a composed song lies."""
        return self.data / "composed" / config / name

    def report_path(self, model: str, name: str) -> Path:
        """Return where a file of a report lies."""
        return self.data / "reports" / model / name

    @property
    def segments_path(self) -> Path:
        """Where the table of all segments lies."""
        return self.data / "segments.parquet"

    def annotations_path(self, key: str) -> Path:
        """Return the folder of what people said of a track."""
        return self.data / "annotations" / key

    def annotated(self) -> list[str]:
        """Return the keys of the tracks of which somebody said something, in order."""
        return sorted({path.parent.name for path in (self.data / "annotations").glob("*/*.jams")})

    @property
    def claims(self) -> Path:
        """The folder of locks by which processes share out the tracks."""
        return self.data / "claims"

    @property
    def hosts(self) -> Path:
        """The folder of what is known of the hosts that audio comes from."""
        return self.data / "hosts"

    def relative(self, path: Path) -> str:
        """Return a path under `data/` as records name it."""
        return path.relative_to(self.data).as_posix()

    def record(self, key: str) -> TrackRecord | None:
        """Return the record of a track, or None if the corpus does not know it.

        Raises
        ------
        CorpusError
            If the record cannot be read: songform never writes half a record, so someone else did.
        """
        path = self.record_path(key)
        try:
            return TrackRecord.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            msg = (
                f"the record {path} cannot be read ({_first_line(error)}); delete it, and the next ingest makes it anew"
            )
            raise CorpusError(msg) from error

    def records(self) -> list[TrackRecord]:
        """Return the records of all tracks, in order of their keys."""
        keys = sorted(path.stem for path in (self.data / "tracks").glob("*.json"))
        return [record for record in map(self.record, keys) if record is not None]

    def save_record(self, record: TrackRecord) -> None:
        """Write the record of a track."""
        write_json(self.record_path(record.key), record.model_dump(mode="json", by_alias=True))

    def holds(self, record: TrackRecord, *paths: Path) -> bool:
        """Return whether each file stands with the size that the track's record gives it."""
        return all(
            path.is_file() and record.files.get(self.relative(path)) == path.stat().st_size and path.stat().st_size > 0
            for path in paths
        )

    def _sweep(self) -> None:
        """Remove the temporary files and folders of processes that are no more."""
        for path in list(self.data.rglob(".*.tmp")):
            pid = "".join(path.suffixes[-3:-2]).removeprefix(".")
            if pid.isdigit() and _is_alive(int(pid)):
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Give a temporary path beside the target; rename it to the target when the block ends well.

    The file is flushed to disk before the rename, and the folder after it. If the block raises, nothing is left.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        yield temporary
        _fsync(temporary)
        os.replace(temporary, target)  # noqa: PTH105  the call whose atomicity POSIX promises, by its own name
        _fsync(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


def moved(source: Path, target: Path) -> Path:
    """Move a file within one disk so that it is there even after a power cut; return the target."""
    target.parent.mkdir(parents=True, exist_ok=True)
    _fsync(source)
    os.replace(source, target)  # noqa: PTH105  as above
    _fsync(target.parent)
    return target


def write_json(path: Path, value: Any) -> None:
    """Write a JSON document whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


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
        msg = f"{path} cannot be read ({_first_line(error)}); delete it and ingest the track again"
        raise CorpusError(msg) from error


def _safe_suffix(suffix: str) -> str:
    return suffix.lower() if suffix.lower() in AUDIO_SUFFIXES else ".audio"


def _first_file(paths: Iterable[Path]) -> Path | None:
    return next((path for path in paths if path.is_file()), None)


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


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return ": ".join([".".join(map(str, first["loc"])), first["msg"]]).removeprefix(": ")
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__

"""The corpus: the path of every file below the home, and the records of the tracks.

`Corpus` is the only place that knows these paths::

    data/tracks/<key>.json                  the record of a track
    data/incoming/<encoding>/<key>.*        downloaded audio that waits for its features, e.g. mp3-192/<key>.mp3
    data/audio/<encoding>/<key>.*           downloaded audio, if `audio.keep`
    data/features/<config>/<key>.parquet    38 features a frame
    data/overview/<config>/<key>.parquet    all that later steps want of the sound
    data/states/<model>/                    a state model, and each track's states by it
    data/bundles/<bundle>/                  a trained model, whole
    data/composed/<config>/<name>.*         composed songs with known form, by which models are compared
    data/reports/<model>/<key>.*            segments, pictures and pages
    data/segments.parquet                   the segments of all songs, a row each
    data/annotations/<key>/<name>.jams      what people said of a track, a file a person
    data/claims/<key>.lock                  which process works on a track
    data/hosts/<host>.*                     what is known of the hosts that audio comes from
    data/alarms.json                        what somebody was told of
    data/local-files.json                   the hashes of files outside the home
    mlruns/mlflow.db, mlruns/artifacts/     MLflow's store

The file is the cache: a path is made of all that determines the content, so a file that exists is up to date. Files are
written by `tasks.store.atomic_files` and `tasks.store.tables`, whole or not at all.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from pydantic import ValidationError

from songform.errors import CorpusError, first_line
from tasks.settings import AudioSettings
from tasks.store.atomic_files import remove_stale_temporaries, temporary_path, write_json
from tasks.store.tracks import TrackRecord

__all__ = ["AUDIO_SUFFIXES", "Corpus"]

# The only suffixes of downloads that reach a path: a site may call its files what it likes.
AUDIO_SUFFIXES = (
    *(".mp3", ".m4a", ".webm", ".opus", ".ogg", ".flac", ".wav"),
    *(".aac", ".mp4", ".mka", ".oga", ".aif", ".aiff", ".wma"),
)
DEFAULT_ENCODING = AudioSettings().encoding

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
            with temporary_path(self.data / "probe").open("xb") as probe:
                Path(probe.name).unlink()
                probe.write(bytes(4096))  # a name alone may find room where nothing else does
                probe.flush()
                now = os.fstat(probe.fileno()).st_mtime  # by the clock of the disk, which may be another machine's
        except OSError as error:
            msg = (
                f"the home {self.home} cannot be written ({error.strerror or error}); "
                "choose another with --home, make room, or mend its permissions"
            )
            raise CorpusError(msg) from error
        remove_stale_temporaries(self.data, now=now)

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
        return _first_file(f"{self.data}/incoming/{encoding}/{key}")

    def waiting_audio(self, encoding: str) -> list[Path]:
        """Return all downloads of an encoding that wait for their features."""
        folder = self.data / "incoming" / encoding
        return [path for path in folder.glob("*") if not path.name.startswith(".") and path.is_file()]

    def kept_audio(self, key: str, encoding: str) -> Path | None:
        """Return the kept audio, whatever its suffix, or None if there is none of this encoding."""
        return _first_file(f"{self.data}/audio/{encoding}/{key}")

    def features_path(self, config: str, key: str) -> Path:
        """Return where a track's features lie; `config` is the digest of all that determines them."""
        return self.data / self.table_names(config, key)[0]

    def overview_path(self, config: str, key: str) -> Path:
        """Return where a track's overview lies."""
        return self.data / self.table_names(config, key)[1]

    def table_names(self, config: str, key: str) -> tuple[str, str]:
        """Return what records call a track's features and its overview."""
        return f"features/{config}/{key}.parquet", f"overview/{config}/{key}.parquet"

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
    def track_locks_path(self) -> Path:
        """The folder of locks by which processes share out the tracks."""
        return self.data / "claims"

    @property
    def hosts_path(self) -> Path:
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
        try:
            # A plain path, here and in `has_files`: of 5,000 tracks, the objects would cost more than the files.
            with open(f"{self.data}/tracks/{key}.json", "rb") as file:  # noqa: PTH123
                return TrackRecord.model_validate_json(file.read())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            path = self.record_path(key)
            fault = _record_fault(error)
            msg = f"the record {path} cannot be read ({fault}); delete it, and the next ingest makes it anew"
            raise CorpusError(msg) from error

    def records(self) -> list[TrackRecord]:
        """Return the records of all tracks, in order of their keys."""
        keys = sorted(path.stem for path in (self.data / "tracks").glob("*.json"))
        return [record for record in map(self.record, keys) if record is not None]

    def save_record(self, record: TrackRecord) -> None:
        """Write the record of a track."""
        write_json(self.record_path(record.key), record.model_dump(mode="json", by_alias=True))

    def has_files(self, record: TrackRecord, *names: str) -> bool:
        """Return whether files exist with the sizes that a track's record gives.

        Parameters
        ----------
        record : TrackRecord
            The record.
        *names : str
            The files, named as in `TrackRecord.files`.
        """
        return all(0 < record.files.get(name, 0) == _size(f"{self.data}/{name}") for name in names)


def _safe_suffix(suffix: str) -> str:
    return suffix.lower() if suffix.lower() in AUDIO_SUFFIXES else ".audio"


def _size(path: str) -> int | None:
    """Return how many bytes a file holds; None if there is no such file."""
    try:
        found = os.stat(path)  # noqa: PTH116
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def _first_file(stem: str) -> Path | None:
    """Return the audio file of this name, whatever its suffix."""
    return next((Path(stem + suffix) for suffix in _SUFFIXES if _size(stem + suffix) is not None), None)


def _record_fault(error: Exception) -> str:
    """Return what is wrong with a record: the first field that does not validate, or the system's message."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return ": ".join([".".join(map(str, first["loc"])), first["msg"]]).removeprefix(": ")
    return first_line(error)

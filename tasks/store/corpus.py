"""The corpus: paths of all files of a home, and the records of the tracks.

`Corpus` is the only class that defines these paths::

    data/tracks/<key>.json                  the record of a track
    data/incoming/<encoding>/<key>.*        downloaded audio before feature extraction, e.g. mp3-192/<key>.mp3
    data/audio/<encoding>/<key>.*           downloaded audio that is kept (`audio.keep`)
    data/features/<config>/<key>.parquet    38 features per frame
    data/overview/<config>/<key>.parquet    overview of the sound, used by later steps instead of the audio
    data/spectrum/<config>/<key>.parquet    semitone spectrum, from which beats and sections can be found without audio
    data/beats/<config>/<key>.parquet       beats of a track
    data/states/<model>/                    a state model, and the states of each track
    data/bundles/<bundle>/                  a trained model
    data/composed/<config>/<name>.*         composed songs with known form, used to compare models
    data/reports/<model>/<key>.*            segments, sections, pictures and pages
    data/segments.parquet                   segments of all songs, one row per segment
    data/sections.parquet                   sections and phrases of all songs, one row for each
    data/annotations/<key>/<name>.jams      people's labels of a track, one file per person
    data/annotations/<key>/<name>.beats     people's beats of a track, one file per person
    data/claims/<key>.lock                  lock of the process that works on a track
    data/hosts/<host>.*                     rate limits and pauses of the hosts that audio comes from
    data/alarms.json                        conditions that need attention, and who was notified
    data/local-files.json                   hashes of files outside the home
    mlruns/mlflow.db, mlruns/artifacts/     MLflow's store

These files are also the cache. Everything that determines the content of a table or model is part of its path, so one
that exists is up to date. Files are written atomically by `tasks.store.atomic_files` and `tasks.store.tables`.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from songform.errors import CorpusError, UnreadableFileError, first_line
from tasks.settings import AudioSettings
from tasks.store.atomic_files import remove_stale_temporaries, temporary_path, write_json
from tasks.store.damaged_files import is_content_fault
from tasks.store.tracks import TrackRecord

__all__ = ["AUDIO_SUFFIXES", "Corpus", "Records"]

# The only suffixes of downloads that are used in paths, because a site can name its files arbitrarily.
AUDIO_SUFFIXES = (
    *(".mp3", ".m4a", ".webm", ".opus", ".ogg", ".flac", ".wav"),
    *(".aac", ".mp4", ".mka", ".oga", ".aif", ".aiff", ".wma"),
)
DEFAULT_ENCODING = AudioSettings().encoding

_SUFFIXES = (*AUDIO_SUFFIXES, ".audio")


class Records(NamedTuple):
    """Records of the tracks of a home, and the errors of the records that cannot be read."""

    records: list[TrackRecord]
    errors: list[UnreadableFileError]

    @property
    def problems(self) -> list[str]:
        """One sentence per record that cannot be read."""
        return [str(error) for error in self.errors]


class Corpus:
    """Paths of the files of a home, and the records of its tracks.

    Parameters
    ----------
    home : path
        Folder that holds `data/`, `mlruns/` and `songform.toml`.
    """

    def __init__(self, home: Path | str) -> None:
        self.home = Path(home).absolute()
        self.data = self.home / "data"
        self.mlruns = self.home / "mlruns"

    def prepare(self) -> None:
        """Create the folders of the home, and remove temporary files that interrupted processes left.

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
                probe.write(bytes(4096))  # on a full disk, an empty file can often still be created
                probe.flush()
                now = os.fstat(probe.fileno()).st_mtime  # by the clock of the disk, which may be on another machine
        except OSError as error:
            msg = (
                f"the home {self.home} cannot be written ({error.strerror or error}); "
                "free some disk space, fix the permissions, or choose another home with --home"
            )
            raise CorpusError(msg) from error
        remove_stale_temporaries(self.data, now=now)

    def record_path(self, key: str) -> Path:
        """Return the path of a track's record."""
        return self.data / "tracks" / f"{key}.json"

    def incoming_path(self, key: str, encoding: str = DEFAULT_ENCODING, suffix: str = ".mp3") -> Path:
        """Return the path of downloaded audio before feature extraction.

        Parameters
        ----------
        key : str
            Key of the track.
        encoding : str
            Encoding of the audio: `AudioSettings.encoding`.
        suffix : str
            Suffix of the file. A suffix that is not in `AUDIO_SUFFIXES` becomes `.audio`.
        """
        return self.data / "incoming" / encoding / f"{key}{_safe_suffix(suffix)}"

    def audio_path(self, key: str, encoding: str = DEFAULT_ENCODING, suffix: str = ".mp3") -> Path:
        """Return the path of kept audio; the parameters are those of `incoming_path`."""
        return self.data / "audio" / encoding / f"{key}{_safe_suffix(suffix)}"

    def incoming_audio(self, key: str, encoding: str) -> Path | None:
        """Return the downloaded audio of a track in an encoding, with any suffix, or None if there is none."""
        return _first_file(f"{self.data}/incoming/{encoding}/{key}")

    def waiting_audio(self, encoding: str) -> list[Path]:
        """Return all downloads of an encoding whose features are not extracted yet."""
        folder = self.data / "incoming" / encoding
        return [path for path in folder.glob("*") if not path.name.startswith(".") and path.is_file()]

    def kept_audio(self, key: str, encoding: str) -> Path | None:
        """Return the kept audio of a track in an encoding, with any suffix, or None if there is none."""
        return _first_file(f"{self.data}/audio/{encoding}/{key}")

    def features_path(self, config: str, key: str) -> Path:
        """Return the path of a track's features; `config` is the return value of `features_config`."""
        return self.data / self.table_names(config, key)[0]

    def overview_path(self, config: str, key: str) -> Path:
        """Return the path of a track's overview."""
        return self.data / self.table_names(config, key)[1]

    def spectrum_path(self, config: str, key: str) -> Path:
        """Return the path of a track's semitone spectrum; `config` is the return value of `spectrum_config`."""
        return self.data / self.spectrum_name(config, key)

    def spectrum_name(self, config: str, key: str) -> str:
        """Return the name of a track's semitone spectrum in `TrackRecord.files`."""
        return f"spectrum/{config}/{key}.parquet"

    def beats_path(self, config: str, key: str) -> Path:
        """Return the path of a track's beats; `config` is the return value of `beats_config`."""
        return self.data / "beats" / config / f"{key}.parquet"

    def table_names(self, config: str, key: str) -> tuple[str, str]:
        """Return the names of a track's features and overview in `TrackRecord.files`."""
        return f"features/{config}/{key}.parquet", f"overview/{config}/{key}.parquet"

    def states_path(self, model: str, name: str) -> Path:
        """Return the path of a file of a state model: the states of a track, or the arrays of the model."""
        return self.data / "states" / model / name

    def bundle_path(self, bundle: str) -> Path:
        """Return the folder of a trained model."""
        return self.data / "bundles" / bundle

    def composed_path(self, config: str, name: str) -> Path:
        """Return the path of a file of a composed song."""
        return self.data / "composed" / config / name

    def report_path(self, model: str, name: str) -> Path:
        """Return the path of a file of a report."""
        return self.data / "reports" / model / name

    @property
    def segments_path(self) -> Path:
        """Path of the table of all segments."""
        return self.data / "segments.parquet"

    @property
    def sections_path(self) -> Path:
        """Path of the table of all sections and phrases."""
        return self.data / "sections.parquet"

    def annotations_path(self, key: str) -> Path:
        """Return the folder of people's labels of a track."""
        return self.data / "annotations" / key

    def annotated(self) -> list[str]:
        """Return the keys of the tracks whose sections people have labeled, sorted."""
        return sorted({path.parent.name for path in self.annotation_files()})

    def annotated_beats(self) -> list[str]:
        """Return the keys of the tracks that have people's beats, sorted."""
        return sorted({path.parent.name for path in self.beat_files()})

    def annotation_files(self) -> list[Path]:
        """Return the files of people's labels, sorted."""
        return sorted((self.data / "annotations").glob("*/*.jams"))

    def beat_files(self) -> list[Path]:
        """Return the files of people's beats, sorted."""
        return sorted((self.data / "annotations").glob("*/*.beats"))

    @property
    def track_locks_path(self) -> Path:
        """Folder of the locks that keep two processes from working on the same track."""
        return self.data / "claims"

    @property
    def hosts_path(self) -> Path:
        """Folder of the rate limits and pauses of the hosts that audio comes from."""
        return self.data / "hosts"

    def relative(self, path: Path) -> str:
        """Return a path relative to `data/`, as it is written in records."""
        return path.relative_to(self.data).as_posix()

    def record(self, key: str) -> TrackRecord | None:
        """Return the record of a track, or None if there is none.

        Raises
        ------
        UnreadableFileError
            If the record cannot be read. Records are written atomically, so something else has damaged the file.
        """
        try:
            # Strings instead of `Path` objects, here and in `has_files`: with 5,000 tracks, creating the objects takes
            # longer than reading the files.
            with open(f"{self.data}/tracks/{key}.json", "rb") as file:  # noqa: PTH123
                return TrackRecord.model_validate_json(file.read())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            path = self.record_path(key)
            is_damaged = is_content_fault(error)
            is_forbidden = isinstance(error, PermissionError)
            fix = "fix its permissions" if is_forbidden else "ingest its track again, which creates it again"
            msg = f"the record {path} cannot be read ({_record_fault(error)}); {fix}"
            raise UnreadableFileError(msg, path, is_damaged=is_damaged) from error

    def records(self) -> list[TrackRecord]:
        """Return the records that can be read, sorted by key; `read_records` also names the others."""
        return self.read_records().records

    def read_records(self) -> Records:
        """Return the records that can be read, sorted by key, and the errors of the others."""
        found = Records([], [])
        for key in sorted(path.stem for path in (self.data / "tracks").glob("*.json")):
            try:
                record = self.record(key)
            except UnreadableFileError as error:
                found.errors.append(error)
            else:
                found.records.extend([record] if record is not None else [])
        return found

    def save_record(self, record: TrackRecord) -> None:
        """Write the record of a track."""
        write_json(self.record_path(record.key), record.model_dump(mode="json", by_alias=True))

    def has_files(self, record: TrackRecord, *names: str) -> bool:
        """Return whether files of a track exist and have the sizes that its record states.

        Parameters
        ----------
        record : TrackRecord
            Record of the track.
        *names : str
            Names of the files, as in `TrackRecord.files`.
        """
        return all(0 < record.files.get(name, 0) == _size(f"{self.data}/{name}") for name in names)

    def other_sizes(self, record: TrackRecord, *names: str) -> dict[str, int]:
        """Return the sizes, in bytes, of the files that exist with another size than the record states, by name.

        The parameters are those of `has_files`. A file that the record does not list has no stated size.
        """
        sizes = {name: _size(f"{self.data}/{name}") for name in names if name in record.files}
        return {name: size for name, size in sizes.items() if size is not None and size != record.files[name]}


def _safe_suffix(suffix: str) -> str:
    return suffix.lower() if suffix.lower() in AUDIO_SUFFIXES else ".audio"


def _size(path: str) -> int | None:
    """Return the size of a file in bytes, or None if there is no such file."""
    try:
        found = os.stat(path)  # noqa: PTH116
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def _first_file(stem: str) -> Path | None:
    """Return the first audio file with this stem and a known suffix, or None."""
    return next((Path(stem + suffix) for suffix in _SUFFIXES if _size(stem + suffix) is not None), None)


def _record_fault(error: Exception) -> str:
    """Return what is wrong with a record: its first invalid field, or the message of the system."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return ": ".join([".".join(map(str, first["loc"])), first["msg"]]).removeprefix(": ")
    return first_line(error)

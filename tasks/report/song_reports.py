"""Report of a track: segments, sections and beats as JSON, exports, pictures and a page.

A report contains a stamp, a digest of everything that it is made from and of its own content. If the stamp is up to
date, only the JSON file and the head of the page are read. Otherwise segments and sections are computed; pictures,
exports and page are written if one of them is missing or if the content differs from that of the existing report.

Worker processes import this module, so it does not import Prefect, which is slow.
"""

from __future__ import annotations

import errno
import json
import os
import signal
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from songform import __version__, plots
from songform.annotation import formats
from songform.beats import beat_tracking
from songform.bundle import Bundle, Form
from songform.errors import CorpusError, ModelError, ParameterError, SongformError
from songform.features.overview import Overview
from songform.learning import networks, sequences
from songform.sections import section_finding
from songform.structure import boundaries, context, naming, segments, silence, states
from songform.structure.silence import SILENT_RMS, silence_seconds
from songform.structure.states import unit_vectors
from tasks.process_pool import WorkerLostError
from tasks.report.exports import audio_file, export_paths, export_suffixes, write_exports
from tasks.report.song_pages import is_page_current, write_song_page
from tasks.report.song_sections import SongSections, song_sections
from tasks.settings import Settings, digest, later_versions
from tasks.store.atomic_files import atomic_path, target_path, write_json
from tasks.store.beat_tables import beats_config
from tasks.store.bundles import OWN_MODEL, ModelInfo
from tasks.store.corpus import Corpus
from tasks.store.tables import features_config, read_features, read_overview, spectrum_config
from tasks.store.tracks import TrackRecord
from tasks.train.stage_versions import states_versions
from tasks.train.state_fitting import states_by_settings

__all__ = [
    "PICTURES",
    "ReportJob",
    "current_report",
    "failed_report",
    "write_report",
    "write_report_or_error",
]

PICTURES = ("waveform", "rms", "spectrogram", "features", "mfcc", "bandwidth", "states")

_LIBRARIES = ("numpy", "scipy", "scikit-learn", "keras")  # their versions may affect the last digits of results


@dataclass(frozen=True)
class ReportJob:
    """Report of one song.

    Parameters
    ----------
    home : Path
        Path of the home.
    key : str
        Key of a track whose features exist.
    settings : Settings
        All settings.
    model : ModelInfo
        A model whose bundle is in the corpus, or `OWN_MODEL`.
    folder : Path
        Folder for the files.
    sequence : np.ndarray, shape=(n_units, n_states), optional
        State probabilities of the model's network, from `Bundle.sequence_at_units`. None if it has no network or the
        weight of the network is 0.
    """

    home: Path
    key: str
    settings: Settings
    model: ModelInfo
    folder: Path
    sequence: NDArray[np.float64] | None = None


def current_report(job: ReportJob) -> dict[str, Any] | None:
    """Return the report of a song if nothing has changed that it is made from; otherwise None.

    The return value is that of `write_report`. This takes a few milliseconds: no table is read. If a file cannot be
    read, for example because it is being deleted, the report is not up to date.
    """
    corpus, path = Corpus(job.home), _report_path(job)
    document = _read(path)
    try:
        if document is None or (record := _record(corpus, job.key)) is None:
            return None
        is_current = _is_current(corpus, record, job, document)
    except OSError:
        return None
    return _returned(document, path, _picture_notes(job, document)) if is_current else None


def _is_current(corpus: Corpus, record: TrackRecord, job: ReportJob, document: dict[str, Any]) -> bool:
    """Return whether a report, its pictures, its exports and its page are up to date."""
    if document.get("stamp") != _stamp(corpus, record, job, document):  # the report may be damaged
        return False
    pictures: list[Path] = []
    if job.settings.report.pictures:
        if document.get("picture_note", "") != plots.missing_letters_note(record.title):
            return False
        pictures += _picture_paths(job).values()
    return all(file.is_file() for file in [*pictures, *export_paths(_report_path(job), document)]) and is_page_current(
        job.folder, corpus.home, record=record, settings=job.settings, document=_content(document)
    )


def _picture_notes(job: ReportJob, document: dict[str, Any]) -> list[str]:
    """Return the note about the pictures of a report, if there is one and pictures are wanted."""
    note = document.get("picture_note")
    return [note] if note and job.settings.report.pictures else []


def _returned(document: dict[str, Any], path: Path, notes: list[str]) -> dict[str, Any]:
    """Return a report with the path of its JSON file and, if there are any, its notes."""
    return {**document, "path": str(path), **({"notes": notes} if notes else {})}


def write_report(job: ReportJob) -> dict[str, Any]:
    """Write the report of a song: JSON, exports, pictures and page; what is up to date is not written again.

    Returns
    -------
    dict
        The report, with the path of its JSON file as `path` and, if its semitone spectrum or table of beats could not
        be read, or no font has the letters of its title, a list of sentences about it as `notes`.

    Raises
    ------
    CorpusError
        If the record or the tables of the song are missing or cannot be read.
    ModelError
        If the bundle is missing or cannot be read, or the song is too short or too silent to fit states on.
    """
    corpus = Corpus(job.home)
    song = _song(corpus, job.key, job.settings)
    is_own = job.model == OWN_MODEL
    bundle = _own_bundle(song) if is_own else Bundle.load(corpus.bundle_path(job.model.model_id), network=False)
    return _report(corpus, song, job, bundle)


def write_report_or_error(job: ReportJob) -> dict[str, Any]:
    """Write the report of a song; if that fails, return a dict with only the key of the track and an `error`.

    A worker process calls this function, because not all exceptions are picklable.
    """
    try:
        return write_report(job)
    except Exception as error:  # noqa: BLE001  an unexpected error must not affect other songs
        return failed_report(job, error)


def failed_report(job: ReportJob, error: Exception) -> dict[str, Any]:
    """Return a dict with the key of the track, and one sentence about the reason as `error`."""
    return {"track": {"key": job.key}, "error": _failure(job, error)}


def _failure(job: ReportJob, error: Exception) -> str:
    """Return why the report of a song could not be made, and how to fix it."""
    if isinstance(error, SongformError):
        return str(error)
    record = _record(Corpus(job.home), job.key)
    title = record.title if record else job.key
    reason = next(iter(str(error).splitlines()), "")  # messages of other libraries may have several lines
    if isinstance(error, OSError):
        path = target_path(Path(os.fsdecode(error.filename))) if error.filename else None
        return (
            f"{path or 'a file'}, which the report of {title} needs, cannot be read or written "
            f"({error.strerror or reason}); {_file_advice(error.errno, path, job.folder)}"
        )
    if isinstance(error, MemoryError) or (isinstance(error, WorkerLostError) and error.signal == signal.SIGKILL):
        return (
            f"the process that made the report of {title} was killed or ran out of memory; "
            "make fewer reports at the same time: --set run.workers=1"
        )
    if isinstance(error, WorkerLostError):
        return f"the process that made the report of {title} crashed ({reason}); please report it with the song"
    return f"songform failed on {title}: {type(error).__name__}: {reason}; please report it with the song"


def _file_advice(code: int | None, path: Path | None, folder: Path) -> str:
    """Return what to do about an error number of a file, whose path may be unknown."""
    if code in (errno.ENOSPC, errno.EDQUOT):
        return "free some disk space"
    if code not in (errno.EROFS, errno.EACCES, errno.EPERM):
        return "free some disk space or fix the permissions"
    is_output = path is not None and path.is_relative_to(folder)
    return "fix the permissions, or choose another folder with --out" if is_output else "fix the permissions"


@dataclass(frozen=True)
class _Song:
    """A track, its tables and the settings."""

    record: TrackRecord
    features: pd.DataFrame
    overview: Overview
    settings: Settings


def _song(corpus: Corpus, key: str, settings: Settings) -> _Song:
    record = corpus.record(key)
    if record is None:
        raise CorpusError(f"there is no track {key} in the corpus; ingest it with songform ingest")
    return _Song(record, read_features(corpus, key, settings), read_overview(corpus, key, settings), settings)


def _record(corpus: Corpus, key: str) -> TrackRecord | None:
    """Return the record of a track, or None if it is missing or cannot be read."""
    try:
        return corpus.record(key)
    except CorpusError:
        return None


def _report_path(job: ReportJob) -> Path:
    return job.folder / f"{job.key}.json"


def _picture_paths(job: ReportJob) -> dict[str, Path]:
    return {name: job.folder / f"{job.key}.{name}.png" for name in PICTURES}


def _report(corpus: Corpus, song: _Song, job: ReportJob, bundle: Bundle) -> dict[str, Any]:
    """Write the report of one song, except for the files that are up to date."""
    duration, frame_length = song.record.duration or 0.0, song.settings.frames.frame_length
    form = bundle.form(song.features, song.overview, duration, frame_length=frame_length, sequence=job.sequence)
    sections = song_sections(corpus, **vars(song))
    audio = audio_file(corpus, song.record, song.settings)
    report, path = _document(song, job.model, bundle, form, sections), _report_path(job)
    report["exports"] = export_suffixes(report, audio)
    content, known = _content(report), _read(path)
    earlier = None if known is None else _content(known)
    is_new = _has_other_pictures(job, report, known)
    if known is not None and (is_new or earlier != content):
        _mark_unfinished(path, known, report)
    if known is not None and not is_new and not job.settings.report.pictures:
        report |= {name: note for name, note in known.items() if name == "picture_note"}  # about existing pictures
    _draw(_missing_pictures(job, is_new=is_new), song, form, sections)
    write_exports(path, content, beats=sections.beats, audio=audio, earlier=earlier)
    write_song_page(
        job.folder,
        corpus.home,
        **vars(song),
        bundle=bundle,
        form=form,
        document=content,
        sections=sections,
        model=job.model,
    )
    if not sections.notes:  # without a stamp, the report is made again, so that what is still wrong is noted again
        report["stamp"] = _stamp(corpus, song.record, job, report)
    if known != report:
        write_json(path, report)
    return _returned(report, path, [*sections.notes, *_picture_notes(job, report)])


def _has_other_pictures(job: ReportJob, report: dict[str, Any], known: dict[str, Any] | None) -> bool:
    """Return whether the existing report of a song, if there is one, has other pictures than the new report."""
    if known is None or _shown(known) != _shown(report):
        return True
    # The note tells the fonts of the pictures. It is compared only if pictures are wanted: other reports have no note.
    return job.settings.report.pictures and known.get("picture_note") != report.get("picture_note")


def _missing_pictures(job: ReportJob, *, is_new: bool) -> dict[str, Path]:
    """Return the paths of the pictures to draw, by their names; remove pictures of an earlier report of the song."""
    paths = _picture_paths(job)
    if is_new and not job.settings.report.pictures:
        for path in paths.values():
            path.unlink(missing_ok=True)
    if not job.settings.report.pictures:
        return {}
    return {name: path for name, path in paths.items() if is_new or not path.is_file()}


def _mark_unfinished(path: Path, known: dict[str, Any], report: dict[str, Any]) -> None:
    """Mark the existing report of a song as unfinished, before its files are replaced by those of another report.

    If songform is interrupted, the existing report would otherwise seem up to date, with files of the other report. The
    exports of both are listed, so that those that the next report does not have are removed.
    """
    unfinished = {name: value for name, value in known.items() if name != "stamp"}
    listed, new = known.get("exports"), report["exports"]
    exports = [*new, *(suffix for suffix in (listed if isinstance(listed, list) else ()) if suffix not in new)]
    try:
        write_json(path, {**unfinished, "exports": exports, "unfinished": True})
    except ValueError:  # a damaged report may have a number or letter that JSON files cannot have
        path.unlink()


_WITHOUT_EFFECT = ("report", "run", "download")  # sections of the settings that affect no result


def _content(document: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a report on which its exports and page depend."""
    content = {name: value for name, value in document.items() if name not in ("stamp", "picture_note")}
    if isinstance(settings := document.get("settings"), dict):
        content["settings"] = {name: values for name, values in settings.items() if name not in _WITHOUT_EFFECT}
    return content


def _shown(document: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a report on which its pictures depend, except for the note about them."""
    return {name: value for name, value in _content(document).items() if name != "exports"}


def _stamp(corpus: Corpus, record: TrackRecord, job: ReportJob, document: dict[str, Any]) -> str:
    """Return a digest of a report and of everything that it is made from.

    The record changes when the track is ingested again. Tables are identified by their sizes, because the names of
    their folders contain everything else that determines their content.
    """
    configs = [features_config(job.settings), spectrum_config(job.settings), beats_config(job.settings)]
    features, spectrum, beats = configs
    tables = [
        corpus.features_path(features, job.key),
        corpus.overview_path(features, job.key),
        corpus.spectrum_path(spectrum, job.key),
        corpus.beats_path(beats, job.key),
    ]
    return digest(
        {name: value for name, value in document.items() if name != "stamp"},
        record.model_dump(mode="json"),
        configs,
        [path.stat().st_size if path.is_file() else None for path in tables],
        job.settings.model_dump(mode="json", exclude=set(_WITHOUT_EFFECT)) if job.model == OWN_MODEL else None,
        [job.model.uri, job.model.model_id, job.model.run_id],
        str(audio_file(corpus, record, job.settings)),
        _code_versions(),
    )


def _code_versions() -> list[Any]:
    """Return the versions of everything that computes a report from the tables, and of songform itself."""
    stages = [context, naming, states, networks, sequences, boundaries, segments, silence]
    stages += [beat_tracking, section_finding, plots, formats]
    return [__version__, _library_versions(), [stage.VERSION for stage in stages], states_versions()]


@cache
def _library_versions() -> tuple[str, ...]:
    return tuple(version(name) for name in _LIBRARIES)


def _document(song: _Song, model: ModelInfo, bundle: Bundle, form: Form, sections: SongSections) -> dict[str, Any]:
    record, model_states = song.record, bundle.states
    versions = _versions()
    note = plots.missing_letters_note(record.title) if song.settings.report.pictures else ""
    return {
        "track": {
            "key": record.key,
            "title": record.title,
            "source": record.source,
            "duration": record.duration,
            **({"silence": round(silent, 4)} if (silent := silence_seconds(form.segments)) else {}),
            **({"notes": list(record.notes)} if record.notes else {}),
        },
        "settings": bundle.settings or song.settings.model_dump(mode="json"),
        "model": {
            "uri": model.uri or None,
            "id": model.model_id,
            "run_id": model.run_id,
            "states": list(model_states.states),
            "weak": {
                name: reason for name, reason in zip(model_states.states, model_states.weak, strict=True) if reason
            },
            "sequence_weight": bundle.weight,
        },
        "segments": [{**segment._asdict(), "confidence": round(segment.confidence, 4)} for segment in form.segments],
        **sections.fields(form.segments[-1].end),
        # If a font was installed, the note is gone, and pictures are drawn again.
        **({"picture_note": note} if note else {}),
        **({"versions": versions} if versions else {}),
    }


def _versions() -> dict[str, int]:
    """Return the versions other than 1 of the modules that make a report.

    They are part of the report, so that pictures and exports made by older code are made again.
    """
    return later_versions(
        boundaries=boundaries.VERSION,
        segments=segments.VERSION,
        silence=silence.VERSION,
        beats=beat_tracking.VERSION,
        sections=section_finding.VERSION,
        pictures=plots.VERSION,
        exports=formats.VERSION,
    )


def _own_bundle(song: _Song) -> Bundle:
    """Fit states on the song itself."""
    if (song.features["rms_mean"] < SILENT_RMS).all():
        raise ModelError(
            f"{song.record.title} cannot be analyzed without a trained model, because it contains only digital "
            "silence; remove it from the source, find another copy of it, or train a model with songform train"
        )
    frames = song.settings.frames
    units = unit_vectors(song.features, song.overview, sr=frames.sr, hop_length=frames.hop_length)
    try:
        fitted = states_by_settings([units], song.settings)
    except ParameterError as error:
        raise ModelError(f"{song.record.title} cannot be analyzed without a trained model: {error}") from error
    return Bundle(fitted, None, 0.0, tuple(song.features.columns))


def _draw(pictures: dict[str, Path], song: _Song, form: Form, found: SongSections) -> None:
    features, overview, beats = song.features, song.overview, found.beats
    shown: dict[str, Any] = {"title": song.record.title, "sections": found.sections}
    figures = {
        "waveform": lambda: plots.waveform(overview, **shown),
        "rms": lambda: plots.rms(features, **shown),
        "spectrogram": lambda: plots.spectrogram(overview, features, sr=song.settings.frames.sr, beats=beats, **shown),
        "features": lambda: plots.feature_curves(features, **shown),
        "mfcc": lambda: plots.mfcc_heatmap(features, **shown),
        "bandwidth": lambda: plots.bandwidth(features, **shown),
        "states": lambda: plots.state_timeline(overview, form.segments, beats=beats, **shown),
    }

    def save(name: str) -> None:
        with atomic_path(pictures[name]) as temporary, temporary.open("wb") as file:
            plots.save_png(figures[name](), file)

    for name in pictures:
        save(name)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None

"""Report of a track: segments, sections and beats as JSON, exports, pictures and a page.

A report contains a stamp, a digest of everything that it is made from and of its own content. If the stamp is up to
date, only the JSON file and the head of the page are read. Otherwise segments and sections are computed; pictures,
exports and page are written if one of them is missing or if the content differs from that of the existing report.

Worker processes import this module, so it does not import Prefect, which is slow.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from songform import plots
from songform.bundle import Bundle, Form
from songform.errors import CorpusError, ModelError, ParameterError
from songform.features.overview import Overview
from songform.structure.silence import SILENT_RMS, silence_seconds
from songform.structure.states import unit_vectors
from tasks.report.exports import audio_file, export_paths, export_suffixes, write_exports
from tasks.report.report_jobs import ReportJob, failed_report, readable_record
from tasks.report.report_stamp import later_stage_versions, report_content, report_stamp, shown_content
from tasks.report.song_pages import is_page_current, write_song_page
from tasks.settings import Settings
from tasks.song_sections import SongSections, song_sections
from tasks.store.atomic_files import atomic_path, write_json
from tasks.store.bundles import OWN_MODEL, ModelInfo
from tasks.store.corpus import Corpus
from tasks.store.tables import read_features, read_overview
from tasks.store.tracks import TrackRecord
from tasks.train.state_fitting import states_by_settings

__all__ = ["PICTURES", "current_report", "write_report", "write_report_or_error"]

PICTURES = ("waveform", "rms", "spectrogram", "features", "mfcc", "bandwidth", "states")


def current_report(job: ReportJob) -> dict[str, Any] | None:
    """Return the report of a song if nothing has changed that it is made from; otherwise None.

    The return value is that of `write_report`. This takes a few milliseconds: no table is read. If a file cannot be
    read, for example because it is being deleted, the report is not up to date.
    """
    corpus, path = Corpus(job.home), _report_path(job)
    document = _read(path)
    try:
        if document is None or (record := readable_record(corpus, job.key)) is None:
            return None
        is_current = _is_current(corpus, record, job, document)
    except OSError:
        return None
    return _returned(document, path, _picture_notes(job, document)) if is_current else None


def _is_current(corpus: Corpus, record: TrackRecord, job: ReportJob, document: dict[str, Any]) -> bool:
    """Return whether a report, its pictures, its exports and its page are up to date."""
    if document.get("stamp") != report_stamp(corpus, record, job, document):  # the report may be damaged
        return False
    pictures: list[Path] = []
    if job.settings.report.pictures:
        if document.get("picture_note", "") != plots.missing_letters_note(record.title):
            return False
        pictures += _picture_paths(job).values()
    return all(file.is_file() for file in [*pictures, *export_paths(_report_path(job), document)]) and is_page_current(
        job.folder, corpus.home, record=record, settings=job.settings, document=report_content(document)
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
    bundle = _own_bundle(song) if is_own else _trained_bundle(corpus.bundle_path(job.model.model_id))
    return _report(corpus, song, job, bundle)


def write_report_or_error(job: ReportJob) -> dict[str, Any]:
    """Write the report of a song; if that fails, return a dict with only the key of the track and an `error`.

    A worker process calls this function, because not all exceptions are picklable.
    """
    try:
        return write_report(job)
    except Exception as error:  # noqa: BLE001  an unexpected error must not affect other songs
        return failed_report(job, error)


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


def _report_path(job: ReportJob) -> Path:
    return job.folder / f"{job.key}.json"


def _picture_paths(job: ReportJob) -> dict[str, Path]:
    return {name: job.folder / f"{job.key}.{name}.png" for name in PICTURES}


def _report(corpus: Corpus, song: _Song, job: ReportJob, bundle: Bundle) -> dict[str, Any]:
    """Write the report of one song, except for the files that are up to date."""
    duration, frame_length = song.record.duration or 0.0, song.settings.frames.frame_length
    sections = song_sections(corpus, **vars(song))
    form = bundle.form(
        song.features,
        song.overview,
        duration,
        frame_length=frame_length,
        beats=sections.beats,
        sections=sections.sections,
    )
    audio = audio_file(corpus, song.record, song.settings)
    report, path = _document(song, job.model, bundle, form, sections), _report_path(job)
    report["exports"] = export_suffixes(report, audio)
    content, known = report_content(report), _read(path)
    earlier = None if known is None else report_content(known)
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
        report["stamp"] = report_stamp(corpus, song.record, job, report)
    if known != report:
        write_json(path, report)
    return _returned(report, path, [*sections.notes, *_picture_notes(job, report)])


def _has_other_pictures(job: ReportJob, report: dict[str, Any], known: dict[str, Any] | None) -> bool:
    """Return whether the existing report of a song, if there is one, has other pictures than the new report."""
    if known is None or shown_content(known) != shown_content(report):
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


def _document(song: _Song, model: ModelInfo, bundle: Bundle, form: Form, sections: SongSections) -> dict[str, Any]:
    record, model_states = song.record, bundle.states
    versions = later_stage_versions()
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


def _trained_bundle(folder: Path) -> Bundle:
    """Load a bundle, without its network if that has no weight."""
    bundle = Bundle.load(folder, network=False)
    return Bundle.load(folder) if bundle.weight else bundle


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
        fitted = states_by_settings([units], song.settings, adapt=False)
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

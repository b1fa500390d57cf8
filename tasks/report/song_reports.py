"""Reports of tracks: segments, sections and beats as JSON, exports, pictures and a page."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from prefect import task
from prefect.cache_policies import NO_CACHE

from songform import plots
from songform.annotation import formats
from songform.beats import beat_tracking
from songform.bundle import Bundle, Form
from songform.errors import CorpusError, ModelError, ParameterError
from songform.features.overview import Overview
from songform.sections import section_finding
from songform.structure import boundaries, segments, silence
from songform.structure.silence import SILENT_RMS, silence_seconds
from songform.structure.states import unit_vectors
from tasks.progress import announce
from tasks.report.exports import audio_file, export_suffixes, write_exports
from tasks.report.song_pages import write_song_page
from tasks.report.song_sections import SongSections, song_sections
from tasks.settings import Settings, later_versions
from tasks.store.atomic_files import atomic_path, write_json
from tasks.store.corpus import Corpus
from tasks.store.tables import read_features, read_overview
from tasks.store.tracks import TrackRecord
from tasks.train.registry import OWN_MODEL, ModelInfo
from tasks.train.state_labels import states_by_settings

__all__ = ["OWN_MODEL", "PICTURES", "report_tracks"]

PICTURES = ("waveform", "rms", "spectrogram", "features", "mfcc", "bandwidth", "states")


@task(task_run_name="report {n_tracks} tracks", cache_policy=NO_CACHE)
def report_tracks(
    home: Path, keys: Sequence[str], settings: Settings, model: ModelInfo, *, out: Path | None, n_tracks: int
) -> list[dict[str, Any]]:
    """Write the report of each track, and return the reports.

    Parameters
    ----------
    home : Path
        Path of the home.
    keys : sequence of str
        Keys of tracks whose features exist.
    settings : Settings
        All settings.
    model : ModelInfo
        A model whose bundle is in the corpus, or `OWN_MODEL`.
    out : Path, optional
        Folder for the files. By default the model's folder in `data/reports`.
    n_tracks : int
        Number of keys, for the name of the task run.

    Returns
    -------
    list of dict
        Each report, with the path of its JSON file as `path` and, if its semitone spectrum or table of beats could not
        be read, or no font has the letters of its title, a list of sentences about it as `notes`. If there are several
        songs and one of them is too short or too silent to fit states on, or its record or tables cannot be read, its
        entry has only the key of the track and an `error`.

    Raises
    ------
    CorpusError
        If the record or the tables of the only song are missing or cannot be read.
    ModelError
        If the bundle cannot be used with these settings, or the only song is too short or too silent to fit states on.
    """
    corpus = Corpus(home)
    bundle = None if model == OWN_MODEL else Bundle.load(corpus.bundle_path(model.model_id))
    if bundle is not None:
        _check_settings(bundle, settings)
    reports: list[dict[str, Any]] = []
    for count, key in enumerate(keys, start=1):
        try:
            song = _song(corpus, key, settings)
            reports.append(_report(corpus, song, model, bundle, out or corpus.report_path(model.model_id, "")))
        except (ModelError, CorpusError) as error:
            if n_tracks == 1:
                raise
            reports.append({"track": {"key": key}, "error": str(error)})
        announce("reports", count, n_tracks, reports[-1]["track"].get("title", key))
    return reports


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


def _report(corpus: Corpus, song: _Song, model: ModelInfo, bundle: Bundle | None, folder: Path) -> dict[str, Any]:
    """Write the report of one song, unless it is up to date."""
    key = song.record.key
    bundle = bundle or _own_bundle(song)
    duration, frame_length = song.record.duration or 0.0, song.settings.frames.frame_length
    form = bundle.form(song.features, song.overview, duration, frame_length=frame_length)
    sections = song_sections(corpus, **vars(song))
    audio = audio_file(corpus, song.record, song.settings)
    report = _document(song, model, bundle, form, sections)
    report["exports"] = export_suffixes(report, audio)
    path = folder / f"{key}.json"
    pictures = {name: folder / f"{key}.{name}.png" for name in PICTURES}
    earlier = _read(path)
    if not (earlier == report and all(file.is_file() for file in pictures.values())):
        _draw(pictures, song, form, sections)
    write_exports(path, report, beats=sections.beats, audio=audio, earlier=earlier)
    if earlier != report:
        write_json(path, report)
    write_song_page(
        folder,
        corpus.home,
        **vars(song),
        bundle=bundle,
        form=form,
        document=report,
        sections=sections,
        model=model,
    )
    notes = [*sections.notes, *filter(None, [report.get("picture_note")])]
    return {**report, "path": str(path), **({"notes": notes} if notes else {})}


def _document(song: _Song, model: ModelInfo, bundle: Bundle, form: Form, sections: SongSections) -> dict[str, Any]:
    record = song.record
    states = bundle.states
    versions = _versions()
    note = plots.missing_letters_note(record.title)
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
            "states": list(states.states),
            "weak": {name: reason for name, reason in zip(states.states, states.weak, strict=True) if reason},
            "sequence_weight": bundle.weight,
        },
        "segments": [{**segment._asdict(), "confidence": round(segment.confidence, 4)} for segment in form.segments],
        **sections.fields(form.segments[-1].end),
        # Pictures are drawn again when a font was installed, because the note is then gone.
        **({"picture_note": note} if note else {}),
        **({"versions": versions} if versions else {}),
    }


def _versions() -> dict[str, int]:
    """Return the versions other than 1 of the modules that make a report.

    They are part of the report, so that pictures and exports made by older code are made again. Segments and sections
    need no version for that, because they are computed and compared each time.
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


def _check_settings(bundle: Bundle, settings: Settings) -> None:
    """Check that features are computed with the settings that the model was trained with."""
    for section in ("frames", "features"):
        for name, value in settings.model_dump(mode="json")[section].items():
            trained = bundle.settings.get(section, {}).get(name, value)
            if trained != value:
                msg = (
                    f"the model was trained with {section}.{name} = {trained}, but the setting is {value} now; "
                    f"use --set {section}.{name}={trained}, or train another model with songform train"
                )
                raise ModelError(msg)


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
        states = states_by_settings([units], song.settings)
    except ParameterError as error:
        raise ModelError(f"{song.record.title} cannot be analyzed without a trained model: {error}") from error
    return Bundle(states, None, 0.0, tuple(song.features.columns))


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

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(save, PICTURES))


def _read(path: Path) -> dict[str, Any] | None:
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return document

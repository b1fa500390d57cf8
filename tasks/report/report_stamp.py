"""Stamp of a report: a digest of everything that it is made from, and of its own content.

A report whose stamp is up to date is not made again. If it is not, the parts of the new and of the existing report that
determine exports, page and pictures are compared.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from typing import Any

from songform import __version__, plots
from songform.annotation import formats
from songform.beats import beat_tracking
from songform.learning import networks, sequence_inputs, sequences
from songform.sections import section_finding
from songform.structure import boundaries, context, naming, segments, silence, states
from tasks.report.exports import audio_file
from tasks.report.report_jobs import ReportJob
from tasks.settings import digest, later_versions
from tasks.store.beat_tables import beats_config
from tasks.store.bundles import OWN_MODEL
from tasks.store.corpus import Corpus
from tasks.store.tables import features_config, spectrum_config
from tasks.store.tracks import TrackRecord
from tasks.train.stage_versions import states_versions

__all__ = ["later_stage_versions", "report_content", "report_stamp", "shown_content"]

_WITHOUT_EFFECT = ("report", "run", "download")  # sections of the settings that affect no result
_LIBRARIES = ("numpy", "scipy", "scikit-learn", "keras")  # their versions may affect the last digits of results


def report_content(document: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a report on which its exports and page depend."""
    content = {name: value for name, value in document.items() if name not in ("stamp", "picture_note")}
    if isinstance(settings := document.get("settings"), dict):
        content["settings"] = {name: values for name, values in settings.items() if name not in _WITHOUT_EFFECT}
    return content


def shown_content(document: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a report on which its pictures depend, except for the note about them."""
    return {name: value for name, value in report_content(document).items() if name != "exports"}


def report_stamp(corpus: Corpus, record: TrackRecord, job: ReportJob, document: dict[str, Any]) -> str:
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
    stages = [context, naming, states, networks, sequences, sequence_inputs, boundaries, segments, silence]
    stages += [beat_tracking, section_finding, plots, formats]
    return [__version__, _library_versions(), [stage.VERSION for stage in stages], states_versions()]


@cache
def _library_versions() -> tuple[str, ...]:
    return tuple(version(name) for name in _LIBRARIES)


def later_stage_versions() -> dict[str, int]:
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

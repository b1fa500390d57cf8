"""Prefect task that writes the reports of tracks, on all cores.

Worker processes make the reports (`tasks.report.song_reports`). If one dies, only its own song has no report. Fewer
than `LEAST_JOBS_FOR_WORKERS` reports are made in this process. Reports that are up to date are only read. The network
of the model, if it has one, also runs in this process: importing TensorFlow takes seconds and hundreds of megabytes,
which each worker process would need as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from songform.bundle import Bundle
from songform.errors import ModelError
from tasks.process_pool import run_jobs, usable_cores
from tasks.progress import announce
from tasks.recorded_task import task
from tasks.report.report_jobs import ReportJob, failed_report
from tasks.report.song_reports import current_report, write_report, write_report_or_error
from tasks.settings import Settings
from tasks.store.atomic_files import remove_partial_files
from tasks.store.bundles import OWN_MODEL, ModelInfo, other_setting
from tasks.store.corpus import Corpus

__all__ = ["LEAST_JOBS_FOR_WORKERS", "report_tracks"]

LEAST_JOBS_FOR_WORKERS = 4
"""Minimum number of reports that worker processes make: starting these takes longer than making fewer reports."""


@task(task_run_name="report {n_tracks} tracks")
def report_tracks(
    home: Path, keys: Sequence[str], settings: Settings, model: ModelInfo, *, out: Path | None, n_tracks: int
) -> list[dict[str, Any]]:
    """Write the report of each track on all cores, and return the reports.

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
        Each report, in the order of the keys, with the path of its JSON file as `path` and, if its semitone spectrum or
        table of beats could not be read, a list of sentences about it as `notes`. If there are several songs and one of
        them fails, its entry has only the key of the track and an `error`.

    Raises
    ------
    CorpusError
        If the record or the tables of the only song are missing or cannot be read.
    ModelError
        If the bundle cannot be used with these settings, or the only song is too short or too silent to fit states on.
    """
    corpus = Corpus(home)
    folder = out or corpus.report_path(model.model_id, "")
    if model != OWN_MODEL:
        _check_settings(Bundle.load(corpus.bundle_path(model.model_id), network=False), settings)
    jobs = [ReportJob(corpus.home, key, settings, model, folder) for key in keys]
    reports: dict[str, dict[str, Any]] = {}
    for report in _written_reports(jobs):
        reports[report["track"]["key"]] = report
        announce("reports", len(reports), n_tracks, report["track"].get("title", report["track"]["key"]))
    return [reports[key] for key in keys]


def _written_reports(jobs: Sequence[ReportJob]) -> Iterator[dict[str, Any]]:
    """Write the reports that are not up to date, and yield each report as soon as it is known."""
    changed = []
    for job in jobs:
        report = current_report(job)
        if report is None:
            changed.append(job)
        else:
            yield report
    if len(jobs) == 1:
        yield from map(write_report, changed)
    elif len(changed) < LEAST_JOBS_FOR_WORKERS:
        yield from map(write_report_or_error, changed)
    else:
        yield from _reports_of_workers(changed)


def _reports_of_workers(jobs: Sequence[ReportJob]) -> Iterator[dict[str, Any]]:
    """Write reports in worker processes, and yield each report as soon as it is known."""
    workers = jobs[0].settings.run.workers or usable_cores()
    with closing(run_jobs(write_report_or_error, jobs, workers=workers)) as arriving:
        for number, outcome in arriving:
            job = jobs[number]
            if isinstance(outcome, Exception):
                remove_partial_files(job.folder, job.key)
                yield failed_report(job, outcome)
            else:
                yield outcome


def _check_settings(bundle: Bundle, settings: Settings) -> None:
    """Check that features are computed with the settings that the model was trained with."""
    if other := other_setting(bundle, settings):
        name, trained, value = other
        raise ModelError(
            f"the model was trained with {name} = {trained}, but the setting is {value} now; "
            f"use --set {name}={trained}, or train another model with songform train"
        )

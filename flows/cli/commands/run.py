"""The command `songform run`: ingest, train and analyze in one run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flows.cli.commands.analyze import model_document, print_timelines
from flows.cli.commands.train import print_metrics, train_document
from flows.cli.console import Console, exit_code, ingest_document, print_tracks
from flows.cli.context import CommandContext
from flows.cli.options import Assignments, Experiment, Limit, NoPictures, Sources, without_pictures

if TYPE_CHECKING:
    from flows.run import RunReport

__all__ = ["print_run", "print_run_text", "run"]


def run(
    context: CommandContext,
    *,
    sources: Sources,
    assignments: Assignments = None,
    limit: Limit = None,
    experiment: Experiment = "songform",
    no_pictures: NoPictures = False,
) -> int:
    """Run ingest, train and analyze, one after the other."""
    settings = context.settings(without_pictures(assignments, no_pictures))
    with context.server("flows.run", sources=sources):
        from flows.run import run as run_pipeline

        report = run_pipeline(context.home, sources, settings, limit, experiment)
    print_run(context.console, report)
    return exit_code(report.ingested.tracks, report.problems)


def print_run(console: Console, report: RunReport) -> None:
    """Print the results of all three steps as text or as a JSON document, and the notes and problems."""
    if console.json:
        fields = {**ingest_document(report.ingested), **train_document(report.trained), "notes": report.notes}
        fields |= {"reports": report.analyzed.reports, "problems": report.problems}
        console.document({**fields, "model": model_document(report.analyzed.model)})
    else:
        print_run_text(console, report)
    console.notes(report.notes)
    console.problems(report.problems)


def print_run_text(console: Console, report: RunReport) -> None:
    """Print the tables and timelines of all three steps."""
    print_tracks(console, report.ingested.tracks)
    print_metrics(console, report.trained)
    print_timelines(console, report.analyzed)

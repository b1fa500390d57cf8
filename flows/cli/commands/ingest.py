"""`songform ingest`: bring tracks into the corpus."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.cli.console import Console, exit_code, ingest_document, print_tracks
from flows.cli.context import CommandContext
from flows.cli.options import Assignments, Limit, SourcesOrNone
from flows.ingest_report import IngestReport
from songform.errors import ParameterError

__all__ = ["ingest", "print_ingest"]

RetryFailed = Annotated[
    bool, typer.Option("--retry-failed", help="Try again even what failed for good; what is not due yet waits.")
]


def ingest(
    context: CommandContext,
    *,
    sources: SourcesOrNone = None,
    assignments: Assignments = None,
    limit: Limit = None,
    retry_failed: RetryFailed = False,
) -> int:
    """Bring tracks into the corpus: list, download, extract. What is done already is left alone."""
    if not sources and not retry_failed:
        raise ParameterError("songform ingest needs a SOURCE, or --retry-failed for the tracks that failed before")
    settings, sources = context.settings(assignments), sources or []
    with context.server("flows.ingest", sources):
        from flows.ingest import ingest as ingest_sources
        from flows.ingest import report_of

        report = report_of(ingest_sources(context.home, sources, settings, limit, retry_failed, return_state=True))
    print_ingest(context.console, report)
    return exit_code(report.tracks, report.problems)


def print_ingest(console: Console, report: IngestReport) -> None:
    """Print what became of the tracks."""
    if console.json:
        console.document(ingest_document(report))
    else:
        print_tracks(console, report.tracks)
    console.notes(report.notes)
    console.problems(report.problems)

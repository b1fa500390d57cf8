"""The command `songform ingest`: add tracks to the corpus."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from flows.cli.console import Console, exit_code, ingest_document, print_tracks
from flows.cli.context import CommandContext
from flows.cli.options import Assignments, Limit, SourcesOrNone
from flows.ingest_report import IngestReport
from songform.errors import ParameterError

__all__ = ["ingest", "print_ingest"]

RetryFailed = Annotated[
    bool,
    typer.Option(
        "--retry-failed",
        help="Also retry permanent failures. Scheduled retries still wait until they are due.",
    ),
]

Upgrade = Annotated[
    bool,
    typer.Option(
        "--upgrade",
        help="Also ingest finished tracks again that have no semitone spectrum, because an earlier version of songform "
        "ingested them. Without SOURCE: those of the whole corpus.",
    ),
]


def ingest(
    context: CommandContext,
    *,
    sources: SourcesOrNone = None,
    assignments: Assignments = None,
    limit: Limit = None,
    retry_failed: RetryFailed = False,
    upgrade: Upgrade = False,
) -> int:
    """Add tracks to the corpus: list the sources, download audio and extract features. Finished tracks are skipped."""
    if not sources and not retry_failed and not upgrade:
        raise ParameterError(
            "songform ingest needs a SOURCE, --retry-failed to retry the tracks that failed, or --upgrade to complete "
            "the tracks of an earlier version of songform"
        )
    settings, sources = context.settings(assignments), sources or []
    with context.server_if_needed(sources, settings, "flows.ingest") as is_recorded:
        report = _ingesting(is_recorded=is_recorded)(
            context.home, sources, settings, limit, retry_failed=retry_failed, upgrade=upgrade
        )
    print_ingest(context.console, report)
    return exit_code(report.tracks, report.problems)


def _ingesting(*, is_recorded: bool) -> Callable[..., IngestReport]:
    """Return the function that ingests sources: a flow that Prefect records, or the steps of this flow."""
    if is_recorded:
        from flows.ingest import ingested

        return ingested
    from flows.steps.ingest_steps import ingest_tracks

    return ingest_tracks


def print_ingest(console: Console, report: IngestReport) -> None:
    """Print the outcome of each track as text or as a JSON document, and the notes and problems."""
    if console.json:
        console.document(ingest_document(report))
    else:
        print_tracks(console, report.tracks, none="No tracks to ingest or to retry.")
    console.notes(report.notes)
    console.problems(report.problems)

"""The command `songform annotate`: store people's labels and beats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from flows.cli.console import DONE, MAX_ROWS, SOME_FAILED, Console, cell, counted, printable
from flows.cli.context import CommandContext
from flows.cli.options import valid_name_or_none
from songform.errors import ParameterError

if TYPE_CHECKING:
    from tasks.annotate.annotate_tracks import AnnotateReport

__all__ = ["annotate", "print_annotate"]

AnnotatedSource = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="Ingested song that the labels describe: its audio file, its address, or its key as shown by "
        "songform --json status. Or a folder of ingested songs.",
    ),
]
LabelFile = Annotated[
    str | None,
    typer.Argument(
        metavar="FILE",
        help="Labels of the song's sections, with start and end times: .lab, Audacity labels, CSV, JAMS, "
        "Rekordbox XML or a JSON report of songform. Or the song's beats: .beats, one time per line. Or a folder of "
        "such files, each named after its song.",
    ),
]
Annotator = Annotated[
    str | None,
    typer.Option(
        "--annotator",
        metavar="NAME",
        callback=valid_name_or_none,
        help="Name of the person who labeled the song; several people can label one song. By default the "
        "name is taken from the content or the name of FILE.",
    ),
]

_MAX_TITLES = 5  # maximum number of tracks without labels that are listed by title


def annotate(
    context: CommandContext, *, source: AnnotatedSource, file: LabelFile = None, annotator: Annotator = None
) -> int:
    """Store the section labels or beats that a person made for a song; songform evaluate scores reports against them.

    Without FILE, list the stored labels of SOURCE. Example: songform annotate song.mp3 song.lab --annotator Ana
    """
    if file is None and annotator is not None:
        raise ParameterError(
            f"--annotator {annotator} needs a FILE of labels; without FILE, the stored labels are only listed"
        )
    context.require_corpus()
    from tasks.annotate.annotate_tracks import annotate_tracks, list_annotations

    if file is None:
        report = list_annotations(context.home, source)
    else:
        report = annotate_tracks(context.home, source, file, annotator)
    print_annotate(context.console, report)
    return SOME_FAILED if report.problems else DONE


def print_annotate(console: Console, report: AnnotateReport) -> None:
    """Print the stored labels and beats of each track, with notes on unusual ones, as text or as a JSON document."""
    if console.json:
        console.document(
            {
                "annotations": report.annotations,
                "beats": report.beats,
                "problems": report.problems,
                "notes": report.notes,
                "without": report.without,
                "unmatched": report.unmatched,
            }
        )
    else:
        _print_annotations(console, report)
    console.notes(report.notes)
    console.problems(report.problems)


def _print_annotations(console: Console, report: AnnotateReport) -> None:
    if report.annotations or not report.beats:
        _print_entries(console, report.annotations, "sections", "segments", "label file")
    if report.beats:
        _print_entries(console, report.beats, "beats", "beats", "beat file")
    if report.without:
        named = ", ".join(report.without[:_MAX_TITLES]) + (", ..." if len(report.without) > _MAX_TITLES else "")
        console.say(f"Without labels: {named} ({counted(len(report.without), 'track')})")


def _print_entries(console: Console, entries: list[dict[str, Any]], column: str, field: str, noun: str) -> None:
    """Print a table of labels or of beats, and how many there are."""
    if entries:
        console.print(_entry_table(entries[:MAX_ROWS], column, field))
    n_tracks = len({entry["key"] for entry in entries})
    hidden = f" ({len(entries) - MAX_ROWS} not shown)" if len(entries) > MAX_ROWS else ""
    console.say(f"{counted(len(entries), noun)} for {counted(n_tracks, 'track')}{hidden}")


def _entry_table(entries: list[dict[str, Any]], column: str, field: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("outcome", "annotator", column, "track"):
        table.add_column(name, justify="right" if name == column else "left", overflow="fold")
    for entry in entries:
        words = cell(entry["title"])
        for note in entry["notes"]:
            words.append(f"\n{printable(note)}", "dim")
        table.add_row(entry["status"], cell(entry["annotator"]), str(entry[field]), words)
    return table

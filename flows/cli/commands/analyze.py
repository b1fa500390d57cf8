"""The command `songform analyze`: find the form of songs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.console import Console, cell, duration_text, exit_code, print_unfinished_tracks
from flows.cli.context import CommandContext
from flows.cli.options import Assignments, Limit, Model, NoPictures, Sources, without_pictures
from flows.steps import report_modules
from songform.errors import ParameterError

if TYPE_CHECKING:
    from flows.analyze import AnalyzeReport
    from tasks.store.bundles import ModelInfo

__all__ = ["analyze", "model_document", "model_text", "print_analyze", "print_timelines"]

Out = Annotated[
    str | None,
    typer.Option(
        "--out",
        metavar="FOLDER",
        help="Folder for the reports. By default data/reports/<model> in the home.",
    ),
]
Sonify = Annotated[
    bool,
    typer.Option(
        "--sonify",
        help="Also write an audio file per song in which states, beats and sections can be heard as tones, ticks and "
        "strokes of a bell.",
    ),
]

_MAX_SEGMENT_TABLES = 3  # maximum number of songs whose segments are listed below their timelines
_MAX_TIMELINE_WIDTH = 100  # columns


def analyze(
    context: CommandContext,
    *,
    sources: Sources,
    assignments: Assignments = None,
    limit: Limit = None,
    model: Model = None,
    out: Out = None,
    sonify: Sonify = False,
    no_pictures: NoPictures = False,
) -> int:
    """Analyze songs: print timelines, and write JSON, label files, pictures and pages with a player and an editor."""
    settings = context.settings(without_pictures(assignments, no_pictures))
    if model is not None:
        _check_address(model)
    folder = None if out is None else _output_folder(out)
    with context.server_if_needed(sources, settings, "flows.analyze", *report_modules(context.home)) as is_recorded:
        analyze_sources = _analyzing(is_recorded=is_recorded)
        report = analyze_sources(context.home, sources, settings, model, folder, limit=limit, sonify=sonify)
    print_analyze(context.console, report)
    return exit_code(report.ingested.tracks, report.all_problems)


def _check_address(model: str) -> None:
    from tasks.models.requested_model import check_address

    check_address(model)


def _analyzing(*, is_recorded: bool) -> Callable[..., AnalyzeReport]:
    """Return the function that analyzes sources: the flow, which Prefect records, or its steps."""
    if is_recorded:
        from flows.analyze import analyze

        return analyze
    from flows.steps.analyze_steps import analyze_sources

    return analyze_sources


def _output_folder(out: str) -> Path:
    """Return the absolute path of the output folder.

    Parameters
    ----------
    out : str
        Value of `--out`.

    Raises
    ------
    ParameterError
        If `out` is blank, the path of a file, or below a file.
    """
    if not out.strip():
        raise ParameterError("--out is empty; give a folder, or . for the current folder")
    if "\N{REPLACEMENT CHARACTER}" in out:
        raise ParameterError(f"--out {out} has a name that is not UTF-8 text; give another folder")
    folder = Path(out).absolute()
    try:
        existing = next(place for place in (folder, *folder.parents) if place.exists())
        is_file = not existing.is_dir()
    except OSError as error:
        raise ParameterError(f"--out {out} cannot be used ({error.strerror}); give another folder") from error
    if is_file:
        what = "is a file" if existing == folder else f"is inside the file {existing}"
        raise ParameterError(f"--out {out} {what}; give a folder, which is created if it does not exist")
    return folder


def print_analyze(console: Console, report: AnalyzeReport) -> None:
    """Print the result of an analysis as text or as a JSON document, and its notes and problems."""
    if console.json:
        fields = {"tracks": report.ingested.tracks, "without_spectrum": report.ingested.without_spectrum}
        fields |= {"notes": report.all_notes, "reports": report.reports, "problems": report.all_problems}
        fields |= {"model": model_document(report.model)}
        console.document(fields)
    else:
        print_timelines(console, report, unfinished=report.ingested.tracks)
    console.notes(report.all_notes)
    console.problems(report.all_problems)


def model_document(model: ModelInfo) -> dict[str, Any]:
    """Return the JSON fields of a model."""
    return {
        "uri": model.uri or None,
        "id": model.model_id,
        "run_id": model.run_id,
        "name": model.name,
        "is_champion": model.is_champion,
    }


def print_timelines(console: Console, report: AnalyzeReport, *, unfinished: Sequence[dict[str, Any]] = ()) -> None:
    """Print the sections and the timeline of each song, the model, and the folder of the files.

    Parameters
    ----------
    console : Console
        Output of the command.
    report : AnalyzeReport
        Result of the analysis.
    unfinished : sequence of dict
        Tracks of which those that failed are listed between the timelines and the model. By default none.
    """
    from flows.cli.terminal_timeline import beat_text, legend, segment_table, timeline

    for document in report.reports:
        console.print()
        heading = cell(f"{document['track']['title']}  {duration_text(document['track']['duration'])}", "bold")
        console.print(heading.append(f"  {beat_text(document)}".rstrip(), "not bold"))
        _print_sections(console, document)
        console.print(timeline(document, width=min(console.width, _MAX_TIMELINE_WIDTH)))
        if len(report.reports) <= _MAX_SEGMENT_TABLES:
            console.print(segment_table(document))
    console.print()
    console.print(legend(report.reports))
    print_unfinished_tracks(console, unfinished)
    _print_model(console, report)
    _print_files(console, report)


def _print_sections(console: Console, document: dict[str, Any]) -> None:
    """Print the sections of a song, or why it has none; a note about all songs says that a spectrum is missing."""
    from flows.cli.terminal_timeline import section_lines

    if document["sections"]:
        rule = "\N{BOX DRAWINGS LIGHT HORIZONTAL}" if console.is_unicode else "-"
        console.print(*section_lines(document, width=min(console.width, _MAX_TIMELINE_WIDTH), rule=rule), sep="\n")
    elif document["beats"] is not None:
        console.print(cell(f"No sections: {document['no_sections']}", "dim"))


def _print_model(console: Console, report: AnalyzeReport) -> None:
    """Print the model that found the form, and its states with weak names."""
    console.say(f"Model: {model_text(report.model)}")
    weak: dict[str, str] = {}
    for document in report.reports:
        weak.update(document["model"]["weak"])
    for state, reason in weak.items():
        console.say(f"Weak name: {state} ({reason})")


def model_text(model: ModelInfo) -> str:
    """Return a model with its rank, for the terminal."""
    if model.uri:
        rank = "the champion" if model.is_champion else "not the champion"
        return f"{model.uri} ({rank}{', shipped with songform' if model.is_pretrained else ''})"
    if model.is_pretrained:
        return f"{model.name}; songform train adapts it to your songs"
    return "none; the states of each song were found from that song alone; train a model with songform train"


def _print_files(console: Console, report: AnalyzeReport) -> None:
    first = Path(report.reports[0]["path"])
    console.say(f"Files: {first.parent}")
    if len(report.reports) == 1:
        console.say(f"Page:  {first.with_suffix('.html')}")
    else:
        console.say(
            "Pages: one .html file per song in that folder. Run songform report to write an index of all pages."
        )
    sounds = [document["sonified"] for document in report.reports if "sonified" in document]
    if len(sounds) == 1:
        console.say(f"Sound: {sounds[0]}")
    elif sounds:
        console.say("Sounds: one .sonified.flac file per song in that folder.")

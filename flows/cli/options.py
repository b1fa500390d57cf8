"""Arguments and options that are shared by several commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "Assignments",
    "Experiment",
    "Home",
    "Json",
    "Limit",
    "Model",
    "NoPictures",
    "PrefectPort",
    "Sources",
    "SourcesOrNone",
    "Version",
    "valid_name",
    "valid_name_or_none",
    "without_pictures",
]


def valid_name(value: str) -> str:
    """Return a name if it is not blank; a blank name, which MLflow cannot show, is a usage error."""
    if not value.strip():
        raise typer.BadParameter("the name is blank; give a name")
    return value


def valid_name_or_none(value: str | None) -> str | None:
    """Return a name that is not blank, or None if the option was not given; see `valid_name`."""
    return None if value is None else valid_name(value)


def without_pictures(assignments: list[str] | None, no_pictures: bool) -> list[str]:
    """Return the assignments of `--set`, with another one if `--no-pictures` was given."""
    return [*(assignments or []), *(["report.pictures=false"] if no_pictures else [])]


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        from importlib.metadata import version

        typer.echo(f"songform {version('songform')}")
        raise typer.Exit


_SOURCES = typer.Argument(
    metavar="SOURCE",
    help="Address of a track, playlist, album or podcast feed; audio file; folder; or text file with one source per "
    "line.",
)

Home = Annotated[
    Path | None,
    typer.Option(
        "--home",
        metavar="FOLDER",
        help="Home: the folder that holds data/, mlruns/ and songform.toml. By default the current folder.",
    ),
]
Json = Annotated[
    bool,
    typer.Option(
        "--json", help="Print the result as one JSON document on standard output. Messages go to standard error."
    ),
]
Version = Annotated[
    bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
]
Assignments = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="SECTION.NAME=VALUE",
        help="Change a setting for this command, for example --set model.epochs=20. Can be given several times.",
    ),
]
Sources = Annotated[list[str], _SOURCES]
SourcesOrNone = Annotated[list[str] | None, _SOURCES]
Limit = Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="Maximum number of tracks per source.")]
Experiment = Annotated[
    str,
    typer.Option(
        "--experiment", metavar="NAME", callback=valid_name, help="MLflow experiment in which the run is recorded."
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="URI",
        callback=valid_name_or_none,
        help="MLflow URI of a model, for example models:/songform/1, or pretrained for the model shipped with "
        "songform. By default the champion (the best model so far) or, if there is none, the shipped model.",
    ),
]
NoPictures = Annotated[
    bool,
    typer.Option(
        "--no-pictures",
        help="Leave out the pictures, which take most of the time; the same as --set report.pictures=false.",
    ),
]
PrefectPort = Annotated[
    int,
    typer.Option(
        "--prefect-port", metavar="PORT", min=0, max=65535, help="Port of the Prefect server; 0 for any free port."
    ),
]

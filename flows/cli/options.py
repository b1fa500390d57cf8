"""Arguments and options that several commands share."""

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
    "PrefectPort",
    "Sources",
    "SourcesOrNone",
    "Version",
    "valid_name",
    "valid_name_or_none",
]


def valid_name(value: str) -> str:
    """Return a name; an empty one, which MLflow cannot show, is wrong usage."""
    if not value.strip():
        raise typer.BadParameter("a name is needed")
    return value


def valid_name_or_none(value: str | None) -> str | None:
    """Return a name as `valid_name` does, or None if the option was not given."""
    return None if value is None else valid_name(value)


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        from importlib.metadata import version

        typer.echo(f"songform {version('songform')}")
        raise typer.Exit


_SOURCES = typer.Argument(metavar="SOURCE...", help="Address of a track, playlist or feed; audio file; folder; list.")

Home = Annotated[
    Path | None, typer.Option("--home", help="Folder of data/, mlruns/ and songform.toml.", show_default=".")
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as one JSON document; all else goes to stderr.")]
Version = Annotated[
    bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
]
Assignments = Annotated[
    list[str] | None, typer.Option("--set", metavar="SECTION.NAME=VALUE", help="Change a setting; repeatable.")
]
Sources = Annotated[list[str], _SOURCES]
SourcesOrNone = Annotated[list[str] | None, _SOURCES]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Most tracks of each source.")]
Experiment = Annotated[
    str, typer.Option("--experiment", callback=valid_name, help="MLflow's name for a group of runs.")
]
Model = Annotated[str | None, typer.Option("--model", help="MLflow's address of a model.", show_default="the champion")]
PrefectPort = Annotated[
    int, typer.Option("--prefect-port", min=0, max=65535, help="Prefect's port; 0 for any free one.")
]

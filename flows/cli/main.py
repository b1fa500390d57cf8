"""The command line, `songform`: its commands, and how it is started.

Modules that take long to import (Prefect, MLflow, TensorFlow, pandas) are imported within the commands that need them,
so that `songform --help` answers at once.
"""

from __future__ import annotations

import gc
import itertools
import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from flows.cli.commands.analyze import analyze
from flows.cli.commands.annotate import annotate
from flows.cli.commands.demo import demo
from flows.cli.commands.doctor import doctor
from flows.cli.commands.evaluate import evaluate
from flows.cli.commands.ingest import ingest
from flows.cli.commands.report import report
from flows.cli.commands.run import run
from flows.cli.commands.schedule import schedule
from flows.cli.commands.status import status
from flows.cli.commands.train import train
from flows.cli.commands.ui import ui
from flows.cli.console import Console, printable
from flows.cli.context import typer_command
from flows.cli.options import Home, Json

__all__ = ["COMMANDS", "app", "main"]

COMMANDS = (demo, run, ingest, train, analyze, annotate, evaluate, report, status, doctor, ui, schedule)
"""In the order in which the help lists them."""


class CommandLine(TyperGroup):
    """The commands; with `--json`, wrong usage ends with a JSON document as well."""

    def main(self, args: Sequence[str] | None = None, *positional: Any, **options: Any) -> Any:
        """Parse the arguments and run a command."""
        words = list(sys.argv[1:] if args is None else args)
        try:
            return super().main(words, *positional, obj={"json": _asks_for_json(words)}, **options)
        except SystemExit as end:
            # Typer has printed the error for people; only errors of usage have this method.
            message = getattr(end.__context__, "format_message", None)
            if message is not None and _asks_for_json(words):
                Console(json=True).document({"error": printable(message())})
            raise


app = typer.Typer(
    name="songform",
    cls=CommandLine,
    help="Find the musical form of songs, albums and playlists.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _common(ctx: typer.Context, home: Home = None, json: Json = False) -> None:
    """Find the musical form of songs, albums and playlists."""
    # A `--json` that another option took for its value counts, too: whoever wrote it reads a document.
    ctx.obj = {"home": home, "json": json or (ctx.obj or {}).get("json", False)}


for _command in COMMANDS:
    app.command()(typer_command(_command))


def _asks_for_json(words: Sequence[str]) -> bool:
    """Return whether the arguments, which may be wrong, have the option `--json`; after `--` there are no options."""
    options = itertools.takewhile(lambda word: word != "--", words)
    return any(word.partition("=")[0] == "--json" for word in options)


def main() -> None:
    """Run the command line."""
    try:
        app(prog_name="songform")
    finally:
        gc.freeze()  # saves half a second: at the end, Python would search everything that was imported for cycles

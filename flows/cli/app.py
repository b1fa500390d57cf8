"""The typer application: its commands, and the handling of usage errors and of closed output pipes.

Slow imports (Prefect, MLflow, TensorFlow, pandas) are inside the commands that need them, so that `songform --help`
is fast.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

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
from flows.cli.console import OUTPUT_CLOSED, Console, printable
from flows.cli.context import typer_command
from flows.cli.options import Home, Json, Version
from flows.cli.termination import STOPPED, asks_for_json, interruption_code

__all__ = ["COMMANDS", "app"]

COMMANDS = (demo, run, ingest, train, analyze, annotate, evaluate, report, status, doctor, ui, schedule)
"""Commands, in the order of the help."""


class Command(TyperCommand):
    """Command whose flags have no metavar in the help."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters of the command, with `--help`."""
        return _without_flag_metavars(super().get_params(ctx))


class CommandLine(TyperGroup):
    """Group of commands that also prints a JSON document for usage errors if `--json` is given."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters of the group, with `--help`."""
        return _without_flag_metavars(super().get_params(ctx))

    def main(self, args: Sequence[str] | None = None, *positional: Any, **options: Any) -> Any:
        """Parse the arguments and run a command."""
        words = list(sys.argv[1:] if args is None else args)
        console = Console(json=asks_for_json(words))
        try:
            return super().main(words, *positional, obj={"json": console.json}, **options)
        except SystemExit as end:
            reason = end.__context__
            if isinstance(reason, BrokenPipeError):  # the help was cut off, as in `songform --help | head`
                raise SystemExit(OUTPUT_CLOSED) from None
            interruption = getattr(reason, "__cause__", None)
            if isinstance(interruption, KeyboardInterrupt):  # while parsing; commands handle interruptions themselves
                raise SystemExit(console.fail(STOPPED, interruption_code(interruption))) from None
            # Typer has already printed the error as text. Only usage errors have the method `format_message`.
            message = getattr(reason, "format_message", None)
            if message is not None and console.json:
                console.document({"error": printable(message())})
            raise


def _without_flag_metavars(parameters: list[Any]) -> list[Any]:
    """Remove the `<bool>` that Typer prints after a flag, which looks as if the flag had a value."""
    for parameter in parameters:
        if getattr(parameter, "is_flag", False):
            parameter.metavar = ""
    return parameters


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
def _common(ctx: typer.Context, home: Home = None, json: Json = False, version: Version = False) -> None:  # noqa: ARG001
    """Find the musical form of songs, albums and playlists."""
    # `--json` also counts if another option consumed it as its value: the caller expects a JSON document.
    ctx.obj = {"home": home, "json": json or (ctx.obj or {}).get("json", False)}


for _command in COMMANDS:
    app.command(cls=Command)(typer_command(_command))

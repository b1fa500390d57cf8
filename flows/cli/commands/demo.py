"""The command `songform demo`: run the whole pipeline on composed songs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.commands.run import print_run_text
from flows.cli.commands.train import train_document
from flows.cli.console import Console, exit_code
from flows.cli.context import CommandContext
from flows.cli.options import Assignments

if TYPE_CHECKING:
    from flows.demo import DemoReport

__all__ = ["demo", "print_demo"]

_MODELS = {"pretrained": "the model shipped with songform", "adapted": "the model adapted to these songs"}

Seed = Annotated[
    int, typer.Option("--seed", metavar="N", min=0, help="Seed of the composed songs; each seed gives different songs.")
]


def demo(context: CommandContext, *, assignments: Assignments = None, seed: Seed = 0) -> int:
    """Compose songs of known form, run the whole pipeline on them, and report how well the form was found."""
    settings = context.settings(assignments)
    with context.server("flows.run"):
        from flows.demo import demo as run_demo

        report = run_demo(context.home, settings, seed=seed)
    print_demo(context.console, report, context.home)
    return exit_code(report.run.ingested.tracks, report.run.problems)


def print_demo(console: Console, report: DemoReport, home: Path) -> None:
    """Print the results of the run, the share of frames with the correct state, and where to look next."""
    if console.json:
        fields = {
            **train_document(report.run.trained),
            "tracks": report.run.ingested.tracks,
            "notes": report.run.notes,
            "frames_right_by_model": report.by_model,
        }
        console.document({**fields, "frames_right": report.frames_right, "problems": report.run.problems})
    else:
        print_run_text(console, report.run)
    console.notes(report.run.notes)
    console.problems(report.run.problems)
    if not console.json:
        _print_next_steps(console, report, home)


def _print_next_steps(console: Console, report: DemoReport, home: Path) -> None:
    first = Path(report.run.analyzed.reports[0]["path"])
    place = "" if home == Path.cwd() else f" --home {home}"
    console.say("")
    console.say(f"{report.frames_right:.1%} of the frames have the correct state with the champion:")
    for name, share in report.by_model.items():
        console.say(f"  {share:.1%} with {_MODELS[name]}")
    console.say(f"Pictures: {first.parent}")
    console.say(f"Listen:   {first.with_suffix('.html')}")
    console.say(f"MLflow:   songform{place} ui")

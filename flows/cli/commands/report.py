"""`songform report`: one page over the songs that were analysed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from flows.cli.console import DONE, SOME_FAILED, Console, counted
from flows.cli.context import CommandContext
from flows.cli.options import Model

if TYPE_CHECKING:
    from tasks.report.index_page import Index

__all__ = ["print_report", "report", "write_model_index"]


def report(context: CommandContext, *, model: Model = None) -> int:
    """Make one page over the songs that were analysed: search, sort, a timeline each."""
    context.require_corpus()
    index = write_model_index(context.home, model)
    print_report(context.console, index)
    return SOME_FAILED if index.problems else DONE


def write_model_index(home: Path, model: str | None = None) -> Index:
    """Write the index page over the reports of a model.

    This is not a Prefect flow: there is nothing to retry or to wait for, so it needs no server.

    Parameters
    ----------
    home : Path
        The home of the corpus.
    model : str, optional
        MLflow's address of a model. By default the champion; without a champion, the states that were fitted on each
        song itself.

    Raises
    ------
    ModelError
        If there is no such model.
    CorpusError
        If it has analysed no song yet.
    """
    from tasks.report.index_page import write_index
    from tasks.train.requested_model import choose_model

    return write_index(home, choose_model(home, model))


def print_report(console: Console, index: Index) -> None:
    """Print where the index page is, and how many songs it lists."""
    if console.json:
        fields = {"index": str(index.path), "songs": index.songs, "left": index.left}
        console.document({**fields, "problems": index.problems})
    else:
        console.say(f"{counted(len(index.songs), 'song')}: {index.path}")
        if index.left:
            console.say(f"{counted(index.left, 'song')} not analysed by this model: songform analyze SOURCE adds them.")
    console.problems(index.problems)

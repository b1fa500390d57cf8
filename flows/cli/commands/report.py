"""The command `songform report`: write an index page of the analyzed songs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from flows.cli.console import DONE, SOME_FAILED, Console, counted
from flows.cli.context import CommandContext
from flows.cli.options import Model

if TYPE_CHECKING:
    from tasks.report.index_page import Index
    from tasks.settings import Settings

__all__ = ["print_report", "report", "write_model_index"]


def report(context: CommandContext, *, model: Model = None) -> int:
    """Write an index page of all analyzed songs, with a timeline of each song, search and sorting."""
    context.require_corpus()
    index = write_model_index(context.home, model, context.settings())
    print_report(context.console, index)
    return SOME_FAILED if index.problems else DONE


def write_model_index(home: Path, model: str | None, settings: Settings) -> Index:
    """Write the index page of the reports of a model.

    This is not a Prefect flow and needs no server, because there is nothing to retry.

    Parameters
    ----------
    home : Path
        Home of the corpus.
    model : str, optional
        MLflow URI of a model, or `pretrained`. By default the champion; without a champion, the model that is shipped
        with songform.
    settings : Settings
        All settings.

    Raises
    ------
    ModelError
        If the model does not exist.
    CorpusError
        If no song was analyzed by the model.
    """
    from tasks.models.requested_model import reported_model
    from tasks.report.index_page import write_index

    return write_index(home, reported_model(home, model, settings))


def print_report(console: Console, index: Index) -> None:
    """Print the path of the index page and the number of its songs, as text or as a JSON document."""
    if console.json:
        fields = {"index": str(index.path), "songs": index.songs, "left": index.left}
        console.document({**fields, "problems": index.problems})
    else:
        console.say(f"{counted(len(index.songs), 'song')}: {index.path}")
        if index.left:
            are, them = ("is", "it") if index.left == 1 else ("are", "them")
            console.say(
                f"{counted(index.left, 'song')} of the corpus {are} not in this index; "
                f"analyze {them} with songform analyze SOURCE, then run songform report again."
            )
    console.problems(index.problems)

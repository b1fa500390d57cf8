"""The command `songform train`: train a model on the corpus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from flows.cli.console import DONE, SOME_FAILED, Console
from flows.cli.context import CommandContext
from flows.cli.options import Assignments, Experiment

if TYPE_CHECKING:
    from flows.train import TrainReport

__all__ = ["print_metrics", "print_train", "train", "train_document"]

Again = Annotated[
    bool, typer.Option("--again", help="Train again even if a run with the same settings and tracks has finished.")
]


def train(
    context: CommandContext,
    *,
    assignments: Assignments = None,
    experiment: Experiment = "songform",
    again: Again = False,
) -> int:
    """Adapt the states to the corpus, train the network, and record the run in MLflow."""
    settings = context.settings(assignments)
    with context.server("flows.train"):
        from flows.train import train as train_corpus

        report = train_corpus(context.home, settings, experiment, again)
    print_train(context.console, report)
    return SOME_FAILED if report.problems else DONE


def train_document(report: TrainReport) -> dict[str, Any]:
    """Return the JSON fields of a training run."""
    return {
        "run_id": report.run_id,
        "params": report.params,
        "metrics": report.metrics,
        "model_uri": report.model_uri,
        "is_champion": report.is_champion,
        "is_new": report.is_new,
        "problems": report.problems,
        "notes": report.notes,
    }


def print_train(console: Console, report: TrainReport) -> None:
    """Print the result of a training run as text or as a JSON document."""
    if console.json:
        console.document(train_document(report))
    else:
        print_metrics(console, report)
    console.notes(report.notes)
    console.problems(report.problems)


def print_metrics(console: Console, report: TrainReport) -> None:
    """Print the metrics of the network and of the baselines, and the MLflow run."""
    network = str(report.params.get("model.name", "lstm"))
    table = _metrics_table(report.metrics, network)
    if table.row_count:
        console.print(table)
    else:
        console.say("No test metrics: the corpus is too small for test data. Add songs.")
    if report.metrics.get("test_accuracy", 1.0) < report.metrics.get("majority_accuracy", 0.0):
        name = network.upper()
        console.say(
            f"Caution: on held-out tracks the {name} is less accurate than always predicting the most frequent state. "
            "Add songs."
        )
    when = "Trained" if report.is_new else "Already trained"
    rank = "the champion" if report.is_champion else "not the champion"
    console.say(f"{when}: MLflow run {report.run_id}; model {report.model_uri} ({rank})")
    if not report.is_champion:
        score = report.metrics.get("reference_macro_f1", 0.0)
        console.say(
            "songform analyze keeps using the champion, whose score on the songs of the comparison is not lower "
            f"(this model on composed songs: macro-F1 {score:.3f}). To use this model: --model {report.model_uri}"
        )


def _metrics_table(metrics: dict[str, float], network: str) -> Table:
    from songform.learning.baselines import BASELINES

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("on held-out tracks")
    for name in ("accuracy", "macro-F1", "log-loss"):
        table.add_column(name, justify="right")
    for who in ("test", *BASELINES):
        if f"{who}_accuracy" in metrics:
            values = [f"{metrics[f'{who}_{name}']:.3f}" for name in ("accuracy", "macro_f1", "log_loss")]
            table.add_row(network if who == "test" else who.replace("_", " "), *values)
    return table

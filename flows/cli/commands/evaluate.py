"""`songform evaluate`: score the corpus's segments against people's labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.cli.console import DONE, MAX_ROWS, SOME_FAILED, Console, cell, counted
from flows.cli.context import CommandContext
from flows.cli.options import Model
from songform.errors import CorpusError

if TYPE_CHECKING:
    from tasks.train.registry import ModelInfo

__all__ = ["EvaluateReport", "evaluate", "evaluate_model", "print_evaluate"]


@dataclass(frozen=True)
class EvaluateReport:
    """How far the segments agree with people's labels.

    Parameters
    ----------
    run_id : str
        The run in MLflow.
    is_new : bool
        False if the same comparison was recorded before.
    model : ModelInfo
        The model that found the segments.
    tracks : list of dict
        `key`, `title`, `annotators` and `scores` of each track.
    mean : dict of dict
        Means over the tracks.
    problems : list of str
        One sentence for each annotated track without a report.
    """

    run_id: str
    is_new: bool
    model: ModelInfo
    tracks: list[dict[str, Any]]
    mean: dict[str, dict[str, float]]
    problems: list[str]


def evaluate(context: CommandContext, *, model: Model = None) -> int:
    """Score the corpus's segments against people's labels, and record that in MLflow."""
    context.require_corpus()
    with context.console.progress():
        report = evaluate_model(context.home, model)
    print_evaluate(context.console, report)
    return SOME_FAILED if report.problems else DONE


def evaluate_model(home: Path, model: str | None = None) -> EvaluateReport:
    """Score the reports of a model against the corpus's annotations, and record the scores in MLflow.

    Parameters
    ----------
    home : Path
        The home of the corpus.
    model : str, optional
        MLflow's address of a model. By default the champion; without a champion, the states that were fitted on each
        song itself.

    Raises
    ------
    CorpusError
        If no track is annotated, or no annotated track has a report.
    ModelError
        If the model cannot be loaded.
    """
    from tasks.annotate.annotation_scores import evaluate_tracks, log_evaluation
    from tasks.store.corpus import Corpus
    from tasks.train.requested_model import choose_model

    corpus = Corpus(home)
    if not corpus.annotated():
        raise CorpusError(
            f"no track of the corpus in {home} is annotated; put labels beside one with songform annotate SOURCE FILE"
        )
    chosen = choose_model(home, model)
    evaluation = evaluate_tracks(home, chosen)
    if not evaluation.tracks:
        more = f" (and {len(evaluation.missing) - 1} more such tracks)" if len(evaluation.missing) > 1 else ""
        raise CorpusError(evaluation.missing[0] + more)
    run_id, is_new = log_evaluation(home, evaluation, chosen)
    return EvaluateReport(run_id, is_new, chosen, evaluation.tracks, evaluation.mean, evaluation.missing)


def print_evaluate(console: Console, report: EvaluateReport) -> None:
    """Print the scores beside those of people against each other, and of baselines."""
    if console.json:
        fields = {name: getattr(report, name) for name in ("run_id", "is_new", "tracks", "mean", "problems")}
        console.document({**fields, "model": report.model.uri or None})
    else:
        _print_scores(console, report)
    console.problems(report.problems)


def _print_scores(console: Console, report: EvaluateReport) -> None:
    from flows.cli.score_table import mean_table, track_table

    shown = report.tracks[:MAX_ROWS]
    console.print(track_table(shown, [cell(track["title"]) for track in shown]))
    if len(report.tracks) > len(shown):
        console.say(f"({len(report.tracks) - len(shown)} more: --json shows all)")
    console.print()
    console.print(mean_table(report.mean))
    console.print()
    people = {name for track in report.tracks for name in track["annotators"]}
    console.say(f"{counted(len(report.tracks), 'track')}, labelled by {', '.join(sorted(people))}")
    console.say(f"Model: {report.model.uri or 'states fitted on each song itself'}")
    console.say(f"{'Recorded' if report.is_new else 'Recorded before'}: MLflow run {report.run_id}")

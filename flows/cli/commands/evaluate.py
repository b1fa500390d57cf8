"""The command `songform evaluate`: score states, sections, phrases and beats against people's labels."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.cli.console import DONE, MAX_ROWS, SOME_FAILED, Console, cell, counted
from flows.cli.context import CommandContext
from flows.cli.options import Model
from songform.errors import CorpusError

if TYPE_CHECKING:
    from tasks.annotate.annotation_scores import Evaluation
    from tasks.settings import Settings
    from tasks.store.bundles import ModelInfo

__all__ = ["EvaluateReport", "evaluate", "evaluate_model", "print_evaluate"]


@dataclass(frozen=True)
class EvaluateReport:
    """Scores of reports against people's labels and beats.

    Parameters
    ----------
    run_id : str
        ID of the MLflow run.
    is_new : bool
        False if the same evaluation was already recorded.
    model : ModelInfo
        Model that found the segments.
    tracks, mean, n_songs, notes
        As in `Evaluation`.
    problems : list of str
        One sentence per annotated track without a report, and per damaged file.
    """

    run_id: str
    is_new: bool
    model: ModelInfo
    tracks: list[dict[str, Any]]
    mean: dict[str, dict[str, float]]
    problems: list[str]
    n_songs: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def evaluate(context: CommandContext, *, model: Model = None) -> int:
    """Score songform's states, sections and beats against people's labels, and record the scores in MLflow."""
    context.require_corpus()
    with context.console.progress():
        report = evaluate_model(context.home, model, context.settings())
    print_evaluate(context.console, report)
    return SOME_FAILED if report.problems else DONE


def evaluate_model(home: Path, model: str | None, settings: Settings) -> EvaluateReport:
    """Score the reports of a model against the annotations of the corpus, and record the scores in MLflow.

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
    CorpusError
        If no track has labels, or no labeled track has a report.
    ModelError
        If the model cannot be loaded.
    """
    from tasks.annotate.annotation_scores import evaluate_tracks
    from tasks.ingest.sources.listing import problems_message
    from tasks.models.evaluation_runs import log_evaluation
    from tasks.models.requested_model import reported_model
    from tasks.store.corpus import Corpus

    corpus = Corpus(home)
    if not corpus.annotated() and not corpus.annotated_beats():
        raise CorpusError(f"no track of the corpus in {home} has labels; add some with songform annotate SOURCE FILE")
    chosen = reported_model(home, model, settings)
    evaluation = evaluate_tracks(home, chosen)
    problems = [*chosen.problems, *evaluation.missing]
    if not evaluation.tracks:
        reasons = [*chosen.problems, *_reasons(evaluation)]  # the database may have been renamed just now
        raise CorpusError(problems_message("no labeled track can be scored", reasons))
    run_id, is_new = log_evaluation(home, evaluation, chosen)
    notes = [*chosen.notes, *evaluation.notes]
    return EvaluateReport(
        run_id, is_new, chosen, evaluation.tracks, evaluation.mean, problems, evaluation.n_songs, notes
    )


def _reasons(evaluation: Evaluation) -> list[str]:
    """Return why no track was scored; of the tracks without a report, only the first one is named."""
    if not evaluation.missing:
        return evaluation.notes
    n_others = len(evaluation.missing) - 1
    more = f" ({counted(n_others, 'other track')} without a report)" if n_others else ""
    return [evaluation.missing[0] + more, *evaluation.notes]


def print_evaluate(console: Console, report: EvaluateReport) -> None:
    """Print the scores of songform, of people against each other and of baselines, as text or as a JSON document."""
    if console.json:
        names = ("run_id", "is_new", "tracks", "mean", "n_songs", "notes", "problems")
        model = {"model": report.model.uri or None, "model_id": report.model.model_id}
        console.document({**{name: getattr(report, name) for name in names}, **model})
    else:
        _print_scores(console, report)
    console.notes(report.notes)
    console.problems(report.problems)


def _print_scores(console: Console, report: EvaluateReport) -> None:
    from flows.cli.score_table import beat_table, mean_table, track_table

    labeled = [track for track in report.tracks if track["scores"]]
    if labeled:
        shown = labeled[:MAX_ROWS]
        console.print(track_table(shown, [cell(track["title"]) for track in shown]))
        _print_hidden(console, len(labeled))
        console.print()
        console.print(mean_table(report.mean, report.n_songs))
        console.print()
    with_beats = [track for track in report.tracks if track["beats"]]
    if with_beats:
        shown = with_beats[:MAX_ROWS]
        console.print(beat_table(shown, [cell(track["title"]) for track in shown], report.mean["beats"]))
        _print_hidden(console, len(with_beats))
        console.print()
    console.say(f"{counted(len(report.tracks), 'track')}, labeled by {', '.join(_people(report))}")
    console.say(f"Model: {report.model.uri or report.model.name}")
    console.say(f"{'Recorded' if report.is_new else 'Already recorded'}: MLflow run {report.run_id}")


def _print_hidden(console: Console, n_tracks: int) -> None:
    if n_tracks > MAX_ROWS:
        console.say(f"({n_tracks - MAX_ROWS} more; use --json to list all)")


def _people(report: EvaluateReport) -> list[str]:
    return sorted({name for track in report.tracks for name in (*track["annotators"], *track["beat_annotators"])})

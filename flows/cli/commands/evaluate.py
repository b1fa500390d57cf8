"""Evaluate: the corpus's segments beside what people said."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from songform.errors import CorpusError
from tasks.annotate.annotation_scores import evaluate_tracks, log_evaluation
from tasks.report.song_reports import OWN_MODEL
from tasks.store.corpus import Corpus
from tasks.train.registry import ModelInfo, champion_version, fetch_bundle
from tasks.train.tracking import MODEL_NAME

__all__ = ["EvaluateReport", "evaluate"]


@dataclass(frozen=True)
class EvaluateReport:
    """How far the segments agree with people.

    Parameters
    ----------
    run_id : str
        The run in MLflow.
    is_new : bool
        False if the very same comparison was recorded before.
    model : ModelInfo
        Whose segments.
    tracks : list of dict
        `key`, `title`, `annotators` and `scores` of each track.
    mean : dict of dict
        Means over the tracks.
    problems : list of str
        A sentence for each annotated track without a report.
    """

    run_id: str
    is_new: bool
    model: ModelInfo
    tracks: list[dict[str, Any]]
    mean: dict[str, dict[str, float]]
    problems: list[str]


def evaluate(home: Path, model: str | None = None) -> EvaluateReport:
    """Score the reports of a model against the corpus's annotations, and record that in MLflow.

    Parameters
    ----------
    home : Path
        The corpus's home.
    model : str, optional
        MLflow's address of a bundle; else the champion; else states that were fitted on each song itself.

    Raises
    ------
    CorpusError
        If no track is annotated, or none that is has a report.
    ModelError
        If the model cannot be had.
    """
    corpus = Corpus(home)
    if not corpus.annotated():
        raise CorpusError(
            f"no track of the corpus in {home} is annotated; put labels beside one with songform annotate SOURCE FILE"
        )
    chosen = _chosen_model(home, model)
    evaluation = evaluate_tracks(home, chosen)
    if not evaluation.tracks:
        more = f" (and {len(evaluation.missing) - 1} more such tracks)" if len(evaluation.missing) > 1 else ""
        raise CorpusError(evaluation.missing[0] + more)
    run_id, is_new = log_evaluation(home, evaluation, chosen)
    return EvaluateReport(run_id, is_new, chosen, evaluation.tracks, evaluation.mean, evaluation.missing)


def _chosen_model(home: Path, uri: str | None) -> ModelInfo:
    """Return the model asked for, else the champion, else that of each song's own states."""
    if uri is None and champion_version(home) is None:
        return OWN_MODEL
    return fetch_bundle.fn(home, uri or f"models:/{MODEL_NAME}@champion")  # no flow runs here that a task belonged to

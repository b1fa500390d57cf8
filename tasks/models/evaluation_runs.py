"""Runs in MLflow that record the scores of a model against people's labels.

Evaluations are recorded in a separate experiment, `songform-evaluate`, so that its table compares the scores of models
and the table of training runs needs no further columns. An evaluation and the training run of its model have the same
tag `songform.bundle`, so each can be found from the other.
"""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from songform.annotation.beat_scores import BEAT_MEASURES
from songform.annotation.formats.csv_labels import plain_cell
from songform.annotation.formats.songform_report import LEVELS
from songform.annotation.segmentation_scores import MEASURES
from tasks.annotate.annotation_scores import BEATS, Evaluation
from tasks.settings import digest
from tasks.store.bundles import ModelInfo
from tasks.train.git_commit import git_state
from tasks.train.tracking import client, prepare_store

__all__ = ["EXPERIMENT", "log_evaluation"]

EXPERIMENT = "songform-evaluate"


def log_evaluation(home: Path, evaluation: Evaluation, model: ModelInfo) -> tuple[str, bool]:
    """Record an evaluation in MLflow; return the id of the run, and whether the run is new.

    If the same evaluation was recorded before, its run is returned.
    """
    experiment_id = prepare_store.fn(home, EXPERIMENT)
    store = client(home)
    inputs = digest([model.model_id, evaluation.inputs])
    known = store.search_runs(
        [experiment_id], f"tags.`songform.evaluation` = '{inputs}' and attributes.status = 'FINISHED'", max_results=1
    )
    if known:
        return str(known[0].info.run_id), False
    tags = {
        "songform.evaluation": inputs,
        "songform.bundle": model.model_id,
        "songform.training_run": model.run_id or "",
        "mlflow.source.name": "songform evaluate",
        "mlflow.source.type": "LOCAL",
        **git_state(home),
    }
    name = f"{model.model_id[:4]} on {len(evaluation.tracks)} tracks"
    run_id = str(store.create_run(experiment_id, tags=tags, run_name=name).info.run_id)
    try:
        _log(store, run_id, evaluation, model)
    except BaseException:
        store.set_terminated(run_id, "FAILED")
        raise
    store.set_terminated(run_id, "FINISHED")
    return run_id, True


def _log(store: Any, run_id: str, evaluation: Evaluation, model: ModelInfo) -> None:
    from mlflow.entities import Metric, Param

    now = round(time.time() * 1000)
    metrics = [Metric(name, value, now, 0) for name, value in _metrics(evaluation.mean).items()]
    people = {name for track in evaluation.tracks for name in track["annotators"]}
    facts = {
        "model.uri": model.address or "own",
        "model.id": model.model_id,
        "corpus.annotated": evaluation.n_songs.get("songform", 0),
        "corpus.annotators": len(people),
        "corpus.without_report": len(evaluation.missing),
        "corpus.with_sections": evaluation.n_songs.get("sections", 0),
        "corpus.with_beats": evaluation.n_songs.get(BEATS, 0),
    }
    params = [Param(name, str(value)) for name, value in facts.items()]
    store.log_batch(run_id, metrics=metrics, params=params)
    document = {"mean": evaluation.mean, "n_songs": evaluation.n_songs, "tracks": evaluation.tracks}
    store.log_dict(run_id, document, "scores.json")
    store.log_text(run_id, _sheet(evaluation), "tracks.csv")


def _metrics(mean: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Return the scores to log: all of songform's states and beats, but only the F-measures of the others.

    MLflow's table of runs is slow with many columns.
    """
    segmentations = {who: scores for who, scores in mean.items() if who != BEATS}
    metrics = {f"{who}_{name}": scores[name] for who, scores in segmentations.items() for name in _shown(who)}
    return {**metrics, **mean.get(BEATS, {})}


def _shown(who: str) -> list[str]:
    return [name for name in MEASURES if who == "songform" or "_f" in name]


def _sheet(evaluation: Evaluation) -> str:
    """Return the scores as CSV with one line per track, which MLflow shows as a table."""
    columns = {("songform", name): name for name in MEASURES}
    columns |= {(level, name): f"{level}_{name}" for level in LEVELS for name in _shown(level)}
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(("title", "key", "annotators", *columns.values(), *BEAT_MEASURES))
    for track in evaluation.tracks:
        words = (plain_cell(track["title"]), track["key"], plain_cell(", ".join(track["annotators"])))
        values = [track["scores"].get(who, {}).get(name) for who, name in columns]
        values += [(track["beats"] or {}).get(name) for name in BEAT_MEASURES]
        writer.writerow((*words, *("" if value is None else f"{value:.4f}" for value in values)))
    return file.getvalue()

"""Scores of a model's segments against people's labels, per track, recorded as a run in MLflow.

Evaluations are recorded in a separate experiment, `songform-evaluate`, so that its table compares the scores of models
and the table of training runs needs no further columns. An evaluation and the training run of its model have the same
tag `songform.bundle`, so each can be found from the other.
"""

from __future__ import annotations

import csv
import io
import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from songform.annotation.annotations import Annotation
from songform.annotation.formats import read_annotation
from songform.annotation.formats.csv_labels import plain_cell
from songform.annotation.segmentation_scores import MEASURES, VERSION, mean_scores, song_scores
from songform.errors import AnnotationError, UnreadableFileError
from tasks.annotate.annotations import annotations_of
from tasks.progress import announce
from tasks.settings import digest
from tasks.store.corpus import Corpus
from tasks.train.git_commit import git_state
from tasks.train.registry import ModelInfo
from tasks.train.tracking import client, prepare_store

__all__ = ["EXPERIMENT", "WHO", "Evaluation", "evaluate_tracks", "log_evaluation"]

EXPERIMENT = "songform-evaluate"

WHO = ("songform", "people", "every_20_s", "one_section")
"""What is scored, in the order of the table: the model's segments, people against each other, and two baselines."""


@dataclass(frozen=True)
class Evaluation:
    """Scores of a corpus.

    Parameters
    ----------
    tracks : list of dict
        For each track `key`, `title`, `annotators` and `scores`; the scores by the names in `WHO`, then by measure.
    mean : dict of dict
        Means of the scores over the tracks, by the names in `WHO`, then by measure.
    missing : list of str
        One sentence per labeled track that has no report, or whose files cannot be read.
    inputs : str
        Digest of everything that was compared.
    """

    tracks: list[dict[str, Any]]
    mean: dict[str, dict[str, float]]
    missing: list[str]
    inputs: str


def evaluate_tracks(home: Path, model: ModelInfo) -> Evaluation:
    """Score the reports of a model against people's labels.

    Parameters
    ----------
    home : Path
        Path of the home.
    model : ModelInfo
        Model whose reports are scored.
    """
    corpus = Corpus(home)
    tracks: list[dict[str, Any]] = []
    missing: list[str] = []
    inputs: list[Any] = [VERSION]
    keys = corpus.annotated()
    for count, key in enumerate(keys, start=1):
        try:
            estimate, people = _read(corpus, model, key, missing)
        except (AnnotationError, UnreadableFileError) as error:
            missing.append(str(error))
            continue
        scores = song_scores(people, estimate, estimate.duration or float(estimate.intervals.max()))
        tracks.append({"key": key, "title": estimate.title, "annotators": list(people), "scores": scores})
        inputs.append([key, _content(estimate), {name: _content(said) for name, said in people.items()}])
        announce("agreement", count, len(keys), estimate.title)
    tracks.sort(key=lambda track: (track["title"].casefold(), track["key"]))
    scored = {who: [track["scores"][who] for track in tracks if who in track["scores"]] for who in WHO}
    mean = {who: mean_scores(rows) for who, rows in scored.items() if rows}
    return Evaluation(tracks, mean, missing, digest(inputs))


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


def _read(corpus: Corpus, model: ModelInfo, key: str, problems: list[str]) -> tuple[Annotation, dict[str, Annotation]]:
    """Read the report of a track and people's labels of it, by person; label files that cannot be read are problems."""
    path = corpus.report_path(model.model_id, f"{key}.json")
    if not path.is_file():
        record = corpus.record(key)
        title, source = (record.title, record.source) if record else (key, key)
        option = f" --model {model.uri}" if model.uri and not model.is_champion else ""
        remedy = f"songform analyze {shlex.quote(source)}{option}"
        raise AnnotationError(f"{title} has no report by this model; create it with {remedy}")
    estimate = read_annotation(path)
    people = {name: said for name, (_, said) in annotations_of(corpus, key, problems).items()}
    if not people:
        raise AnnotationError(f"{estimate.title} has no labels that can be read; label it again with songform annotate")
    return estimate, people


def _content(annotation: Annotation) -> list[Any]:
    return [annotation.intervals.tolist(), list(annotation.labels)]


def _log(store: Any, run_id: str, evaluation: Evaluation, model: ModelInfo) -> None:
    from mlflow.entities import Metric, Param

    now = round(time.time() * 1000)
    values = {f"{who}_{name}": value for who, scores in evaluation.mean.items() for name, value in _shown(who, scores)}
    metrics = [Metric(name, value, now, 0) for name, value in values.items()]
    people = {name for track in evaluation.tracks for name in track["annotators"]}
    facts = {
        "model.uri": model.uri or "own",
        "model.id": model.model_id,
        "corpus.annotated": len(evaluation.tracks),
        "corpus.annotators": len(people),
        "corpus.without_report": len(evaluation.missing),
    }
    params = [Param(name, str(value)) for name, value in facts.items()]
    store.log_batch(run_id, metrics=metrics, params=params)
    store.log_dict(run_id, {"mean": evaluation.mean, "tracks": evaluation.tracks}, "scores.json")
    store.log_text(run_id, _sheet(evaluation), "tracks.csv")


def _shown(who: str, scores: Mapping[str, float]) -> list[tuple[str, float]]:
    """Return the scores to log: all of songform, but only the F-measures of the others.

    MLflow's table of runs is slow with many columns.
    """
    return [(name, scores[name]) for name in MEASURES if who == "songform" or "_f" in name]


def _sheet(evaluation: Evaluation) -> str:
    """Return the scores as CSV with one line per track, which MLflow shows as a table."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(("title", "key", "annotators", *MEASURES))
    for track in evaluation.tracks:
        scores = track["scores"]["songform"]
        words = (plain_cell(track["title"]), track["key"], plain_cell(", ".join(track["annotators"])))
        writer.writerow((*words, *(f"{scores[name]:.4f}" for name in MEASURES)))
    return file.getvalue()

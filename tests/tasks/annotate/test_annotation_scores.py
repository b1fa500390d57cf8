"""Evaluations: scores of reports, tracks without reports, and runs in MLflow."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest

from songform.annotation.annotations import Annotation
from songform.annotation.segmentation_scores import MEASURES
from tasks.annotate.annotation_scores import evaluate_tracks
from tasks.annotate.annotations import keep_annotation
from tasks.annotate.evaluation_runs import EXPERIMENT, log_evaluation
from tasks.store.atomic_files import write_json
from tasks.store.corpus import Corpus
from tasks.store.tracks import TrackRecord
from tasks.train.registry import ModelInfo
from tasks.train.tracking import client

MODEL = ModelInfo("models:/songform/1", "0123456789ab", "0" * 32, True)
LABELS = Annotation(np.array([[0.0, 30.0], [30.0, 60.0]]), ["verse", "chorus"])


def report(corpus, key, *states, model=MODEL):
    edges = np.linspace(0, 60.0, len(states) + 1)
    segments = [
        {"start": a, "end": b, "state": state, "confidence": 0.5}
        for a, b, state in zip(edges[:-1], edges[1:], states, strict=True)
    ]
    path = corpus.report_path(model.model_id, f"{key}.json")
    write_json(path, {"track": {"key": key, "title": f"Song {key}", "duration": 60.0}, "segments": segments})
    return path


@pytest.fixture
def corpus(tmp_path):
    """Return a corpus in which three songs have labels, and two of them have reports."""
    made = Corpus(tmp_path)
    made.prepare()
    for key, people in (("feed-0", "AB"), ("feed-1", "A"), ("feed-2", "A"), ("feed-3", "")):
        record = TrackRecord(
            key=key,
            title=f"Song {key}",
            source=f"https://a.example/{key}",
            status="done",
            duration=60.0,
            updated_at="2026",
        )
        made.save_record(record)
        for person in people:
            keep_annotation(made, record, LABELS, person)
    report(made, "feed-0", "Calm", "Energetic")
    report(made, "feed-1", "Calm", "Energetic", "Calm")
    return made


def test_reports_are_scored_and_tracks_without_one_are_named(corpus):
    evaluation = evaluate_tracks(corpus.home, MODEL)
    assert [track["key"] for track in evaluation.tracks] == ["feed-0", "feed-1"]
    first, second = (track["scores"]["songform"] for track in evaluation.tracks)
    assert first["trimmed_f_0.5"] == 1
    assert second["trimmed_f_0.5"] == 0
    assert evaluation.mean["songform"]["trimmed_f_0.5"] == 0.5
    assert evaluation.mean["people"]["pairwise_f"] == 1  # of the one song that two people labeled
    assert [track["annotators"] for track in evaluation.tracks] == [["A", "B"], ["A"]]
    (missing,) = evaluation.missing
    assert re.search(r"^Song feed-2 has no report .*; .*songform analyze https://a\.example/feed-2$", missing)


def test_damaged_report_is_named_and_the_others_are_scored(corpus):
    corpus.report_path(MODEL.model_id, "feed-1.json").write_text("{", encoding="utf-8")
    evaluation = evaluate_tracks(corpus.home, MODEL)
    assert [track["key"] for track in evaluation.tracks] == ["feed-0"]
    assert "feed-1.json cannot be used: " in evaluation.missing[0]
    assert "not valid JSON (line 1" in evaluation.missing[0]


def test_digest_of_the_inputs_changes_with_a_report_or_label(corpus):
    before = evaluate_tracks(corpus.home, MODEL).inputs
    assert evaluate_tracks(corpus.home, MODEL).inputs == before
    path = report(corpus, "feed-1", "Calm", "Energetic", "Repetitive")
    after = evaluate_tracks(corpus.home, MODEL).inputs
    assert after != before
    path.unlink()
    record = corpus.record("feed-0")
    keep_annotation(corpus, record, Annotation(LABELS.intervals, ["verse", "bridge"]), "B")
    assert evaluate_tracks(corpus.home, MODEL).inputs not in (before, after)


def test_evaluation_is_recorded_once_as_a_run_in_mlflow(corpus):
    evaluation = evaluate_tracks(corpus.home, MODEL)
    run_id, is_new = log_evaluation(corpus.home, evaluation, MODEL)
    assert is_new
    assert log_evaluation(corpus.home, evaluation, MODEL) == (run_id, False)
    store = client(corpus.home)
    run = store.get_run(run_id)
    assert run.info.experiment_id == store.get_experiment_by_name(EXPERIMENT).experiment_id
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "0123 on 2 tracks"
    assert run.data.tags["songform.bundle"] == MODEL.model_id
    assert run.data.tags["songform.training_run"] == MODEL.run_id
    assert run.data.params == {
        "model.uri": MODEL.uri,
        "model.id": MODEL.model_id,
        "corpus.annotated": "2",
        "corpus.annotators": "2",
        "corpus.without_report": "1",
        "corpus.with_sections": "0",
        "corpus.with_beats": "0",
    }
    assert {f"songform_{name}" for name in MEASURES} <= set(run.data.metrics)
    assert run.data.metrics["songform_trimmed_f_0.5"] == 0.5
    assert run.data.metrics["every_20_s_trimmed_f_3"] == evaluation.mean["every_20_s"]["trimmed_f_3"]
    assert len(run.data.metrics) <= 40  # more columns make MLflow's page slow
    folder = corpus.mlruns / "artifacts" / EXPERIMENT / run_id / "artifacts"
    assert json.loads((folder / "scores.json").read_text())["mean"] == evaluation.mean
    table = pd.read_csv(folder / "tracks.csv")
    assert table.key.tolist() == ["feed-0", "feed-1"]
    assert table["trimmed_f_0.5"].tolist() == [1.0, 0.0]
    report(corpus, "feed-1", "Calm", "Energetic", "Repetitive")
    other, is_new = log_evaluation(corpus.home, evaluate_tracks(corpus.home, MODEL), MODEL)
    assert is_new
    assert other != run_id


def test_run_that_cannot_be_written_is_marked_as_failed_and_recorded_again(corpus, monkeypatch):
    evaluation = evaluate_tracks(corpus.home, MODEL)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mlflow.MlflowClient.log_text", full)
    with pytest.raises(OSError, match="No space left"):
        log_evaluation(corpus.home, evaluation, MODEL)
    monkeypatch.undo()
    run_id, is_new = log_evaluation(corpus.home, evaluation, MODEL)
    assert is_new
    store = client(corpus.home)
    experiment = store.get_experiment_by_name(EXPERIMENT)
    statuses = {run.info.run_id: run.info.status for run in store.search_runs([experiment.experiment_id])}
    assert sorted(statuses.values()) == ["FAILED", "FINISHED"]
    assert statuses[run_id] == "FINISHED"

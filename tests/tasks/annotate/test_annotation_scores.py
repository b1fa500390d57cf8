"""Evaluations: scores of reports, tracks without reports, and runs in MLflow."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest

from songform.annotation.annotations import Annotation
from songform.annotation.beat_annotation import BeatAnnotation
from songform.annotation.beat_scores import beat_scores
from songform.annotation.segmentation_scores import MEASURES, VERSION
from songform.beats.beat_tracking import Beats
from tasks.annotate.annotation_scores import evaluate_tracks
from tasks.annotate.annotations import keep_annotation
from tasks.annotate.beat_annotations import keep_beats
from tasks.models.evaluation_runs import EXPERIMENT, log_evaluation
from tasks.settings import digest
from tasks.store.atomic_files import write_json
from tasks.store.bundles import ModelInfo
from tasks.store.corpus import Corpus
from tasks.store.tables import write_table
from tasks.store.tracks import TrackRecord
from tasks.train.tracking import client

MODEL = ModelInfo("models:/songform/1", "0123456789ab", "0" * 32, True)
LABELS = Annotation(np.array([[0.0, 30.0], [30.0, 60.0]]), ["verse", "chorus"])


def report(corpus, key, *states, model=MODEL, **fields):
    edges = np.linspace(0, 60.0, len(states) + 1)
    segments = [
        {"start": a, "end": b, "state": state, "confidence": 0.5}
        for a, b, state in zip(edges[:-1], edges[1:], states, strict=True)
    ]
    path = corpus.report_path(model.model_id, f"{key}.json")
    write_json(path, {"track": {"key": key, "title": f"Song {key}", "duration": 60.0}, "segments": segments, **fields})
    return path


def parts(*rows):
    return [{"start": start, "end": end, "label": label, "confidence": 0.5} for start, end, label in rows]


SECTIONS = {
    "sections": parts((0, 30, "A"), (30, 60, "B")),
    "phrases": parts((0, 15, "a"), (15, 30, "b"), (30, 60, "c")),
}


def beats(first=0.5, last=60.0, position=1):
    times = np.arange(first, last, 0.5)
    return BeatAnnotation(times, 1 + (position - 1 + np.arange(len(times))) % 4)


def found_beats(corpus, key, found):
    """Write a table of beats, and return the field of the report."""
    path = corpus.data / "beats" / "0" / f"{key}.parquet"
    beats = Beats(found.times, found.positions, 120.0, 4, is_metre_sure=True, confidence=0.9)
    write_table(path, beats.to_table())
    return {"tempo": 120.0, "metre": 4, "is_metre_sure": True, "confidence": 0.9, "path": str(path)}


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


def test_sections_are_scored_for_the_songs_that_have_them(corpus):
    report(corpus, "feed-0", "Calm", "Energetic", "Calm", **SECTIONS)
    evaluation = evaluate_tracks(corpus.home, MODEL)
    first, second = evaluation.tracks
    assert first["scores"]["songform"]["trimmed_f_0.5"] == 0
    assert first["scores"]["sections"]["trimmed_f_0.5"] == 1
    assert first["scores"]["phrases"]["trimmed_f_0.5"] == pytest.approx(2 / 3)
    assert set(first["by_annotator"]) == {"A", "B"}
    assert first["by_annotator"]["A"]["sections"] == first["scores"]["sections"]
    assert not {"sections", "phrases"} & set(second["scores"])
    assert evaluation.mean["sections"] == first["scores"]["sections"]
    n_ours = {"songform": 2, "sections": 1, "phrases": 1}
    assert evaluation.n_songs == {**n_ours, "people": 1, "every_20_s": 2, "one_section": 2}
    (note,) = evaluation.notes
    assert note.startswith("1 song has no sections and is scored by states only: Song feed-1 (an earlier version")


def test_reason_for_missing_sections_is_that_of_the_report(corpus):
    nothing = {"sections": [], "phrases": [], "beats": None, "no_sections": "the song has no regular beat"}
    for key in ("feed-0", "feed-1"):
        report(corpus, key, "Calm", "Energetic", **nothing)
    evaluation = evaluate_tracks(corpus.home, MODEL)
    (note,) = evaluation.notes
    assert note.startswith("2 songs have no sections and are scored by states only: Song feed-0 (the song has no ")
    assert note.endswith("Song feed-1 (the song has no regular beat)")
    assert "sections" not in evaluation.mean


def test_report_with_damaged_sections_is_named(corpus):
    report(corpus, "feed-0", "Calm", **{**SECTIONS, "sections": [{"start": 0, "end": "x", "label": "A"}]})
    evaluation = evaluate_tracks(corpus.home, MODEL)
    assert [track["key"] for track in evaluation.tracks] == ["feed-1"]
    assert "feed-0.json cannot be used: section 1 has 'x' as its end" in evaluation.missing[0]


def test_beats_are_scored_against_those_of_people(corpus):
    found = beats(position=2)
    report(corpus, "feed-0", "Calm", beats=found_beats(corpus, "feed-0", found), **SECTIONS)
    report(corpus, "feed-3", "Calm", beats=found_beats(corpus, "feed-3", beats()), **SECTIONS)
    people = {"A": beats(), "C": BeatAnnotation(np.arange(0.75, 60, 0.5))}
    for name, said in people.items():
        keep_beats(corpus, corpus.record("feed-0"), said, name)
    keep_beats(corpus, corpus.record("feed-3"), beats(), "A")
    keep_beats(corpus, corpus.record("feed-1"), beats(), "A")
    evaluation = evaluate_tracks(corpus.home, MODEL)
    first, second, third = evaluation.tracks
    assert first["beat_annotators"] == ["A", "C"]
    assert first["beats"]["beat_f"] == 0.5  # mean of 1 and 0
    assert first["beats"]["downbeat_f"] == beat_scores(people["A"], found)["downbeat_f"] == 0  # C has no downbeats
    assert second["beats"] is None
    assert (third["key"], third["scores"], third["annotators"]) == ("feed-3", {}, [])  # without section labels
    assert third["beats"]["beat_f"] == 1
    assert evaluation.mean["beats"]["beat_f"] == 0.75
    assert (evaluation.n_songs["beats"], evaluation.n_songs["songform"]) == (2, 2)
    assert evaluation.notes[-1].startswith("1 song has people's beats that cannot be scored: Song feed-1 (an earlier ")


def test_order_of_people_does_not_change_the_scores_of_beats(corpus):
    report(corpus, "feed-0", "Calm", beats=found_beats(corpus, "feed-0", beats(0.52)), **SECTIONS)
    scores = []
    for names in ("AB", "BA"):
        for name, said in zip(names, (beats(), beats(0.6, position=3)), strict=True):
            keep_beats(corpus, corpus.record("feed-0"), said, name)
        scores.append(evaluate_tracks(corpus.home, MODEL).tracks[0]["beats"])
    assert scores[0] == pytest.approx(scores[1])
    assert scores[0]["beat_f"] < 1


def test_beats_that_cannot_be_scored_have_a_reason(corpus):
    keep_beats(corpus, corpus.record("feed-0"), beats(), "A")
    keep_beats(corpus, corpus.record("feed-1"), beats(last=4.0), "A")
    report(corpus, "feed-0", "Calm", **SECTIONS, beats=None)
    report(corpus, "feed-1", "Calm", **SECTIONS, beats=found_beats(corpus, "feed-1", beats()))
    evaluation = evaluate_tracks(corpus.home, MODEL)
    (note,) = evaluation.notes
    assert "2 songs have people's beats that cannot be scored: " in note
    assert "Song feed-0 (its report has no beats; add a semitone spectrum with songform ingest --upgrade" in note
    assert "Song feed-1 (they end within the first 5 s, which are not scored)" in note
    (corpus.data / "beats" / "0" / "feed-1.parquet").write_bytes(b"x")
    evaluation = evaluate_tracks(corpus.home, MODEL)
    assert "the beats of Song feed-1 are not scored" in evaluation.missing[0]
    assert [track["key"] for track in evaluation.tracks] == ["feed-0", "feed-1"]


def test_song_whose_beats_were_not_found_scores_0(corpus):
    keep_beats(corpus, corpus.record("feed-0"), beats(), "A")
    nothing = BeatAnnotation(np.empty(0), np.empty(0, int))
    report(corpus, "feed-0", "Calm", **SECTIONS, beats=found_beats(corpus, "feed-0", nothing))
    assert set(evaluate_tracks(corpus.home, MODEL).mean["beats"].values()) == {0.0}


def test_sections_and_beats_are_recorded_and_change_the_evaluation(corpus):
    before = evaluate_tracks(corpus.home, MODEL)
    path = report(corpus, "feed-0", "Calm", "Energetic", **SECTIONS, beats=None)
    with_sections = evaluate_tracks(corpus.home, MODEL)
    keep_beats(corpus, corpus.record("feed-0"), beats(), "A")
    report(corpus, "feed-0", "Calm", "Energetic", **SECTIONS, beats=found_beats(corpus, "feed-0", beats()))
    evaluation = evaluate_tracks(corpus.home, MODEL)
    assert path.is_file()
    assert len({before.inputs, with_sections.inputs, evaluation.inputs}) == 3
    run_id, _ = log_evaluation(corpus.home, evaluation, MODEL)
    run = client(corpus.home).get_run(run_id)
    assert run.data.metrics["sections_trimmed_f_0.5"] == 1
    assert run.data.metrics["phrases_v_f"] == evaluation.mean["phrases"]["v_f"]
    assert "sections_v_precision" not in run.data.metrics
    assert (run.data.metrics["beat_f"], run.data.metrics["downbeat_amlt"]) == (1, 1)
    assert (run.data.params["corpus.with_sections"], run.data.params["corpus.with_beats"]) == ("1", "1")
    folder = corpus.mlruns / "artifacts" / EXPERIMENT / run_id / "artifacts"
    scores = json.loads((folder / "scores.json").read_text())
    assert scores["tracks"][0]["by_annotator"] == evaluation.tracks[0]["by_annotator"]
    table = pd.read_csv(folder / "tracks.csv")
    assert table["sections_trimmed_f_0.5"].fillna(-1).tolist() == [1, -1]
    assert table["beat_f"].fillna(-1).tolist() == [1, -1]


def test_digest_of_labels_and_reports_without_sections_and_beats_is_that_of_earlier_versions(corpus):
    """Otherwise each evaluation of an earlier version would be recorded again."""
    keep_beats(corpus, corpus.record("feed-1"), beats(), "A")
    people = {name: [LABELS.intervals.tolist(), list(LABELS.labels)] for name in "AB"}
    first = [[[0.0, 30.0], [30.0, 60.0]], ["Calm", "Energetic"]]
    second = [[[0.0, 20.0], [20.0, 40.0], [40.0, 60.0]], ["Calm", "Energetic", "Calm"]]
    expected = [VERSION, ["feed-0", first, people], ["feed-1", second, {"A": people["A"]}]]
    assert evaluate_tracks(corpus.home, MODEL).inputs == digest(expected)

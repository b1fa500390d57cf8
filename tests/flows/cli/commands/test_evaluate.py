"""Tests of songform evaluate: scores as text and JSON, and messages about missing labels and reports."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from songform.annotation.segmentation_scores import MEASURES
from songform.beats.beat_tracking import Beats
from tasks.store.atomic_files import write_json
from tasks.store.corpus import Corpus
from tasks.store.tables import write_table


@pytest.fixture(scope="module")
def home(extracted, tmp_path_factory):
    """Return a home with extracted songs, to which the tests add labels and reports."""
    made = tmp_path_factory.mktemp("annotated")
    shutil.copytree(extracted / "data", made / "data")
    return made


@pytest.fixture(scope="module")
def records(home):
    return Corpus(home).records()


def report(home, record, **fields):
    segments = [
        {"start": 0.0, "end": 8.0, "state": "Calm", "confidence": 0.5},
        {"start": 8.0, "end": record.duration, "state": "Energetic", "confidence": 0.5},
    ]
    track = {"key": record.key, "title": record.title, "duration": record.duration}
    write_json(Corpus(home).report_path("own", f"{record.key}.json"), {"track": track, "segments": segments, **fields})


def test_evaluation_from_no_labels_to_all_reports(songform, document, home, records, tmp_path):
    first, second = records[:2]
    result = songform("--home", home, "evaluate")
    assert result.exit_code == 4
    assert f"no track of the corpus in {home} has labels" in result.stderr
    assert "songform annotate SOURCE FILE" in result.stderr
    (tmp_path / "x.lab").write_text(f"0 8 A\n8 {first.duration} B\n")
    for record, names in ((first, ("Ana", "Bo")), (second, ("Ana",))):
        for name in names:
            songform("--home", home, "annotate", record.key, tmp_path / "x.lab", "--annotator", name)
    result = songform("--home", home, "evaluate")
    assert result.exit_code == 4
    assert "has no report by this model; " in result.stderr
    assert "songform analyze" in result.stderr
    assert "(1 other track without a report)" in result.stderr
    report(home, first)
    result = songform("--home", home, "evaluate", "--json")
    assert result.exit_code == 3
    output = document(result)
    assert set(output) == {"run_id", "is_new", "model", "model_id", "tracks", "mean", "n_songs", "notes", "problems"}
    assert output["model"] is None
    assert [track["key"] for track in output["tracks"]] == [first.key]
    assert set(output["mean"]) == {"songform", "people", "every_20_s", "one_section"}
    assert set(output["mean"]["songform"]) == set(MEASURES)
    assert output["mean"]["songform"]["trimmed_f_0.5"] == 1
    assert len(output["problems"]) == 1
    assert second.title in output["problems"][0]
    report(home, second)
    result = songform("--home", home, "evaluate")
    assert result.exit_code == 0
    for words in (
        first.title,
        "person against person",
        "a boundary every 20 s",
        "labeled by Ana, Bo",
        "Model: states fitted per song",
    ):
        assert words in result.stdout
    assert "Recorded: MLflow run " in result.stdout
    assert "Already recorded: MLflow run " in songform("--home", home, "evaluate").stdout


def test_renamed_database_is_named_even_if_no_track_can_be_scored(songform, document, home, records, tmp_path):
    shutil.copytree(home / "data", tmp_path / "home" / "data", ignore=shutil.ignore_patterns("reports"))
    (tmp_path / "x.lab").write_text("0 8 A\n8 15 B\n")
    songform("--home", tmp_path / "home", "annotate", records[0].key, tmp_path / "x.lab")
    database = tmp_path / "home" / "mlruns" / "mlflow.db"
    database.parent.mkdir(exist_ok=True)
    database.write_bytes(b"zz")
    result = songform("--home", tmp_path / "home", "--json", "evaluate")
    assert result.exit_code == 4
    output = document(result)["error"]
    assert f"MLflow's database {database} is damaged (" in output
    assert "it was renamed to mlflow.db.damaged-1" in output
    assert f"{records[0].title} has no report by this model" in output


def test_missing_model_is_reported_in_one_sentence(songform, home, records, tmp_path):
    (tmp_path / "x.lab").write_text("0 8 A\n8 15 B\n")
    songform("--home", home, "annotate", records[0].key, tmp_path / "x.lab")
    result = songform("--home", home, "evaluate", "--model", "models:/songform/99")
    assert result.exit_code == 4
    assert "models:/songform/99" in result.stderr


def test_sections_phrases_and_beats_are_scored(songform, document, home, records, tmp_path):
    made = tmp_path / "home"
    shutil.copytree(home / "data", made / "data", ignore=shutil.ignore_patterns("reports", "annotations"))
    first, second, third = records[:3]
    times = np.arange(0.5, first.duration, 0.5)
    table = made / "data" / "beats" / "0" / f"{first.key}.parquet"
    found = Beats(times, 1 + np.arange(len(times)) % 4, 120.0, 4, is_metre_sure=True, confidence=0.9)
    write_table(table, found.to_table())
    edges = (0.0, 5.0, 10.0, first.duration)
    phrases = [
        {"start": start, "end": end, "label": label, "confidence": 0.5}
        for start, end, label in zip(edges[:-1], edges[1:], "abc", strict=True)
    ]
    sections = [{**phrases[0], "end": 10.0, "label": "A"}, {**phrases[2], "label": "B"}]
    beats = {"tempo": 120.0, "metre": 4, "is_metre_sure": True, "confidence": 0.9, "path": str(table)}
    report(made, first, sections=sections, phrases=phrases, beats=beats)
    report(made, second, sections=[], phrases=[], beats=None, no_sections="the song has no regular beat")
    report(made, third)
    (tmp_path / "x.lab").write_text(f"0 10 A\n10 {first.duration} B\n")
    (tmp_path / "x.beats").write_text("".join(f"{time}\t{1 + n % 4}\n" for n, time in enumerate(times)))
    for record, name in ((first, "x.lab"), (first, "x.beats"), (second, "x.lab"), (third, "x.beats")):
        assert songform("--home", made, "annotate", record.key, tmp_path / name, "--annotator", "Ana").exit_code == 0
    result = songform("--home", made, "--json", "evaluate")
    assert result.exit_code == 0
    output = document(result)
    by_key = {track["key"]: track for track in output["tracks"]}
    assert set(by_key) == {first.key, second.key}
    scores = by_key[first.key]["scores"]
    assert (scores["songform"]["trimmed_f_0.5"], scores["sections"]["trimmed_f_0.5"]) == (0, 1)
    assert scores["phrases"]["trimmed_precision_0.5"] == 0.5
    assert by_key[first.key]["by_annotator"]["Ana"]["sections"]["trimmed_f_0.5"] == 1
    assert by_key[first.key]["beats"]["downbeat_f"] == output["mean"]["beats"]["beat_f"] == 1
    assert by_key[second.key]["beats"] is None
    assert output["mean"]["sections"] == scores["sections"]
    assert (output["n_songs"]["songform"], output["n_songs"]["sections"], output["n_songs"]["beats"]) == (2, 1, 1)
    assert f"{second.title} (the song has no regular beat)" in output["notes"][0]
    assert f"{third.title} (an earlier version of songform wrote its report" in output["notes"][1]
    result = songform("--home", made, "evaluate")
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["songform:", "states", "2"] in [line[:3] for line in lines]
    assert ["songform:", "sections", "1"] in [line[:3] for line in lines]
    assert ["mean", *["1.000"] * 6] in lines
    assert "note: 1 song has no sections" in result.stderr


def test_home_with_beats_that_cannot_be_scored_is_reported(songform, home, records, tmp_path):
    made = tmp_path / "home"
    shutil.copytree(home / "data", made / "data", ignore=shutil.ignore_patterns("reports", "annotations"))
    (tmp_path / "x.beats").write_text("5.5\n6.0\n6.5\n")
    songform("--home", made, "annotate", records[0].key, tmp_path / "x.beats")
    report(made, records[0])
    result = songform("--home", made, "evaluate")
    assert result.exit_code == 4
    assert "people's beats that cannot be scored" in result.stderr

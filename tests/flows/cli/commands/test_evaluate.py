"""Tests of songform evaluate: scores as text and JSON, and messages about missing labels and reports."""

from __future__ import annotations

import shutil

import pytest

from songform.annotation.segmentation_scores import MEASURES
from tasks.store.atomic_files import write_json
from tasks.store.corpus import Corpus


@pytest.fixture(scope="module")
def home(extracted, tmp_path_factory):
    """Return a home with extracted songs, to which the tests add labels and reports."""
    made = tmp_path_factory.mktemp("annotated")
    shutil.copytree(extracted / "data", made / "data")
    return made


@pytest.fixture(scope="module")
def records(home):
    return Corpus(home).records()


def report(home, record):
    segments = [
        {"start": 0.0, "end": 8.0, "state": "Calm", "confidence": 0.5},
        {"start": 8.0, "end": record.duration, "state": "Energetic", "confidence": 0.5},
    ]
    document = {"track": {"key": record.key, "title": record.title, "duration": record.duration}, "segments": segments}
    write_json(Corpus(home).report_path("own", f"{record.key}.json"), document)


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
    told = document(result)
    assert set(told) == {"run_id", "is_new", "model", "tracks", "mean", "problems"}
    assert told["model"] is None
    assert [track["key"] for track in told["tracks"]] == [first.key]
    assert set(told["mean"]) == {"songform", "people", "every_20_s", "one_section"}
    assert set(told["mean"]["songform"]) == set(MEASURES)
    assert told["mean"]["songform"]["trimmed_f_0.5"] == 1
    assert len(told["problems"]) == 1
    assert second.title in told["problems"][0]
    report(home, second)
    result = songform("--home", home, "evaluate")
    assert result.exit_code == 0
    for words in (first.title, "person against person", "a boundary every 20 s", "labeled by Ana, Bo", "Model: none"):
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
    told = document(result)["error"]
    assert f"MLflow's database {database} is damaged (" in told
    assert "it was renamed to mlflow.db.damaged-1" in told
    assert f"{records[0].title} has no report by this model" in told


def test_missing_model_is_reported_in_one_sentence(songform, home, records, tmp_path):
    (tmp_path / "x.lab").write_text("0 8 A\n8 15 B\n")
    songform("--home", home, "annotate", records[0].key, tmp_path / "x.lab")
    result = songform("--home", home, "evaluate", "--model", "models:/songform/99")
    assert result.exit_code == 4
    assert "models:/songform/99" in result.stderr

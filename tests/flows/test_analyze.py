"""Tests of the flow analyze with the champion, with a given model and without a model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from flows.analyze import analyze
from flows.steps.analyze_steps import analyze_sources
from songform import pretrained_bundle
from songform.pretrained import pretrained_id
from tasks.report.song_reports import PICTURES
from tasks.store.corpus import Corpus

pytestmark = pytest.mark.usefixtures("api")


def test_without_a_trained_model_the_shipped_one_is_used(songform, document, audio_files, extracted, tmp_path):
    shutil.copytree(extracted / "data", tmp_path / "data")
    result = songform("--home", tmp_path, "analyze", audio_files[0], "--out", tmp_path / "out", "--sonify")
    assert result.exit_code == 0
    assert f"Model: the model shipped with songform ({pretrained_id()}); songform train" in result.stdout
    assert f"Files: {tmp_path / 'out'}" in result.stdout
    (path,) = (tmp_path / "out").glob("*.json")
    assert f"Sound: {path.with_suffix('.sonified.flac')}" in result.stdout
    suffixes = {".json", ".html", ".sonified.flac", *json.loads(path.read_text(encoding="utf-8"))["exports"]}
    files = {path.with_suffix(suffix) for suffix in (*suffixes, *(f".{name}.png" for name in PICTURES))}
    assert set((tmp_path / "out").iterdir()) == files
    table = pd.read_parquet(tmp_path / "data" / "segments.parquet")
    assert set(table.title) == {audio_files[0].stem}
    assert set(table.model) == {pretrained_id()}
    assert (tmp_path / "data" / "sections.parquet").is_file()
    assert len(list((tmp_path / "data" / "beats").rglob("*.parquet"))) == 1
    assert not (tmp_path / "mlruns" / "mlflow.db").exists()  # looking for a champion creates no store


def test_shipped_model_can_be_named_and_is_part_of_the_json(songform, document, audio_files, trained):
    result = songform("--home", trained.home, "--json", "analyze", audio_files[2], "--model", "pretrained")
    assert result.exit_code == 0
    found = document(result)
    (report,) = found["reports"]
    assert report["model"]["id"] == found["model"]["id"] == pretrained_id()
    assert report["model"]["states"] == list(pretrained_bundle().states.states)
    assert (found["model"]["uri"], found["model"]["is_champion"], found["notes"]) == (None, False, [])
    page = Path(report["path"]).with_suffix(".html").read_text(encoding="utf-8")
    assert f"the model shipped with songform ({pretrained_id()})" in page


def test_other_features_than_those_of_the_shipped_model_are_found_from_the_song_and_say_so(
    songform, document, audio_files, tmp_path
):
    words = ("--set", "features.n_mfcc=5", "--set", "report.pictures=false")
    result = songform("--home", tmp_path, "--json", "analyze", audio_files[0], *words)
    found = document(result)
    assert result.exit_code == 0
    assert found["model"]["id"] == "own"
    assert any("features.n_mfcc = 13" in note and "the setting is 5" in note for note in found["notes"])


def test_report_without_a_server_is_that_of_the_recorded_flow(audio_files, extracted, quick, tmp_path):
    settings = quick.model_copy(update={"report": quick.report.model_copy(update={"pictures": False})})
    found = []
    for name, work in (("recorded", analyze), ("plain", analyze_sources)):
        shutil.copytree(extracted / "data", tmp_path / name / "data")
        report = work(tmp_path / name, [str(audio_files[0])], settings)
        (document,) = report.reports
        found.append((document | {"path": ""}, report.ingested.tracks, report.all_notes, report.all_problems))
    assert found[0] == found[1]


def test_home_without_spectra_is_analyzed_without_sections_and_says_so_once(
    songform, document, audio_files, extracted, tmp_path
):
    shutil.copytree(extracted / "data", tmp_path / "data")
    shutil.rmtree(tmp_path / "data" / "spectrum")
    corpus = Corpus(tmp_path)
    for record in corpus.records():
        files = {name: size for name, size in record.files.items() if not name.startswith("spectrum/")}
        corpus.save_record(record.model_copy(update={"files": files}))
    result = songform("--home", tmp_path, "--json", "analyze", *audio_files[:2])
    found = document(result)
    assert (result.exit_code, found["problems"]) == (0, [])
    assert found["without_spectrum"] == [track["key"] for track in found["tracks"]]
    (note,) = found["notes"]
    assert "2 tracks have no semitone spectrum" in note
    assert "songform ingest --upgrade" in note
    for report in found["reports"]:
        assert len(report["segments"]) > 1
        assert (report["sections"], report["phrases"], report["beats"]) == ([], [], None)
    assert pd.read_parquet(tmp_path / "data" / "segments.parquet").section.isna().all()
    assert pd.read_parquet(tmp_path / "data" / "sections.parquet").empty
    assert not (tmp_path / "data" / "beats").exists()


def test_champion_is_used_by_default(songform, document, audio_files, trained):
    result = songform("--home", trained.home, "--json", "analyze", audio_files[1])
    assert result.exit_code == 0
    (report,) = document(result)["reports"]
    assert report["model"]["uri"] == "models:/songform/1"
    assert report["model"]["run_id"] == trained.run_id
    (track,) = document(result)["tracks"]
    assert (track["status"], track["title"]) == ("cached", audio_files[1].stem)


def test_limit_is_applied_per_source(songform, document, audio_files, trained):
    result = songform("--home", trained.home, "--json", "analyze", audio_files[0].parent, "--limit", 2)
    assert result.exit_code == 0
    assert [report["track"]["title"] for report in document(result)["reports"]] == [
        path.stem for path in sorted(audio_files)[:2]
    ]


def test_text_output_shows_timelines_legend_and_model(songform, audio_files, trained):
    result = songform(
        "--home", trained.home, "analyze", audio_files[0], audio_files[1], "--model", "models:/songform/1"
    )
    assert result.exit_code == 0
    for path in audio_files[:2]:
        assert path.stem in result.stdout
    assert "Model: models:/songform/1 (the champion)" in result.stdout
    assert f"Files: {trained.home / 'data' / 'reports' / trained.plan.bundle_id}" in result.stdout


def test_failed_track_is_reported_with_the_others_and_is_the_error_if_it_is_the_only_one(
    songform, document, audio_files, extracted, tmp_path
):
    shutil.copytree(extracted / "data", tmp_path / "data")
    (tmp_path / "noise.mp3").write_bytes(b"no audio at all" * 100)
    result = songform("--home", tmp_path, "--json", "analyze", tmp_path / "noise.mp3", audio_files[0])
    assert result.exit_code == 3
    assert [track["status"] for track in document(result)["tracks"]] == ["failed", "cached"]
    (report,) = document(result)["reports"]
    assert (report["track"]["title"], report["model"]["uri"]) == (audio_files[0].stem, None)
    result = songform("--home", tmp_path, "--json", "analyze", tmp_path / "noise.mp3")
    assert result.exit_code == 4
    assert "noise.mp3" in document(result)["error"]


def test_report_contains_the_settings_of_the_analysis(api, audio_files, trained, quick, tmp_path):
    """The report contains the settings and the model."""
    report = analyze(trained.home, [str(audio_files[0])], quick, "models:/songform/1", tmp_path)
    assert report.reports[0]["settings"] == quick.model_dump(mode="json")
    assert report.model.is_champion

"""Tests of songform report, which writes an index of the analyzed songs without a server."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tasks.models.registry import fetch_bundle
from tasks.report.report_tracks import report_tracks
from tasks.store.bundles import OWN_MODEL


@pytest.fixture(scope="module")
def home(trained, tmp_path_factory):
    """Return a new home in which one song was analyzed by the champion, and another one with its own states."""
    home = tmp_path_factory.mktemp("reported")
    shutil.copytree(trained.home, home, dirs_exist_ok=True)
    shutil.rmtree(home / "data" / "reports", ignore_errors=True)  # written by other tests to the shared home
    champion = fetch_bundle.fn(home, "models:/songform@champion")
    one, other = trained.plan.keys[:2]
    report_tracks.fn(home, [one], trained.settings, champion, out=None, n_tracks=1)
    report_tracks.fn(home, [other], trained.settings, OWN_MODEL, out=None, n_tracks=1)
    return home


@pytest.mark.parametrize("words", [[], ["--model", "models:/songform/1"]])
def test_index_lists_the_songs_of_the_champion_or_of_the_given_model(songform, document, trained, home, words):
    result = songform("--home", home, "--json", "report", *words)
    assert result.exit_code == 0
    told = document(result)
    assert Path(told["index"]) == home / "data" / "reports" / trained.plan.bundle_id / "index.html"
    assert Path(told["index"]).is_file()
    assert [song["key"] for song in told["songs"]] == [trained.plan.keys[0]]
    assert Path(told["songs"][0]["page"]).is_file()
    assert told["left"] == len(trained.plan.keys) - 1


def test_text_output_shows_the_path_of_the_index_and_the_number_of_missing_songs(songform, trained, home):
    result = songform("--home", home, "report")
    assert result.exit_code == 0
    assert f"1 song: {home / 'data' / 'reports' / trained.plan.bundle_id / 'index.html'}" in result.stdout
    others = len(trained.plan.keys) - 1
    assert f"{others} songs of the corpus are not in this index; analyze them with " in result.stdout


def test_without_a_model_the_index_lists_songs_that_an_earlier_version_analyzed_with_their_own_states(
    songform, document, extracted, home, tmp_path
):
    shutil.copytree(home / "data" / "reports" / "own", tmp_path / "data" / "reports" / "own")
    result = songform("--home", tmp_path, "--json", "report")
    assert result.exit_code == 0
    assert Path(document(result)["index"]) == tmp_path / "data" / "reports" / "own" / "index.html"
    assert not (tmp_path / "mlruns").exists()  # looking for a champion creates no store


def test_missing_analysis_is_reported_in_one_sentence(songform, document, tmp_path):
    (tmp_path / "data").mkdir()
    result = songform("--home", tmp_path, "--json", "report")
    assert result.exit_code == 4
    error = document(result)["error"]
    assert f"no song in {tmp_path} has been analyzed" in error
    assert error.endswith("songform analyze SOURCE --model pretrained")
    assert list(tmp_path.rglob("*")) == [tmp_path / "data"]


UNUSABLE = {
    "a broken report": ("{", ""),
    "no segments": ('{"track": {"title": "a"}, "segments": []}', "it has no segments"),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_unusable_report_is_a_problem_of_the_index(songform, document, home, tmp_path, case):
    content, reason = UNUSABLE[case]
    shutil.copytree(home / "data" / "reports" / "own", tmp_path / "data" / "reports" / "own")
    (tmp_path / "data" / "reports" / "own" / "file-1.json").write_text(content, encoding="utf-8")
    result = songform("--home", tmp_path, "--json", "report")
    assert result.exit_code == 3
    assert len(document(result)["songs"]) == 1
    (problem,) = document(result)["problems"]
    assert f"file-1.json cannot be read ({reason}" in problem
    assert problem in result.stderr

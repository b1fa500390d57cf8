"""Report: one page over the songs that were analysed, without any server."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tasks.report.song_reports import OWN_MODEL, report_tracks
from tasks.train.registry import fetch_bundle


@pytest.fixture(scope="module")
def home(trained, tmp_path_factory):
    """Make a home of its own, in which a song was analysed by the champion, and another by states of its own."""
    home = tmp_path_factory.mktemp("reported")
    shutil.copytree(trained.home, home, dirs_exist_ok=True)
    shutil.rmtree(home / "data" / "reports", ignore_errors=True)  # other tests analyse in the home that is shared
    champion = fetch_bundle.fn(home, "models:/songform@champion")
    one, other = trained.plan.keys[:2]
    report_tracks.fn(home, [one], trained.settings, champion, out=None, n_tracks=1)
    report_tracks.fn(home, [other], trained.settings, OWN_MODEL, out=None, n_tracks=1)
    return home


@pytest.mark.parametrize("words", [[], ["--model", "models:/songform/1"]])
def test_the_champion_or_the_model_asked_for_is_reported_on(songform, document, trained, home, words):
    result = songform("--home", home, "--json", "report", *words)
    assert result.exit_code == 0
    told = document(result)
    assert Path(told["index"]) == home / "data" / "reports" / trained.plan.bundle_id / "index.html"
    assert Path(told["index"]).is_file()
    assert [song["key"] for song in told["songs"]] == [trained.plan.keys[0]]
    assert Path(told["songs"][0]["page"]).is_file()
    assert told["left"] == len(trained.plan.keys) - 1


def test_a_person_is_told_where_the_index_is_and_what_is_missing(songform, trained, home):
    result = songform("--home", home, "report")
    assert result.exit_code == 0
    assert f"1 song: {home / 'data' / 'reports' / trained.plan.bundle_id / 'index.html'}" in result.stdout
    assert "not analysed by this model" in result.stdout


def test_without_a_model_songs_with_states_of_their_own_are_reported_on(songform, document, extracted, home, tmp_path):
    shutil.copytree(home / "data" / "reports" / "own", tmp_path / "data" / "reports" / "own")
    result = songform("--home", tmp_path, "--json", "report")
    assert result.exit_code == 0
    assert Path(document(result)["index"]) == tmp_path / "data" / "reports" / "own" / "index.html"
    assert not (tmp_path / "mlruns").exists()  # a question leaves no store behind


def test_where_nothing_was_analysed_it_is_one_sentence(songform, document, tmp_path):
    (tmp_path / "data").mkdir()
    result = songform("--home", tmp_path, "--json", "report")
    assert result.exit_code == 4
    error = document(result)["error"]
    assert f"no song in {tmp_path} was analyzed" in error
    assert error.endswith("songform analyze SOURCE")
    assert list(tmp_path.rglob("*")) == [tmp_path / "data"]


UNUSABLE = {"a broken report": ("{", ""), "no segments": ('{"track": {}, "segments": []}', "it has no segments")}


@pytest.mark.parametrize("case", UNUSABLE)
def test_a_report_that_cannot_be_used_is_told_beside_the_index_and_in_the_document(
    songform, document, home, tmp_path, case
):
    content, reason = UNUSABLE[case]
    shutil.copytree(home / "data" / "reports" / "own", tmp_path / "data" / "reports" / "own")
    (tmp_path / "data" / "reports" / "own" / "file-1.json").write_text(content, encoding="utf-8")
    result = songform("--home", tmp_path, "--json", "report")
    assert result.exit_code == 3
    assert len(document(result)["songs"]) == 1
    (problem,) = document(result)["problems"]
    assert f"file-1.json cannot be read ({reason}" in problem
    assert problem in result.stderr

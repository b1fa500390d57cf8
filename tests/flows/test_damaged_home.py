"""One damaged file of a home is reported and renamed, and every command goes on with the rest."""

from __future__ import annotations

import os
import random
import shutil
from functools import partial

import numpy as np
import pytest
import soundfile

from flows.train import train
from songform import synth
from tasks.store.corpus import Corpus
from tasks.store.tables import features_config, has_features
from tasks.train.tracking import client

pytestmark = pytest.mark.usefixtures("api")


@pytest.fixture
def home(trained, tmp_path):
    """Return a home with features, states and a bundle, but without an MLflow store, whose path would be another."""
    shutil.copytree(trained.home / "data", tmp_path / "home" / "data")
    return tmp_path / "home"


def scrambled(path):
    """Overwrite a file with random bytes of equal size, and return them."""
    content = random.Random(path.name).randbytes(path.stat().st_size)
    path.write_bytes(content)
    return content


def middle_scrambled(path):
    """Overwrite the middle of a file, which leaves both of its ends intact."""
    whole = path.read_bytes()
    third = len(whole) // 3
    path.write_bytes(whole[:third] + random.Random(0).randbytes(third) + whole[2 * third :])


def aside(path):
    return path.with_name(f"{path.name}.damaged-1")


@pytest.fixture
def no_network(monkeypatch):
    """Let a training fail that would train a network."""
    monkeypatch.setattr("tasks.train.train_network.fit_network", None)


@pytest.mark.parametrize("table", ["features_path", "overview_path"])
def test_ingest_makes_a_scrambled_table_again(songform, document, home, quick, audio_files, table):
    corpus = Corpus(home)
    path = getattr(corpus, table)(features_config(quick), corpus.records()[0].key)
    whole = path.read_bytes()
    damaged = scrambled(path)
    result = songform("--home", home, "--json", "ingest", audio_files[0].parent)
    assert result.exit_code == 0
    assert sorted(track["status"] for track in document(result)["tracks"]) == ["cached"] * 5 + ["done"]
    (note,) = document(result)["notes"]
    assert note.startswith(f"{path} cannot be read (")
    assert f"renamed to {aside(path).name}" in note
    assert path.read_bytes() == whole
    assert aside(path).read_bytes() == damaged
    assert document(songform("--home", home, "--json", "ingest", audio_files[0].parent))["notes"] == []


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe\x00", b'{"key": "file-0"'])
def test_ingest_makes_a_damaged_record_again(songform, document, home, quick, audio_files, content):
    corpus = Corpus(home)
    record = corpus.records()[0]
    path = corpus.record_path(record.key)
    path.write_bytes(content)
    result = songform("--home", home, "--json", "ingest", audio_files[0].parent)
    assert result.exit_code == 0
    assert sorted(track["status"] for track in document(result)["tracks"]) == ["cached"] * 5 + ["done"]
    assert str(path) in document(result)["notes"][0]
    assert aside(path).read_bytes() == content
    again = corpus.record(record.key)
    assert (again.audio_sha256, again.duration) == (record.audio_sha256, record.duration)
    assert has_features(corpus, again, quick)


@pytest.mark.parametrize("damage", [scrambled, middle_scrambled])
def test_analyze_makes_damaged_tables_again_and_reports_every_song(songform, document, home, quick, audio_files, damage):
    corpus = Corpus(home)
    config = features_config(quick)
    first, second = (record.key for record in corpus.records()[:2])
    paths = [corpus.features_path(config, first), corpus.overview_path(config, second)]
    for path in paths:
        damage(path)
    result = songform("--home", home, "--json", "analyze", audio_files[0].parent)
    assert result.exit_code == 0
    assert len(document(result)["reports"]) == 6
    assert [str(path) in note for path, note in zip(paths, sorted(document(result)["notes"]), strict=True)] == [True] * 2
    assert all(aside(path).exists() for path in paths)


@pytest.mark.parametrize("damage", [scrambled, middle_scrambled])
def test_training_goes_on_without_damaged_tracks(home, quick, damage):
    """The states and the model of the other tracks are new, because the training has other tracks."""
    corpus = Corpus(home)
    first, second, third = (record.key for record in corpus.records()[:3])
    features = corpus.features_path(features_config(quick), first)
    overview = corpus.overview_path(features_config(quick), second)
    damage(features)
    damage(overview)
    corpus.record_path(third).write_bytes(b"")
    report = train(home, quick, "damaged")
    assert report.params["corpus.tracks"] == "3"
    assert {str(path) for path in (features, overview, corpus.record_path(third))} == {
        name for name in map(str, (features, overview, corpus.record_path(third))) if name in "\n".join(report.problems)
    }
    assert len(report.problems) == 3
    assert aside(features).exists()
    assert aside(overview).exists()
    assert client(home).get_run(report.run_id).info.status == "FINISHED"


def test_damaged_states_are_computed_again(home, quick, trained, no_network):
    folder = Corpus(home).states_path(trained.plan.states_id, "")
    model, table = folder / "model.npz", folder / f"{trained.plan.keys[0]}.parquet"
    before = model.read_bytes(), table.read_bytes()
    scrambled(model)
    middle_scrambled(table)
    report = train(home, quick, "states")
    assert len(report.problems) == 2
    assert report.metrics["test_accuracy"] == trained.heldout.metrics["test_accuracy"]
    assert table.read_bytes() == before[1]
    assert aside(model).exists()
    assert aside(table).exists()


@pytest.mark.parametrize("name", ["network.keras", "bundle.json", "states.npz"])
def test_damaged_bundle_is_restored_from_mlflow(songform, document, home, quick, audio_files, no_network, name):
    report = train(home, quick, "bundle")
    folder = next(path for path in Corpus(home).bundle_path("").iterdir() if "." not in path.name)
    whole, damaged = (folder / name).read_bytes(), scrambled(folder / name)
    result = songform("--home", home, "--json", "analyze", audio_files[0])
    (analyzed,) = document(result)["reports"]
    assert analyzed["model"]["uri"] == report.model_uri
    (problem,) = document(result)["problems"]
    assert f"the model {folder} is damaged (" in problem
    assert "its copy in MLflow's store is used" in problem
    assert (folder / name).read_bytes() == whole
    assert (aside(folder) / name).read_bytes() == damaged
    assert document(songform("--home", home, "--json", "analyze", audio_files[0]))["problems"] == []


def test_bundle_that_is_also_damaged_in_mlflow_is_trained_again(songform, document, home, quick, audio_files):
    first = train(home, quick, "lost")
    folder = next(path for path in Corpus(home).bundle_path("").iterdir() if "." not in path.name)
    for path in (folder / "network.keras", *(home / "mlruns").rglob("network.keras")):
        scrambled(path)
    result = songform("--home", home, "--json", "analyze", audio_files[0])
    assert result.exit_code == 4
    assert "its copy in MLflow's store is damaged, too" in document(result)["error"]
    assert "songform train" in document(result)["error"]
    again = train(home, quick, "lost")
    assert again.is_new
    assert again.is_champion
    assert again.model_uri != first.model_uri
    result = songform("--home", home, "--json", "analyze", audio_files[0])
    assert (result.exit_code, document(result)["problems"]) == (0, [])


def test_commands_go_on_without_mlflows_database(songform, document, home, quick, audio_files, no_network):
    before = train(home, quick, "database")
    assert songform("--home", home, "analyze", audio_files[0].parent).exit_code == 0
    database = home / "mlruns" / "mlflow.db"
    damaged = scrambled(database)
    result = songform("--home", home, "--json", "report")
    assert result.exit_code == 3
    assert len(document(result)["songs"]) == 6
    assert f"MLflow's database {database} is damaged" in document(result)["problems"][0]
    assert aside(database).read_bytes() == damaged
    result = songform("--home", home, "--json", "analyze", audio_files[0])
    (report,) = document(result)["reports"]
    assert report["model"]["id"] == next(path.name for path in Corpus(home).bundle_path("").iterdir())
    assert "the newest model is used" in document(result)["problems"][0]
    again = train(home, quick, "database")
    assert again.is_new
    assert again.is_champion
    assert again.metrics["test_accuracy"] == before.metrics["test_accuracy"]
    result = songform("--home", home, "--json", "report")
    assert (result.exit_code, document(result)["problems"]) == (0, [])


def test_training_starts_again_with_an_empty_database(home, quick, no_network):
    (home / "mlruns").mkdir()
    (home / "mlruns" / "mlflow.db").write_bytes(b"SQLite format 3\0" + b"broken" * 1000)
    report = train(home, quick, "empty")
    assert report.is_champion
    (problem,) = report.problems
    assert "mlflow.db is damaged" in problem


def test_damaged_table_of_segments_is_made_again(songform, document, home, audio_files):
    path = Corpus(home).segments_path
    assert songform("--home", home, "analyze", audio_files[0]).exit_code == 0
    whole = path.read_bytes()
    scrambled(path)
    result = songform("--home", home, "--json", "analyze", audio_files[0])
    assert result.exit_code == 3
    assert str(path) in document(result)["problems"][0]
    assert path.read_bytes() == whole


def test_composed_songs_that_are_damaged_are_composed_again(home, quick, no_network, monkeypatch):
    monkeypatch.setattr("tasks.train.reference_songs.synth.compose", partial(synth.compose, duration=20.0))
    paths = sorted((home / "data" / "composed").rglob("*.*"))[:6]
    for path in paths:
        scrambled(path)
    assert train(home, quick, "composed").problems == []


def test_record_of_one_track_does_not_stop_annotate_and_evaluate(songform, document, home, audio_files, tmp_path):
    labels = tmp_path / "labels"
    labels.mkdir()
    for path in audio_files[:3]:
        (labels / f"{path.stem}.lab").write_text("0 9 A\n9 20 B\n")
    corpus = Corpus(home)
    assert songform("--home", home, "analyze", audio_files[0].parent).exit_code == 0
    damaged = corpus.record_path(next(one.key for one in corpus.records() if one.path == str(audio_files[0])))
    damaged.write_bytes(b"")
    result = songform("--home", home, "--json", "annotate", audio_files[0].parent, labels)
    assert result.exit_code == 3
    assert len(document(result)["annotations"]) == 2
    assert str(damaged) in document(result)["problems"][0]
    stored = sorted(corpus.annotation_files())
    stored[0].write_bytes(b"{")
    listed = songform("--home", home, "--json", "annotate", audio_files[0].parent)
    assert len(document(listed)["annotations"]) == 1
    assert any(str(stored[0]) in problem for problem in document(listed)["problems"])
    result = songform("--home", home, "--json", "evaluate")
    assert result.exit_code == 3
    assert len(document(result)["tracks"]) == 1
    assert any(str(stored[0]) in problem for problem in document(result)["problems"])
    again = songform("--home", home, "--json", "annotate", audio_files[0].parent, labels)
    assert len(document(again)["annotations"]) == 2
    assert aside(stored[0]).read_bytes() == b"{"


def test_sources_with_impossible_names_do_not_stop_the_others(songform, document, audio_files, tmp_path):
    bad = ["x" * 300, os.fsdecode(b"\xff song.flac"), f"{'y' * 300}/song.flac"]
    result = songform("--home", tmp_path / "home", "--json", "ingest", *bad, audio_files[0])
    assert result.exit_code == 3
    assert [track["status"] for track in document(result)["tracks"]] == ["done"]
    assert len(document(result)["problems"]) == 3
    assert any("UTF-8" in problem for problem in document(result)["problems"])


def test_file_whose_name_is_not_utf8_does_not_stop_its_folder(songform, document, audio_files, tmp_path):
    folder = tmp_path / "songs"
    folder.mkdir()
    shutil.copy(audio_files[0], folder / "fine.flac")
    shutil.copy(audio_files[1], os.path.join(os.fsencode(folder), b"\xff.flac"))
    shutil.copy(audio_files[2], folder / f"{'z' * 250}.flac")
    result = songform("--home", tmp_path / "home", "--json", "ingest", folder)
    assert result.exit_code == 3
    assert [track["status"] for track in document(result)["tracks"]] == ["done", "done"]
    assert "is not valid UTF-8" in document(result)["problems"][0]


@pytest.mark.parametrize("out", ["x" * 300, os.fsdecode(b"\xff")])
def test_output_folder_with_an_impossible_name_is_wrong_usage(songform, audio_files, tmp_path, out):
    result = songform("--home", tmp_path / "home", "analyze", audio_files[0], "--out", out)
    assert result.exit_code == 2
    assert "--out" in result.stderr


@pytest.mark.parametrize(("n_samples", "status"), [(1, "failed"), (100, "failed"), (11_024, "failed"), (11_025, "done")])
def test_track_that_is_shorter_than_one_unit_fails_and_says_so(songform, document, tmp_path, n_samples, status):
    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "short.wav", rng.uniform(-0.5, 0.5, n_samples), 22050)
    result = songform("--home", tmp_path / "home", "--json", "ingest", tmp_path / "short.wav")
    (track,) = document(result)["tracks"]
    assert track["status"] == status
    if status == "failed":
        assert track["error"]["class"] == "permanent"
        assert "0.5 s" in track["error"]["message"]

"""One damaged file of a home is reported and renamed, and every command goes on with the rest."""

from __future__ import annotations

import os
import random
import shutil
from functools import partial

import mlflow.store.model_registry.sqlalchemy_store
import mlflow.store.tracking.sqlalchemy_store
import numpy as np
import pytest
import soundfile
from mlflow.tracking._model_registry.registry import ModelRegistryStoreRegistry
from mlflow.tracking._tracking_service.registry import TrackingStoreRegistry

from flows.train import train
from songform import synth
from tasks.store.bundles import is_pretrained
from tasks.store.corpus import Corpus
from tasks.store.tables import features_config, has_features
from tasks.train.tracking import client

pytestmark = [pytest.mark.usefixtures("api"), pytest.mark.system]  # several training runs take minutes


@pytest.fixture
def home(trained, tmp_path):
    """Return a home with features, states and a bundle, but without an MLflow store, whose path would be another."""
    shutil.copytree(trained.home / "data", tmp_path / "home" / "data")
    return tmp_path / "home"


@pytest.fixture
def call(songform, document, home):
    """Return a function that runs a command in the home, and returns its exit code and its JSON document."""

    def run(*words):
        result = songform("--home", home, "--json", *words)
        return result.exit_code, document(result)

    return run


@pytest.fixture
def folder(audio_files):
    """Return the folder of the six songs."""
    return audio_files[0].parent


def scrambled(path):
    """Overwrite a file with random bytes of equal size, and return them."""
    content = random.Random(path.name).randbytes(path.stat().st_size)
    path.write_bytes(content)
    return content


def cut_in_half(path):
    """Cut a file to its first half, and return its new content."""
    content = path.read_bytes()[: path.stat().st_size // 2]
    path.write_bytes(content)
    return content


def middle_scrambled(path):
    """Overwrite the middle of a file, which leaves both of its ends intact."""
    whole = path.read_bytes()
    third = len(whole) // 3
    path.write_bytes(whole[:third] + random.Random(0).randbytes(third) + whole[2 * third :])


def forget_connections():
    """Close MLflow's connections: it keeps them for the life of a process, and each command is a process of its own."""
    for store in (mlflow.store.tracking.sqlalchemy_store, mlflow.store.model_registry.sqlalchemy_store):
        for engine in store.SqlAlchemyStore._engine_map.values():
            engine.dispose()
        store.SqlAlchemyStore._engine_map.clear()
    for registry in (TrackingStoreRegistry, ModelRegistryStoreRegistry):
        registry._get_store_with_resolved_uri.cache_clear()


def aside(path):
    return path.with_name(f"{path.name}.damaged-1")


@pytest.fixture
def no_network(monkeypatch):
    """Let a training fail that would train a network."""
    monkeypatch.setattr("tasks.train.train_network.fit_network", None)


@pytest.mark.parametrize("damage", [scrambled, cut_in_half])
@pytest.mark.parametrize("table", ["features", "overview", "spectrum"])
def test_ingest_makes_a_damaged_table_again(call, home, folder, table, damage):
    corpus = Corpus(home)
    path = corpus.data / next(name for name in corpus.records()[0].files if name.startswith(table))
    whole = path.read_bytes()
    damaged = damage(path)
    code, found = call("ingest", folder)
    assert code == 0
    assert sorted(track["status"] for track in found["tracks"]) == ["cached"] * 5 + ["done"]
    (note,) = found["notes"]
    assert note.startswith(f"{path} cannot be read (")
    assert f"renamed to {aside(path).name}" in note
    assert path.read_bytes() == whole
    assert aside(path).read_bytes() == damaged
    assert call("ingest", folder)[1]["notes"] == []


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe\x00", b'{"key": "file-0"'])
def test_ingest_makes_a_damaged_record_again(call, home, quick, folder, content):
    corpus = Corpus(home)
    record = corpus.records()[0]
    path = corpus.record_path(record.key)
    path.write_bytes(content)
    code, found = call("ingest", folder)
    assert code == 0
    assert sorted(track["status"] for track in found["tracks"]) == ["cached"] * 5 + ["done"]
    assert str(path) in found["notes"][0]
    assert aside(path).read_bytes() == content
    again = corpus.record(record.key)
    assert (again.audio_sha256, again.duration) == (record.audio_sha256, record.duration)
    assert has_features(corpus, again, quick)


@pytest.mark.parametrize("damage", [scrambled, middle_scrambled])
def test_analyze_makes_damaged_tables_again_and_reports_every_song(call, home, quick, folder, damage):
    corpus = Corpus(home)
    config = features_config(quick)
    first, second = (record.key for record in corpus.records()[:2])
    paths = [corpus.features_path(config, first), corpus.overview_path(config, second)]
    for path in paths:
        damage(path)
    code, found = call("analyze", folder)
    assert code == 0
    assert len(found["reports"]) == 6
    assert [str(path) in note for path, note in zip(paths, sorted(found["notes"]), strict=True)] == [True] * 2
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
    assert len(report.problems) == 3
    for path in (features, overview, corpus.record_path(third)):
        assert any(str(path) in problem for problem in report.problems)
    assert aside(features).exists()
    assert aside(overview).exists()
    assert client(home).get_run(report.run_id).info.status == "FINISHED"


def test_training_names_the_tracks_whose_tables_are_cut_or_missing(home, quick):
    corpus, config = Corpus(home), features_config(quick)
    first, second, third = corpus.records()[:3]
    cut, short = corpus.features_path(config, first.key), corpus.overview_path(config, second.key)
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    short.write_bytes(b"zz")
    corpus.features_path(config, third.key).unlink()
    report = train(home, quick, "cut")
    assert report.params["corpus.tracks"] == "3"
    assert len(report.problems) == 3
    for words in (str(cut), str(short), f"missing: {third.title}; "):
        assert any(words in problem for problem in report.problems)
    assert aside(cut).exists()
    assert aside(short).read_bytes() == b"zz"


@pytest.mark.usefixtures("no_network")
def test_damaged_states_are_computed_again(home, quick, trained):
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


def bundle_folder(home):
    """Return the folder of the only trained bundle."""
    folders = (path for path in Corpus(home).bundle_path("").iterdir() if "." not in path.name)
    (folder,) = (path for path in folders if not is_pretrained(path.name))
    return folder


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("name", ["network.npz", "bundle.json", "states.npz"])
def test_damaged_bundle_is_restored_from_mlflow(call, home, quick, audio_files, name):
    report = train(home, quick, "bundle")
    path = bundle_folder(home) / name
    whole, damaged = path.read_bytes(), scrambled(path)
    code, found = call("analyze", audio_files[0])
    assert code == 3
    assert [one["model"]["uri"] for one in found["reports"]] == [report.model_uri]
    (problem,) = found["problems"]
    assert f"the model {path.parent} is damaged (" in problem
    assert "its copy in MLflow's store is used" in problem
    assert path.read_bytes() == whole
    assert (aside(path.parent) / name).read_bytes() == damaged
    assert call("analyze", audio_files[0])[1]["problems"] == []


def test_bundle_that_is_also_damaged_in_mlflow_is_trained_again(call, home, quick, audio_files):
    first = train(home, quick, "lost")
    for path in (bundle_folder(home) / "network.npz", *(home / "mlruns").rglob("network.npz")):
        scrambled(path)
    code, found = call("analyze", audio_files[0])
    assert code == 4
    assert "the copy of the model in MLflow's store is damaged" in found["error"]
    assert "songform train" in found["error"]
    again = train(home, quick, "lost")
    assert again.is_new
    assert again.model_uri != first.model_uri
    code, found = call("analyze", audio_files[0])
    assert (code, found["problems"]) == (0, [])


@pytest.mark.usefixtures("no_network")
def test_commands_go_on_without_mlflows_database(call, home, quick, folder):
    before = train(home, quick, "database")
    assert call("analyze", folder)[0] == 0
    database = home / "mlruns" / "mlflow.db"
    forget_connections()
    damaged = scrambled(database)
    code, found = call("report")
    assert code == 3
    assert len(found["songs"]) == 6
    assert f"MLflow's database {database} is damaged" in found["problems"][0]
    assert aside(database).read_bytes() == damaged
    code, found = call("analyze", folder)
    assert code == 3
    assert {report["model"]["id"] for report in found["reports"]} == {bundle_folder(home).name}
    assert "the newest model is used" in found["problems"][0]
    again = train(home, quick, "database")
    assert (again.is_new, again.is_champion) == (True, before.is_champion)
    assert again.metrics["test_accuracy"] == before.metrics["test_accuracy"]
    code, found = call("report")
    assert (code, found["problems"]) == (0, [])


@pytest.mark.usefixtures("no_network")
def test_training_starts_again_with_an_empty_database(home, quick):
    (home / "mlruns").mkdir()
    (home / "mlruns" / "mlflow.db").write_bytes(b"SQLite format 3\0" + b"broken" * 1000)
    report = train(home, quick, "empty")
    assert report.is_new
    (problem,) = report.problems
    assert "mlflow.db is damaged" in problem


def test_damaged_table_of_segments_is_made_again(call, home, audio_files):
    path = Corpus(home).segments_path
    assert call("analyze", audio_files[0])[0] == 0
    whole = path.read_bytes()
    scrambled(path)
    code, found = call("analyze", audio_files[0])
    assert code == 3
    assert str(path) in found["problems"][0]
    assert path.read_bytes() == whole


@pytest.mark.usefixtures("no_network")
def test_composed_songs_that_are_damaged_are_composed_again(home, quick, monkeypatch):
    monkeypatch.setattr("tasks.train.reference_songs.synth.compose", partial(synth.compose, duration=20.0))
    paths = sorted((home / "data" / "composed").rglob("*.*"))[:6]
    for path in paths:
        scrambled(path)
    assert train(home, quick, "composed").problems == []


def test_damaged_records_and_labels_do_not_stop_annotate_and_evaluate(call, home, audio_files, tmp_path):
    labels, folder, corpus = tmp_path / "labels", audio_files[0].parent, Corpus(home)
    labels.mkdir()
    for path in audio_files[:3]:
        (labels / f"{path.stem}.lab").write_text("0 9 A\n9 20 B\n")
    assert call("analyze", folder)[0] == 0
    damaged = corpus.record_path(next(one.key for one in corpus.records() if one.path == str(audio_files[0])))
    damaged.write_bytes(b"")
    code, found = call("annotate", folder, labels)
    assert (code, len(found["annotations"])) == (3, 2)
    assert str(damaged) in found["problems"][0]
    stored = corpus.annotation_files()[0]
    stored.write_bytes(b"{")
    code, found = call("annotate", folder)
    assert (code, len(found["annotations"])) == (3, 1)
    assert any(str(stored) in problem for problem in found["problems"])
    code, found = call("evaluate")
    assert (code, len(found["tracks"])) == (3, 1)
    assert any(str(stored) in problem for problem in found["problems"])
    assert len(call("annotate", folder, labels)[1]["annotations"]) == 2
    assert aside(stored).read_bytes() == b"{"


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
    shutil.copy(audio_files[1], folder / os.fsdecode(b"\xff.flac"))
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


@pytest.mark.parametrize(
    ("n_samples", "status"), [(1, "failed"), (100, "failed"), (11_024, "failed"), (11_025, "done")]
)
def test_track_that_is_shorter_than_one_unit_fails_and_says_so(songform, document, tmp_path, n_samples, status):
    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "short.wav", rng.uniform(-0.5, 0.5, n_samples), 22050)
    result = songform("--home", tmp_path / "home", "--json", "ingest", tmp_path / "short.wav")
    (track,) = document(result)["tracks"]
    assert track["status"] == status
    if status == "failed":
        assert track["error"]["class"] == "permanent"
        assert "0.5 s" in track["error"]["message"]

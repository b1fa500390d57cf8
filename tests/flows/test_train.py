"""Tests that failed training runs end their MLflow runs, and that finished work is not repeated."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

import flows.train
from flows.train import train
from songform.errors import CorpusError
from songform.pretrained import pretrained_id
from tasks.settings import Settings
from tasks.store.corpus import Corpus
from tasks.train.tracking import client

pytestmark = pytest.mark.usefixtures("api")


@pytest.fixture(scope="module")
def home(trained, tmp_path_factory):
    """Return a home with trained models but without an MLflow store, so that training only records them."""
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(trained.home / "data", home / "data")
    return home


def statuses(home, experiment):
    store = client(home)
    found = store.get_experiment_by_name(experiment)
    return [run.info.status for run in store.search_runs([found.experiment_id])]


@pytest.mark.parametrize(("error", "status"), [(RuntimeError("a defect"), "FAILED"), (KeyboardInterrupt(), "KILLED")])
def test_failed_or_interrupted_training_ends_its_mlflow_run(home, quick, monkeypatch, error, status):
    class Stumbling:
        def __call__(self, *arguments, **more):
            raise error

    monkeypatch.setattr(flows.train, "label_tracks", Stumbling())
    with pytest.raises(type(error)):
        train(home, quick, f"ends {status}")
    of_training = [each for each in statuses(home, f"ends {status}") if each != "FINISHED"]  # that of the shipped model
    assert of_training == [status]


def test_existing_bundle_is_recorded_without_training(home, quick, trained, monkeypatch):
    """A training run that was killed before it was recorded leaves such a bundle."""
    monkeypatch.setattr("tasks.train.train_network.fit_network", None)
    report = train(home, quick, "standing")
    assert report.is_new
    assert report.metrics["test_accuracy"] == trained.heldout.metrics["test_accuracy"]
    assert report.params["model.epochs"] == str(quick.model.epochs)
    store = client(home)
    champion = store.get_model_version_by_alias("songform", "champion")
    assert report.is_champion == (report.model_uri == f"models:/songform/{champion.version}")
    runs = [store.get_run(version.run_id) for version in store.search_model_versions("name = 'songform'")]
    assert sorted(run.data.tags["songform.bundle"] for run in runs) == sorted([trained.plan.bundle_id, pretrained_id()])
    scores = {
        version.version: store.get_run(version.run_id).data.metrics["reference_macro_f1"]
        for version in store.search_model_versions("name = 'songform'")
    }
    assert scores[champion.version] == max(scores.values())
    assert report.params["states.prior"] == pretrained_id()
    assert report.notes == []
    again = train(home, quick, "standing")
    assert not again.is_new
    assert (again.run_id, again.metrics, again.model_uri) == (report.run_id, report.metrics, report.model_uri)


def test_damaged_files_are_warnings_in_the_log_of_the_run(home, quick, monkeypatch, caplog):
    """Nobody sees the report of a scheduled training."""
    monkeypatch.setattr("tasks.train.train_network.fit_network", None)
    monkeypatch.setattr(flows.train, "repair_store", lambda home: ["a.json is 100% damaged"])
    assert train(home, quick, "damaged").problems == ["a.json is 100% damaged"]
    monkeypatch.setattr(flows.train, "plan_training", lambda home, settings: (_ for _ in ()).throw(CorpusError("none")))
    with pytest.raises(CorpusError):
        train(home, quick, "damaged")
    warnings = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert warnings.count("a.json is 100% damaged") == 2


def test_renamed_database_is_named_even_if_nothing_can_be_trained(tmp_path):
    database = tmp_path / "mlruns" / "mlflow.db"
    database.parent.mkdir()
    database.write_bytes(b"zz")
    with pytest.raises(
        CorpusError, match=r"mlflow\.db is damaged .*renamed to mlflow\.db\.damaged-1(?s:.*)no features"
    ):
        train(tmp_path, Settings())


def test_each_experiment_has_its_own_runs(home, quick, monkeypatch):
    monkeypatch.setattr("tasks.train.train_network.fit_network", None)
    one, other = (train(home, quick, name) for name in ("one", "other"))
    assert one.run_id != other.run_id
    assert {name: one.metrics[name] for name in one.metrics if name.startswith("test_")} == {
        name: other.metrics[name] for name in other.metrics if name.startswith("test_")
    }


def test_single_short_song_is_split_into_blocks_and_has_no_test_metrics(extracted, quick, tmp_path):
    """A song of twenty seconds has no block for testing."""
    shutil.copytree(extracted / "data", tmp_path / "data")
    for record in Corpus(tmp_path).records()[1:]:
        Corpus(tmp_path).record_path(record.key).unlink()
    settings = quick.model_copy(update={"model": quick.model.model_copy(update={"epochs": 1})})
    report = train(tmp_path, settings, "one song")
    assert report.params["split.by_track"] == "False"
    assert report.params["corpus.tracks"] == "1"
    assert not [name for name in report.metrics if name.startswith(("test_", "majority_"))]
    assert report.metrics["train_loss"] > 0


def test_empty_corpus_creates_no_mlflow_run(tmp_path):
    with pytest.raises(CorpusError, match=r"no features.*songform ingest"):
        train(Path(tmp_path), Settings())
    assert not (tmp_path / "mlruns" / "mlflow.db").exists()


def test_trainings_of_a_home_run_one_at_a_time(home, quick, monkeypatch):
    """A training run looks for a finished run only after it has acquired the lock."""
    turn = FileLock(home / "mlruns" / ".training.lock")
    finished, asked = flows.train.finished_run, []

    def finished_in_turn(*arguments):
        with pytest.raises(Timeout):
            turn.acquire(timeout=0)
        asked.append(arguments)
        return finished(*arguments)

    monkeypatch.setattr(flows.train, "finished_run", finished_in_turn)
    monkeypatch.setattr("tasks.train.train_network.fit_network", None)  # the bundle exists
    train(home, quick, "turns")
    with turn.acquire(timeout=0):
        assert len(asked) == 1

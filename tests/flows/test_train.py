"""Train: a run that ends badly is closed, and what was done is not done again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

import flows.train
from flows.train import train
from songform.errors import CorpusError
from tasks.settings import Settings
from tasks.store.corpus import Corpus
from tasks.train.tracking import client

pytestmark = pytest.mark.usefixtures("api")


@pytest.fixture(scope="module")
def home(trained, tmp_path_factory):
    """Copy what was trained, but not MLflow's store: so nothing must be learned, and all must be recorded."""
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(trained.home / "data", home / "data")
    return home


def statuses(home, experiment):
    store = client(home)
    found = store.get_experiment_by_name(experiment)
    return [run.info.status for run in store.search_runs([found.experiment_id])]


@pytest.mark.parametrize(("error", "status"), [(RuntimeError("a defect"), "FAILED"), (KeyboardInterrupt(), "KILLED")])
def test_a_run_that_ends_badly_is_closed(home, quick, monkeypatch, error, status):
    class Stumbling:
        def __call__(self, *arguments, **more):
            raise error

    monkeypatch.setattr(flows.train, "label_tracks", Stumbling())
    with pytest.raises(type(error)):
        train(home, quick, f"ends {status}")
    assert statuses(home, f"ends {status}") == [status]


def test_a_bundle_that_stands_is_recorded_without_training(home, quick, trained, monkeypatch):
    """As after a kill between the end of the training and its record."""
    monkeypatch.setattr("tasks.train.train_network.fit_network", None)
    report = train(home, quick, "standing")
    assert report.is_new
    assert report.is_champion
    assert report.metrics["test_accuracy"] == trained.heldout.metrics["test_accuracy"]
    assert report.params["model.epochs"] == str(quick.model.epochs)
    assert (
        report.model_uri
        == f"models:/songform/{client(home).get_model_version_by_alias('songform', 'champion').version}"
    )
    again = train(home, quick, "standing")
    assert not again.is_new
    assert (again.run_id, again.metrics, again.model_uri) == (report.run_id, report.metrics, report.model_uri)


def test_another_experiment_has_runs_of_its_own(home, quick, monkeypatch):
    monkeypatch.setattr("tasks.train.train_network.fit_network", None)
    one, other = (train(home, quick, name) for name in ("one", "other"))
    assert one.run_id != other.run_id
    assert {name: one.metrics[name] for name in one.metrics if name.startswith("test_")} == {
        name: other.metrics[name] for name in other.metrics if name.startswith("test_")
    }


def test_one_song_is_learned_from_in_blocks_of_time_and_without_a_test_none_is_claimed(extracted, quick, tmp_path):
    """Twenty seconds leave no block for a test."""
    shutil.copytree(extracted / "data", tmp_path / "data")
    for record in Corpus(tmp_path).records()[1:]:
        Corpus(tmp_path).record_path(record.key).unlink()
    settings = quick.model_copy(update={"model": quick.model.model_copy(update={"epochs": 1})})
    report = train(tmp_path, settings, "one song")
    assert report.params["split.by_track"] == "False"
    assert report.params["corpus.tracks"] == "1"
    assert not [name for name in report.metrics if name.startswith(("test_", "majority_"))]
    assert report.metrics["train_loss"] > 0
    assert report.is_champion


def test_nothing_to_learn_from_makes_no_run(tmp_path):
    with pytest.raises(CorpusError, match=r"no features.*songform ingest"):
        train(Path(tmp_path), Settings())
    assert not (tmp_path / "mlruns" / "mlflow.db").exists()


def test_trainings_of_a_home_take_turns(home, quick, monkeypatch):
    """Whether the same was trained before is asked when it is one's turn, and not before."""
    turn = FileLock(home / "mlruns" / ".training.lock")
    finished, asked = flows.train.finished_run, []

    def finished_in_turn(*arguments):
        with pytest.raises(Timeout):
            turn.acquire(timeout=0)
        asked.append(arguments)
        return finished(*arguments)

    monkeypatch.setattr(flows.train, "finished_run", finished_in_turn)
    monkeypatch.setattr("tasks.train.train_network.fit_network", None)  # it stands
    train(home, quick, "turns")
    with turn.acquire(timeout=0):
        assert len(asked) == 1

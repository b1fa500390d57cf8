"""MLflow tracking: one store per home, created once, and one run per training."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from songform.errors import CorpusError, ModelError
from songform.learning.splits import Split
from songform.pretrained import pretrained_id
from tasks.models.evaluation_runs import EXPERIMENT
from tasks.settings import Settings
from tasks.train.tracking import (
    client,
    epoch_logger,
    finish_run,
    finished_run,
    prepare_store,
    run_summary,
    start_run,
    store_uri,
)
from tasks.train.training_plan import Plan

PREPARING = """
import pathlib, sys
from tasks.train.tracking import prepare_store
print(prepare_store.fn(pathlib.Path(sys.argv[1]), "x"))
"""
PLAN = Plan(Split({"a": [(0.0, 9.0)]}, {}, {"b": [(0.0, 9.0)]}), "0" * 12, "1" * 12, "2" * 12)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Make a home with a store, which takes seconds."""
    home = tmp_path_factory.mktemp("home")
    prepare_store.fn(home, "first")
    return home


@pytest.fixture
def experiment(home, request):
    return prepare_store.fn(home, request.node.name)


@pytest.mark.system
def test_concurrent_processes_create_one_store(tmp_path):
    command = [sys.executable, "-c", PREPARING, str(tmp_path)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert len({out for out, _ in said}) == 1
    assert [e.name for e in client(tmp_path).search_experiments()] == ["x", "Default"]
    with sqlite3.connect(tmp_path / "mlruns" / "mlflow.db") as database:
        assert database.execute("pragma journal_mode").fetchone() == ("wal",)
    database.close()


def test_every_address_is_absolute_and_under_the_home(home, monkeypatch, tmp_path):
    experiment = prepare_store.fn(home, "addresses")
    monkeypatch.chdir(tmp_path)
    assert store_uri(home) == f"sqlite:///{home}/mlruns/mlflow.db"
    assert prepare_store.fn(home, "addresses") == experiment
    location = client(home).get_experiment(experiment).artifact_location
    assert location == (home / "mlruns" / "artifacts" / "addresses").as_uri()
    run = client(home).get_run(start_run.fn(home, experiment, PLAN, Settings()))
    assert run.info.artifact_uri.startswith(location)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a/b", "../x", "ä b", "x" * 200, "."])
def test_each_experiment_has_its_own_folder_whatever_its_name(home, name):
    store, plain = client(home), prepare_store.fn(home, "a-b")
    location = store.get_experiment(prepare_store.fn(home, name)).artifact_location
    folder = urlsplit(location).path
    assert folder.rpartition("/")[0] == f"{home}/mlruns/artifacts"
    assert folder.rpartition("/")[2] not in {"", ".", ".."}
    assert location != store.get_experiment(plain).artifact_location


def test_deleted_experiment_is_restored(home):
    experiment = prepare_store.fn(home, "deleted")
    client(home).delete_experiment(experiment)
    assert prepare_store.fn(home, "deleted") == experiment
    assert client(home).get_experiment(experiment).lifecycle_stage == "active"


def test_run_has_settings_and_facts_about_the_corpus_as_parameters(home, experiment):
    settings = Settings.model_validate({"model": {"seed": 7}})
    run = client(home).get_run(start_run.fn(home, experiment, PLAN, settings))
    facts = {"corpus.manifest": "0" * 12, "corpus.tracks": "2", "split.by_track": "True"}
    facts |= {"split.train": "1", "split.validation": "0", "split.test": "1"}
    facts |= {"states.prior": pretrained_id()}
    assert run.data.params == {name: str(value) for name, value in settings.flat().items()} | facts
    assert run.data.tags["songform.bundle"] == PLAN.bundle_id
    assert run.data.tags["songform.states"] == PLAN.states_id
    assert run.info.status == "RUNNING"


def test_killed_run_is_closed_by_the_next_run_of_the_same_training(home, experiment):
    other = replace(PLAN, bundle_id="3" * 12)
    killed, unconcerned = (start_run.fn(home, experiment, plan, Settings()) for plan in (PLAN, other))
    new = start_run.fn(home, experiment, PLAN, Settings())
    status = {run_id: client(home).get_run(run_id).info.status for run_id in (killed, unconcerned, new)}
    assert status == {killed: "KILLED", unconcerned: "RUNNING", new: "RUNNING"}


def test_only_a_finished_run_of_the_same_training_and_experiment_counts(home, experiment):
    def run(plan, status):
        run_id = start_run.fn(home, experiment, plan, Settings())
        finish_run.fn(home, run_id, status)
        return run_id

    run(PLAN, "FAILED")
    run(replace(PLAN, bundle_id="3" * 12), "FINISHED")
    assert finished_run.fn(home, experiment, PLAN) is None
    run(PLAN, "FINISHED")
    newest = run(PLAN, "FINISHED")
    run(PLAN, "KILLED")
    assert finished_run.fn(home, experiment, PLAN) == newest
    assert finished_run.fn(home, prepare_store.fn(home, "another"), PLAN) is None


def test_epochs_become_curves(home, experiment):
    run_id = start_run.fn(home, experiment, PLAN, Settings())
    log = epoch_logger(home, run_id)
    for epoch, loss in ((1, 0.9), (2, 0.5)):
        log(epoch, {"loss": loss, "accuracy": 1 - loss, "val_loss": loss + 1})
    history = client(home).get_metric_history(run_id, "train_loss")
    assert [(point.step, point.value) for point in history] == [(1, 0.9), (2, 0.5)]
    summary = run_summary(home, run_id)
    assert summary["run_id"] == run_id
    assert summary["metrics"] == {"train_loss": 0.5, "train_accuracy": 0.5, "val_loss": 1.5}


def test_unknown_run_raises_one_sentence(home):
    with pytest.raises(ModelError, match=f"no run 123 in the store {store_uri(home)}$"):
        run_summary(home, "123")


def test_experiment_with_files_outside_the_home_is_rejected(tmp_path):
    """The experiment that MLflow creates has its files elsewhere, and so have all experiments of a copied home."""
    prepare_store.fn(tmp_path, "test")
    with pytest.raises(
        CorpusError,
        match=rf"the experiment Default .*outside {tmp_path}/mlruns: .*MLflow created.* name another experiment",
    ):
        prepare_store.fn(tmp_path, "Default")


def test_experiment_of_a_moved_home_is_rejected_with_a_fix_for_each_command(tmp_path):
    """`songform evaluate` always uses the same experiment, and has no option to choose another one."""
    old, new = tmp_path / "old", tmp_path / "new"
    prepare_store.fn(old, EXPERIMENT)
    old.rename(new)
    with pytest.raises(CorpusError) as caught:
        prepare_store.fn(new, EXPERIMENT)
    message = str(caught.value)
    assert re.search(rf"the experiment {EXPERIMENT} .*{old}/mlruns.*, outside {new}/mlruns: .*copied or moved", message)
    assert re.search(r"; .*original path or, with songform train and songform run, .*--experiment$", message)

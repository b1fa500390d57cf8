"""MLflow tracking: the store of a home, and one run per training.

The store is a SQLite database and a folder in `mlruns/`. Both have absolute addresses made from the home, so that they
do not depend on the working directory. A lock makes sure that only one process at a time creates the database, because
MLflow's migration fails if two run at once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from songform.errors import CorpusError, ModelError
from tasks.recorded_task import task
from tasks.settings import Settings
from tasks.store.corpus import Corpus
from tasks.store.databases import mlflow_database, mlflow_fault, set_aside_database
from tasks.train.git_commit import git_state
from tasks.train.state_fitting import prior_facts

if TYPE_CHECKING:
    from tasks.train.training_plan import Plan

__all__ = [
    "MODEL_NAME",
    "client",
    "epoch_logger",
    "finish_run",
    "finished_run",
    "has_store",
    "log_params",
    "prepare_store",
    "repair_store",
    "run_summary",
    "start_run",
    "store_uri",
]

MODEL_NAME = "songform"
_MAX_PARAM = 5000  # characters; MLflow rejects parameters of more than 6000


def store_uri(home: Path) -> str:
    """Return the address of the home's MLflow database."""
    return f"sqlite:///{mlflow_database(Corpus(home))}"


def has_store(home: Path) -> bool:
    """Return whether the home has a store. Only the file is checked, because a client would create the store."""
    return mlflow_database(Corpus(home)).is_file()


def repair_store(home: Path) -> list[str]:
    """Rename the home's database if it is damaged; return one sentence about it, or nothing."""
    corpus = Corpus(home)
    database = mlflow_database(corpus)
    if mlflow_fault(corpus) is None:
        return []
    with FileLock(corpus.mlruns / ".lock", timeout=120):  # another process may be creating it
        fault = mlflow_fault(corpus)
        if fault is None:
            return []
        aside = set_aside_database(database)
    msg = (
        f"MLflow's database {database} is damaged ({fault}); it was renamed to {aside.name}, and its runs and models "
        "are no longer listed; songform train records the model of the current tracks again"
    )
    return [msg]


def client(home: Path) -> Any:
    """Return an `mlflow.MlflowClient` of the home's store."""
    import mlflow

    # The registry has to be set too. Otherwise it stays that of another home that this process used before.
    mlflow.set_tracking_uri(store_uri(home))
    mlflow.set_registry_uri(store_uri(home))
    return mlflow.MlflowClient(store_uri(home), store_uri(home))


@task()
def prepare_store(home: Path, experiment: str) -> str:
    """Create the database and the experiment unless they exist; return the id of the experiment."""
    corpus = Corpus(home)
    corpus.mlruns.mkdir(parents=True, exist_ok=True)
    with FileLock(corpus.mlruns / ".lock", timeout=120):
        store = client(home)
        known = store.get_experiment_by_name(experiment)
        _write_ahead(corpus.mlruns / "mlflow.db")
        if known is None:
            location = corpus.mlruns / "artifacts" / _folder_name(experiment)
            return str(store.create_experiment(experiment, artifact_location=location.as_uri()))
        if not known.artifact_location.startswith(corpus.mlruns.as_uri() + "/"):
            msg = (
                f"the experiment {experiment} stores its files in {known.artifact_location}, outside {corpus.mlruns}: "
                "either MLflow created this experiment itself, or the home was copied or moved; use the home at its "
                "original path or, with songform train and songform run, name another experiment with --experiment"
            )
            raise CorpusError(msg)
        if known.lifecycle_stage == "deleted":
            store.restore_experiment(known.experiment_id)
        return str(known.experiment_id)


@task()
def finished_run(home: Path, experiment_id: str, plan: Plan) -> str | None:
    """Return the latest finished run of a training plan in an experiment, or None."""
    runs = client(home).search_runs(
        [experiment_id],
        f"tags.`songform.bundle` = '{plan.bundle_id}' and attributes.status = 'FINISHED'",
        order_by=["attributes.start_time DESC"],
        max_results=1,
    )
    return str(runs[0].info.run_id) if runs else None


@task()
def start_run(home: Path, experiment_id: str, plan: Plan, settings: Settings) -> str:
    """Start a run with all settings as parameters, and mark interrupted runs of the same plan as killed."""
    store = client(home)
    same = f"tags.`songform.bundle` = '{plan.bundle_id}' and attributes.status = 'RUNNING'"
    for run in store.search_runs([experiment_id], same):
        store.set_terminated(run.info.run_id, "KILLED")
    tags = {
        "songform.bundle": plan.bundle_id,
        "songform.states": plan.states_id,
        "mlflow.source.name": "songform train",
        "mlflow.source.type": "LOCAL",
        **git_state(home),
    }
    name = f"{settings.model.name}-{settings.sequences.target}-{settings.sequences.seconds:g}s-{plan.bundle_id[:4]}"
    run_id = str(store.create_run(experiment_id, tags=tags, run_name=name).info.run_id)
    facts = {
        "corpus.manifest": plan.manifest,
        "corpus.tracks": len(plan.keys),
        "split.by_track": plan.split.by_track,
        "states.prior": prior_facts(settings).get("prior", "none"),
        **{f"split.{part}": len(plan.split.part(part)) for part in ("train", "validation", "test")},
    }
    if plan.label_names:
        facts["labels.names"] = ", ".join(plan.label_names)[:_MAX_PARAM]
    log_params(store, run_id, settings.flat() | facts)
    return run_id


@task()
def finish_run(home: Path, run_id: str, status: str = "FINISHED") -> None:
    """Set the final status of a run."""
    client(home).set_terminated(run_id, status)


def epoch_logger(home: Path, run_id: str) -> Callable[[int, Mapping[str, float]], None]:
    """Return a function that logs the losses and accuracies of an epoch."""
    store = client(home)
    names = {"loss": "train_loss", "accuracy": "train_accuracy"}

    def log(epoch: int, logs: Mapping[str, float]) -> None:
        for name, value in logs.items():
            store.log_metric(run_id, names.get(name, name), float(value), step=epoch)

    return log


def run_summary(home: Path, run_id: str) -> dict[str, Any]:
    """Return the id, parameters and metrics of a run, as in the JSON output of the command line.

    Raises
    ------
    ModelError
        If there is no such run.
    """
    from mlflow.exceptions import MlflowException

    try:
        run = client(home).get_run(run_id)
    except MlflowException as error:
        raise ModelError(f"there is no run {run_id} in the store {store_uri(home)}") from error
    return {"run_id": run_id, "params": dict(run.data.params), "metrics": dict(run.data.metrics)}


def log_params(store: Any, run_id: str, params: Mapping[str, Any]) -> None:
    """Log parameters of a run as text."""
    from mlflow.entities import Param

    store.log_batch(run_id, params=[Param(name, str(value)) for name, value in params.items()])


def _write_ahead(database: Path) -> None:
    """Enable write-ahead logging, so that the database can be read while a run is written.

    The mode is stored in the file.
    """
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    connection.close()


def _folder_name(experiment: str) -> str:
    from tasks.settings import digest

    plain = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in experiment)[:60]
    return plain if plain == experiment else f"{plain}-{digest(experiment)}"

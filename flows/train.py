"""The flow `train`: from features to a model, recorded in MLflow."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from prefect import flow

from tasks.progress import announce
from tasks.settings import Settings
from tasks.store.corpus import Corpus
from tasks.train.array_cache import array_folder
from tasks.train.heldout_scores import score_bundle
from tasks.train.registry import log_results, model_version, register_bundle, update_champion
from tasks.train.state_labels import fit_corpus_states, label_tracks
from tasks.train.tracking import MODEL_NAME, finish_run, finished_run, prepare_store, run_summary, start_run
from tasks.train.train_network import train_bundle
from tasks.train.training_plan import Plan, plan_training

__all__ = ["TrainReport", "train"]


@dataclass(frozen=True)
class TrainReport:
    """Result of a training run.

    Parameters
    ----------
    run_id, params, metrics
        ID, parameters and metrics of the MLflow run.
    model_uri : str
        MLflow URI of the model.
    is_champion : bool
        Whether the model is the champion now.
    is_new : bool
        False if the run was already finished.
    """

    run_id: str
    params: dict[str, Any]
    metrics: dict[str, float]
    model_uri: str
    is_champion: bool
    is_new: bool


@flow(name="train", flow_run_name="train for {experiment}")
def train(
    home: Path,
    settings: Settings = Settings(),  # noqa: B008  frozen, and Prefect's UI shows the defaults
    experiment: str = "songform",
    again: bool = False,
) -> TrainReport:
    """Discover the states of the corpus, train the network on them, and record the run in MLflow.

    Parameters
    ----------
    home : Path
        Home of the corpus.
    settings : Settings
        All settings.
    experiment : str
        MLflow experiment that the run is recorded in.
    again : bool
        Whether to train again even if a run with the same settings and tracks has finished.

    Raises
    ------
    CorpusError
        If the corpus has no track to train on.
    """
    Corpus(home).prepare()
    plan = plan_training(home, settings)
    experiment_id = prepare_store(home, experiment)
    with _training_lock(home):
        return _train_unless_finished(home, settings, plan, experiment_id, again=again)


def _train_unless_finished(
    home: Path, settings: Settings, plan: Plan, experiment_id: str, *, again: bool
) -> TrainReport:
    run_id = None if again else finished_run(home, experiment_id, plan)
    is_new = run_id is None
    if run_id is None:
        began = time.monotonic()
        run_id = start_run(home, experiment_id, plan, settings)
        with _closed_on_failure(home, run_id), array_folder(home, plan) as arrays:
            fit_corpus_states(home, plan, settings, arrays=arrays)
            label_tracks(home, plan, settings, arrays=arrays)
            folder = train_bundle(home, plan, settings, run_id, again=again, arrays=arrays)
            heldout = score_bundle(home, plan, settings, folder, arrays=arrays)
            log_results(home, run_id, folder, heldout, time.monotonic() - began)
            register_bundle(home, run_id, folder, settings)
            finish_run(home, run_id)
    version = model_version(home, run_id)
    is_champion = update_champion(home, version) if version else False
    uri = f"models:/{MODEL_NAME}/{version}" if version else f"runs:/{run_id}/bundle"
    return TrainReport(**run_summary(home, run_id), model_uri=uri, is_champion=is_champion, is_new=is_new)


@contextmanager
def _training_lock(home: Path) -> Iterator[None]:
    """Train only once at a time in a home, so that of two identical runs that start together, only one trains."""
    turn = FileLock(home / "mlruns" / ".training.lock")
    try:
        turn.acquire(timeout=0)
    except Timeout:
        announce("training", 0.0, None, "waiting for another training run in this home")
        turn.acquire()
    try:
        yield
    finally:
        turn.release()


@contextmanager
def _closed_on_failure(home: Path, run_id: str) -> Iterator[None]:
    """End the MLflow run if the block fails or is interrupted."""
    try:
        yield
    except BaseException as error:
        finish_run.fn(home, run_id, "FAILED" if isinstance(error, Exception) else "KILLED")
        raise

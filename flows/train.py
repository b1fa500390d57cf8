"""The flow `train`: from features to a model, recorded in MLflow."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from prefect import flow
from prefect.logging import get_run_logger

from songform.errors import CorpusError, ModelError, SongformError, UnreadableFileError
from tasks.ingest.sources.listing import problems_message
from tasks.models.champion import update_champion
from tasks.models.pretrained_model import register_pretrained
from tasks.models.registry import model_version, register_bundle, restore_bundle
from tasks.progress import announce
from tasks.settings import Settings
from tasks.store.bundles import set_aside_bundle
from tasks.store.corpus import Corpus
from tasks.train.array_cache import array_folder
from tasks.train.damaged_inputs import missing_inputs, set_aside_inputs
from tasks.train.heldout_scores import score_bundle
from tasks.train.short_songs import require_training_windows
from tasks.train.state_fitting import prior_fault
from tasks.train.state_labels import fit_corpus_states, label_tracks
from tasks.train.tracking import (
    MODEL_NAME,
    finish_run,
    finished_run,
    prepare_store,
    repair_store,
    run_summary,
    start_run,
)
from tasks.train.train_network import train_bundle
from tasks.train.training_plan import Plan, plan_training
from tasks.train.training_results import log_results

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
    problems : list of str
        One sentence per damaged file, and one about the tracks whose tables are missing.
    notes : list of str
        One sentence if the states cannot be adapted from those of the shipped model.
    """

    run_id: str
    params: dict[str, Any]
    metrics: dict[str, float]
    model_uri: str
    is_champion: bool
    is_new: bool
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@flow(name="train", flow_run_name="train for {experiment}")
def train(
    home: Path,
    settings: Settings = Settings(),  # noqa: B008  frozen, and Prefect's UI shows the defaults
    experiment: str = "songform",
    again: bool = False,
) -> TrainReport:
    """Adapt the states to the corpus, train the network on them, and record the run in MLflow.

    The first training of a home also registers the model that is shipped with songform.

    Each damaged file is a warning in the log of the run, because the report of a scheduled training is not shown.

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
        If the corpus has no track to train on, or its training part has no window.
    """
    Corpus(home).prepare()
    repaired = repair_store(home)
    problems = [*repaired, *missing_inputs(home, settings)]
    try:
        report = _train_on_intact_files(home, settings, experiment, problems, again=again)
    except SongformError as error:
        if not repaired:
            raise
        raise CorpusError(problems_message("no model can be trained", [*repaired, str(error)])) from error
    finally:
        for problem in dict.fromkeys(problems):
            get_run_logger().warning("%s", problem)
    fault = prior_fault(settings)
    return replace(report, problems=list(dict.fromkeys(problems)), notes=[fault] if fault else [])


def _train_on_intact_files(
    home: Path, settings: Settings, experiment: str, problems: list[str], *, again: bool
) -> TrainReport:
    """Train; plan again without the files that turn out to be damaged, and append one sentence about each."""
    while True:
        plan = plan_training(home, settings)
        problems += plan.problems
        require_training_windows(home, plan, settings)
        experiment_id = prepare_store(home, experiment)
        try:
            with _training_lock(home):
                report = _train_unless_finished(home, settings, plan, experiment_id, again=again)
        except UnreadableFileError as error:
            if not error.is_damaged:
                raise
            problems += set_aside_inputs(home, plan, settings, error)
        else:
            problems += report.problems
            return report


def _train_unless_finished(
    home: Path, settings: Settings, plan: Plan, experiment_id: str, *, again: bool
) -> TrainReport:
    register_pretrained(home, experiment_id, settings)  # first, so that the trained model is the latest version
    run_id = None if again else finished_run(home, experiment_id, plan)
    run_id, problems = _run_with_bundle(home, plan, run_id)
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
            register_bundle(home, run_id, folder)
            finish_run(home, run_id)
    version = model_version(home, run_id)
    is_champion = update_champion(home, version, settings, plan) if version else False
    uri = f"models:/{MODEL_NAME}/{version}" if version else f"runs:/{run_id}/bundle"
    summary = run_summary(home, run_id)
    return TrainReport(**summary, model_uri=uri, is_champion=is_champion, is_new=is_new, problems=problems)


def _run_with_bundle(home: Path, plan: Plan, run_id: str | None) -> tuple[str | None, list[str]]:
    """Restore the bundle of a finished run if it is damaged or missing.

    Returns
    -------
    run_id : str or None
        The run, or None if its bundle cannot be restored, so that the model has to be trained again.
    problems : list of str
        One sentence if the bundle was damaged.
    """
    folder = Corpus(home).bundle_path(plan.bundle_id)
    if run_id is None:
        return None, [f"{problem}, and the model is trained again" for problem in set_aside_bundle(folder)]
    try:
        return run_id, restore_bundle(f"runs:/{run_id}/bundle", folder)
    except ModelError as error:
        return None, [f"{error}; the model is trained again"]


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

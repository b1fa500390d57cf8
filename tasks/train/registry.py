"""Bundles in MLflow's model registry: logging, registration, the champion, and download.

A new version becomes the `champion` if there is none, or if it names the states of four composed songs better than the
current one (macro-F1). Scores against a model's own pseudo-labels are not used for this: they would favor degenerate
clusterings, which are easy to predict.
"""

from __future__ import annotations

import re
import shutil
import time
import warnings
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from songform import plots
from songform.bundle import Bundle
from songform.errors import ModelError, first_line
from songform.learning.baselines import BASELINES
from songform.structure.context import CONTEXT_COLUMNS
from tasks.settings import Settings
from tasks.store.atomic_files import temporary_path
from tasks.store.bundles import ModelInfo, bundle_fault, is_lost, set_aside_bundle
from tasks.store.corpus import Corpus
from tasks.train import pyfunc_bundle
from tasks.train.heldout_scores import HeldOutScores
from tasks.train.reference_songs import COMPARISON_SEEDS, composed_songs, named_f1
from tasks.train.tracking import MODEL_NAME, client, has_store
from tasks.train.train_network import read_training

__all__ = [
    "champion_version",
    "fetch_bundle",
    "log_results",
    "model_version",
    "register_bundle",
    "restore_bundle",
    "update_champion",
]

CHAMPION = "champion"
COMPOSED_F1 = "composed_macro_f1"
_REQUIREMENTS = ("songform", "numpy", "pandas", "keras", "scikit-learn", "scipy", "pyarrow")


@task(cache_policy=NO_CACHE)
def log_results(home: Path, run_id: str, folder: Path, heldout: HeldOutScores, seconds: float) -> None:
    """Log the metrics, the pictures and the description of the states of a training run."""
    from mlflow.entities import Metric

    store, bundle, training = client(home), Bundle.load(folder), read_training(folder)
    values = {
        **heldout.metrics,
        "duration_seconds": seconds,
        "sequence_weight": bundle.weight,
        **{f"windows_{part}": float(count) for part, count in training.windows.items()},
    }
    store.log_batch(
        run_id, metrics=[Metric(name, float(value), round(time.time() * 1000), 0) for name, value in values.items()]
    )
    store.log_param(run_id, "start", training.start)
    for name, figure in _figures(bundle, training.history, heldout).items():
        store.log_figure(run_id, figure, f"plots/{name}.png", save_kwargs={"dpi": 150})
    weak = {state: reason for state, reason in zip(bundle.states.states, bundle.states.weak, strict=True) if reason}
    profile = dict(zip(bundle.states.states, bundle.states.profile.round(4).tolist(), strict=True))
    store.log_dict(run_id, {"weak": weak, "profile": profile, "weights": training.tried_weights}, "states.json")


@task(cache_policy=NO_CACHE)
def register_bundle(home: Path, run_id: str, folder: Path, settings: Settings) -> str:
    """Log the bundle as a model, score it on composed songs, and register it; return its version."""
    import mlflow
    from mlflow.exceptions import MlflowException

    store, bundle = client(home), Bundle.load(folder)
    store.log_metric(run_id, COMPOSED_F1, named_f1(bundle, composed_songs(home, COMPARISON_SEEDS, settings)))
    with warnings.catch_warnings(), mlflow.start_run(run_id=run_id):
        warnings.filterwarnings("ignore", message=".*input example was not provided")  # the signature is explicit
        info = mlflow.pyfunc.log_model(
            name="bundle",
            python_model=pyfunc_bundle.__file__,
            artifacts={"bundle": str(folder)},
            signature=_signature(bundle),
            pip_requirements=[f"{name}=={version(name)}" for name in _REQUIREMENTS],
        )
    with suppress(MlflowException):  # it exists already, except in the first training run
        store.create_registered_model(MODEL_NAME)
    return str(store.create_model_version(MODEL_NAME, info.model_uri, run_id, model_id=info.model_id).version)


def model_version(home: Path, run_id: str) -> str | None:
    """Return the version of a run's bundle in the registry, or None if it is not registered."""
    known = client(home).search_model_versions(f"name = '{MODEL_NAME}' and run_id = '{run_id}'")
    return str(known[0].version) if known else None


@task(cache_policy=NO_CACHE)
def update_champion(home: Path, model_version: str) -> bool:
    """Make a version the champion if it is better than the current one; return whether it is the champion now.

    A champion whose files are damaged and cannot be restored is replaced by any other version.
    """
    store = client(home)
    current = champion_version(home)
    if (
        current is None
        or _composed_f1(store, model_version) > _composed_f1(store, current)
        or _is_lost(home, store, current)
    ):
        store.set_registered_model_alias(MODEL_NAME, CHAMPION, model_version)
        return True
    return current == model_version


def champion_version(home: Path) -> str | None:
    """Return the version of the champion, or None if there is none."""
    from mlflow.exceptions import MlflowException

    if not has_store(home):
        return None
    try:
        return str(client(home).get_model_version_by_alias(MODEL_NAME, CHAMPION).version)
    except MlflowException:
        return None


@task(cache_policy=NO_CACHE)
def fetch_bundle(home: Path, uri: str) -> ModelInfo:
    """Look up a model, and download its bundle from MLflow if it is not in the corpus.

    Parameters
    ----------
    home : Path
        Path of the home.
    uri : str
        `models:/songform@champion`, `models:/songform/3` or `runs:/<run id>/bundle`.

    Returns
    -------
    ModelInfo
        The model. Its address is that of its version, regardless of `uri`, so that all reports of a model agree.

    Raises
    ------
    ModelError
        If there is no such model, or it is not a songform bundle.
    """
    import mlflow
    from mlflow.exceptions import MlflowException

    if not has_store(home):
        raise ModelError(
            f"there is no model {uri}: no model has been trained in {home} yet; train one with songform train"
        )
    store = client(home)
    try:
        run_id = mlflow.models.get_model_info(uri).run_id
        model_id = _bundle_of(store, run_id)
        uri = _versioned(home, uri, run_id)
        problems = restore_bundle(uri, Corpus(home).bundle_path(model_id))
    except (MlflowException, OSError, ModelError) as error:
        reason = first_line(error)
        msg = (
            f"no songform model can be loaded from {uri} ({reason}); songform ui shows the registered models, and "
            "songform train trains a new one"
        )
        raise ModelError(msg) from error
    is_champion = uri == f"models:/{MODEL_NAME}/{champion_version(home)}"
    return ModelInfo(uri, model_id, run_id, is_champion, tuple(problems))


def _bundle_of(store: Any, run_id: str) -> str:
    tags = store.get_run(run_id).data.tags
    if "songform.bundle" not in tags:
        raise ModelError("it was not trained by songform: its run has no tag songform.bundle")
    return str(tags["songform.bundle"])


def restore_bundle(uri: str, folder: Path) -> list[str]:
    """Download a bundle from MLflow if it is not in the corpus or damaged; return one sentence if it was damaged.

    Raises
    ------
    ModelError
        If its copy in MLflow's store is damaged, too, or is not a songform bundle.
    """
    from mlflow.exceptions import MlflowException

    problems = set_aside_bundle(folder)
    if folder.exists():
        return []
    try:
        _download(uri, folder)
    except (MlflowException, OSError, ModelError) as error:
        raise ModelError("; ".join([*problems, first_line(error)])) from error
    return [f"{problem}, and its copy in MLflow's store is used" for problem in problems]


def _versioned(home: Path, uri: str, run_id: str) -> str:
    """Return the address of the version that an alias or a run currently refers to."""
    if re.fullmatch(r"models:/[^/@]+/\d+", uri):
        return uri
    found = model_version(home, run_id)
    return f"models:/{MODEL_NAME}/{found}" if found else uri


def _download(uri: str, folder: Path) -> None:
    """Copy a bundle from MLflow's store atomically."""
    import mlflow

    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = temporary_path(folder, "download")
    try:
        model = Path(mlflow.artifacts.download_artifacts(uri, dst_path=str(scratch)))
        found = sorted(path.parent for path in model.glob("artifacts/*/bundle.json"))
        if not found:
            raise ModelError("the copy of the model in MLflow's store is not a songform bundle")
        if fault := bundle_fault(found[0]):
            raise ModelError(f"the copy of the model in MLflow's store is damaged ({fault})")
        found[0].rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _is_lost(home: Path, store: Any, model_version: str) -> bool:
    run_id = store.get_model_version(MODEL_NAME, model_version).run_id
    model_id = store.get_run(run_id).data.tags.get("songform.bundle")
    return model_id is not None and is_lost(Corpus(home).bundle_path(model_id))


def _composed_f1(store: Any, model_version: str) -> float:
    run_id = store.get_model_version(MODEL_NAME, model_version).run_id
    return float(store.get_run(run_id).data.metrics.get(COMPOSED_F1, 0.0))


def _signature(bundle: Bundle) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    inputs = Schema([ColSpec(DataType.float, column) for column in bundle.columns])
    return ModelSignature(inputs, Schema([ColSpec(DataType.string, "state"), ColSpec(DataType.double, "confidence")]))


def _figures(bundle: Bundle, history: dict[str, list[float]], heldout: HeldOutScores) -> dict[str, Any]:
    import pandas as pd

    states = bundle.states
    profile = pd.DataFrame(states.profile, index=list(states.states), columns=list(CONTEXT_COLUMNS))
    figures = {
        "training_curves": plots.training_curves(history, title="LSTM"),
        "cluster_profile": plots.cluster_profile(profile, title="Profile of each state"),
    }
    if heldout.confusion:
        figures["confusion_matrix"] = plots.confusion_matrix(
            heldout.confusion, states.states, title="LSTM on the test tracks"
        )
        figures["metrics"] = plots.metric_bars(_scores(heldout.metrics), title="LSTM compared with its baselines")
    return figures


def _scores(metrics: dict[str, float]) -> dict[str, dict[str, float]]:
    who = {"test": "LSTM"} | {name: name for name in BASELINES}
    return {label: {key: metrics[f"{name}_{key}"] for key in ("accuracy", "macro_f1")} for name, label in who.items()}

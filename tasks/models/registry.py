"""Bundles in MLflow's model registry: registration, the version of the champion, and download.

A command that looks for a model imports this module, so it imports MLflow only if the home has a store.
"""

from __future__ import annotations

import re
import shutil
import warnings
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from songform.bundle import Bundle
from songform.errors import ModelError, first_line
from tasks.store.atomic_files import temporary_path
from tasks.store.bundles import ModelInfo, bundle_fault, set_aside_bundle
from tasks.store.corpus import Corpus
from tasks.train.tracking import MODEL_NAME, client, has_store

__all__ = [
    "CHAMPION",
    "bundle_of",
    "champion_version",
    "fetch_bundle",
    "model_version",
    "register_bundle",
    "restore_bundle",
]

CHAMPION = "champion"
"""Alias of the version that is used by default."""

_PYFUNC_MODULE = Path(__file__).with_name("pyfunc_bundle.py")  # not imported, because it imports MLflow
_REQUIREMENTS = ("songform", "numpy", "pandas", "scikit-learn", "scipy", "pyarrow")
_OLD_NETWORK = "network.keras"  # a network that only Keras can load


@task(cache_policy=NO_CACHE)
def register_bundle(home: Path, run_id: str, folder: Path) -> str:
    """Log the bundle as a model, and register it; return its version."""
    import mlflow
    from mlflow.exceptions import MlflowException

    store, bundle = client(home), Bundle.load(folder, network=False)
    requirements = [*_REQUIREMENTS, *(["keras"] if (folder / _OLD_NETWORK).exists() else [])]
    with warnings.catch_warnings(), mlflow.start_run(run_id=run_id):
        warnings.filterwarnings("ignore", message=".*input example was not provided")  # the signature is explicit
        info = mlflow.pyfunc.log_model(
            name="bundle",
            python_model=str(_PYFUNC_MODULE),
            artifacts={"bundle": str(folder)},
            signature=_signature(bundle),
            pip_requirements=[f"{name}=={version(name)}" for name in requirements],
        )
    with suppress(MlflowException):  # it exists already, except in the first training run
        store.create_registered_model(MODEL_NAME)
    return str(store.create_model_version(MODEL_NAME, info.model_uri, run_id, model_id=info.model_id).version)


def model_version(home: Path, run_id: str) -> str | None:
    """Return the version of a run's bundle in the registry, or None if it is not registered."""
    known = client(home).search_model_versions(f"name = '{MODEL_NAME}' and run_id = '{run_id}'")
    return str(known[0].version) if known else None


def champion_version(home: Path) -> str | None:
    """Return the version of the champion, or None if there is none."""
    if not has_store(home):
        return None
    from mlflow.exceptions import MlflowException

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
    if not has_store(home):
        raise ModelError(
            f"there is no model {uri}: no model has been trained in {home} yet; train one with songform train, or use "
            "--model pretrained"
        )
    import mlflow
    from mlflow.exceptions import MlflowException

    store = client(home)
    try:
        run_id = mlflow.models.get_model_info(uri).run_id
        model_id = bundle_of(store, run_id)
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


def bundle_of(store: Any, run_id: str) -> str:
    """Return the id of the bundle that a run trained.

    Raises
    ------
    ModelError
        If the run is not one of songform's.
    """
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


def _signature(bundle: Bundle) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    inputs = Schema([ColSpec(DataType.float, column) for column in bundle.columns])
    return ModelSignature(inputs, Schema([ColSpec(DataType.string, "state"), ColSpec(DataType.double, "confidence")]))

"""Choice of the model to use: the requested one, else the champion, else states fitted on the song itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from songform.errors import ModelError
from tasks.store.bundles import OWN_MODEL, ModelInfo, newest_bundle
from tasks.store.corpus import Corpus
from tasks.store.damaged_files import set_aside_files
from tasks.train.tracking import MODEL_NAME, has_store, repair_store

__all__ = ["choose_model"]


def choose_model(home: Path, uri: str | None, *, fetch: Callable[[Path, str], ModelInfo] | None = None) -> ModelInfo:
    """Return the model to analyze or evaluate songs with, and download its bundle to the corpus if necessary.

    Parameters
    ----------
    home : Path
        Path of the home.
    uri : str, optional
        MLflow address of a model. By default the champion or, if there is none, `OWN_MODEL`. If there is none because
        MLflow's database was damaged, the newest model in `data/bundles`.
    fetch : callable, optional
        Function that fetches the bundle. A flow passes the task `fetch_bundle`, so that Prefect records a task run. By
        default the function of that task is called directly.

    Raises
    ------
    ModelError
        If there is no such model, or it is not a songform bundle.
    """
    problems = repair_store(home)
    if uri is not None and problems:
        raise ModelError(f"the model {uri} is not available: {problems[0]}")
    if uri is None and not has_store(home):
        return _substitute(home, problems)
    from tasks.train.registry import champion_version, fetch_bundle  # imports MLflow

    if uri is None and champion_version(home) is None:
        return _substitute(home, problems)
    return (fetch or fetch_bundle.fn)(home, uri or f"models:/{MODEL_NAME}@champion")


def _substitute(home: Path, problems: list[str]) -> ModelInfo:
    """Return the model to use without a champion: the newest one if MLflow's database was damaged, else `OWN_MODEL`."""
    corpus = Corpus(home)
    was_damaged = any(path.name.startswith("mlflow.db") for path in set_aside_files(corpus.mlruns))
    model_id = newest_bundle(corpus) if was_damaged else None
    if model_id is None:
        return replace(OWN_MODEL, problems=tuple(problems))
    folder = corpus.bundle_path(model_id)
    msg = (
        f"MLflow's database was damaged, so no model is the champion, and the newest model is used: {folder}; "
        "record it again with songform train"
    )
    return ModelInfo(folder.as_uri(), model_id, None, False, (*problems, msg))

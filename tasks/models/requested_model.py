"""Choice of the model to use: the requested one, else the champion, else the model that is shipped with songform."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from songform.errors import ModelError
from songform.pretrained import pretrained_bundle, pretrained_id
from tasks.models.registry import champion_version, fetch_bundle
from tasks.settings import Settings
from tasks.store.bundles import OWN_MODEL, PRETRAINED, ModelInfo, keep_pretrained, newest_bundle, other_setting
from tasks.store.corpus import Corpus
from tasks.store.damaged_files import set_aside_files
from tasks.train.tracking import MODEL_NAME, repair_store

__all__ = ["choose_model"]


def choose_model(
    home: Path, uri: str | None, settings: Settings, *, fetch: Callable[[Path, str], ModelInfo] | None = None
) -> ModelInfo:
    """Return the model to analyze or evaluate songs with, and copy its bundle to the corpus if necessary.

    Parameters
    ----------
    home : Path
        Path of the home.
    uri : str, optional
        MLflow address of a model, or `pretrained` for the model that is shipped with songform. By default the champion.
        If there is none, the shipped model, or `OWN_MODEL` if its frames or features differ from the settings. If there
        is none because MLflow's database was damaged, the newest model in `data/bundles`.
    settings : Settings
        All settings.
    fetch : callable, optional
        Function that fetches the bundle. A flow passes the task `fetch_bundle`, so that Prefect records a task run. By
        default the function of that task is called directly.

    Raises
    ------
    ModelError
        If there is no such model, or it is not a songform bundle.
    """
    problems = repair_store(home)
    if uri == PRETRAINED:
        return _shipped(home, problems)
    if uri is not None and problems:
        raise ModelError(f"the model {uri} is not available: {problems[0]}")
    if uri is None and champion_version(home) is None:
        return _substitute(home, settings, problems)
    return (fetch or fetch_bundle.fn)(home, uri or f"models:/{MODEL_NAME}@champion")


def _substitute(home: Path, settings: Settings, problems: list[str]) -> ModelInfo:
    """Return the model to use without a champion."""
    corpus = Corpus(home)
    was_damaged = any(path.name.startswith("mlflow.db") for path in set_aside_files(corpus.mlruns))
    model_id = newest_bundle(corpus) if was_damaged else None
    if model_id is None:
        return _shipped_or_own(home, settings, problems)
    folder = corpus.bundle_path(model_id)
    msg = (
        f"MLflow's database was damaged, so no model is the champion, and the newest model is used: {folder}; "
        "record it again with songform train"
    )
    return ModelInfo(folder.as_uri(), model_id, None, False, (*problems, msg))


def _shipped_or_own(home: Path, settings: Settings, problems: list[str]) -> ModelInfo:
    """Return the shipped model, or `OWN_MODEL` if its frames or features differ from the settings."""
    other = other_setting(pretrained_bundle(network=False), settings)
    if other is None:
        return _shipped(home, problems)
    name, trained, value = other
    note = (
        f"the model shipped with songform has {name} = {trained}, but the setting is {value}, so the states of each "
        f"song are found from that song alone; use --set {name}={trained}, or train a model with songform train"
    )
    return replace(OWN_MODEL, problems=tuple(problems), notes=(note,))


def _shipped(home: Path, problems: list[str]) -> ModelInfo:
    _, damaged = keep_pretrained(Corpus(home))
    return ModelInfo("", pretrained_id(), None, False, (*problems, *damaged))

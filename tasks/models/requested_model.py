"""Choice of the model to use: the requested one, else the champion, else the model that is shipped with songform."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from songform.errors import ModelError
from songform.pretrained import pretrained_bundle, pretrained_id
from tasks.settings import Settings
from tasks.store.bundles import OWN_MODEL, PRETRAINED, ModelInfo, keep_pretrained, newest_bundle, other_setting
from tasks.store.corpus import Corpus
from tasks.store.damaged_files import set_aside_files
from tasks.train.tracking import MODEL_NAME, has_store, repair_store

__all__ = ["check_address", "choose_model", "reported_model"]

_ADDRESS = re.compile(r"models:/[^/@]+([/@].+)|runs:/[^/]+/.+|file:.+")


def check_address(uri: str | None) -> None:
    """Check that a text can be the address of a model, before any other work.

    Raises
    ------
    ModelError
        If it is not.
    """
    if uri is not None and uri != PRETRAINED and not _ADDRESS.fullmatch(uri):
        raise ModelError(
            f"{uri} is not the address of a model; use {PRETRAINED} (the model shipped with songform), "
            f"models:/{MODEL_NAME}@champion, models:/{MODEL_NAME}/1 or another version, or runs:/RUN_ID/bundle; "
            "songform ui shows the versions"
        )


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
    check_address(uri)
    problems = repair_store(home)
    if uri == PRETRAINED:
        return _shipped(home, problems)
    if uri is not None or _has_champion(home):
        return _requested(home, uri, problems, fetch or _fetched)
    return _substitute(home, settings, problems)


def reported_model(home: Path, uri: str | None, settings: Settings) -> ModelInfo:
    """Return the model whose reports are read; nothing is copied to the corpus unless the model has an address.

    Parameters
    ----------
    home, uri, settings
        As in `choose_model`. Without an address and without a champion, the model is `OWN_MODEL` if the shipped model
        has no reports but songs were analyzed by an earlier version of songform, which did not have one.

    Raises
    ------
    ModelError
        If there is no such model, or it is not a songform bundle.
    """
    check_address(uri)
    corpus, problems = Corpus(home), repair_store(home)
    if uri == PRETRAINED:
        return _shipped(home, problems, keep=False)
    if uri is not None or _has_champion(home):
        return _requested(home, uri, problems, _fetched)
    substitute = _substitute(home, settings, problems, keep=False)
    is_unused = substitute.is_pretrained and not any(corpus.report_path(substitute.model_id, "").glob("*.json"))
    has_own = any(corpus.report_path(OWN_MODEL.model_id, "").glob("*.json"))
    return replace(OWN_MODEL, problems=substitute.problems) if is_unused and has_own else substitute


def _requested(home: Path, uri: str | None, problems: list[str], fetch: Callable[[Path, str], ModelInfo]) -> ModelInfo:
    """Return the model with an address, or the champion."""
    if uri is not None and problems:
        raise ModelError(f"the model {uri} is not available: {problems[0]}")
    return fetch(home, uri or f"models:/{MODEL_NAME}@champion")


def _has_champion(home: Path) -> bool:
    if not has_store(home):  # then MLflow need not be imported
        return False
    from tasks.models.registry import champion_version

    return champion_version(home) is not None


def _fetched(home: Path, uri: str) -> ModelInfo:
    from tasks.models.registry import fetch_bundle  # imports Prefect

    return fetch_bundle.fn(home, uri)


def _substitute(home: Path, settings: Settings, problems: list[str], *, keep: bool = True) -> ModelInfo:
    """Return the model to use without a champion."""
    corpus = Corpus(home)
    was_damaged = any(path.name.startswith("mlflow.db") for path in set_aside_files(corpus.mlruns))
    model_id = newest_bundle(corpus) if was_damaged else None
    if model_id is None:
        return _shipped_or_own(home, settings, problems, keep=keep)
    folder = corpus.bundle_path(model_id)
    msg = (
        f"MLflow's database was damaged, so no model is the champion, and the newest model is used: {folder}; "
        "record it again with songform train"
    )
    return ModelInfo(folder.as_uri(), model_id, None, False, (*problems, msg))


def _shipped_or_own(home: Path, settings: Settings, problems: list[str], *, keep: bool) -> ModelInfo:
    """Return the shipped model, or `OWN_MODEL` if its frames or features differ from the settings."""
    other = other_setting(pretrained_bundle(network=False), settings)
    if other is None:
        return _shipped(home, problems, keep=keep)
    name, trained, value = other
    note = (
        f"the model shipped with songform has {name} = {trained}, but the setting is {value}, so the states of each "
        f"song are found from that song alone; use --set {name}={trained}, or train a model with songform train"
    )
    return replace(OWN_MODEL, problems=tuple(problems), notes=(note,))


def _shipped(home: Path, problems: list[str], *, keep: bool = True) -> ModelInfo:
    damaged = keep_pretrained(Corpus(home))[1] if keep else []
    return ModelInfo("", pretrained_id(), None, False, (*problems, *damaged))

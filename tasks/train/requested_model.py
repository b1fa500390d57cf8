"""The choice of a model: the one that was asked for, else the champion, else none but the song's own states."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tasks.train.registry import OWN_MODEL, ModelInfo, champion_version, fetch_bundle
from tasks.train.tracking import MODEL_NAME

__all__ = ["choose_model"]


def choose_model(home: Path, uri: str | None, *, fetch: Callable[[Path, str], ModelInfo] | None = None) -> ModelInfo:
    """Return the model to analyse or evaluate songs with; its bundle is then in the corpus.

    Parameters
    ----------
    home : Path
        The home of the corpus.
    uri : str, optional
        MLflow's address of a model. By default the champion; without a champion, `OWN_MODEL`.
    fetch : callable, optional
        How a bundle is fetched. A flow gives the task `fetch_bundle` itself, so that Prefect records a task run; by
        default the task's function is called.

    Raises
    ------
    ModelError
        If there is no such model, or it is not a bundle of songform.
    """
    if uri is None and champion_version(home) is None:
        return OWN_MODEL
    return (fetch or fetch_bundle.fn)(home, uri or f"models:/{MODEL_NAME}@champion")

"""Choice of the model to use: the requested one, else the champion, else states fitted on the song itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tasks.train.registry import OWN_MODEL, ModelInfo, champion_version, fetch_bundle
from tasks.train.tracking import MODEL_NAME

__all__ = ["choose_model"]


def choose_model(home: Path, uri: str | None, *, fetch: Callable[[Path, str], ModelInfo] | None = None) -> ModelInfo:
    """Return the model to analyze or evaluate songs with, and download its bundle to the corpus if necessary.

    Parameters
    ----------
    home : Path
        Path of the home.
    uri : str, optional
        MLflow address of a model. By default the champion or, if there is none, `OWN_MODEL`.
    fetch : callable, optional
        Function that fetches the bundle. A flow passes the task `fetch_bundle`, so that Prefect records a task run. By
        default the function of that task is called directly.

    Raises
    ------
    ModelError
        If there is no such model, or it is not a songform bundle.
    """
    if uri is None and champion_version(home) is None:
        return OWN_MODEL
    return (fetch or fetch_bundle.fn)(home, uri or f"models:/{MODEL_NAME}@champion")

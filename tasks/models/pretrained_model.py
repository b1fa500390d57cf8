"""Registration of the model that is shipped with songform as a version in MLflow.

Its version makes `models:/songform@champion` loadable before any model is better, and lists it beside the trained ones.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from songform import __version__
from songform.bundle import Bundle
from songform.pretrained import pretrained_id
from tasks.models.champion import update_champion
from tasks.models.registry import model_version, register_bundle
from tasks.settings import Settings
from tasks.store.bundles import PRETRAINED, keep_pretrained, other_setting
from tasks.store.corpus import Corpus
from tasks.train.tracking import client, log_params

__all__ = ["register_pretrained"]

_CARD = "card.json"
_MAX_TEXT = 500  # characters of a parameter, which MLflow shows in one line


@task(cache_policy=NO_CACHE)
def register_pretrained(home: Path, experiment_id: str, settings: Settings) -> str:
    """Register the shipped model in its own run, unless it is registered; return its version.

    It becomes the champion if its frames and features are those of the settings, and if there is none or it is better.

    Parameters
    ----------
    home : Path
        Path of the home.
    experiment_id : str
        Experiment of the run.
    settings : Settings
        All settings.
    """
    known = _registered(home, experiment_id)
    if known is not None:
        return known
    folder, _ = keep_pretrained(Corpus(home))
    bundle, store = Bundle.load(folder, network=False), client(home)
    tags = {
        "songform.bundle": pretrained_id(),
        "mlflow.source.name": f"songform {__version__}",
        "mlflow.source.type": "PROJECT",
    }
    run_id = str(store.create_run(experiment_id, tags=tags, run_name=PRETRAINED).info.run_id)
    try:
        version = _logged(home, run_id, folder, bundle)
    except BaseException:
        store.set_terminated(run_id, "FAILED")
        raise
    store.set_terminated(run_id, "FINISHED")
    if other_setting(bundle, settings) is None:
        update_champion.fn(home, version, settings)
    return version


def _registered(home: Path, experiment_id: str) -> str | None:
    """Return the version of the shipped model, or None if it is not registered."""
    store = client(home)
    same = f"tags.`songform.bundle` = '{pretrained_id()}' and attributes.status = 'FINISHED'"
    experiments = {experiment_id, *(each.experiment_id for each in store.search_experiments())}
    versions = (model_version(home, run.info.run_id) for run in store.search_runs(sorted(experiments), same))
    return next((version for version in versions if version is not None), None)


def _logged(home: Path, run_id: str, folder: Path, bundle: Bundle) -> str:
    store = client(home)
    log_params(store, run_id, dict(_flat(bundle.settings)))
    store.log_metric(run_id, "sequence_weight", bundle.weight)
    if (card := folder / _CARD).is_file():
        log_params(store, run_id, dict(_flat({"card": json.loads(card.read_text(encoding="utf-8"))})))
        store.log_artifact(run_id, str(card))
    return register_bundle.fn(home, run_id, folder)


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the values of nested JSON objects under dotted names that MLflow accepts."""
    for key, value in values.items():
        name = prefix + re.sub(r"[^\w. /-]", "_", key, flags=re.ASCII)
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name}.")
        else:
            yield name, str(value)[:_MAX_TEXT]

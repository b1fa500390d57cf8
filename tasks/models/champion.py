"""The champion: the version of the model that is used by default.

A new version becomes the champion if there is none, or if it names the states of the same songs better than the current
one (macro-F1). These are songs of the test part with people's state labels if there are at least five, and otherwise
four composed songs. Scores against a model's own pseudo-labels are not used for this: they would favor degenerate
clusterings, which are easy to predict.

The score of a version is a metric of its run. A tag says which songs it belongs to, so that a version that was scored
on other songs, for example by an earlier version of songform, is scored again once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from songform.bundle import Bundle
from songform.errors import ModelError
from tasks.models.registry import CHAMPION, bundle_of, champion_version, restore_bundle
from tasks.settings import FeaturesSettings, FramesSettings, Settings, digest
from tasks.store.bundles import is_lost, other_setting
from tasks.store.corpus import Corpus
from tasks.store.tables import features_config
from tasks.train.expert_labels import label_names, with_labels
from tasks.train.reference_songs import (
    COMPARISON_SEEDS,
    ComposedSong,
    comparison_digest,
    composed_songs,
    labeled_song,
    named_f1,
)
from tasks.train.tracking import MODEL_NAME, client
from tasks.train.training_plan import Plan

__all__ = ["LABELED_F1", "LEAST_LABELED", "REFERENCE_F1", "update_champion"]

REFERENCE_F1 = "reference_macro_f1"
LABELED_F1 = "labeled_macro_f1"
LEAST_LABELED = 5
"""Minimum number of test songs with people's state labels for which these decide instead of composed songs."""


@dataclass(frozen=True)
class _Comparison:
    """Songs that models are compared on.

    Parameters
    ----------
    metric : str
        Name of the score in MLflow.
    digest : str
        Digest of the songs and their true states.
    songs : callable
        Function that returns the songs with the features that a bundle needs.
    """

    metric: str
    digest: str
    songs: Callable[[Bundle], list[ComposedSong]]


@task(cache_policy=NO_CACHE)
def update_champion(home: Path, model_version: str, settings: Settings, plan: Plan | None = None) -> bool:
    """Make a version the champion if it is better than the current one; return whether it is the champion now.

    A champion whose files are damaged and cannot be restored is replaced by any other version.

    Parameters
    ----------
    home : Path
        Path of the home.
    model_version : str
        Version of the model `songform`.
    settings : Settings
        All settings.
    plan : Plan, optional
        Plan of the training, whose test tracks may have people's labels.
    """
    store, current = client(home), champion_version(home)
    reference = _Comparison(REFERENCE_F1, comparison_digest(), lambda bundle: _composed(home, settings, bundle))
    score = _score(home, store, model_version, reference)
    if current == model_version:
        return True
    if current is None or _is_lost(home, store, current):
        return _promoted(store, model_version)
    labeled = _labeled(home, store, (model_version, current), settings, plan)
    if labeled is not None:
        is_better = _score(home, store, model_version, labeled) > _score(home, store, current, labeled)
    else:
        is_better = score > _score(home, store, current, reference)
    return is_better and _promoted(store, model_version)


def _promoted(store: Any, model_version: str) -> bool:
    store.set_registered_model_alias(MODEL_NAME, CHAMPION, model_version)
    return True


def _score(home: Path, store: Any, model_version: str, comparison: _Comparison) -> float:
    """Return the score of a version, which is computed unless its run has it; 0 if its bundle cannot be loaded."""
    run_id = store.get_model_version(MODEL_NAME, model_version).run_id
    data, tag = store.get_run(run_id).data, f"songform.{comparison.metric}"
    if data.tags.get(tag) == comparison.digest and comparison.metric in data.metrics:
        return float(data.metrics[comparison.metric])
    bundle = _bundle(home, store, model_version)
    if bundle is None:
        return 0.0
    score = named_f1(bundle, comparison.songs(bundle))
    store.log_metric(run_id, comparison.metric, score)
    store.set_tag(run_id, tag, comparison.digest)
    return score


def _bundle(home: Path, store: Any, model_version: str, *, network: bool = True) -> Bundle | None:
    """Return the bundle of a version, or None if it cannot be loaded; a network without weight is not loaded."""
    try:
        folder = Corpus(home).bundle_path(bundle_of(store, store.get_model_version(MODEL_NAME, model_version).run_id))
        restore_bundle(f"models:/{MODEL_NAME}/{model_version}", folder)
        bundle = Bundle.load(folder, network=False)
        return Bundle.load(folder) if network and bundle.weight else bundle
    except ModelError:
        return None


def _is_lost(home: Path, store: Any, model_version: str) -> bool:
    run_id = store.get_model_version(MODEL_NAME, model_version).run_id
    model_id = store.get_run(run_id).data.tags.get("songform.bundle")
    return model_id is not None and is_lost(Corpus(home).bundle_path(model_id))


def _composed(home: Path, settings: Settings, bundle: Bundle) -> list[ComposedSong]:
    """Return the composed songs, with the frames and features of a bundle."""
    own = {
        name: section(**bundle.settings[name])
        for name, section in (("frames", FramesSettings), ("features", FeaturesSettings))
        if name in bundle.settings
    }
    return composed_songs(home, COMPARISON_SEEDS, settings.model_copy(update=own))


def _labeled(
    home: Path, store: Any, model_versions: tuple[str, str], settings: Settings, plan: Plan | None
) -> _Comparison | None:
    """Return the test songs with people's state labels, or None if there are too few or a model cannot read them.

    A song has state labels if all of its labels are states of one of the models.
    """
    bundles = [_bundle(home, store, each, network=False) for each in model_versions]
    if plan is None or not plan.split.by_track:
        return None
    readable = [bundle for bundle in bundles if bundle is not None and other_setting(bundle, settings) is None]
    if len(readable) < len(bundles):
        return None
    states = {state for bundle in readable for state in bundle.states.states}
    truth = with_labels(Corpus(home), plan.split.test, settings, [])
    truth = {key: labels for key, labels in truth.items() if set(label_names([labels])) <= states}
    if len(truth) < LEAST_LABELED:
        return None
    known = {key: labels.tolist() for key, labels in truth.items()}
    return _Comparison(
        LABELED_F1,
        digest(features_config(settings), known),
        lambda _: [labeled_song(Corpus(home), key, settings, labels) for key, labels in truth.items()],
    )

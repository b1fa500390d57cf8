"""Training of the network on the labeled tracks.

Windows or stretches are streamed from disk, song by song. The output of a training run is a bundle, one folder of the
corpus, which is renamed to its final path when it is complete.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from prefect import task
from prefect.cache_policies import NO_CACHE
from sklearn.preprocessing import StandardScaler

from songform.bundle import Bundle, SequenceModel
from songform.errors import CorpusError
from songform.learning.keras_files import numpy_network
from songform.learning.networks import Network, fit_network
from songform.learning.sequence_inputs import n_inputs
from songform.learning.sequences import Windows
from songform.learning.stretches import Stretches
from tasks.progress import announce
from tasks.settings import Settings
from tasks.store.bundles import write_bundle_folder
from tasks.store.corpus import Corpus
from tasks.store.tables import read_features
from tasks.train import stage_versions
from tasks.train.array_cache import ArrayCache, array_folder
from tasks.train.reference_songs import ComposedSong, best_weight, calibrated, tuning_songs
from tasks.train.shipped_network import RANDOM_START, shipped_network
from tasks.train.short_songs import short_songs
from tasks.train.state_fitting import prior_facts
from tasks.train.state_labels import read_state_model
from tasks.train.tracking import epoch_logger
from tasks.train.training_plan import Plan
from tasks.train.window_source import WindowSource, window_shape

__all__ = ["LEAST_CALIBRATED", "Training", "read_training", "train_bundle"]

LEAST_CALIBRATED = 5
"""Minimum number of validation songs with people's labels for a calibration."""

VERSION = stage_versions.TRAIN_NETWORK  # defined there so that the digests can use it
Array = NDArray[np.float64]
EpochListener = Callable[[int, Mapping[str, float]], None]


@dataclass(frozen=True)
class Training:
    """Record of a training run.

    Parameters
    ----------
    history : dict of str to list of float
        Losses and accuracies, one value per epoch.
    tried_weights : dict of str to float
        Score on composed songs (macro-F1) for each weight of the network that was tried.
    windows : dict of str to int
        Number of windows of the training and validation parts, or of units, if the network predicts a state at each.
    start : str
        Id of the shipped model whose network the training started from, or `random`.
    """

    history: dict[str, list[float]]
    tried_weights: dict[str, float]
    windows: dict[str, int]
    start: str = RANDOM_START


@task(cache_policy=NO_CACHE)
def train_bundle(
    home: Path, plan: Plan, settings: Settings, run_id: str, *, again: bool = False, arrays: Path | None = None
) -> Path:
    """Train the network, log each epoch to the MLflow run, and write the bundle; return its folder.

    If the bundle exists, only its recorded epochs are logged.

    Parameters
    ----------
    home, plan, settings
        Path of the home, plan of the training run, and all settings.
    run_id : str
        Id of the MLflow run.
    again : bool
        Whether to train even if the bundle exists.
    arrays : Path, optional
        Folder from `array_folder`, in which the windows of each track are kept. By default a temporary one.

    Raises
    ------
    CorpusError
        If the training tracks have no window.
    """
    corpus = Corpus(home)
    folder = corpus.bundle_path(plan.bundle_id)
    on_epoch = epoch_logger(home, run_id)
    if (folder / "bundle.json").is_file() and not again:
        for epoch, logs in enumerate(_epochs(read_training(folder).history), start=1):
            on_epoch(epoch, logs)
    else:
        with nullcontext(arrays) if arrays else array_folder(home, plan) as kept:
            trained = _trained(corpus, plan, settings, ArrayCache(kept), on_epoch)
        _write(*trained, folder)
    return folder


def read_training(folder: Path) -> Training:
    """Read the record of the training run of a bundle."""
    return Training(**json.loads((folder / "training.json").read_text(encoding="utf-8")))


def _trained(
    corpus: Corpus, plan: Plan, settings: Settings, cache: ArrayCache, on_epoch: EpochListener
) -> tuple[Bundle, Training]:
    states, chosen = read_state_model(corpus, plan), settings.model
    columns = tuple(read_features(corpus, plan.keys[0], settings).columns)
    shipped = shipped_network(settings, states, columns)
    center, scale = (shipped.center, shipped.scale) if shipped else _frame_scaler(corpus, plan, settings)
    source = WindowSource(corpus, plan, settings, states, center, scale, cache)
    counts = {part: sum(source.count(key, part) for key in plan.split.part(part)) for part in ("train", "validation")}
    if not counts["train"]:
        raise CorpusError(short_songs(corpus, plan, settings))
    announce("training", 0, chosen.epochs, "starting TensorFlow")
    network, history = fit_network(
        _batches(source, "train"),
        _batches(source, "validation") if counts["validation"] else None,
        n_inputs=n_inputs(settings.sequences.inputs, len(columns), window_shape(settings)),
        n_states=len(states.states),
        name=chosen.name,
        epochs=chosen.epochs,
        patience=chosen.patience,
        learning_rate=chosen.learning_rate,
        seed=chosen.seed,
        start=shipped.weights if shipped else None,
        on_epoch=_announced(on_epoch, chosen.epochs),
    )
    sequence = _sequence_model(network, center, scale, settings)
    bundle = Bundle(states, sequence, 1.0, columns, settings.model_dump(mode="json"))
    songs = tuning_songs(corpus.home, plan, settings)
    weight, tried = best_weight(bundle, songs)
    tried_weights = {f"{value:g}": score for value, score in tried.items()}
    start = shipped.model_id if shipped else RANDOM_START
    return _calibrated(bundle.with_weight(weight), songs, plan, settings), Training(
        history, tried_weights, counts, start
    )


def _calibrated(bundle: Bundle, songs: list[ComposedSong], plan: Plan, settings: Settings) -> Bundle:
    """Calibrate a bundle, unless its states are clusters whose names were only guessed, or labels of few songs."""
    if plan.label_names:
        return calibrated(bundle, songs, "people") if len(songs) >= LEAST_CALIBRATED else bundle
    return calibrated(bundle, songs, "composed") if prior_facts(settings) else bundle


def _sequence_model(network: Network, center: Array, scale: Array, settings: Settings) -> SequenceModel:
    chosen = settings.sequences
    return SequenceModel(
        numpy_network(network) or network,
        center,
        scale,
        window_shape(settings),
        chosen.moment,
        chosen.ahead_seconds,
        chosen.inputs,
    )


def _announced(on_epoch: EpochListener, epochs: int) -> EpochListener:
    """Return a listener that also announces each epoch's losses and accuracies."""

    def report(epoch: int, logs: Mapping[str, float]) -> None:
        announce("training", epoch, epochs, ", ".join(f"{name} {value:.3f}" for name, value in logs.items()))
        on_epoch(epoch, logs)

    return report


def _batches(source: WindowSource, part: str) -> Windows | Stretches:
    """Return the batches of the training part (shuffled) or the validation part."""
    chosen, keys = source.settings.model, sorted(source.plan.split.part(part))
    seed = chosen.seed if part == "train" else None
    if source.settings.sequences.every_unit:
        return Stretches(
            partial(source.stretches, part=part),
            keys,
            batch_size=chosen.batch_stretches,
            seed=seed,
            n_stretches=sum(source.count_stretches(key, part) for key in keys),
        )
    return Windows(
        partial(source.windows, part=part),
        keys,
        n_steps=window_shape(source.settings).n_steps,
        batch_size=chosen.batch_size,
        seed=seed,
        n_windows=sum(source.count(key, part) for key in keys),
    )


def _frame_scaler(corpus: Corpus, plan: Plan, settings: Settings) -> tuple[Array, Array]:
    """Return the mean and standard deviation of each column over the training frames."""
    scaler = StandardScaler()
    for key, spans in sorted(plan.split.train.items()):
        features = read_features(corpus, key, settings)
        times = features.index.to_numpy()
        inside = np.any([(start <= times) & (times < end) for start, end in spans], axis=0)
        scaler.partial_fit(features.to_numpy(np.float64)[inside])
    return scaler.mean_, scaler.scale_


def _write(bundle: Bundle, training: Training, folder: Path) -> None:
    """Write the folder of a bundle atomically."""
    with write_bundle_folder(folder) as temporary:
        bundle.save(temporary)
        (temporary / "training.json").write_text(json.dumps(asdict(training), indent=2), encoding="utf-8")


def _epochs(history: dict[str, list[float]]) -> list[dict[str, float]]:
    return [dict(zip(history, values, strict=True)) for values in zip(*history.values(), strict=True)]

"""Scores of the network and its baselines on held-out tracks, computed on the same windows.

If the network predicts a state at each unit, each unit is a window. In a large corpus, every second (third, ...) window
is used, so that neither the time nor the memory grows with the number of tracks.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from prefect import task
from prefect.cache_policies import NO_CACHE
from threadpoolctl import threadpool_limits

from songform.bundle import Bundle, SequenceModel
from songform.learning import baselines
from songform.learning.classification_metrics import confusion, recall, scores
from songform.learning.networks import predictor
from songform.learning.sequences import SongWindows
from songform.structure.pooling import frame_units
from tasks.progress import announce
from tasks.settings import Settings
from tasks.store.atomic_files import write_json
from tasks.store.corpus import Corpus
from tasks.store.tables import read_features, read_overview
from tasks.train import stage_versions
from tasks.train.array_cache import ArrayCache
from tasks.train.state_labels import read_labels
from tasks.train.training_plan import Plan
from tasks.train.window_source import WindowSource

__all__ = ["HeldOutScores", "score_bundle"]

VERSION = stage_versions.HELDOUT_SCORES  # defined there so that the digests can use it
Array = NDArray[np.float64]

_BASELINE_SONGS = 200  # maximum number of training songs to fit the baselines on
_PERSISTENCE_SONGS = 20  # maximum number of training songs to measure the precision of persistence on
_TEST_WINDOWS = 2000  # maximum number of test windows; persistence takes some milliseconds for each
_BASELINE_WINDOWS = 20_000  # maximum number of training windows to fit the baselines on
_PERSISTENCE_WINDOWS = 500  # maximum number of training windows to measure the precision of persistence on


@dataclass(frozen=True)
class HeldOutScores:
    """Scores of the network and its baselines on the test tracks; empty if there is no test window.

    Parameters
    ----------
    metrics : dict of str to float
        `<name>_<metric>` for the network (`test`) and each of `songform.learning.baselines.BASELINES`, and
        `test_recall_<state>`.
    confusion : list of lists of int
        Confusion matrix of the network on the test windows; rows are true states.
    """

    metrics: dict[str, float]
    confusion: list[list[int]]


@dataclass(frozen=True)
class _Answers:
    """Last units, targets and predictions for some windows.

    `persistence` and `oracle` are states assigned by the clusters, without and with knowledge of later sound;
    `probability` is the output of the network.
    """

    last: NDArray[np.float32]
    targets: NDArray[np.intp]
    persistence: NDArray[np.intp]
    oracle: NDArray[np.intp]
    probability: NDArray[np.float64]


@task(cache_policy=NO_CACHE)
def score_bundle(
    home: Path, plan: Plan, settings: Settings, folder: Path, *, arrays: Path | None = None
) -> HeldOutScores:
    """Score the bundle and all baselines on the test tracks, or read the scores if they were computed before.

    Parameters
    ----------
    home, plan, settings
        Path of the home, plan of the training run, and all settings.
    folder : Path
        Folder of the bundle.
    arrays : Path, optional
        Folder from `array_folder`, in which the training of the network stored its windows.
    """
    path = folder / "judgement.json"
    if not path.is_file():
        bundle = Bundle.load(folder)
        # With matrices this small, BLAS is no faster on all cores. When other processes use the cores it is many times
        # slower, and its sums depend on the number of threads.
        with threadpool_limits(1, user_api="blas"):
            measured = _heldout_scores(Corpus(home), plan, settings, bundle, ArrayCache(arrays))
        write_json(path, asdict(measured))
    return HeldOutScores(**json.loads(path.read_text(encoding="utf-8")))


def _heldout_scores(corpus: Corpus, plan: Plan, settings: Settings, bundle: Bundle, cache: ArrayCache) -> HeldOutScores:
    sequence = bundle.sequence
    assert sequence is not None  # noqa: S101  a trained bundle has a network
    source = WindowSource(corpus, plan, settings, bundle.states, sequence.center, sequence.scale, cache)
    collector = _AnswerCollector(source, sequence)
    test_keys, train_keys = sorted(plan.split.test), sorted(plan.split.train)[:_BASELINE_SONGS]
    tested = collector.songs("test", test_keys, _TEST_WINDOWS, causal=True)
    if not any(len(song.targets) for song in tested):
        return HeldOutScores({}, [])
    sampled = collector.songs("train", train_keys[:_PERSISTENCE_SONGS], _PERSISTENCE_WINDOWS, causal=True)
    trained = collector.songs("train", train_keys, _BASELINE_WINDOWS, causal=False)
    test, train, sample = _joined(tested), _joined(trained), _joined(sampled)
    n_states = len(bundle.states.states)
    answers = {
        "test": test.probability,
        "majority": baselines.majority(train.targets, len(test.targets), n_states),
        "persistence": baselines.named(sample.targets, sample.persistence, test.persistence, n_states),
        "persistence_oracle": baselines.named(train.targets, train.oracle, test.oracle, n_states),
        "logistic": baselines.logistic(train.last, train.targets, test.last, n_states),
        "centroid": baselines.centroid(train.last, train.targets, test.last, n_states),
    }
    measured = {who: scores(test.targets, answers[who]) for who in ("test", *baselines.BASELINES)}
    metrics = {f"{who}_{name}": value for who, values in measured.items() for name, value in values.items()}
    answer = test.probability.argmax(axis=1)
    found = zip(bundle.states.states, recall(test.targets, answer, n_states), strict=True)
    recalls = {f"test_recall_{state.replace(' ', '_')}": float(share) for state, share in found if np.isfinite(share)}
    return HeldOutScores(metrics | recalls, confusion(test.targets, answer, n_states).tolist())


@dataclass(frozen=True)
class _AnswerCollector:
    """Collects the predictions of the clusters and the network for the windows of songs."""

    source: WindowSource
    sequence: SequenceModel

    def songs(self, part: str, keys: Sequence[str], most: int, *, causal: bool) -> list[_Answers]:
        """Return the predictions for each song; those of `persistence` only if `causal` is true.

        At most about `most` windows are used, at equal distances in each song.
        """
        step = max(1, -(-sum(self.source.count(key, part) for key in keys) // most))
        answers = []
        for count, key in enumerate(keys, start=1):
            answers.append(self._song(part, key, step, causal=causal))
            announce("evaluation", count, len(keys), part)
        return answers

    def _song(self, part: str, key: str, step: int, *, causal: bool) -> _Answers:
        source, settings = self.source, self.source.settings
        features = read_features(source.corpus, key, settings) if causal else None
        whole = source.windows(key, part, features)
        windows = SongWindows(whole.inputs, whole.ends[::step], whole.targets[::step])
        labels = read_labels(source.corpus, source.plan, key, source.states)
        known = _known_frames(len(labels), windows, self.sequence, settings)
        persistence = np.zeros(len(known), np.intp)
        if features is not None and len(known):
            overview = read_overview(source.corpus, key, settings)
            persistence = baselines.causal_states(source.states, features, overview, known)
        probability = self._probabilities(windows) if part == "test" else np.zeros((len(known), 0))
        return _Answers(windows.inputs[windows.ends], windows.targets, persistence, labels[known - 1], probability)

    def _probabilities(self, windows: SongWindows) -> Array:
        """Return the probabilities that the network predicts, shape (n_windows, n_states)."""
        sequence, n_states = self.sequence, len(self.source.states.states)
        if sequence.shape.every_unit:
            return sequence.unit_probabilities(windows.inputs)[windows.ends]
        predict, n_steps = predictor(sequence.network), sequence.shape.n_steps
        parts = [
            predict(windows.windows(np.arange(first, min(first + 256, len(windows.ends))), n_steps))
            for first in range(0, len(windows.ends), 256)
        ]
        return np.concatenate([np.zeros((0, n_states)), *parts])


def _joined(songs: Sequence[_Answers]) -> _Answers:
    return _Answers(*(np.concatenate(column) for column in zip(*(vars(song).values() for song in songs), strict=True)))


def _known_frames(n_frames: int, windows: SongWindows, sequence: SequenceModel, settings: Settings) -> NDArray[np.intp]:
    """Return the number of frames that persistence may use for each window.

    For the target `current`, these are the frames before the window's last unit; for `ahead`, those up to the end of
    the window.
    """
    shape = sequence.shape
    units = frame_units(n_frames, sr=shape.sr, hop_length=shape.hop_length, unit_seconds=shape.pool_seconds)
    side: Literal["left", "right"] = "left" if settings.sequences.moment == "current" else "right"
    return np.maximum(np.searchsorted(units, windows.ends, side=side), 1)

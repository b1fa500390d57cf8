"""Evaluation: the network and its baselines on the same held-out windows."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from prefect import task
from prefect.cache_policies import NO_CACHE

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
from tasks.store.feature_tables import read_features, read_overview
from tasks.train.state_labels import read_labels
from tasks.train.train_network import Material
from tasks.train.training_plan import Plan

__all__ = ["Judgement", "judge_bundle"]

_BASELINE_SONGS = 200  # training songs from which logistic regression and the centroids learn
_PERSISTENCE_SONGS = 20  # training songs on which the precision of persistence is measured


@dataclass(frozen=True)
class Judgement:
    """What the test tracks say; empty where there is nothing to test on.

    Parameters
    ----------
    metrics : dict of str to float
        `<who>_<metric>` for `test` and each of `songform.learning.baselines.BASELINES`, and `test_recall_<state>`.
    confusion : list of lists of int
        Of the network on the test windows; rows are the truth.
    """

    metrics: dict[str, float]
    confusion: list[list[int]]


@dataclass(frozen=True)
class _Answers:
    """The windows of some songs: the last unit, the target, and what persistence says of each."""

    last: NDArray[np.float32]
    targets: NDArray[np.intp]
    persistence: NDArray[np.intp]
    oracle: NDArray[np.intp]
    probability: NDArray[np.float64]


@task(cache_policy=NO_CACHE)
def judge_bundle(home: Path, plan: Plan, settings: Settings, folder: Path) -> Judgement:
    """Measure the bundle and all baselines on the test tracks; what was measured before is read again."""
    path = folder / "judgement.json"
    if not path.is_file():
        write_json(path, asdict(_judged(Corpus(home), plan, settings, Bundle.load(folder))))
    return Judgement(**json.loads(path.read_text(encoding="utf-8")))


def _judged(corpus: Corpus, plan: Plan, settings: Settings, bundle: Bundle) -> Judgement:
    sequence = bundle.sequence
    assert sequence is not None  # noqa: S101  a bundle that was trained has a network
    examiner = _Examiner(Material(corpus, plan, settings, bundle.states, sequence.center, sequence.scale), sequence)
    tested = sorted(plan.split.test)
    test = examiner.answers("test", tested, causal=True) if tested else None
    if test is None or not len(test.targets):
        return Judgement({}, [])
    trained_on = sorted(plan.split.train)
    train = examiner.answers("train", trained_on[:_BASELINE_SONGS], causal=False)
    sample = examiner.answers("train", trained_on[:_PERSISTENCE_SONGS], causal=True)
    n_states = len(bundle.states.states)
    said = {
        "test": test.probability,
        "majority": baselines.majority(train.targets, len(test.targets), n_states),
        "persistence": baselines.named(sample.targets, sample.persistence, test.persistence, n_states),
        "persistence_oracle": baselines.named(train.targets, train.oracle, test.oracle, n_states),
        "logistic": baselines.logistic(train.last, train.targets, test.last, n_states),
        "centroid": baselines.centroid(train.last, train.targets, test.last, n_states),
    }
    metrics = {f"{who}_{name}": value for who, p in said.items() for name, value in scores(test.targets, p).items()}
    answer = test.probability.argmax(axis=1)
    found = zip(bundle.states.states, recall(test.targets, answer, n_states), strict=True)
    recalls = {f"test_recall_{state.replace(' ', '_')}": float(share) for state, share in found if np.isfinite(share)}
    return Judgement(metrics | recalls, confusion(test.targets, answer, n_states).tolist())


@dataclass(frozen=True)
class _Examiner:
    """Asks the network and the clusters about songs."""

    material: Material
    sequence: SequenceModel

    def answers(self, part: str, keys: list[str], *, causal: bool) -> _Answers:
        """Collect the windows of some songs; with `causal`, what the clusters knew at each moment, too."""
        songs = []
        for count, key in enumerate(keys, start=1):
            songs.append(self._song(part, key, causal=causal))
            announce("evaluation", count, len(keys), part)
        return _Answers(*(np.concatenate(column) for column in zip(*(vars(s).values() for s in songs), strict=True)))

    def _song(self, part: str, key: str, *, causal: bool) -> _Answers:
        material, windows = self.material, self.material.windows(key, part)
        labels = read_labels(material.corpus, material.plan, key, material.states)
        known = _known_frames(len(labels), windows, self.sequence, material.settings)
        persistence = np.zeros(len(known), np.intp)
        if causal and len(known):
            features = read_features(material.corpus, key, material.settings)
            overview = read_overview(material.corpus, key, material.settings)
            persistence = baselines.causal_states(material.states, features, overview, known)
        probability = _said(self.sequence, windows) if part == "test" else np.zeros((len(known), 0))
        return _Answers(windows.inputs[windows.ends], windows.targets, persistence, labels[known - 1], probability)


def _known_frames(n_frames: int, windows: SongWindows, sequence: SequenceModel, settings: Settings) -> NDArray[np.intp]:
    """Return how many frames are known when persistence is asked.

    For `current` the unit before the window's last one has just ended; for `ahead` the window itself has.
    """
    shape = sequence.shape
    units = frame_units(n_frames, sr=shape.sr, hop_length=shape.hop_length, unit_seconds=shape.pool_seconds)
    side = "left" if settings.sequences.target == "current" else "right"
    return np.maximum(np.searchsorted(units, windows.ends, side=side), 1)


def _said(sequence: SequenceModel, windows: SongWindows) -> NDArray[np.float64]:
    predict, n_steps = predictor(sequence.network), sequence.shape.n_steps
    parts = [
        predict(windows.windows(np.arange(first, min(first + 256, len(windows.ends))), n_steps))
        for first in range(0, len(windows.ends), 256)
    ]
    n_states = sequence.network.output_shape[-1]
    return np.concatenate([np.zeros((0, n_states)), *parts])

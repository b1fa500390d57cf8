"""Table `targets`: states some seconds ahead, and networks that give one label per window instead of one per unit."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.study.models.baselines import logistic
from benchmarks.study.models.folds import Fold, cells, scores
from songform.learning.networks import fit_network
from songform.learning.sequences import SongWindows, Windows, window_probabilities
from songform.learning.stretches import Stretch, Stretches
from songform.structure.context import UNIT_SECONDS
from songform.structure.naming import STATES
from training.pretrained_model import input_scaler, network_inputs
from training.state_songs import StateSong

__all__ = ["print_targets"]

AHEAD = (0, 4, 16)  # units: the current state, and those 2 s and 8 s later
INPUTS = ("features",)  # the others depend on the whole song, and would reveal what is ahead
EPOCHS = 18
N_STEPS = 24  # units of a window of 12 s
EVERY = 4  # units between windows in training, so that it takes minutes and not hours
MOST_UNITS = 128

Array = NDArray[np.float64]
Inputs = NDArray[np.float32]


def print_targets(folds: Sequence[Fold]) -> None:
    """Print the scores for each target, on the last of the families."""
    fold = folds[-1]
    print(f"\nTrue states of songs of the family {fold.family}, which was left out, from the sound so far\n")
    print("| target | model | accuracy | macro-F1 | log-loss | seconds of training |\n|---|---|--:|--:|--:|--:|")
    for ahead in AHEAD:
        target = f"{ahead * UNIT_SECONDS:g} s ahead" if ahead else "current"
        truth = np.concatenate([song.truth[ahead:] for song in fold.test])
        for name, model in _MODELS.items():
            began = time.monotonic()
            found = model(fold.train, fold.test, ahead)
            row = cells([scores(truth, found)])
            print(f"| {target} | {name} | {row} | {time.monotonic() - began:.0f} |", flush=True)


def _now(_: Sequence[StateSong], test: Sequence[StateSong], ahead: int) -> Array:
    """Return the true state at the time of the prediction; with the target `current`, that of the previous unit."""
    behind = ahead or 1
    earlier = [np.r_[song.truth[: behind - ahead], song.truth[: len(song.truth) - behind]] for song in test]
    return np.eye(len(STATES))[np.concatenate(earlier)]


def _logistic(train: Sequence[StateSong], test: Sequence[StateSong], ahead: int) -> Array:
    return logistic(train, test, INPUTS, ahead=ahead)


def _on_stretches(train: Sequence[StateSong], test: Sequence[StateSong], ahead: int) -> Array:
    """Train a network with a target at each unit."""
    scaler = input_scaler(train)
    whole = [Stretch(_inputs(song, scaler, ahead), song.truth[ahead:]) for song in train]
    pieces = [piece for stretch in whole for piece in stretch.pieces(MOST_UNITS)]
    network, _ = fit_network(Stretches.of(pieces), None, n_inputs=_n_inputs(train), n_states=len(STATES), epochs=EPOCHS)
    rows = (_inputs(song, scaler, ahead) for song in test)
    return np.concatenate([np.asarray(network.predict_on_batch(each[None])[0], np.float64) for each in rows])


def _on_windows(train: Sequence[StateSong], test: Sequence[StateSong], ahead: int) -> Array:
    """Train a network with one target per window."""
    scaler = input_scaler(train)
    songs = {
        str(number): _windows(_inputs(song, scaler, ahead), song.truth[ahead:]) for number, song in enumerate(train)
    }
    batches = Windows(songs.__getitem__, list(songs), n_steps=N_STEPS, batch_size=256, seed=0)
    network, _ = fit_network(batches, None, n_inputs=_n_inputs(train), n_states=len(STATES), epochs=EPOCHS)
    rows = (_inputs(song, scaler, ahead) for song in test)
    return np.concatenate(
        [window_probabilities(network.predict_on_batch, each, N_STEPS, padding=each[:1]) for each in rows]
    )


def _windows(inputs: Inputs, targets: NDArray[np.intp]) -> SongWindows:
    ends = np.arange(N_STEPS - 1, len(inputs), EVERY)
    return SongWindows(inputs, ends, targets[ends])


def _inputs(song: StateSong, scaler: tuple[Array, Array], ahead: int) -> Inputs:
    rows = network_inputs(song, INPUTS, scaler)
    return rows[: len(rows) - ahead]


def _n_inputs(songs: Sequence[StateSong]) -> int:
    return sum(songs[0].inputs[name].shape[1] for name in INPUTS)


_MODELS: dict[str, Callable[[Sequence[StateSong], Sequence[StateSong], int], Array]] = {
    "the true state so far": _now,
    "logistic regression": _logistic,
    "lstm, a label at every unit": _on_stretches,
    "lstm, a label per window of 12 s": _on_windows,
}

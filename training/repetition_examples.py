"""Training of the network that decides which segments repeat each other."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from songform.annotation.annotations import partition
from songform.sections.repetition import LIMIT, N_FEATURES, pair_features
from songform.sections.section_finding import SECTION_LENGTHS, SECTION_THRESHOLD, BoundaryModel
from songform.sections.segmentation import best_division
from training.section_examples import BarSong

__all__ = ["repetition_pairs", "trained_repetition"]

HIDDEN, EPOCHS = (32, 16), 25
LEAST_SHARE = 0.4  # of the people who must have given two segments the same letter


def trained_repetition(songs: Sequence[BarSong], model: BoundaryModel, *, seed: int) -> dict[str, NDArray[Any]]:
    """Train the network on the segments that the boundary networks find in some songs.

    If no two segments have the same letter, or all have, the network takes no pair for a repetition.

    Returns
    -------
    dict
        Arrays for `songform.sections.repetition.RepetitionModel.from_arrays`.
    """
    pairs = [repetition_pairs(song, model) for song in songs]
    features = np.concatenate([features for features, _ in pairs])
    targets = np.concatenate([targets for _, targets in pairs])
    if len(set(targets.tolist())) < 2:
        return _nothing_repeats()
    center, scale = features.mean(axis=0), features.std(axis=0) + np.float32(1e-6)
    batch = min(256, len(features))
    network = MLPClassifier(
        HIDDEN, alpha=1e-3, learning_rate_init=2e-3, max_iter=EPOCHS, batch_size=batch, random_state=seed
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the number of epochs was chosen
        network.fit((features - center) / scale, targets)
    arrays = {"center": center, "scale": scale}
    for number, (weights, bias) in enumerate(zip(network.coefs_, network.intercepts_, strict=True)):
        arrays |= {f"weights_{number}": weights.astype(np.float32), f"bias_{number}": bias.astype(np.float32)}
    return arrays


def _nothing_repeats() -> dict[str, NDArray[Any]]:
    """Return the arrays of a network that takes no pair for a repetition."""
    zeros = np.zeros(N_FEATURES, np.float32)
    return {"center": zeros, "scale": zeros + 1, "weights_0": zeros[:, None], "bias_0": np.float32([-LIMIT])}


def repetition_pairs(song: BarSong, model: BoundaryModel) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the features of each pair of segments of a song, and whether people gave them the same letter.

    The letter of a segment is that at its middle.
    """
    bars = song.similarity
    division = best_division(model(song.features) - SECTION_THRESHOLD, bars.bar_seconds, SECTION_LENGTHS)
    features = pair_features(bars.timbre, bars.harmony, division, bars.bar_seconds)
    middles = (bars.bars[division[:-1]] + bars.bars[division[1:]]) / 2
    same = np.mean([_have_same_letter(person, middles, song.duration) for person in song.people], axis=0)
    upper = np.triu_indices(len(middles), 1)
    return features[upper], same[upper] > LEAST_SHARE


def _have_same_letter(person: Any, middles: NDArray[np.float64], duration: float) -> NDArray[np.bool_]:
    heard = partition(person, duration)
    places = np.searchsorted(heard.intervals[:, 0], np.clip(middles, 0, duration), side="right") - 1
    letters = np.array(heard.labels)[places]
    same: NDArray[np.bool_] = letters[:, None] == letters
    return same

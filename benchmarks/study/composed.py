"""Accuracy of the states on composed songs, and the effect of each choice in their computation.

The states are fitted on songs of some seeds and tested on songs of other seeds. There are two sets of instruments:
those of the study, and others that were not used in it. Each model is tested on both sets, which shows whether it
generalizes to other instruments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, f1_score

from benchmarks.study.songs import Described, composed_songs, named_frames, true_frames
from songform.structure import change_points, context, states
from songform.structure.naming import STATES
from songform.structure.normalized_curves import Curves
from songform.structure.states import StateModel, fit_states

__all__ = ["Corpora", "Scores", "composed_corpora", "print_main", "print_variants"]

FIT_SONGS, TEST_SONGS = 40, 30
SEEDS = {"study": (9201, 9202), "unseen": (9203, 9204)}  # (fit, test); not used before


@dataclass(frozen=True)
class Corpora:
    """Songs of the study: those to fit on and those to test on, with the study's instruments and with others."""

    fit: list[Described]
    test: list[Described]
    other_fit: list[Described]
    other_test: list[Described]


@dataclass(frozen=True)
class Scores:
    """Accuracy, macro-F1, and the F1 score of each state, over all frames of some songs."""

    accuracy: float
    macro_f1: float
    of_states: NDArray[np.float64]

    @classmethod
    def of(cls, model: StateModel, songs: Sequence[Described]) -> Scores:
        """Score the states that a model assigns to the frames of some songs."""
        assigned = np.concatenate([named_frames(model, song) for song in songs])
        truth = np.concatenate([true_frames(song) for song in songs])
        each = f1_score(truth, assigned, labels=list(STATES), average=None, zero_division=0.0)
        return cls(float(accuracy_score(truth, assigned)), float(each.mean()), each)


def composed_corpora() -> Corpora:
    """Compose and extract all songs of the study, which takes some minutes."""
    made = {
        name: [composed_songs(n, seed, name) for n, seed in zip((FIT_SONGS, TEST_SONGS), seeds, strict=True)]
        for name, seeds in SEEDS.items()
    }
    return Corpora(*made["study"], *made["unseen"])


def print_main(corpora: Corpora) -> None:
    """Print the scores on songs of unseen seeds."""
    own, other = _model(corpora.fit), _model(corpora.other_fit)
    print(f"\nComposed songs: states fitted on {FIT_SONGS} songs, tested on {TEST_SONGS} others; scores per frame\n")
    print(f"| fitted on | tested on | accuracy | macro-F1 | {' | '.join(STATES)} | weak names |")
    print(f"|---|---|--:|--:|{'--:|' * len(STATES)}--:|")
    rows = (
        ("the study's instruments", "the study's", own, corpora.test),
        ("the study's instruments", "others", own, corpora.other_test),
        ("other instruments", "others", other, corpora.other_test),
        ("other instruments", "the study's", other, corpora.test),
    )
    for fit, test, model, songs in rows:
        scores = Scores.of(model, songs)
        each = " | ".join(f"{value:.2f}" for value in scores.of_states)
        weak = sum(map(bool, model.weak))
        print(f"| {fit} | {test} | {scores.accuracy:.3f} | {scores.macro_f1:.3f} | {each} | {weak} of 5 |")
    counts = np.unique(np.concatenate([true_frames(song) for song in corpora.test]), return_counts=True)[1]
    print(
        f"\nThe most frequent state covers {counts.max() / counts.sum():.3f} of the frames of the study's test songs."
    )


def print_variants(corpora: Corpora) -> None:
    """Print the macro-F1 of variants with one change each, on both sets of instruments."""
    print("\nMacro-F1 with one change each, fitted on the study's instruments\n")
    print("| change | the study's | others | weak names |")
    print("|---|--:|--:|--:|")
    for name, change, options in VARIANTS:
        with change():
            model = _model(corpora.fit, **options)
            scores = [Scores.of(model, songs).macro_f1 for songs in (corpora.test, corpora.other_test)]
        print(f"| {name} | {scores[0]:.3f} | {scores[1]:.3f} | {sum(map(bool, model.weak))} of 5 |", flush=True)


def _model(songs: Sequence[Described], **options: float) -> StateModel:
    return fit_states([song.vectors() for song in songs], **options)


def _changed(module: object, **values: object) -> Callable[[], AbstractContextManager[object]]:
    return partial(patch.multiple, module, **values)


@contextmanager
def _fixed_windows(seconds: float) -> Iterator[None]:
    """Cut every song into windows of equal length instead of cutting at change points."""

    def windows(curves: Curves) -> NDArray[np.intp]:
        return np.unique(np.r_[np.arange(0, len(curves), round(seconds / 0.5)), len(curves)])

    with patch.object(states, "song_stretches", windows):
        yield


def _absolute_novelty() -> AbstractContextManager[object]:
    """Use the novelty of a stretch without subtracting the median of the song."""

    def absolute(novelty: NDArray[np.float64], bounds: NDArray[np.intp]) -> NDArray[np.float64]:
        turning = novelty + context._CUT_NOVELTY * context.cut_density(bounds)
        return change_points.stretch_means(turning, bounds)

    return patch.object(context, "_stretch_novelty", absolute)


@contextmanager
def _one_variance() -> Iterator[None]:
    """Assign each unit to the nearest centroid: all clusters have the same variance in all dimensions."""
    fit = fit_states

    def flat(*arguments: object, **options: object) -> StateModel:
        model = fit(*arguments, **options)
        total = float((model.variances.sum(axis=1) * model.shares).sum())
        return replace(model, variances=np.full_like(model.variances, total))

    evidence = partial(np.full, fill_value=1.0)
    with patch.object(states, "_evidence", evidence), patch(f"{__name__}.fit_states", flat):
        yield


VARIANTS: tuple[tuple[str, Callable[[], AbstractContextManager[object]], dict[str, float]], ...] = (
    ("no change", nullcontext, {}),
    ("windows of 4 s instead of stretches", partial(_fixed_windows, 4.0), {}),
    ("windows of 8 s instead of stretches", partial(_fixed_windows, 8.0), {}),
    ("penalty of a stretch 3 (default 5)", _changed(change_points, PENALTY=3.0), {}),
    ("penalty of a stretch 8", _changed(change_points, PENALTY=8.0), {}),
    ("context weight 0: features only", nullcontext, {"context_weight": 0.0}),
    ("context weight 0.5 (default 1)", nullcontext, {"context_weight": 0.5}),
    ("context weight 2", nullcontext, {"context_weight": 2.0}),
    ("Transition of any length (default: at most 8 s)", _changed(states, _MOST_TURN_SECONDS=1e6), {}),
    ("absolute novelty (default: minus the median of the song)", _absolute_novelty, {}),
    (
        "equal weights of all descriptors (default: recurrence 1.5)",
        _changed(states, _CONTEXT_WEIGHTS=np.ones_like(states._CONTEXT_WEIGHTS)),
        {},
    ),
    ("evidence of the context 3 (default 1)", _changed(states, _CONTEXT_EVIDENCE=3.0), {}),
    ("evidence of features and context 10 and 3", _changed(states, _FEATURE_EVIDENCE=10.0, _CONTEXT_EVIDENCE=3.0), {}),
    ("no clipping in the corpus (default: two standard deviations)", _changed(states, _MOST=np.inf), {}),
    ("no anchors (default: as much weight as all units)", _changed(states, _ANCHOR_SHARE=0.0), {}),
    ("nearest centroid: one variance for all", _one_variance, {}),
    ("mean stay in a state 2 s (default 4)", nullcontext, {"dwell_seconds": 2.0, "transition_dwell_seconds": 2.0}),
    ("mean stay in a state 8 s", nullcontext, {"dwell_seconds": 8.0}),
)

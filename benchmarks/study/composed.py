"""Composed songs of unseen seeds: how many frames carry the right name, and what each choice is worth.

Songs to fit the states on and songs to judge them by are of different seeds. The instruments are those of the study, or
others that were never used in it: fitted on the study's (does a model travel?), or on songs of the others.
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

FIT_SONGS, JUDGED_SONGS = 40, 30
SEEDS = {"study": (9201, 9202), "unseen": (9203, 9204)}  # to fit on, and to judge by; none was looked at before


@dataclass(frozen=True)
class Corpora:
    """The songs of the study."""

    fit: list[Described]
    judged: list[Described]
    other_fit: list[Described]
    other_judged: list[Described]


@dataclass(frozen=True)
class Scores:
    """How right the names of some songs are."""

    accuracy: float
    macro_f1: float
    of_states: NDArray[np.float64]

    @classmethod
    def of(cls, model: StateModel, songs: Sequence[Described]) -> Scores:
        """Name the frames of some songs, and compare with the truth."""
        said = np.concatenate([named_frames(model, song) for song in songs])
        truth = np.concatenate([true_frames(song) for song in songs])
        each = f1_score(truth, said, labels=list(STATES), average=None, zero_division=0.0)
        return cls(float(accuracy_score(truth, said)), float(each.mean()), each)


def composed_corpora() -> Corpora:
    """Compose and extract all songs of the study; some minutes."""
    made = {
        name: [composed_songs(n, seed, name) for n, seed in zip((FIT_SONGS, JUDGED_SONGS), seeds, strict=True)]
        for name, seeds in SEEDS.items()
    }
    return Corpora(*made["study"], *made["unseen"])


def print_main(corpora: Corpora) -> None:
    """Print how well songs of unseen seeds are named."""
    own, other = _model(corpora.fit), _model(corpora.other_fit)
    print(f"\nComposed songs: states fitted on {FIT_SONGS}, {JUDGED_SONGS} others judged; shares of frames, and F1\n")
    print(f"| fitted on | judged | accuracy | macro-F1 | {' | '.join(STATES)} | weak names |")
    print(f"|---|---|--:|--:|{'--:|' * len(STATES)}--:|")
    rows = (
        ("the study's instruments", "the study's", own, corpora.judged),
        ("the study's instruments", "others", own, corpora.other_judged),
        ("other instruments", "others", other, corpora.other_judged),
        ("other instruments", "the study's", other, corpora.judged),
    )
    for fit, judged, model, songs in rows:
        scores = Scores.of(model, songs)
        each = " | ".join(f"{value:.2f}" for value in scores.of_states)
        weak = sum(map(bool, model.weak))
        print(f"| {fit} | {judged} | {scores.accuracy:.3f} | {scores.macro_f1:.3f} | {each} | {weak} of 5 |")
    counts = np.unique(np.concatenate([true_frames(song) for song in corpora.judged]), return_counts=True)[1]
    print(f"\nThe most frequent state alone would be right in {counts.max() / counts.sum():.3f} of the study's.")


def print_variants(corpora: Corpora) -> None:
    """Print what each choice is worth: the same with one thing changed, on both sets of instruments."""
    print("\nOne thing changed; macro-F1, fitted on the study's instruments\n")
    print("| what | the study's | others | weak names |")
    print("|---|--:|--:|--:|")
    for name, change, options in VARIANTS:
        with change():
            model = _model(corpora.fit, **options)
            scores = [Scores.of(model, songs).macro_f1 for songs in (corpora.judged, corpora.other_judged)]
        print(f"| {name} | {scores[0]:.3f} | {scores[1]:.3f} | {sum(map(bool, model.weak))} of 5 |", flush=True)


def _model(songs: Sequence[Described], **options: float) -> StateModel:
    return fit_states([song.vectors() for song in songs], **options)


def _changed(module: object, **values: object) -> Callable[[], AbstractContextManager[object]]:
    return partial(patch.multiple, module, **values)


@contextmanager
def _fixed_windows(seconds: float) -> Iterator[None]:
    """Cut every song into windows of one length instead of change_points."""

    def windows(curves: Curves) -> NDArray[np.intp]:
        return np.unique(np.r_[np.arange(0, len(curves), round(seconds / 0.5)), len(curves)])

    with patch.object(states, "song_stretches", windows):
        yield


def _absolute_novelty() -> AbstractContextManager[object]:
    """Compare the novelty of a stretch with nothing."""

    def absolute(curves: Curves, bounds: NDArray[np.intp]) -> NDArray[np.float64]:
        turning = context.novelty_curve(curves) + context._CUT_NOVELTY * context.cut_density(bounds)
        return change_points.stretch_means(turning, bounds)

    return patch.object(context, "_stretch_novelty", absolute)


@contextmanager
def _one_variance() -> Iterator[None]:
    """Let the distance to the centroids alone decide: all clusters as wide as each other, in all dimensions."""
    fit = fit_states

    def flat(*arguments: object, **options: object) -> StateModel:
        model = fit(*arguments, **options)
        total = float((model.variances.sum(axis=1) * model.shares).sum())
        return replace(model, variances=np.full_like(model.variances, total))

    evidence = partial(np.full, fill_value=1.0)
    with patch.object(states, "_evidence", evidence), patch(f"{__name__}.fit_states", flat):
        yield


VARIANTS: tuple[tuple[str, Callable[[], AbstractContextManager[object]], dict[str, float]], ...] = (
    ("as it is", nullcontext, {}),
    ("windows of 4 s instead of stretches", partial(_fixed_windows, 4.0), {}),
    ("windows of 8 s instead of stretches", partial(_fixed_windows, 8.0), {}),
    ("penalty of a stretch 3 (default 5)", _changed(change_points, PENALTY=3.0), {}),
    ("penalty of a stretch 8", _changed(change_points, PENALTY=8.0), {}),
    ("features alone: context weight 0", nullcontext, {"context_weight": 0.0}),
    ("context weight 0.5 (default 1)", nullcontext, {"context_weight": 0.5}),
    ("context weight 2", nullcontext, {"context_weight": 2.0}),
    ("a Transition of any length (default: 8 s at most)", _changed(states, _MOST_TURN_SECONDS=1e6), {}),
    ("novelty as it is (default: less the song's median)", _absolute_novelty, {}),
    (
        "all descriptors weigh alike (default: recurrence 1.5)",
        _changed(states, _CONTEXT_WEIGHTS=np.ones_like(states._CONTEXT_WEIGHTS)),
        {},
    ),
    ("evidence of the context 3 (default 1)", _changed(states, _CONTEXT_EVIDENCE=3.0), {}),
    ("evidence of features and context 10 and 3", _changed(states, _FEATURE_EVIDENCE=10.0, _CONTEXT_EVIDENCE=3.0), {}),
    ("nothing clipped in the corpus (default: two deviations)", _changed(states, _MOST=np.inf), {}),
    ("no anchors (default: as much weight as all units)", _changed(states, _ANCHOR_SHARE=0.0), {}),
    ("nearest centroid: one variance for all", _one_variance, {}),
    ("stay of 2 s in a state (default 4)", nullcontext, {"dwell_seconds": 2.0, "transition_dwell_seconds": 2.0}),
    ("stay of 8 s in a state", nullcontext, {"dwell_seconds": 8.0}),
)

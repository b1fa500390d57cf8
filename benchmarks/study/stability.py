"""Stability of the states when they are discovered in random halves of the corpus."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.study.songs import Described, fitted, named_frames

__all__ = ["print_stability"]

HALVES = 5


def print_stability(name: str, songs: Sequence[Described]) -> None:
    """Print the share of frames that get the same state from models fitted on random halves of the songs."""
    whole = fitted(songs)
    assigned = np.concatenate([named_frames(whole, song) for song in songs])
    rng = np.random.default_rng(0)
    kept = []
    for _ in range(HALVES):
        half = rng.permutation(len(songs))[: len(songs) // 2]
        model = fitted([songs[i] for i in half])
        kept.append(float((np.concatenate([named_frames(model, song) for song in songs]) == assigned).mean()))
    print(f"| {name} | {len(songs)} | {np.mean(kept):.3f} | {min(kept):.3f} | {max(kept):.3f} |")

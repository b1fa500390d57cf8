"""How often the clusters name the right state, by the weight of the context and by the gate of `rise`.

Composes playlists of several seeds, extracts them, discovers the states on six songs of each and names every unit of
0.5 s of all eight. Nothing is random beyond the seeds, so the table is the same on every run with the same NumPy, SciPy
and scikit-learn. No network, no file.

    python -m benchmarks.states
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from unittest.mock import patch

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from songform import context, synth
from songform.context import UNIT_SECONDS
from songform.extraction import describe_audio
from songform.overview import Overview
from songform.paths import state_path, transition_matrix
from songform.selfsimilarity import cross_path_similarities
from songform.songunits import song_vectors
from songform.states import StateModel, fit_states, state_posterior, unit_vectors

SEEDS = (101, 102, 103, 104, 105)
N_SONGS, N_FITTED = 8, 6
WEIGHTS = (0.0, 0.25, 0.5, 0.8, 1.0, 2.0, 4.0)
GATES = (0.0, 0.1, 0.3, 0.5)

Songs = list["Described"]


@dataclass(frozen=True)
class Described:
    """A composed song, extracted: its tables, and the true state at the middle of each unit."""

    features: pd.DataFrame
    overview: Overview
    truth: NDArray[np.str_]


@dataclass(frozen=True)
class Shares:
    """Shares of units with the right state, and the number of names that were weak."""

    fitted: float
    held_out: float
    unsmoothed: float
    weak: int


def main() -> None:
    """Print both tables."""
    began = time.perf_counter()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        playlists = list(pool.map(described_playlist, SEEDS))
    print(
        f"{len(SEEDS)} playlists of {N_SONGS} songs (seeds {', '.join(map(str, SEEDS))}); states from {N_FITTED} each"
    )
    print("share of 0.5 s units with the right state, means over the playlists")
    print(f"\n{'context weight':>15}{HEADINGS}")
    vectors = [playlist_vectors(songs) for songs in playlists]
    for weight in WEIGHTS:
        print_row(
            f"{weight:g}", [shares(songs, units, weight) for songs, units in zip(playlists, vectors, strict=True)]
        )
    print(f"\n{'gate of rise':>15}{HEADINGS}")
    for gate in GATES:
        with patch.object(context, "rise", partial(context.rise, least=gate)):
            gated = [playlist_vectors(songs) for songs in playlists]
        print_row(f"{gate:g} z", [shares(songs, units, 1.0) for songs, units in zip(playlists, gated, strict=True)])
    majority = np.mean([largest_share(songs[N_FITTED:]) for songs in playlists])
    print(f"\nthe most frequent state alone: {majority:.3f} of the held-out units")
    print(f"{time.perf_counter() - began:.0f} s on {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")


HEADINGS = f"{'held out':>10}{'lowest':>8}{'highest':>9}{'unsmoothed':>12}{'fitted':>8}{'weak names':>12}"


def print_row(name: str, rows: list[Shares]) -> None:
    """Print the means of a row, and the lowest and the highest playlist."""
    held_out = [row.held_out for row in rows]
    unsmoothed, fitted = np.mean([row.unsmoothed for row in rows]), np.mean([row.fitted for row in rows])
    weak = f"{sum(row.weak for row in rows)} of {5 * len(rows)}"
    print(
        f"{name:>15}{np.mean(held_out):>10.3f}{min(held_out):>8.3f}{max(held_out):>9.3f}"
        f"{unsmoothed:>12.3f}{fitted:>8.3f}{weak:>12}"
    )


def described_playlist(seed: int) -> Songs:
    """Compose a playlist and extract it."""
    songs = []
    for song in synth.playlist(N_SONGS, seed):
        features, overview, _ = describe_audio([song.y], sr=song.sr)
        n_units = int(features.index[-1] / UNIT_SECONDS) + 1
        truth = synth.states_at(song.sections, (np.arange(n_units) + 0.5) * UNIT_SECONDS)
        songs.append(Described(features, overview, truth))
    return songs


def playlist_vectors(songs: Songs) -> tuple[float, list[NDArray[np.float64]]]:
    """Return the fitted songs' threshold of similarity, and every song's unit vectors by it."""
    similarity = [song_vectors(song.features, song.overview) for song in songs[:N_FITTED]]
    pairs = zip(similarity, [*similarity[1:], similarity[0]], strict=True)
    by_chance = [cross_path_similarities(one, other, unit_seconds=UNIT_SECONDS) for one, other in pairs]
    threshold = float(np.quantile(np.concatenate(by_chance), 0.95))
    return threshold, [unit_vectors(song.features, song.overview, threshold=threshold) for song in songs]


def shares(songs: Songs, vectors: tuple[float, list[NDArray[np.float64]]], weight: float) -> Shares:
    """Discover the states on the first songs, and compare the names of all with the truth."""
    threshold, units = vectors
    model = fit_states(units[:N_FITTED], context_weight=weight, threshold=threshold)
    posteriors = [state_posterior(model, song) for song in units]
    stays = transition_matrix(model.dwell, unit_seconds=UNIT_SECONDS)
    right = [named_right(model, state_path(p, stays), s) for p, s in zip(posteriors, songs, strict=True)]
    bare = [named_right(model, p.argmax(axis=1), s) for p, s in zip(posteriors, songs, strict=True)]
    return Shares(
        fitted=float(np.concatenate(right[:N_FITTED]).mean()),
        held_out=float(np.concatenate(right[N_FITTED:]).mean()),
        unsmoothed=float(np.concatenate(bare[N_FITTED:]).mean()),
        weak=sum(map(bool, model.weak)),
    )


def named_right(model: StateModel, path: NDArray[np.intp], song: Described) -> NDArray[np.bool_]:
    """Return whether each unit carries the right name."""
    return np.array(model.states)[path] == song.truth


def largest_share(songs: Sequence[Described]) -> float:
    """Return the share of the most frequent true state."""
    _, counts = np.unique(np.concatenate([song.truth for song in songs]), return_counts=True)
    return float(counts.max() / counts.sum())


if __name__ == "__main__":
    main()

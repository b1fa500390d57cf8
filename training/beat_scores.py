"""Scores of the beat network on songs with known beats."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from songform.annotation.beat_scores import beat_f_measure
from songform.beats.beat_tracking import Beats, beats_of
from songform.learning.temporal_network import Ensemble
from training.beat_examples import TatumSong

__all__ = ["print_beat_scores"]


KINDS = ("click track", "composed")
"""Kinds of songs that are not from the folder; their names begin with these words."""


class BeatScore(NamedTuple):
    """Scores of a song: F-measures of beats and downbeats, and 1 if the metre is right; NaN if it is unknown."""

    beats: float
    downbeats: float
    metre: float


def print_beat_scores(songs: Sequence[TatumSong], network: Ensemble) -> None:
    """Print the mean scores of songs by kind: click tracks, composed songs, and others."""
    scores = defaultdict(list)
    for song in songs:
        score = _score(song, beats_of(song.times, song.tatums, network))
        kind = next((kind for kind in KINDS if song.name.startswith(f"{kind} ")), "song")
        scores[kind].append(score)
        if score.beats < 0.9:
            print(f"{song.name}: " + ", ".join(f"{value:.2f}" for value in score))
    print("| songs | n | beats F | of them at least 0.9 | downbeats F | metre right |\n|---|--:|--:|--:|--:|--:|")
    for kind, rows in scores.items():
        beats, downbeats, metre = (_mean(column) for column in zip(*rows, strict=True))
        good = np.mean([row.beats >= 0.9 for row in rows])
        print(f"| {kind} | {len(rows)} | {beats} | {good:.2f} | {downbeats} | {metre} |")


def _mean(scores: Sequence[float]) -> str:
    """Return the mean of the scores that are known, as text."""
    known = [score for score in scores if not np.isnan(score)]
    return f"{np.mean(known):.3f}" if known else "-"


def _score(song: TatumSong, found: Beats) -> BeatScore:
    truth = song.beats
    within = float(truth.times[0]), float(truth.times[-1])
    beats = beat_f_measure(truth.times, found.times, within=within)
    if not truth.has_accents:
        return BeatScore(beats, np.nan, np.nan)
    downbeats = beat_f_measure(truth.downbeats, found.downbeats, within=within)
    return BeatScore(beats, downbeats, float(found.metre == truth.positions.max()))

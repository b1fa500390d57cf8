"""Scores of sections on songs that people labeled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from songform.annotation.annotations import Annotation
from songform.annotation.segmentation_scores import song_scores
from songform.beats.beat_tracking import FRAME_RATE
from songform.sections.repetition import RepetitionModel
from songform.sections.section_finding import BoundaryModel, Loudness, divided
from training.section_examples import BarSong

__all__ = ["print_section_scores", "section_scores"]

MEASURES = ("trimmed_f_0.5", "trimmed_f_3", "pairwise_f", "v_f")
WHO = {"songform": "songform", "people": "one person against the other", "every_20_s": "a boundary every 20 s"}


def section_scores(
    song: BarSong, log_odds: NDArray[np.float64], repetition: RepetitionModel
) -> dict[str, dict[str, float]]:
    """Return the scores of the sections of a song, of baselines, and of people against each other."""
    found = divided(song.similarity, log_odds, song.duration, Loudness(song.rms, 1 / FRAME_RATE), repetition).sections
    intervals = np.array([(part.start, part.end) for part in found])
    estimate = Annotation(intervals, [part.label for part in found], duration=song.duration)
    people = {str(number): person for number, person in enumerate(song.people)}
    return song_scores(people, estimate, song.duration)


def print_section_scores(songs: Sequence[BarSong], model: BoundaryModel, repetition: RepetitionModel) -> None:
    """Print the mean scores of some songs."""
    rows = [section_scores(song, model(song.features), repetition) for song in songs]
    print(f"\nMean of {len(rows)} songs\n")
    print("| sections | F at 0.5 s | F at 3 s | pairwise F | V |\n|---|--:|--:|--:|--:|")
    for who, words in WHO.items():
        known = [[row[who][name] for name in MEASURES] for row in rows if who in row]
        if known:
            print(f"| {words} | " + " | ".join(f"{value:.3f}" for value in np.mean(known, axis=0)) + " |")

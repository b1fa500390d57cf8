"""Examples from which the boundary networks learn: the features of the bar lines, and where people heard boundaries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from songform.annotation.annotations import Annotation, partition
from songform.beats.beat_tracking import FRAME_RATE, Beats
from songform.sections.section_finding import BarSimilarity, song_bars
from training.labeled_songs import LabeledSong

__all__ = ["BarSong", "bar_song", "boundary_targets"]

NEAR_BARS = 0.5  # a person's boundary belongs to the nearest bar line if it is at most this far away


@dataclass(frozen=True, eq=False)
class BarSong:
    """Song with its bars, and what people heard.

    Attributes
    ----------
    name : str
        Name of the song.
    duration : float
        Length in seconds.
    similarity : BarSimilarity
        Similarity of the bars.
    features : np.ndarray, shape (n_bars + 1, 57)
        Features of the bar lines.
    targets : np.ndarray, shape (n_bars + 1,)
        Share of the people who heard a boundary at each bar line; 0 at both ends.
    people : tuple of Annotation
        Sections that people heard.
    rms : np.ndarray, shape (n_frames,)
        Root mean square of each frame.
    """

    name: str
    duration: float
    similarity: BarSimilarity
    features: NDArray[np.float32]
    targets: NDArray[np.float64]
    people: tuple[Annotation, ...]
    rms: NDArray[np.float64]


def bar_song(song: LabeledSong, beats: Beats) -> BarSong | None:
    """Return the bars of a labeled song, or None if it has no sections."""
    bars = song_bars(beats, song.duration)
    if isinstance(bars, str):
        return None
    similarity = BarSimilarity.of(song.features, song.spectrum, bars, frame_rate=FRAME_RATE)
    return BarSong(
        song.name,
        song.duration,
        similarity,
        similarity.boundary_features(),
        boundary_targets(bars, song.people, song.duration),
        song.people,
        song.features["rms_mean"].to_numpy(),
    )


def boundary_targets(bars: NDArray[np.float64], people: tuple[Annotation, ...], duration: float) -> NDArray[np.float64]:
    """Return the share of the people who heard a boundary at each bar line."""
    targets = np.zeros(len(bars))
    for person in people:
        boundaries = partition(person, duration).intervals[1:, 0]
        nearest = np.abs(boundaries[:, None] - bars).argmin(axis=1)
        near = np.abs(boundaries - bars[nearest]) <= NEAR_BARS * np.median(np.diff(bars))
        targets[np.unique(nearest[near])] += 1 / len(people)
    targets[[0, -1]] = 0
    return targets

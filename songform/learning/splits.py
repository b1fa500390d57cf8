"""Split of the tracks into training, validation and test.

Overlapping windows of one song are nearly identical, and so are two uploads of one recording. Tracks are therefore
grouped by recording first, and whole groups are assigned to the parts. The order of the groups depends only on a hash
of the seed and the group, so that few tracks change their part when the corpus grows.

With fewer than three groups, no group would be left for the test. Each song is then cut into blocks of time, with gaps
between them that are at least as long as a window.

Conventions
-----------
A `Split` maps each part (`train`, `validation`, `test`) to the intervals of songs that belong to it, in seconds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import DisjointSet

from songform.errors import ParameterError

__all__ = ["PARTS", "VERSION", "Signature", "Split", "audio_groups", "blocks_in_time", "split_tracks"]

VERSION = 1  # increase this when the same tracks are split differently

PARTS = ("train", "validation", "test")
_GAP_SECONDS = 16.0  # the longest time over which a context descriptor is computed
# Measured on composed songs: 0.99 between encodings of a song, 0.964 between copies shifted by a fraction of a second,
# at most 0.92 between different songs.
_MIN_CORRELATION = 0.94

Spans = dict[str, list[tuple[float, float]]]


@dataclass(frozen=True)
class Signature:
    """Data by which tracks of the same recording are recognized.

    Attributes
    ----------
    sha256 : str
        SHA-256 of the audio file.
    duration : float
        Duration in seconds.
    spectra : np.ndarray, shape=(n_seconds, n_bands)
        Log-mel spectrum of every second, in dB.
    """

    sha256: str
    duration: float
    spectra: NDArray[np.float32]


@dataclass(frozen=True)
class Split:
    """Assignment of tracks, or of blocks of time, to the parts.

    Attributes
    ----------
    train, validation, test : dict of str to list of (float, float)
        Intervals of each song in seconds, by track key. A whole song is `(0, inf)`.
    by_track : bool
        Whether whole tracks were assigned, rather than blocks of time.
    """

    train: Spans = field(default_factory=dict)
    validation: Spans = field(default_factory=dict)
    test: Spans = field(default_factory=dict)
    by_track: bool = True

    def part(self, name: str) -> Spans:
        """Return one of the `PARTS`."""
        parts: dict[str, Spans] = {"train": self.train, "validation": self.validation, "test": self.test}
        return parts[name]


def audio_groups(signatures: Mapping[str, Signature]) -> list[list[str]]:
    """Group tracks that are the same recording.

    Parameters
    ----------
    signatures : mapping of str to Signature
        Signatures by track key.

    Returns
    -------
    list of lists of str
        Groups of track keys. Keys are sorted within a group, and groups are sorted by their first key. Two tracks are
        in one group if their files are identical, or if their durations differ by at most 3 s and their spectra are
        nearly equal at some shift of up to 3 s. Tracks that share a third track are in one group, too.
    """
    groups = DisjointSet(signatures)
    with_hash = {signature.sha256: key for key, signature in signatures.items()}
    for key, signature in signatures.items():
        groups.merge(key, with_hash[signature.sha256])
    by_duration = sorted(signatures, key=lambda key: (signatures[key].duration, key))
    for i, key in enumerate(by_duration):
        for other in by_duration[i + 1 :]:
            if signatures[other].duration - signatures[key].duration > 3.0:
                break
            if _is_same(signatures[key], signatures[other]):
                groups.merge(key, other)
    return sorted(sorted(group) for group in groups.subsets())


def split_tracks(groups: Sequence[Sequence[str]], *, seed: int) -> Split:
    """Assign a tenth of the groups to the test part, a tenth to validation, and the rest to training.

    Parameters
    ----------
    groups : sequence of sequences of str
        At least three groups, from `audio_groups`.
    seed : int
        Seed of the order of the groups.

    Returns
    -------
    Split

    Raises
    ------
    ParameterError
        If there are fewer than three groups.
    """
    if len(groups) < len(PARTS):
        raise ParameterError(
            f"{len(groups)} groups of tracks cannot be split into {len(PARTS)} parts; at least {len(PARTS)} are "
            "needed; add songs (copies of one recording form one group)"
        )
    order = sorted(groups, key=lambda group: hashlib.sha256(f"{seed}:{min(group)}".encode()).hexdigest())
    n = max(1, round(0.1 * len(groups)))
    test, validation, train = order[:n], order[n : 2 * n], order[2 * n :]
    return Split(_whole(train), _whole(validation), _whole(test))


def blocks_in_time(durations: Mapping[str, float], *, window_seconds: float) -> Split:
    """Cut each song that is long enough into blocks for training, validation and test.

    Parameters
    ----------
    durations : mapping of str to float
        Durations in seconds, by track key.
    window_seconds : float
        Length of a window in seconds. Gaps are at least as long, and at least 16 s.

    Returns
    -------
    Split
        A song too short for three blocks has none in the test. An even shorter song is used for training only.

    Raises
    ------
    ParameterError
        If no song is as long as a window.
    """
    if max(durations.values(), default=0.0) < window_seconds:
        longest = max(durations.values(), default=0.0)
        msg = (
            f"the longest song is {longest:.1f} s long, but a window needs {window_seconds:g} s; "
            "add longer songs, or lower sequences.seconds"
        )
        raise ParameterError(msg)
    parts: tuple[Spans, Spans, Spans] = ({}, {}, {})
    for key, duration in durations.items():
        for part, span in zip(parts, _blocks(duration, window_seconds), strict=False):
            part[key] = [span]
    return Split(*parts, by_track=False)


def _whole(groups: Sequence[Sequence[str]]) -> Spans:
    return {key: [(0.0, np.inf)] for group in groups for key in group}


def _blocks(duration: float, window: float) -> list[tuple[float, float]]:
    """Return up to three blocks. The first is at least two windows long, the others at least one and a half."""
    gap = max(window, _GAP_SECONDS)
    for n_held_out in (2, 1):
        held_out = max(1.5 * window, 0.1 * (duration - n_held_out * gap))
        train = duration - n_held_out * (gap + held_out)
        if train >= 2 * window:
            edges = [train + k * (gap + held_out) for k in range(n_held_out + 1)]
            return [(0.0, train), *((before + gap, after) for before, after in pairwise(edges))]
    return [(0.0, duration)]


def _is_same(one: Signature, other: Signature) -> bool:
    """Compare two recordings at shifts of half seconds. Means of neighboring rows represent the half seconds."""
    between = (other.spectra[1:] + other.spectra[:-1]) / 2
    rows = (other.spectra, between)
    return max(_correlation(one.spectra, row, shift) for row in rows for shift in range(-3, 4)) > _MIN_CORRELATION


def _correlation(one: NDArray[np.floating], other: NDArray[np.floating], shift: int) -> float:
    """Return the correlation of two spectrograms, the second one shifted by `shift` seconds."""
    a, b = one[max(shift, 0) :], other[max(-shift, 0) :]
    n = min(len(a), len(b))
    if n < 5:
        return 0.0
    # Subtract the mean spectrum, which different songs of one style may share.
    a, b = a[:n] - a[:n].mean(axis=0), b[:n] - b[:n].mean(axis=0)
    energy = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float((a * b).sum()) / energy if energy > 1e-6 else 0.0

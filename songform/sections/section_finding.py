"""Sections and phrases of a song, from its stored tables and its bars.

A network estimates for each bar line how likely it is the boundary of a section, from the similarity of the bars
(`songform.sections.boundary_features`). The most likely division into sections of regular lengths is chosen
(`songform.sections.segmentation`), and sections that repeat each other get the same letter
(`songform.sections.repetition`, `songform.sections.letters`). Each section is divided into phrases in the same way,
with a shorter preferred length.

Conventions
-----------
Times are in seconds. Sections cover the song from 0 to its end without gaps or overlaps, and so do phrases. Each
boundary of sections is also one of phrases.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from songform.beats.beat_tracking import LEAST_SECONDS
from songform.learning.temporal_network import Ensemble
from songform.sections.bar_similarity import bar_lines, harmony_similarity, timbre_similarity
from songform.sections.boundary_features import boundary_features
from songform.sections.letters import joined_pairs, letters, segment_groups
from songform.sections.repetition import RepetitionModel, pair_features, repetition_model
from songform.sections.segmentation import LengthPrior, best_division, boundary_probabilities

if TYPE_CHECKING:
    import pandas as pd

    from songform.beats.beat_tracking import Beats
    from songform.features.semitone_spectrum import SemitoneSpectrum

__all__ = [
    "VERSION",
    "BarSimilarity",
    "BoundaryModel",
    "Loudness",
    "Sections",
    "SongPart",
    "boundary_model",
    "divided",
    "find_sections",
    "song_bars",
    "standardized",
]

VERSION = 1  # increase this when the sections of the same tables change

LEAST_BARS = 16
"""A song of fewer bars has no sections: they could not be distinguished from phrases."""

SECTION_LENGTHS = LengthPrior(weight=0.45)
PHRASE_LENGTHS = LengthPrior(seconds=8.0, longest=20.0)
SECTION_THRESHOLD, PHRASE_THRESHOLD = -0.6, -2.5
CALIBRATION_SLOPE, CALIBRATION_OFFSET = 0.85, -1.0
LIMIT = 5.0  # standard deviations
MOST_BARS = 1000
"""In songs of more bars, such as mixes, several bars count as one, so that the matrices stay small."""

FORCED = 1000.0
"""Evidence of a phrase boundary where a section begins."""

Array = NDArray[np.float64]
Division = NDArray[np.intp]


@dataclass(frozen=True)
class SongPart:
    """Section or phrase of a song.

    Attributes
    ----------
    start, end : float
        Times in seconds.
    label : str
        A, B, C and so on for sections, and a, b, c and so on for phrases; after Z follow A1, B1 and so on. Parts that
        repeat each other have the same label.
    confidence : float
        Probability that the part begins with a boundary, from 0 to 1; 1 for the first part.
    occurrence, n_occurrences : int
        Number of this part among those of its letter, from 1, and how many there are.
    is_most_repeated : bool
        Whether its letter returns, and no other letter is more frequent.
    is_loudest : bool
        Whether it is the loudest part.
    """

    start: float
    end: float
    label: str
    confidence: float
    occurrence: int = 1
    n_occurrences: int = 1
    is_most_repeated: bool = False
    is_loudest: bool = False


@dataclass(frozen=True)
class Sections:
    """Sections and phrases of a song.

    Attributes
    ----------
    sections, phrases : tuple of SongPart
        Both cover the song; empty if it has none.
    reason : str
        Why the song has none; empty if it has.
    """

    sections: tuple[SongPart, ...] = ()
    phrases: tuple[SongPart, ...] = ()
    reason: str = ""


@dataclass(frozen=True, eq=False)
class BoundaryModel:
    """Networks that estimate the probability of a boundary.

    Attributes
    ----------
    center, scale : np.ndarray, shape (57,)
        Mean and standard deviation of the features.
    ensemble : Ensemble
        Networks with one output, the log-odds.
    """

    center: NDArray[np.float32]
    scale: NDArray[np.float32]
    ensemble: Ensemble

    def __call__(self, features: NDArray[np.float32]) -> Array:
        """Return the log-odds that each bar line is a boundary, of shape (n_bars + 1,)."""
        inputs = standardized(features, self.center, self.scale)
        log_odds: Array = self.ensemble(inputs)[:, 0].astype(np.float64)
        return log_odds

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> BoundaryModel:
        """Return the model that was stored as arrays.

        Parameters
        ----------
        arrays : mapping of str to np.ndarray
            ``center``, ``scale``, and those of `songform.learning.temporal_network.ensemble_arrays`.
        """
        return cls(arrays["center"], arrays["scale"], Ensemble.from_arrays(arrays))


def standardized(
    features: NDArray[np.float32], center: NDArray[np.float32], scale: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return features with mean 0 and standard deviation 1 over the training songs, limited to 5."""
    inputs: NDArray[np.float32] = np.clip((features - center) / scale, -LIMIT, LIMIT).astype(np.float32)
    return inputs


@cache
def boundary_model() -> BoundaryModel:
    """Return the model that is part of the package."""
    with (files("songform.sections") / "boundary_network.npz").open("rb") as file, np.load(file) as stored:
        return BoundaryModel.from_arrays(dict(stored))


def find_sections(
    features: pd.DataFrame,
    spectrum: SemitoneSpectrum,
    beats: Beats,
    duration: float,
    *,
    sr: int = 22050,
    hop_length: int = 512,
    model: BoundaryModel | None = None,
    repetition: RepetitionModel | None = None,
) -> Sections:
    """Find the sections and phrases of a song.

    Parameters
    ----------
    features, spectrum
        Tables of the song.
    beats : Beats
        Its beats.
    duration : float
        Its length in seconds.
    sr, hop_length : int
        Sampling rate in Hz, and distance between the frames of the features in samples.
    model : BoundaryModel, optional
        Networks that find boundaries; by default those that are part of the package.
    repetition : RepetitionModel, optional
        Network that decides which segments have the same letter; by default the one that is part of the package.

    Returns
    -------
    Sections
        Without sections, but with a reason, if the song has no regular beat or fewer than 16 bars.

    Examples
    --------
    >>> from songform import SongExtractor, compose, find_beats
    >>> from songform.features.frame_features import feature_table
    >>> song = compose(seed=3)
    >>> extractor = SongExtractor(song.sr)
    >>> features = feature_table([extractor.push(song.y), extractor.flush()], extractor.columns)
    >>> spectrum = extractor.semitone_spectrum()
    >>> beats = find_beats(features, extractor.overview(), spectrum)
    >>> found = find_sections(features, spectrum, beats, extractor.n_samples / song.sr)
    >>> found.sections[0].label, found.sections[-1].end == extractor.n_samples / song.sr
    ('A', True)
    """
    bars = song_bars(beats, duration)
    if isinstance(bars, str):
        return Sections(reason=bars)
    similarity = BarSimilarity.of(features, spectrum, bars, frame_rate=sr / hop_length)
    log_odds = (model or boundary_model())(similarity.boundary_features())
    loudness = Loudness(features["rms_mean"].to_numpy(), hop_length / sr)
    return divided(similarity, log_odds, duration, loudness, repetition or repetition_model())


@dataclass(frozen=True, eq=False)
class BarSimilarity:
    """Similarity of the bars of a song.

    Attributes
    ----------
    bars : np.ndarray, shape (n_bars + 1,)
        Bar lines in seconds. In songs of more than 1000 bars, only every second or third line is used, and so on.
    timbre, harmony : np.ndarray, shape (n_bars, n_bars)
        Self-similarity matrices.
    """

    bars: Array
    timbre: Array
    harmony: Array

    @classmethod
    def of(cls, features: pd.DataFrame, spectrum: SemitoneSpectrum, bars: Array, *, frame_rate: float) -> BarSimilarity:
        """Compare the bars of a song; the parameters are those of the functions of `songform.sections`."""
        timbre = timbre_similarity(features, bars, frame_rate=frame_rate)
        return cls(bars, timbre, harmony_similarity(spectrum, bars))

    @property
    def bar_seconds(self) -> float:
        """Median length of a bar in seconds."""
        return float(np.median(np.diff(self.bars)))

    def boundary_features(self) -> NDArray[np.float32]:
        """Return the features of each bar line, of shape (n_bars + 1, 57)."""
        return boundary_features(self.timbre, self.harmony, self.bar_seconds)


def song_bars(beats: Beats, duration: float) -> Array | str:
    """Return the bar lines of a song in seconds, or why it has no sections."""
    if not len(beats.times):
        if duration < LEAST_SECONDS:
            return f"the song is too short: beats are found in songs of at least {LEAST_SECONDS:.0f} s"
        return "the song has no regular beat"
    if len(beats.downbeats) < 2:
        return f"the song is too short: it has fewer than two bars, and sections need at least {LEAST_BARS}"
    bars = bar_lines(beats.downbeats, duration)
    n_bars = len(bars) - 1
    if n_bars < LEAST_BARS:
        number = "1 bar" if n_bars == 1 else f"{n_bars} bars"
        return f"the song is too short: it has {number}, and sections need at least {LEAST_BARS}"
    return bars[:: -(-n_bars // MOST_BARS)]


def divided(
    similarity: BarSimilarity, log_odds: Array, duration: float, loudness: Loudness, repetition: RepetitionModel
) -> Sections:
    """Divide a song into sections and phrases.

    Parameters
    ----------
    similarity : BarSimilarity
        Similarity of its bars.
    log_odds : np.ndarray, shape (n_bars + 1,)
        Log-odds that each bar line is a boundary.
    duration : float
        Length of the song in seconds.
    loudness : Loudness
        Loudness of the song.
    repetition : RepetitionModel
        Model that decides which segments have the same letter.
    """
    bars, seconds = similarity.bars, similarity.bar_seconds
    evidence = log_odds - SECTION_THRESHOLD
    division = _within(best_division(evidence, seconds, SECTION_LENGTHS), bars, duration)
    division, groups = joined_pairs(division, _groups(similarity, division, repetition), seconds)
    probability = calibrated(boundary_probabilities(evidence, seconds, SECTION_LENGTHS))
    sections = _parts(bars, division, letters(groups), probability, duration)
    evidence = log_odds - PHRASE_THRESHOLD
    probability = boundary_probabilities(evidence, seconds, PHRASE_LENGTHS)
    evidence[division] = FORCED
    division = _within(best_division(evidence, seconds, PHRASE_LENGTHS), bars, duration)
    small = [letter.lower() for letter in letters(_groups(similarity, division, repetition))]
    phrases = _parts(bars, division, small, probability, duration)
    return Sections(_with_facts(sections, loudness), _with_facts(phrases, loudness))


def calibrated(probability: Array) -> Array:
    """Return the probability that a person hears a boundary, given the one that the model computes.

    The model is too sure of itself. The line through the log-odds was fitted on songs that were not trained on.
    """
    log_odds = logit(np.clip(probability, 1e-4, 1 - 1e-4))
    calibrated: Array = expit(CALIBRATION_SLOPE * log_odds + CALIBRATION_OFFSET)
    return calibrated


def _groups(similarity: BarSimilarity, division: Division, repetition: RepetitionModel) -> list[int]:
    """Return the number of the group of each segment."""
    features = pair_features(similarity.timbre, similarity.harmony, division, similarity.bar_seconds)
    return segment_groups(repetition(features))


class Loudness:
    """Mean power of any interval of a song.

    Parameters
    ----------
    rms : np.ndarray, shape (n_frames,)
        Root mean square of each frame.
    frame_seconds : float
        Distance between frames in seconds.
    """

    def __init__(self, rms: NDArray[Any], frame_seconds: float) -> None:
        self._power = np.square(np.asarray(rms, float))
        self._frame_seconds = frame_seconds

    def __call__(self, start: float, end: float) -> float:
        """Return the mean power from `start` to `end`, in seconds."""
        first, last = (round(time / self._frame_seconds) for time in (start, end))
        return float(self._power[first : max(last, first + 1)].mean()) if first < len(self._power) else 0.0


def _within(division: Division, bars: Array, duration: float) -> Division:
    """Return a division without boundaries at bar lines that are not inside the song."""
    inner = division[1:-1]
    inner = inner[(bars[inner] > 0) & (bars[inner] < duration)]
    return np.concatenate([division[:1], inner, division[-1:]])


def _parts(bars: Array, division: Division, labels: list[str], probability: Array, duration: float) -> list[SongPart]:
    """Return the parts of a song between the boundaries of a division."""
    times = [0.0, *bars[division[1:-1]].tolist(), duration]
    confidence = [1.0, *np.clip(probability[division[1:-1]], 0, 1).tolist()]
    rows = zip(pairwise(times), labels, confidence, strict=True)
    return [SongPart(start, end, label, sure) for (start, end), label, sure in rows]


def _with_facts(parts: list[SongPart], loudness: Loudness) -> tuple[SongPart, ...]:
    counts = Counter(part.label for part in parts)
    most = max(2, *counts.values())
    loudest = max(parts, key=lambda part: loudness(part.start, part.end))
    seen: Counter[str] = Counter()
    described = []
    for part in parts:
        seen[part.label] += 1
        described.append(
            replace(
                part,
                occurrence=seen[part.label],
                n_occurrences=counts[part.label],
                is_most_repeated=counts[part.label] == most,
                is_loudest=part is loudest,
            )
        )
    return tuple(described)

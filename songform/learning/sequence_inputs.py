"""Inputs of the sequence model: which properties of a song the network reads at each unit.

==============  ==========================================================================================
`features`      mean and standard deviation of each feature column over the frames of the unit, standardized
                over the training frames; the only group that does not depend on later sound
`normalized`    the same, standardized within the song and clipped at 2.5 standard deviations
`context`       the six context descriptors (`songform.structure.context`), scaled
`beats`         tempo (octaves from 120 beats per minute), sine and cosine of the position in the bar, and
                confidence; 0 where the song has no beats
`sections`      time since the last and until the next boundary of a section (logarithm), and confidence of a
                boundary near the unit; 0 if the song has no sections
==============  ==========================================================================================

Conventions
-----------
Arrays have one row per unit of `WindowShape.unit_seconds`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from songform.errors import ModelError
from songform.learning.sequences import Inputs, WindowShape, standard_inputs
from songform.structure.normalized_curves import audible_units, standardised
from songform.structure.pooling import UNIT_SECONDS, frame_units, pooled

__all__ = ["FEATURES_ONLY", "INPUTS", "VERSION", "SongTables", "n_inputs", "song_inputs", "whole_song_inputs"]

VERSION = 1  # increase this when the same tables give different inputs

FEATURES_ONLY = ("features", "normalized")
"""Groups that are computed from the frame features alone."""

INPUTS = (*FEATURES_ONLY, "context", "beats", "sections")
"""Names of the groups of inputs."""

_COLUMNS = {"context": 6, "beats": 4, "sections": 3}

# Typical means and standard deviations of the context descriptors in composed songs. The novelty is a small number.
_CONTEXT_CENTER = np.array([0.0, 0.35, 0.0, 0.7, 0.65, 0.35])
_CONTEXT_SCALE = np.array([0.55, 0.65, 0.032, 0.16, 0.15, 0.28])
_MOST = 5.0  # limit of the scaled descriptors
_TEMPO = 120.0  # beats per minute
_BOUNDARY_SECONDS = 1.0  # distance from a boundary at which its confidence is multiplied by exp(-1/2)
_LONGEST_SECONDS = 60.0  # longer distances from a boundary are not distinguished

Array = NDArray[np.float64]


class Beats(Protocol):
    """What is read of `songform.beats.beat_tracking.Beats`, whose module uses networks of this folder."""

    @property
    def times(self) -> Array:
        """Times of the beats in seconds."""

    @property
    def positions(self) -> NDArray[np.intp]:
        """Position of each beat in its bar, from 1."""

    @property
    def tempo(self) -> float | None:
        """Tempo in beats per minute."""

    @property
    def metre(self) -> int | None:
        """Number of beats in a bar."""

    @property
    def confidence(self) -> float:
        """Confidence, 0 to 1."""


class SongPart(Protocol):
    """What is read of `songform.sections.section_finding.SongPart`."""

    @property
    def start(self) -> float:
        """Start in seconds."""

    @property
    def end(self) -> float:
        """End in seconds."""

    @property
    def confidence(self) -> float:
        """Probability that a listener hears a boundary at the start."""


class Sections(Protocol):
    """What is read of `songform.sections.section_finding.Sections`."""

    @property
    def sections(self) -> Sequence[SongPart]:
        """Sections of the song; empty if it has none."""


@dataclass(frozen=True, eq=False)
class SongTables:
    """What the inputs of one song are computed from.

    Attributes
    ----------
    features : pd.DataFrame
        Frame features, with the columns that the network was trained on.
    context : np.ndarray, shape=(n_context_units, 6), optional
        Context descriptors of each unit of 0.5 s: the last six columns of `songform.unit_vectors`.
    beats : Beats, optional
        Beats of the song; None if they are not known.
    sections : Sections, optional
        Sections of the song; None if they are not known.
    """

    features: pd.DataFrame
    context: Array | None = None
    beats: Beats | None = None
    sections: Sections | None = None


def whole_song_inputs(names: Collection[str]) -> list[str]:
    """Return those groups that depend on the whole song, and therefore on sound after the unit."""
    return [name for name in names if name != "features"]


def n_inputs(names: Collection[str], n_columns: int, shape: WindowShape) -> int:
    """Return the number of inputs per unit.

    Parameters
    ----------
    names : collection of str
        Groups of inputs.
    n_columns : int
        Number of feature columns.
    shape : WindowShape
        Length of the units.
    """
    pooled_columns = n_columns * (2 if shape.pool_seconds else 1)
    return sum(_COLUMNS.get(name, pooled_columns) for name in names)


def song_inputs(names: Sequence[str], song: SongTables, shape: WindowShape, *, center: Array, scale: Array) -> Inputs:
    """Return the inputs of the sequence model for a song.

    Parameters
    ----------
    names : sequence of str
        Groups of inputs, in the order of the columns.
    song : SongTables
        Tables of the song. Beats and sections that are not known count as none.
    shape : WindowShape
        Lengths of units and frames.
    center, scale : np.ndarray, shape=(n_columns,)
        Mean and standard deviation of each feature column over the training frames.

    Returns
    -------
    np.ndarray of float32, shape=(n_units, n_inputs)

    Raises
    ------
    ModelError
        If the context is needed and not given.
    """
    values = song.features.to_numpy(np.float64)
    units = frame_units(len(values), sr=shape.sr, hop_length=shape.hop_length, unit_seconds=shape.pool_seconds)
    centres = (np.arange(units[-1] + 1) + 0.5) * shape.unit_seconds
    groups: dict[str, Callable[[], NDArray[np.floating]]] = {
        "features": lambda: standard_inputs(values, center, scale, shape),
        "normalized": lambda: _normalized(song.features, units, shape),
        "context": lambda: _context(song.context, centres),
        "beats": lambda: _beats(song.beats, centres),
        "sections": lambda: _sections(song.sections, centres),
    }
    return np.hstack([np.asarray(groups[name](), np.float32) for name in names])


def _normalized(features: pd.DataFrame, units: NDArray[np.intp], shape: WindowShape) -> Array:
    """Return the columns standardized within the song, over its audible units."""
    mean, spread = pooled(features.to_numpy(np.float64), units)
    level = features["rms_mean"].to_numpy(np.float64) ** 2 + features["rms_std"].to_numpy(np.float64) ** 2
    loudness_db = 10 * np.log10(pooled(level, units)[0] + 1e-10)
    columns = np.hstack([mean, spread]) if shape.pool_seconds else mean
    return standardised(columns, audible_units(loudness_db), floor=1e-6)


def _context(context: Array | None, centres: Array) -> Array:
    """Return the scaled descriptors of the unit of 0.5 s that contains the center of each unit."""
    if context is None:
        raise ModelError(
            "the network of this model reads the context of the song, which cannot be computed from the frame "
            "features alone; use songform analyze, or Bundle.form with the overview"
        )
    of_unit = np.clip((centres / UNIT_SECONDS).astype(np.intp), 0, len(context) - 1)
    scaled = (context[of_unit] - _CONTEXT_CENTER) / _CONTEXT_SCALE
    return np.asarray(np.clip(scaled, -_MOST, _MOST))


def _beats(beats: Beats | None, centres: Array) -> Array:
    """Return tempo, position in the bar and confidence at some times; 0 before the first and after the last beat."""
    found = np.zeros((len(centres), _COLUMNS["beats"]))
    if beats is None or len(beats.times) < 2 or not beats.tempo or not beats.metre:
        return found
    last = np.searchsorted(beats.times, centres, side="right") - 1
    inside = (last >= 0) & (last < len(beats.times) - 1)
    last = last[inside]
    fraction = (centres[inside] - beats.times[last]) / np.diff(beats.times)[last]
    angle = 2 * np.pi * (beats.positions[last] - 1 + fraction) / beats.metre
    found[inside, 0] = np.log2(beats.tempo / _TEMPO)
    found[inside, 1:3] = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    found[inside, 3] = beats.confidence
    return found


def _sections(sections: Sections | None, centres: Array) -> Array:
    """Return distances to the boundaries of sections, and the confidence of a boundary nearby."""
    found = np.zeros((len(centres), _COLUMNS["sections"]))
    if sections is None or not sections.sections:
        return found
    starts = np.array([part.start for part in sections.sections])
    confidence = np.array([part.confidence for part in sections.sections])
    edges = np.append(starts, sections.sections[-1].end)
    following = np.clip(np.searchsorted(edges, centres, side="right"), 1, len(edges) - 1)
    distances = np.stack([centres - edges[following - 1], edges[following] - centres], axis=1)
    found[:, :2] = np.log1p(np.clip(distances, 0, _LONGEST_SECONDS)) / np.log1p(_LONGEST_SECONDS)
    near = np.exp(-(((centres[:, None] - starts) / _BOUNDARY_SECONDS) ** 2) / 2)
    found[:, 2] = (near * confidence).max(axis=1)
    return found

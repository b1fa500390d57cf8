"""Curves of a song, normalized by the statistics of the song itself.

The same level can be loud in one song and soft in another, so each quantity is standardized within its song: the mean
is subtracted, the result is divided by the standard deviation and clipped to +-2.5. Mean and standard deviation are
those of the audible units. Silence before the first note and after the last one is not included in the curves.

Conventions
-----------
Arrays have one row per unit of 0.5 s. Values are in standard deviations of the song.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from songform.structure.pooling import SongUnits
from songform.structure.self_similarity import similarity_vectors

__all__ = ["VERSION", "Curves", "audible_units", "song_curves", "stacked", "standardised"]

VERSION = 1  # increase this when the curves of the same units change

AUDIBLE_DB = 30.0
"""Units this far below the loud parts of a song (the 95th percentile of units with sound) count as silence, in dB."""

_SOUND_DB = 60.0  # units this far below the loudest one are excluded from the percentile

_MOST = 2.5  # standard deviations; values are clipped, so that single events do not outweigh the music

# Minimum standard deviations, so that differences that are hardly audible remain small.
_LOUDNESS_DB, _ONSET, _LOG_HZ, _BASS_SHARE, _MFCC, _CHROMA = 1.0, 0.02, 0.02, 0.01, 0.5, 0.02

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Curves:
    """The curves of one song.

    Attributes
    ----------
    before, after : int
        Number of silent units before the first note and after the last one, which are not included in the curves.
    level_db : np.ndarray, shape=(n_units,)
        Loudness in dB, raised to the audible level where it is lower; not standardized.
    loudness, onset, brightness, bass : np.ndarray, shape=(n_units,)
        Loudness, onset strength, logarithm of the spectral centroid, and fraction of the energy below 150 Hz.
    mfcc, chroma : np.ndarray, shape=(n_units, n_mfcc), (n_units, 12)
        Timbre and harmony.
    columns : np.ndarray, shape=(n_units, 2 * n_columns)
        Means and standard deviations of all feature columns.
    """

    before: int
    after: int
    level_db: Array
    loudness: Array
    onset: Array
    brightness: Array
    bass: Array
    mfcc: Array
    chroma: Array
    columns: Array

    def __len__(self) -> int:
        return len(self.loudness)

    @property
    def vectors(self) -> Array:
        """Vectors of timbre and harmony; see `songform.structure.self_similarity.similarity_vectors`."""
        return similarity_vectors(self.mfcc, self.chroma)

    def last(self, n_units: int) -> Curves:
        """Return the curves of the last units, still normalized by the whole song."""
        curves: dict[str, Any] = {
            name: value[-n_units:] for name, value in vars(self).items() if isinstance(value, np.ndarray)
        }
        return replace(self, before=0, **curves)

    def whole(self, values: Array) -> Array:
        """Extend values to the silence at both ends by repetition, shape (before + n_units + after, ...)."""
        return np.pad(values, [(self.before, self.after), *[(0, 0)] * (values.ndim - 1)], mode="edge")


def song_curves(units: SongUnits, *, n_last: int | None = None) -> Curves:
    """Compute the normalized curves of a song.

    Parameters
    ----------
    units : SongUnits
        Units of a song or of its beginning.
    n_last : int > 0, optional
        Number of units at the end to which the curves are limited, as by `Curves.last`.
    """
    least = _least_audible(units.loudness_db)
    level = np.maximum(units.loudness_db, least)
    audible = units.loudness_db >= least
    first, last = np.flatnonzero(audible)[[0, -1]].tolist()
    music = slice(first if n_last is None else max(first, last + 1 - n_last), last + 1)
    cepstra = [i for i, name in enumerate(units.columns) if name.startswith("mfcc_") and "delta" not in name]
    brightness = np.log(np.maximum(units.column("centroid_hz"), 1.0))

    def measured(x: Array, floor: float = 1e-6) -> Array:
        return standardised(x, audible, floor=floor, units=music)

    return Curves(
        before=first if n_last is None else 0,
        after=len(units) - 1 - last,
        level_db=level[music],
        loudness=measured(level, _LOUDNESS_DB),
        onset=measured(units.onset, _ONSET),
        brightness=measured(brightness, _LOG_HZ),
        bass=measured(units.low_share, _BASS_SHARE),
        mfcc=measured(units.mean[:, cepstra], _MFCC),
        chroma=measured(units.chroma, _CHROMA),
        columns=measured(np.hstack([units.mean, units.std])),
    )


def stacked(several: Sequence[Curves]) -> Curves:
    """Stack the curves of several songs of the same length along a new first axis; silent ends are not included."""
    arrays = {
        name: np.stack([vars(curves)[name] for curves in several])
        for name, value in vars(several[0]).items()
        if isinstance(value, np.ndarray)
    }
    return Curves(before=0, after=0, **arrays)


def audible_units(loudness_db: Array) -> NDArray[np.bool_]:
    """Return which units of a song are audible, from their loudness in dB; at least one is."""
    return np.asarray(loudness_db >= _least_audible(loudness_db))


def _least_audible(loudness_db: Array) -> float:
    """Return the loudness in dB below which units count as silence; see `AUDIBLE_DB`."""
    sounds = loudness_db > loudness_db.max() - _SOUND_DB
    return float(np.quantile(loudness_db[sounds], 0.95)) - AUDIBLE_DB


def standardised(x: Array, audible: NDArray[np.bool_], *, floor: float, units: slice = slice(None)) -> Array:
    """Standardize values by the mean and the standard deviation of the audible units.

    Parameters
    ----------
    x : np.ndarray, shape=(n_units, ...)
        Values of one song, in any unit.
    audible : np.ndarray of bool, shape=(n_units,)
        Whether each unit is included in mean and standard deviation; at least one is.
    floor : float > 0
        Minimum standard deviation, in the unit of `x`.
    units : slice
        Units to return. Mean and standard deviation do not depend on it.

    Returns
    -------
    np.ndarray, of the shape of `x[units]`
        Values in standard deviations, clipped to +-2.5.
    """
    heard = x[audible]
    mean = heard.mean(axis=0, keepdims=True)
    deviations = (x[units] - mean) / np.maximum(heard.std(axis=0, mean=mean), floor)
    return np.asarray(np.clip(deviations, -_MOST, _MOST))

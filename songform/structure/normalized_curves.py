"""Normalized curves: a song's units, measured against the song itself.

What is loud in one song is soft in another; a song is compared with itself alone. Each curve is a quantity less its
mean over the song, in its standard deviations, cut at 2.5 of them. Both are taken where the song is audible. The
silence before the first note and after the last is no part of the music, and beside it all of the music would be
alike: the curves begin and end with the music.

Conventions
-----------
Arrays have a row a unit of 0.5 s and no dimension of their own: 1 is one standard deviation of the song.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from songform.structure.pooling import SongUnits
from songform.structure.self_similarity import similarity_vectors

__all__ = ["VERSION", "Curves", "song_curves", "stacked", "standardised"]

VERSION = 1  # increase this when the same units give other curves

AUDIBLE_DB = 30.0
"""What lies further below the song's loud parts (the 95th percentile of what sounds) is as good as silence."""

_SOUND_DB = 60.0  # below the loudest unit: no sound of the song at all, so that silence does not say what is loud

_MOST = 2.5  # deviations; what is beyond is an accident, and no accident may outweigh all of the music

# The least standard deviation that counts as one: what a listener would hardly hear is no event.
_LOUDNESS_DB, _ONSET, _LOG_HZ, _BASS_SHARE, _MFCC, _CHROMA = 1.0, 0.02, 0.02, 0.01, 0.5, 0.02

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Curves:
    """The curves of one song.

    Attributes
    ----------
    before, after : int
        Units of silence before the first note and after the last; the curves are of the units between.
    level_db : np.ndarray, shape=(n_units,)
        Loudness in dB, not below what is audible.
    loudness, onset, brightness, bass : np.ndarray, shape=(n_units,)
        Loudness, onset strength, logarithm of the spectral centroid, and the share of the energy below 150 Hz.
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
        """Vectors of timbre and harmony, see `songform.structure.self_similarity.similarity_vectors`."""
        return similarity_vectors(self.mfcc, self.chroma)

    def last(self, n_units: int) -> Curves:
        """Return the curves of the last units alone, still measured against the whole song."""
        curves: dict[str, Any] = {
            name: value[-n_units:] for name, value in vars(self).items() if isinstance(value, np.ndarray)
        }
        return replace(self, before=0, **curves)

    def whole(self, values: Array) -> Array:
        """Give the silence at both ends the value of the music beside it: shape (before + n_units + after, ...)."""
        return np.pad(values, [(self.before, self.after), *[(0, 0)] * (values.ndim - 1)], mode="edge")


def song_curves(units: SongUnits, *, n_last: int | None = None) -> Curves:
    """Measure a song's units against the song itself.

    Parameters
    ----------
    units : SongUnits
        Of a song, or of its beginning.
    n_last : int > 0, optional
        Return the curves of so many of the last units alone, as `Curves.last` does.
    """
    sounds = units.loudness_db > units.loudness_db.max() - _SOUND_DB
    loud = float(np.quantile(units.loudness_db[sounds], 0.95))
    level = np.maximum(units.loudness_db, loud - AUDIBLE_DB)
    audible = units.loudness_db >= loud - AUDIBLE_DB
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
    """Join the curves of several songs of the same length, along a new first axis; each begins and ends with music."""
    arrays = {
        name: np.stack([vars(curves)[name] for curves in several])
        for name, value in vars(several[0]).items()
        if isinstance(value, np.ndarray)
    }
    return Curves(before=0, after=0, **arrays)


def standardised(x: Array, audible: NDArray[np.bool_], *, floor: float, units: slice = slice(None)) -> Array:
    """Return how far each value lies from the mean of the audible units, in their standard deviations.

    Parameters
    ----------
    x : np.ndarray, shape=(n_units, ...)
        Values of one song, in any unit.
    audible : np.ndarray of bool, shape=(n_units,)
        Which units count; at least one.
    floor : float > 0
        The least standard deviation, in the unit of `x`, that counts as one.
    units : slice
        Which units are returned; all count that are audible.

    Returns
    -------
    np.ndarray, of the shape of `x[units]`
        Within +-2.5.
    """
    heard = x[audible]
    mean = heard.mean(axis=0, keepdims=True)
    deviations = (x[units] - mean) / np.maximum(heard.std(axis=0, mean=mean), floor)
    return np.asarray(np.clip(deviations, -_MOST, _MOST))

"""Song units: a song pooled to units of half a second, from which context is made.

The frame features give each unit's mean and standard deviation, loudness and onset strength; the overview gives its
chroma and the share of the bass.

Conventions
-----------
Unit `u` covers `[u, u + 1) * UNIT_SECONDS`. Arrays have a row a unit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from songform.errors import ParameterError
from songform.features.overview import OVERVIEW_SECONDS, Overview
from songform.structure.pooling import frame_units, pooled

__all__ = ["UNIT_SECONDS", "VERSION", "CausalUnits", "SongUnits", "song_units"]

VERSION = 1  # increase this when the same features and overview give other units

UNIT_SECONDS = 0.5
_CELLS = round(UNIT_SECONDS / OVERVIEW_SECONDS)  # rows of the overview in a unit

Array = NDArray[np.float64]
Index = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class SongUnits:
    """The units of one song, or of its beginning.

    Attributes
    ----------
    columns : tuple of str
        The feature columns.
    mean, std : np.ndarray, shape=(n_units, n_columns)
        Of each column over the unit's frames.
    loudness_db : np.ndarray, shape=(n_units,)
        Mean power in dB below full scale.
    onset : np.ndarray, shape=(n_units,)
        Mean onset strength.
    low_share : np.ndarray, shape=(n_units,)
        Share of the energy below 150 Hz.
    chroma : np.ndarray, shape=(n_units, 12)
        Mean chroma.
    """

    columns: tuple[str, ...]
    mean: Array
    std: Array
    loudness_db: Array
    onset: Array
    low_share: Array
    chroma: Array

    def __len__(self) -> int:
        return len(self.mean)

    def column(self, name: str) -> Array:
        """Return the units' means of one feature column."""
        return self.mean[:, self.columns.index(name)]


class CausalUnits:
    """The units of a song's beginning, however much of it is known.

    Parameters
    ----------
    features : pd.DataFrame
        Frame features, from `songform.frame_features`.
    overview : Overview
        The song's overview, of the same pass.
    sr, hop_length : float, int
        The framing of the features.

    Raises
    ------
    ParameterError
        If features and overview are not of the same song.
    """

    def __init__(self, features: pd.DataFrame, overview: Overview, *, sr: float = 22050, hop_length: int = 512) -> None:
        if len(overview.onset) != len(features):
            n, m = len(features), len(overview.onset)
            raise ParameterError(f"features has {n} frames but the overview {m}: they are of different songs")
        self._columns, self._values = tuple(features.columns), features.to_numpy(np.float64)
        self._overview = overview
        self._units = frame_units(len(features), sr=sr, hop_length=hop_length, unit_seconds=UNIT_SECONDS)
        rows = np.arange(len(overview))
        row_units = np.minimum(rows // _CELLS, self._units[-1])
        self.whole = self._pooled(np.arange(len(features)), self._units, rows, row_units)

    def until(self, n_known: int) -> SongUnits:
        """Return the units of the first `n_known` frames; see `beginnings`."""
        return next(self.beginnings(np.array([n_known])))

    def beginnings(self, n_known: Index) -> Iterator[SongUnits]:
        """Yield the units of the first `n_known` frames, of which the last one may have just begun, for each number.

        There is at least one number. Nothing in it depends on a later frame: a row of the overview that the moment
        divides has heard what follows, so the row before it speaks for it.
        """
        last = self._units[n_known - 1]
        counts = self._overview.frame_counts
        heard = np.cumsum(counts)
        begun = np.searchsorted(heard - counts, n_known)
        complete = np.searchsorted(heard, n_known, side="right")
        frames, of_frame = _ranges(np.searchsorted(self._units, last), n_known)
        rows, of_row = _ranges(np.minimum(last * _CELLS, begun - 1), begun)
        newest = self._pooled(frames, of_frame, np.minimum(rows, np.maximum(complete - 1, 0)[of_row]), of_row)
        names = [name for name in vars(newest) if name != "columns"]
        for i, n_whole in enumerate(last.tolist()):
            arrays = {name: (vars(self.whole)[name][:n_whole], vars(newest)[name][i : i + 1]) for name in names}
            yield SongUnits(self._columns, **{name: np.concatenate(parts) for name, parts in arrays.items()})

    def _pooled(self, frames: Index, units: Index, rows: Index, row_units: Index) -> SongUnits:
        """Pool some frames by their units, and some rows of the overview by theirs."""
        values = self._values[frames]
        level, spread = (values[:, self._columns.index(name)] for name in ("rms_mean", "rms_std"))
        overview = self._overview
        return SongUnits(
            self._columns,
            *pooled(values, units),
            10 * np.log10(pooled(level**2 + spread**2, units)[0] + 1e-10),
            pooled(np.asarray(overview.onset[frames], np.float64), units)[0],
            pooled(np.asarray(overview.low_share[rows], np.float64), row_units)[0],
            pooled(np.asarray(overview.chroma[rows], np.float64), row_units)[0],
        )


def _ranges(starts: Index, stops: Index) -> tuple[Index, Index]:
    """Return the numbers from each start up to its stop, one range after the other, and which range each is of."""
    lengths = stops - starts
    which = np.repeat(np.arange(len(starts)), lengths)
    return np.arange(len(which)) - np.repeat(np.cumsum(lengths) - lengths - starts, lengths), which


def song_units(features: pd.DataFrame, overview: Overview, *, sr: float = 22050, hop_length: int = 512) -> SongUnits:
    """Pool a whole song to units; parameters and errors as of `CausalUnits`."""
    return CausalUnits(features, overview, sr=sr, hop_length=hop_length).whole

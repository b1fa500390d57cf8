"""Frame features: 38 values per frame of 93 ms, with a hop of 23 ms.

`frame_features` computes the features of a whole signal, and `FrameExtractor` those of a signal that arrives in chunks
of any size. Both give the same rows, bit for bit. `FrameExtractor` keeps one block of frames and a few rows in memory,
for songs of any length.

Conventions
-----------
Columns are float32, in the order of `feature_columns`. The index `time_s` is the center of the frame in seconds,
float64. `songform.features.descriptors` defines the values of a single frame. Derivatives per frame are computed for
the mean RMS, the mean zero-crossing rate and the MFCCs. The derivative at row ``i`` is the slope of a straight line
fitted to the nine rows around it (a filter of Savitzky and Golay, 1964)::

    slope[i] == sum(k * (x[i + k] - x[i - k]) for k in (1, 2, 3, 4)) / 60

A row is therefore complete when the next four rows have been computed. The first four rows have the slope of the first
nine rows, and the last four rows that of the last nine. A signal of fewer than nine rows is padded with its first and
last row.

References
----------
The tests compare the columns with those of `librosa.feature`. Derivatives are `librosa.feature.delta(width=9)` with
``mode="interp"`` for nine rows or more, else with ``mode="nearest"``.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from songform.errors import ParameterError
from songform.features.descriptors import Descriptors, descriptor_names
from songform.features.stft import SpectrumStream, frame_times, mono_signal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import DTypeLike, NDArray

    from songform.features.stft import SpectrumBlock

__all__ = [
    "FEATURE_COLUMNS",
    "VERSION",
    "DeltaStream",
    "FrameExtractor",
    "feature_columns",
    "feature_table",
    "frame_features",
]

VERSION = 1  # increase this when the features of the same audio change; tables on disk are then computed again


def feature_columns(n_mfcc: int = 13) -> tuple[str, ...]:
    """Return the names of the columns of a feature table with `n_mfcc` MFCCs, in their order."""
    names = descriptor_names(n_mfcc)
    deltas = tuple(_delta_names(n_mfcc).values())
    return (*names[:4], *deltas[:2], *names[4:], *deltas[2:])


def frame_features(
    y: NDArray[Any], sr: int = 22050, *, frame_length: int = 2048, hop_length: int = 512, n_mfcc: int = 13
) -> pd.DataFrame:
    """Compute the features of every frame of a signal.

    Parameters
    ----------
    y : np.ndarray, shape (n_samples,) or (channels, n_samples)
        Floating-point samples; channels are averaged.
    sr : int
        Sampling rate in Hz.
    frame_length, hop_length : int
        Length of a frame, and distance between the centers of consecutive frames, in samples.
    n_mfcc : int
        Number of MFCCs.

    Returns
    -------
    pandas.DataFrame, shape (1 + n_samples // hop_length, 12 + 2 * n_mfcc)
        One row per frame, with the columns of `feature_columns`, float32, and the index `time_s`.

    Raises
    ------
    ParameterError
        If `y` is empty or not a valid signal (see `songform.features.stft.mono_signal`), or if another argument is out
        of range.

    Examples
    --------
    >>> y = np.sin(2 * np.pi * 440 * np.arange(22050) / 22050)
    >>> features = frame_features(y, 22050)
    >>> features.shape
    (44, 38)
    >>> round(float(features["centroid_hz"].median()))
    440
    """
    y = mono_signal(y)
    if not y.size:
        raise ParameterError(
            "y must contain at least one sample; check whether the file or the slice of the array is empty"
        )
    extractor = FrameExtractor(sr, frame_length=frame_length, hop_length=hop_length, n_mfcc=n_mfcc)
    rows = [extractor.add(block) for block in chain(extractor.spectra.push(y), extractor.spectra.flush())]
    return feature_table([*rows, extractor.finish()], extractor.columns, sr=sr, hop_length=hop_length)


class FrameExtractor:
    """Incremental computation of frame features from chunks of any size.

    Parameters
    ----------
    sr : int
        Sampling rate in Hz.
    frame_length, hop_length, n_mfcc : int
        As in `frame_features`.
    n_mels : int
        Number of mel bands from which the MFCCs are computed.
    roll_percent : float
        Fraction of the spectrum below the roll-off frequency.
    dtype : dtype
        Data type of the computation and of the columns: float32, or float64 to check the precision.

    Attributes
    ----------
    spectra : SpectrumStream
        The stream of spectra from which the features are computed. Callers that also need the spectra push samples into
        this stream, and use `add` and `finish` instead of `push` and `flush`.

    Examples
    --------
    >>> extractor = FrameExtractor(22050)
    >>> rows = [extractor.push(np.zeros(30_000, np.float32)) for _ in range(3)]
    >>> rows.append(extractor.flush())
    >>> sum(map(len, rows)) == 1 + 90_000 // 512
    True
    """

    def __init__(
        self,
        sr: int = 22050,
        *,
        frame_length: int = 2048,
        hop_length: int = 512,
        n_mfcc: int = 13,
        n_mels: int = 128,
        roll_percent: float = 0.85,
        dtype: DTypeLike = np.float32,
    ) -> None:
        self.sr, self.hop_length, self.columns = sr, hop_length, feature_columns(n_mfcc)
        self.spectra = SpectrumStream(sr, frame_length=frame_length, hop_length=hop_length, n_mels=n_mels, dtype=dtype)
        self._describe = Descriptors(
            sr, frame_length=frame_length, n_mfcc=n_mfcc, n_mels=n_mels, roll_percent=roll_percent, dtype=dtype
        )
        names, deltas = descriptor_names(n_mfcc), _delta_names(n_mfcc)
        self._deltas = DeltaStream([names.index(name) for name in deltas])
        self._order = [(*names, *deltas.values()).index(column) for column in self.columns]
        self._n_rows, self._dtype = 0, np.dtype(dtype)
        self._nothing = feature_table([np.empty((0, len(self.columns)), dtype)], self.columns)

    def push(self, y: NDArray[Any]) -> pd.DataFrame:
        """Process a chunk of shape (n_samples,) or (channels, n_samples), and return the rows that it completes.

        Rows are completed in blocks of frames. If a chunk completes no rows, an empty table is returned.
        """
        return self._table([self.add(block) for block in self.spectra.push(y)])

    def flush(self) -> pd.DataFrame:
        """End the signal and return the remaining rows."""
        rows = [self.add(block) for block in self.spectra.flush()]
        return self._table([*rows, self.finish()])

    def add(self, block: SpectrumBlock) -> NDArray[Any]:
        """Process a block of `spectra`, and return the rows that it completes, of shape (n, n_columns)."""
        return self._ordered(self._deltas.push(self._describe(block)))

    def finish(self) -> NDArray[Any]:
        """End the signal and return the last rows, whose derivatives were not complete."""
        return self._ordered(self._deltas.finish())

    def _ordered(self, rows: NDArray[Any]) -> NDArray[Any]:
        return rows[:, self._order].astype(self._dtype)

    def _table(self, rows: Sequence[NDArray[Any]]) -> pd.DataFrame:
        # Most chunks of a live signal complete no block, and creating a table takes longer than processing the chunk.
        if not rows:
            return self._nothing
        table = feature_table(rows, self.columns, sr=self.sr, hop_length=self.hop_length, start=self._n_rows)
        self._n_rows += len(table)
        return table


def feature_table(
    rows: Sequence[NDArray[Any]], columns: Sequence[str], *, sr: float = 22050, hop_length: int = 512, start: int = 0
) -> pd.DataFrame:
    """Return a table of consecutive rows, indexed by the centers of the frames.

    Parameters
    ----------
    rows : sequence of np.ndarray, each of shape (n, len(columns))
        At least one array, possibly empty.
    columns : sequence of str
        Names of the columns.
    sr, hop_length : int
        Sampling rate in Hz, and distance between the centers of consecutive frames in samples.
    start : int
        Index of the frame of the first row.

    Returns
    -------
    pandas.DataFrame
        Table with columns contiguous in memory and the index `time_s` in seconds.
    """
    values = np.empty((sum(map(len, rows)), len(columns)), rows[0].dtype, order="F")
    np.concatenate(rows, out=values)
    time_s = frame_times(len(values), sr=sr, hop_length=hop_length, first_frame=start)
    return pd.DataFrame(values, index=pd.Index(time_s, name="time_s"), columns=list(columns), copy=False)


def _delta_names(n_mfcc: int) -> dict[str, str]:
    mfcc = {f"mfcc_{i:02d}": f"mfcc_delta_{i:02d}" for i in range(1, n_mfcc + 1)}
    return {"rms_mean": "rms_delta", "zcr_mean": "zcr_delta"} | mfcc


FEATURE_COLUMNS = feature_columns()


REACH = 4  # rows on each side that a derivative depends on
WIDTH = 2 * REACH + 1


class DeltaStream:
    """Incremental computation of derivatives, which are appended to the rows as further columns.

    Parameters
    ----------
    columns : sequence of int
        Indices of the columns whose derivatives are computed.
    """

    def __init__(self, columns: Sequence[int]) -> None:
        self._columns = list(columns)
        self._held: NDArray[Any] | None = None  # after nine rows: four returned rows and four that are not complete
        self._slopes: NDArray[Any] | None = None  # the last slope, of shape (1, n_columns)

    def push(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Add rows of shape (n, d), and return the complete ones, of shape (m, d + len(columns))."""
        self._held = held = rows if self._held is None else np.concatenate([self._held, rows])
        if len(held) < WIDTH:
            return self._beside(held[:0], held[:0, self._columns])
        slopes = _slopes(held[:, self._columns])
        start = REACH if self._slopes is not None else 0
        first = np.repeat(slopes[:1], REACH - start, axis=0)
        self._held, self._slopes = held[1 - WIDTH :], slopes[-1:]
        return self._beside(held[start:-REACH], np.concatenate([first, slopes]))

    def finish(self) -> NDArray[Any]:
        """Return the remaining rows, of shape (m, d + len(columns))."""
        if self._held is None:
            raise ValueError("no rows were pushed; call push at least once before finish")
        if self._slopes is None:
            padded = np.pad(self._held[:, self._columns], ((REACH, REACH), (0, 0)), mode="edge")
            return self._beside(self._held, _slopes(padded))
        return self._beside(self._held[REACH:], np.repeat(self._slopes, REACH, axis=0))

    @staticmethod
    def _beside(rows: NDArray[Any], slopes: NDArray[Any]) -> NDArray[Any]:
        return np.concatenate([rows, slopes], axis=1)


def _slopes(x: NDArray[Any]) -> NDArray[Any]:
    n = len(x)
    rises = (k * (x[REACH + k : n - REACH + k] - x[REACH - k : n - REACH - k]) for k in range(1, REACH + 1))
    slopes: NDArray[Any] = sum(rises) / 60
    return slopes

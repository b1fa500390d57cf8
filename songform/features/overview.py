"""Overview of a song: one row per 0.1 s with everything that later steps need besides the features.

By default, songform deletes the audio after the features are extracted. Context descriptors, pictures and pages are
computed from the overview, which takes about 1.5 kB per second. `OverviewBuilder` computes it in the same pass as the
features. The time axis is divided into cells of 0.1 s, and the frames of a cell are averaged. Only the overview itself
and about a thousand frames are in memory.

Conventions
-----------
Row ``k`` is the cell from ``0.1 k`` to ``0.1 (k + 1)`` seconds. A frame belongs to the cell that contains its center.
The last cell is the one that contains the center of the last frame.

======================  =======================================================================================
``wave_min, wave_max``  float32, over the samples of the cell (the last cell includes the samples after it)
``logmel``              uint8, 64 mel bands: mean dB over the frames, -100 to 27.5 dB in steps of 0.5 dB
``chroma``              float32, 12 pitch classes from C: mean over the frames, each with a maximum of 1
``low_share``           float32, fraction of the energy below 150 Hz: mean over the frames
``onset``               float32, a list with the onset strength of each frame of the cell
======================  =======================================================================================

The concatenated lists of ``onset`` contain one value per frame, equal to
``librosa.onset.onset_strength(S=mel_db, center=False)``, where mel_db are the 128 mel bands in dB without `top_db`. The
default of librosa, ``center=True``, delays these values by two frames.

References
----------
`librosa.feature.melspectrogram(n_mels=64)`, `librosa.feature.chroma_stft(tuning=0)`, `librosa.onset.onset_strength`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from songform.errors import ParameterError
from songform.features.filters import Filterbank, chroma_filters, fft_frequencies, mel_filters
from songform.features.stft import decibels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from songform.features.stft import SpectrumBlock

__all__ = [
    "LOGMEL_BANDS",
    "LOW_HZ",
    "OVERVIEW_SCHEMA",
    "OVERVIEW_SECONDS",
    "VERSION",
    "Overview",
    "OverviewBuilder",
    "dequantised",
    "quantised",
]

VERSION = 1  # increase this when the overview of the same audio changes; tables on disk are then computed again

OVERVIEW_SECONDS = 0.1
LOGMEL_BANDS = 64
FLOOR_DB, STEP_DB = -100.0, 0.5

OVERVIEW_SCHEMA = pa.schema(
    [
        pa.field("time_s", pa.float64(), nullable=False),
        pa.field("wave_min", pa.float32(), nullable=False),
        pa.field("wave_max", pa.float32(), nullable=False),
        pa.field("logmel", pa.list_(pa.uint8(), LOGMEL_BANDS), nullable=False),
        pa.field("chroma", pa.list_(pa.float32(), 12), nullable=False),
        pa.field("low_share", pa.float32(), nullable=False),
        pa.field("onset", pa.list_(pa.float32()), nullable=False),
    ]
)


@dataclass(frozen=True, eq=False)
class Overview:
    """The overview of one song.

    Attributes
    ----------
    time_s : np.ndarray, shape (n,)
        Start of each cell, in seconds; float64.
    wave_min, wave_max : np.ndarray, shape (n,)
        Smallest and largest sample of each cell.
    logmel : np.ndarray, shape (n, 64)
        Mel bands, quantized to uint8; see `logmel_db` for values in dB.
    chroma : np.ndarray, shape (n, 12)
        Pitch classes from C upward, 0 to 1.
    low_share : np.ndarray, shape (n,)
        Fraction of the energy below 150 Hz, 0 to 1; 0 in silence.
    onset : np.ndarray, shape (n_frames,)
        Onset strength of each frame, in dB.
    frame_counts : np.ndarray, shape (n,)
        Number of frames whose center is in each cell; the sum is n_frames.
    """

    time_s: NDArray[np.float64]
    wave_min: NDArray[np.float32]
    wave_max: NDArray[np.float32]
    logmel: NDArray[np.uint8]
    chroma: NDArray[np.float32]
    low_share: NDArray[np.float32]
    onset: NDArray[np.float32]
    frame_counts: NDArray[np.int32]

    def __post_init__(self) -> None:
        if self.frame_counts.sum() != len(self.onset):
            raise ParameterError(
                f"an overview must have one onset value per frame, but its cells contain {self.frame_counts.sum()} "
                f"frames and there are {len(self.onset)} values; check that all columns come from the same table"
            )

    def __len__(self) -> int:
        return len(self.time_s)

    @property
    def logmel_db(self) -> NDArray[np.float32]:
        """Mel bands in dB, of shape (n, 64), with an error of at most 0.25 dB."""
        return dequantised(self.logmel)

    def to_table(self) -> pa.Table:
        """Return the overview as an Arrow table with the schema `OVERVIEW_SCHEMA`."""
        offsets = np.concatenate(([0], np.cumsum(self.frame_counts))).astype(np.int32)
        columns = [
            self.time_s,
            self.wave_min,
            self.wave_max,
            pa.FixedSizeListArray.from_arrays(self.logmel.ravel(), LOGMEL_BANDS),
            pa.FixedSizeListArray.from_arrays(self.chroma.ravel(), 12),
            self.low_share,
            pa.ListArray.from_arrays(offsets, self.onset),
        ]
        return pa.table([pa.array(column) for column in columns], schema=OVERVIEW_SCHEMA)

    @classmethod
    def from_table(cls, table: pa.Table) -> Overview:
        """Return the overview stored in an Arrow table.

        Raises
        ------
        ParameterError
            If a column is missing.
        """
        if missing := set(OVERVIEW_SCHEMA.names) - set(table.column_names):
            raise ParameterError(
                f"this table is not an overview; these columns are missing: {', '.join(sorted(missing))}"
            )
        column = {name: table.column(name).combine_chunks() for name in OVERVIEW_SCHEMA.names}
        plain = {name: column[name].to_numpy() for name in ("time_s", "wave_min", "wave_max", "low_share")}
        return cls(
            **plain,
            logmel=_rows(column["logmel"], LOGMEL_BANDS),
            chroma=_rows(column["chroma"], 12),
            onset=column["onset"].flatten().to_numpy(),
            frame_counts=column["onset"].value_lengths().to_numpy(),
        )


def quantised(levels: NDArray[Any]) -> NDArray[np.uint8]:
    """Quantize values in dB to steps of 0.5 dB, from -100 dB (0) to 27.5 dB (255)."""
    steps = np.round((levels - FLOOR_DB) / STEP_DB)
    return np.clip(steps, 0, 255).astype(np.uint8)


def dequantised(steps: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the values in dB of quantized steps, the inverse of `quantised`."""
    return steps * np.float32(STEP_DB) + np.float32(FLOOR_DB)


def _rows(column: Any, width: int) -> NDArray[Any]:
    values: NDArray[Any] = column.flatten().to_numpy()
    return values.reshape(-1, width)


LOW_HZ = 150.0  # bass and bass drum are below this frequency
CELLS_PER_SECOND = round(1 / OVERVIEW_SECONDS)  # an integer, so that the first sample of a cell is computed exactly
HELD_FRAMES = 1024  # frames collected before their cells are averaged; averaging many cells at once is faster


class OverviewBuilder:
    """Incremental computation of the overview of a song.

    Parameters
    ----------
    sr : int
        Sampling rate in Hz.
    frame_length, hop_length : int
        As in `songform.features.stft.Framer`.
    """

    def __init__(self, sr: int = 22050, *, frame_length: int = 2048, hop_length: int = 512) -> None:
        self._waveform = _Waveform(sr)
        self._means = _CellMeans(sr, hop_length)
        self._logmel = Filterbank(mel_filters(sr, frame_length, LOGMEL_BANDS))
        self._chroma = Filterbank(chroma_filters(sr, frame_length), group=12)  # the filters are nonzero in all bins
        self._is_low = (fft_frequencies(sr, frame_length) < LOW_HZ).astype(np.float32)
        self._onset: list[NDArray[np.float32]] = []
        self._last_mel_db: NDArray[Any] | None = None

    def add_samples(self, y: NDArray[Any]) -> None:
        """Add a chunk of the mono signal, of shape (n_samples,)."""
        self._waveform.add(y)

    def add_spectra(self, block: SpectrumBlock) -> NDArray[Any]:
        """Add the next block of spectra.

        Returns
        -------
        np.ndarray, shape (n, n_mels)
            Rise of each mel band since the previous frame in dB, or 0 where it falls. Onset strength is its mean.
        """
        power = block.power[:, : len(self._is_low)]
        logmel, chroma = decibels(self._logmel(power)), _unit_maximum(self._chroma(power))
        self._means.add(np.concatenate([logmel, chroma, self._low_share(power)], axis=1))
        before = block.mel_db[:1] if self._last_mel_db is None else self._last_mel_db
        rises = np.maximum(np.diff(block.mel_db, axis=0, prepend=before), 0)
        self._onset.append(rises.mean(axis=1, dtype=np.float32))
        self._last_mel_db = block.mel_db[-1:]
        return rises

    def finish(self) -> Overview:
        """End the song and return its overview."""
        logmel, chroma, low_share, frame_counts = self._means.finish()
        wave_min, wave_max = self._waveform.finish(len(logmel))
        return Overview(
            time_s=np.arange(len(logmel)) / CELLS_PER_SECOND,
            wave_min=wave_min,
            wave_max=wave_max,
            logmel=logmel,
            chroma=chroma,
            low_share=low_share,
            onset=np.concatenate(self._onset),
            frame_counts=frame_counts,
        )

    def _low_share(self, power: NDArray[Any]) -> NDArray[Any]:
        low, total = np.vecdot(power, self._is_low), np.vecdot(power, np.ones_like(self._is_low))
        share: NDArray[Any] = low / np.where(total > 0, total, 1)
        return share[:, None]


class _CellMeans:
    """Means over the frames of each cell, computed for about a thousand frames at a time."""

    def __init__(self, sr: int, hop_length: int) -> None:
        self._sr, self._hop_length = sr, hop_length
        self._first_frame = 0  # index of the first frame that is not averaged yet
        self._held: list[NDArray[Any]] = []
        self._cells: list[tuple[NDArray[Any], ...]] = []

    def add(self, values: NDArray[Any]) -> None:
        """Add log-mel, chroma and low share of the next frames, as columns of one array."""
        self._held.append(values)
        if sum(map(len, self._held)) >= HELD_FRAMES:
            held = np.concatenate(self._held)
            cells = self._cells_of(len(held))
            n_closed = int(np.searchsorted(cells, cells[-1]))  # more frames of the last cell may follow
            self._close(cells[:n_closed], held[:n_closed])
            self._held = [held[n_closed:]]
            self._first_frame += n_closed

    def finish(self) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]:
        held = np.concatenate(self._held)
        self._close(self._cells_of(len(held)), held)
        cells, counts, logmel, chroma, low_share = (np.concatenate(parts) for parts in zip(*self._cells, strict=True))
        # With hops longer than 0.1 s some cells have no frame; they get the values of the previous cell.
        every = np.arange(cells[-1] + 1)
        source = np.searchsorted(cells, every, side="right") - 1
        frame_counts = np.where(cells[source] == every, counts[source], 0).astype(np.int32)
        return logmel[source], chroma[source], low_share[source], frame_counts

    def _cells_of(self, n: int) -> NDArray[np.int64]:
        centres = np.arange(self._first_frame, self._first_frame + n) * self._hop_length
        return centres * CELLS_PER_SECOND // self._sr

    def _close(self, cells: NDArray[np.int64], values: NDArray[Any]) -> None:
        if not len(cells):
            return
        starts = np.flatnonzero(np.diff(cells, prepend=-1))
        counts = np.diff(starts, append=len(cells))
        means = np.add.reduceat(values, starts, axis=0) / counts[:, None]
        logmel, chroma, low_share = np.split(means, [LOGMEL_BANDS, LOGMEL_BANDS + 12], axis=1)
        self._cells.append(
            (cells[starts], counts, quantised(logmel), chroma.astype(np.float32), low_share[:, 0].astype(np.float32))
        )


class _Waveform:
    """Minimum and maximum of the samples of each cell."""

    def __init__(self, sr: int) -> None:
        self._sr = sr
        self._n_samples = 0
        self._parts: list[tuple[NDArray[np.int64], NDArray[Any], NDArray[Any]]] = []

    def add(self, y: NDArray[Any]) -> None:
        if not len(y):
            return
        start, stop = self._n_samples, self._n_samples + len(y)
        cells = np.arange(start * CELLS_PER_SECOND // self._sr, (stop - 1) * CELLS_PER_SECOND // self._sr + 1)
        edges = np.maximum(-(-cells * self._sr // CELLS_PER_SECOND) - start, 0)  # first sample of each cell, rounded up
        self._parts.append((cells, np.minimum.reduceat(y, edges), np.maximum.reduceat(y, edges)))
        self._n_samples = stop

    def finish(self, n_cells: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return minima and maxima, 0 for cells without samples; the last cell includes all samples after it."""
        low, high = np.full(n_cells, np.inf, np.float32), np.full(n_cells, -np.inf, np.float32)
        for cells, minima, maxima in self._parts:
            where = np.minimum(cells, n_cells - 1)
            np.minimum.at(low, where, minima)
            np.maximum.at(high, where, maxima)
        empty = low > high
        return np.where(empty, np.float32(0), low), np.where(empty, np.float32(0), high)


def _unit_maximum(chroma: NDArray[Any]) -> NDArray[Any]:
    largest = chroma.max(axis=1, keepdims=True)
    return chroma / np.where(largest >= np.finfo(chroma.dtype).tiny, largest, 1)

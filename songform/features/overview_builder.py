"""Overviewing: the overview of a song, made while its samples and spectra stream by.

What an overview holds is told in `songform.features.overview`. Frames that fall into the same cell of 0.1 s are
averaged as soon as the cell is complete, so memory holds one block of frames beside the overview itself.

References
----------
`librosa.filters.mel`, `librosa.feature.chroma_stft(S=power, tuning=0, norm=np.inf)` and
`librosa.onset.onset_strength(S=mel_db, lag=1, max_size=1, center=False)`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from songform.features.filters import Filterbank, chroma_filters, fft_frequencies, mel_filters
from songform.features.overview import LOGMEL_BANDS, OVERVIEW_SECONDS, Overview, quantised
from songform.features.spectra import decibels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from songform.features.spectra import SpectrumBlock

__all__ = ["LOW_HZ", "OverviewBuilder"]

LOW_HZ = 150.0  # below it lie the bass and the bass drum
CELLS_PER_SECOND = round(1 / OVERVIEW_SECONDS)  # whole numbers, so that a cell's first sample is exact
HELD_FRAMES = 1024  # are held back at most, and a block: many cells at once cost less than a few at a time


class OverviewBuilder:
    """Collects the overview of a song.

    Parameters
    ----------
    sr : int
        Sampling rate, in Hz.
    frame_length, hop_length : int
        As in `songform.features.framing.Framer`.
    """

    def __init__(self, sr: int = 22050, *, frame_length: int = 2048, hop_length: int = 512) -> None:
        self._waveform = _Waveform(sr)
        self._means = _CellMeans(sr, hop_length)
        self._logmel = Filterbank(mel_filters(sr, frame_length, LOGMEL_BANDS))
        self._chroma = Filterbank(chroma_filters(sr, frame_length), group=12)  # every filter needs every bin
        self._is_low = (fft_frequencies(sr, frame_length) < LOW_HZ).astype(np.float32)
        self._onset: list[NDArray[np.float32]] = []
        self._last_mel_db: NDArray[Any] | None = None

    def add_samples(self, y: NDArray[Any]) -> None:
        """Take in a chunk of the mono signal, of shape (n_samples,)."""
        self._waveform.add(y)

    def add_spectra(self, block: SpectrumBlock) -> None:
        """Take in the next block of spectra."""
        power = block.power[:, : len(self._is_low)]
        logmel, chroma = decibels(self._logmel(power)), _unit_maximum(self._chroma(power))
        self._means.add(np.concatenate([logmel, chroma, self._low_share(power)], axis=1))
        before = block.mel_db[:1] if self._last_mel_db is None else self._last_mel_db
        rises = np.diff(block.mel_db, axis=0, prepend=before)
        self._onset.append(np.maximum(rises, 0).mean(axis=1, dtype=np.float32))
        self._last_mel_db = block.mel_db[-1:]

    def finish(self) -> Overview:
        """End the song and give its overview."""
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
    """Means over the frames of each cell, a few hundred frames at a time."""

    def __init__(self, sr: int, hop_length: int) -> None:
        self._sr, self._hop_length = sr, hop_length
        self._first_frame = 0  # the first frame that is held back
        self._held: list[NDArray[Any]] = []
        self._cells: list[tuple[NDArray[Any], ...]] = []

    def add(self, values: NDArray[Any]) -> None:
        """Take in the log-mel, the chroma and the low share of the next frames, side by side."""
        self._held.append(values)
        if sum(map(len, self._held)) >= HELD_FRAMES:
            held = np.concatenate(self._held)
            cells = self._cells_of(len(held))
            n_closed = int(np.searchsorted(cells, cells[-1]))  # the last cell may get more frames
            self._close(cells[:n_closed], held[:n_closed])
            self._held = [held[n_closed:]]
            self._first_frame += n_closed

    def finish(self) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]:
        held = np.concatenate(self._held)
        self._close(self._cells_of(len(held)), held)
        cells, counts, logmel, chroma, low_share = (np.concatenate(parts) for parts in zip(*self._cells, strict=True))
        # With hops of more than 0.1 s some cells have no frame: they keep the values of the cell before.
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
    """Smallest and largest sample of each cell."""

    def __init__(self, sr: int) -> None:
        self._sr = sr
        self._n_samples = 0
        self._parts: list[tuple[NDArray[np.int64], NDArray[Any], NDArray[Any]]] = []

    def add(self, y: NDArray[Any]) -> None:
        if not len(y):
            return
        start, stop = self._n_samples, self._n_samples + len(y)
        cells = np.arange(start * CELLS_PER_SECOND // self._sr, (stop - 1) * CELLS_PER_SECOND // self._sr + 1)
        edges = np.maximum(-(-cells * self._sr // CELLS_PER_SECOND) - start, 0)  # each cell's first sample, rounded up
        self._parts.append((cells, np.minimum.reduceat(y, edges), np.maximum.reduceat(y, edges)))
        self._n_samples = stop

    def finish(self, n_cells: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Join the parts; cells without samples are silent, and samples beyond the last cell belong to it."""
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

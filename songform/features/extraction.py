"""Extraction of the features, the overview and the semitone spectrum of a song in one pass over its samples.

`describe_audio` returns features and overview at once. `SongExtractor` returns feature rows as soon as they are
complete, so that only a few seconds of the song, its overview (5 MB per hour) and its semitone spectrum (3 MB per hour)
are in memory while the rows are written to a file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from songform.errors import ParameterError
from songform.features.frame_features import FrameExtractor, feature_table
from songform.features.overview import OverviewBuilder
from songform.features.semitone_spectrum import SemitoneSpectrumBuilder
from songform.features.stft import mono_signal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from songform.features.overview import Overview
    from songform.features.semitone_spectrum import SemitoneSpectrum
    from songform.features.stft import SpectrumBlock

__all__ = ["SongExtractor", "describe_audio", "feature_groups", "feature_schema"]


class SongExtractor:
    """Incremental computation of features, overview and semitone spectrum from chunks of any size.

    Parameters
    ----------
    sr : int
        Sampling rate in Hz.
    frame_length, hop_length : int
        Length of a frame, and distance between the centers of consecutive frames, in samples.
    n_mfcc : int
        Number of MFCCs.
    with_semitones : bool
        Whether to compute the semitone spectrum.

    Attributes
    ----------
    columns : tuple of str
        Names of the features.

    Examples
    --------
    >>> extractor = SongExtractor(22050)
    >>> rows = [extractor.push(np.zeros(30_000, np.float32)) for _ in range(3)]
    >>> rows.append(extractor.flush())
    >>> overview, spectrum = extractor.overview(), extractor.semitone_spectrum()
    """

    def __init__(
        self,
        sr: int = 22050,
        *,
        frame_length: int = 2048,
        hop_length: int = 512,
        n_mfcc: int = 13,
        with_semitones: bool = True,
    ) -> None:
        self.sr, self.hop_length = sr, hop_length
        self._frames = FrameExtractor(sr, frame_length=frame_length, hop_length=hop_length, n_mfcc=n_mfcc)
        self._overview = OverviewBuilder(sr, frame_length=frame_length, hop_length=hop_length)
        self._spectrum = SemitoneSpectrumBuilder(sr, hop_length=hop_length) if with_semitones else None
        self.columns = self._frames.columns

    @property
    def n_samples(self) -> int:
        """Number of samples pushed so far."""
        return self._frames.spectra.n_samples

    def push(self, y: NDArray[Any]) -> NDArray[np.float32]:
        """Process a chunk of shape (n_samples,) or (channels, n_samples).

        Returns
        -------
        np.ndarray, shape (n, n_columns)
            Features of the frames that this chunk completes.

        Raises
        ------
        ParameterError
            If the chunk is not a valid signal; see `songform.features.stft.mono_signal`.
        """
        y = mono_signal(y)
        self._overview.add_samples(y)
        if self._spectrum is not None:
            self._spectrum.add_samples(y)
        return self._rows([self._add(block) for block in self._frames.spectra.push(y)])

    def flush(self) -> NDArray[np.float32]:
        """End the song and return the remaining feature rows.

        Raises
        ------
        ParameterError
            If no samples were pushed.
        """
        if not self.n_samples:
            raise ParameterError(
                "the signal must contain at least one sample; check whether the file or the slice of the array is empty"
            )
        rows = [self._add(block) for block in self._frames.spectra.flush()]
        return self._rows([*rows, self._frames.finish()])

    def overview(self) -> Overview:
        """Return the overview of the song; call `flush` first."""
        return self._overview.finish()

    def semitone_spectrum(self) -> SemitoneSpectrum:
        """Return the semitone spectrum of the song; call `flush` first.

        Raises
        ------
        ParameterError
            If the extractor was created with ``with_semitones=False``.
        """
        if self._spectrum is None:
            raise ParameterError(
                "this extractor computes no semitone spectrum, because it was created with with_semitones=False; "
                "create it with with_semitones=True"
            )
        return self._spectrum.finish()

    def _add(self, block: SpectrumBlock) -> NDArray[Any]:
        rises = self._overview.add_spectra(block)
        if self._spectrum is not None:
            self._spectrum.add_rises(rises)
        return self._frames.add(block)

    def _rows(self, parts: list[NDArray[Any]]) -> NDArray[np.float32]:
        return np.concatenate([np.empty((0, len(self.columns)), np.float32), *parts])


def describe_audio(
    blocks: Iterable[NDArray[Any]],
    *,
    sr: int = 22050,
    frame_length: int = 2048,
    hop_length: int = 512,
    n_mfcc: int = 13,
) -> tuple[pd.DataFrame, Overview, int]:
    """Compute the features and the overview of a signal given as blocks of any size.

    `SongExtractor` also computes the semitone spectrum.

    Parameters
    ----------
    blocks : iterable of np.ndarray, each of shape (n_samples,) or (channels, n_samples)
        Consecutive blocks of samples of one song, at the sampling rate `sr`.
    sr, frame_length, hop_length, n_mfcc
        As in `SongExtractor`.

    Returns
    -------
    features : pandas.DataFrame
        One row per frame, bit for bit equal to `songform.features.frame_features.frame_features` of the whole signal.
    overview : Overview
        One row per 0.1 s.
    n_samples : int
        Length of the signal in samples.

    Raises
    ------
    ParameterError
        If there are no samples, or if a block is not a valid signal; see `songform.features.stft.mono_signal`.

    Examples
    --------
    >>> blocks = [np.sin(np.arange(1024 * k, 1024 * (k + 1)) / 20) for k in range(100)]
    >>> features, overview, n_samples = describe_audio(blocks, sr=22050)
    >>> features.shape, len(overview.time_s), n_samples
    ((201, 38), 47, 102400)
    """
    extractor = SongExtractor(sr, frame_length=frame_length, hop_length=hop_length, n_mfcc=n_mfcc, with_semitones=False)
    rows = list(_all_rows(extractor, blocks))
    features = feature_table(rows, extractor.columns, sr=sr, hop_length=hop_length)
    return features, extractor.overview(), extractor.n_samples


def feature_schema(columns: Sequence[str]) -> pa.Schema:
    """Return the schema of feature tables on disk: the time of the frame center in seconds, then the features."""
    return pa.schema([("time_s", pa.float64()), *((column, pa.float32()) for column in columns)])


def feature_groups(extractor: SongExtractor, blocks: Iterable[NDArray[Any]], *, n_rows: int) -> Iterator[pa.Table]:
    """Compute features and yield them in groups of rows, each as soon as it is complete.

    Parameters
    ----------
    extractor : SongExtractor
        An unused extractor. Its `overview` and its `semitone_spectrum` are available after the last group.
    blocks : iterable of np.ndarray
        As in `describe_audio`.
    n_rows : int
        Minimum number of rows in a group, except in the last one. A group ends after the first block with which it
        reaches this number.

    Yields
    ------
    pa.Table
        A group of rows with the schema `feature_schema`.
    """
    start, held, n_held = 0, [], 0
    for rows in _all_rows(extractor, blocks):
        held.append(rows)
        n_held += len(rows)
        if n_held >= n_rows:
            yield _arrow_table(extractor, held, start)
            start, held, n_held = start + n_held, [], 0
    if n_held:
        yield _arrow_table(extractor, held, start)


def _all_rows(extractor: SongExtractor, blocks: Iterable[NDArray[Any]]) -> Iterator[NDArray[np.float32]]:
    for block in blocks:
        yield extractor.push(block)
    yield extractor.flush()


def _arrow_table(extractor: SongExtractor, rows: list[NDArray[np.float32]], start: int) -> pa.Table:
    table = feature_table(rows, extractor.columns, sr=extractor.sr, hop_length=extractor.hop_length, start=start)
    values = table.to_numpy()  # columns are contiguous in memory, so Arrow uses them without a copy
    columns = [table.index.to_numpy(), *values.T]
    return pa.table(columns, schema=feature_schema(extractor.columns))

"""Extraction: the features and the overview of a song, in one pass over its samples.

The samples are heard once and then forgotten. `describe_audio` gives both tables at once; `SongExtractor` gives the
rows as they are finished, so that whoever writes them down holds a few seconds of the song, and the overview: 5 MB an
hour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from songform.errors import ParameterError
from songform.features.frame_features import FrameExtractor, feature_table
from songform.features.overview import OverviewBuilder
from songform.features.stft import mono_signal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from songform.features.overview import Overview
    from songform.features.stft import SpectrumBlock

__all__ = ["SongExtractor", "describe_audio", "feature_groups", "feature_schema"]


class SongExtractor:
    """Describes a song that arrives in chunks of any size.

    Parameters
    ----------
    sr : int
        Sampling rate, in Hz.
    frame_length, hop_length : int
        Samples in a frame, and from one frame's centre to the next.
    n_mfcc : int
        Number of cepstral coefficients.

    Attributes
    ----------
    columns : tuple of str
        The names of the features.

    Examples
    --------
    >>> extractor = SongExtractor(22050)
    >>> rows = [extractor.push(np.zeros(30_000, np.float32)) for _ in range(3)]
    >>> rows.append(extractor.flush())
    >>> overview = extractor.overview()
    """

    def __init__(self, sr: int = 22050, *, frame_length: int = 2048, hop_length: int = 512, n_mfcc: int = 13) -> None:
        self.sr, self.hop_length = sr, hop_length
        self._frames = FrameExtractor(sr, frame_length=frame_length, hop_length=hop_length, n_mfcc=n_mfcc)
        self._overview = OverviewBuilder(sr, frame_length=frame_length, hop_length=hop_length)
        self.columns = self._frames.columns

    @property
    def n_samples(self) -> int:
        """Samples taken in so far."""
        return self._frames.spectra.n_samples

    def push(self, y: NDArray[Any]) -> NDArray[np.float32]:
        """Take in a chunk, of shape (n_samples,) or (channels, n_samples).

        Returns
        -------
        np.ndarray, shape (n, n_columns)
            The features of the frames that it finishes.

        Raises
        ------
        ParameterError
            If the chunk is not finite, or no signal.
        """
        y = mono_signal(y)
        self._overview.add_samples(y)
        return self._rows([self._add(block) for block in self._frames.spectra.push(y)])

    def flush(self) -> NDArray[np.float32]:
        """End the song; give the rows that are left.

        Raises
        ------
        ParameterError
            If there was no sample.
        """
        if not self.n_samples:
            raise ParameterError(
                "the signal must hold at least one sample; the file or the slice it comes from is empty"
            )
        rows = [self._add(block) for block in self._frames.spectra.flush()]
        return self._rows([*rows, self._frames.finish()])

    def overview(self) -> Overview:
        """Give the overview of the song that was ended by `flush`."""
        return self._overview.finish()

    def _add(self, block: SpectrumBlock) -> NDArray[Any]:
        self._overview.add_spectra(block)
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
    """Describe a signal that arrives in blocks of any size.

    Parameters
    ----------
    blocks : iterable of np.ndarray, each of shape (n_samples,) or (channels, n_samples)
        The signal, at the rate `sr`: the samples of a song, one block after the other.
    sr, frame_length, hop_length, n_mfcc
        As in `SongExtractor`.

    Returns
    -------
    features : pandas.DataFrame
        A row a frame: `songform.features.frame_features.frame_features` of the whole signal, bit for bit.
    overview : Overview
        A row every 0.1 s.
    n_samples : int
        Length of the signal.

    Raises
    ------
    ParameterError
        If there is no sample, or a block is not finite.
    """
    extractor = SongExtractor(sr, frame_length=frame_length, hop_length=hop_length, n_mfcc=n_mfcc)
    rows = list(_all_rows(extractor, blocks))
    features = feature_table(rows, extractor.columns, sr=sr, hop_length=hop_length)
    return features, extractor.overview(), extractor.n_samples


def feature_schema(columns: Sequence[str]) -> pa.Schema:
    """Return the columns of a feature table on disk: the frame's centre in seconds, then the features."""
    return pa.schema([("time_s", pa.float64()), *((column, pa.float32()) for column in columns)])


def feature_groups(extractor: SongExtractor, blocks: Iterable[NDArray[Any]], *, n_rows: int) -> Iterator[pa.Table]:
    """Describe a signal, and give its features in groups of rows as soon as each is full.

    Parameters
    ----------
    extractor : SongExtractor
        A fresh one; afterwards it has the overview.
    blocks : iterable of np.ndarray
        As in `describe_audio`.
    n_rows : int
        Rows in a group; a block's last few more, and fewer in the last group.

    Yields
    ------
    pa.Table
        Of `feature_schema`.
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
    values = table.to_numpy()  # column after column in memory, as Arrow wants them: nothing is copied
    columns = [table.index.to_numpy(), *values.T]
    return pa.table(columns, schema=feature_schema(extractor.columns))

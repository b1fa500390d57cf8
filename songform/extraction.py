"""Extraction: the features and the overview of a song, in one pass over its samples.

The samples are heard once and then forgotten: memory holds a block of frames and the two tables, about 8 kB for each
second of the song.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from songform.errors import ParameterError
from songform.features import FrameExtractor, feature_table
from songform.overviewing import OverviewBuilder
from songform.spectra import mono_signal

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd
    from numpy.typing import NDArray

    from songform.overview import Overview

__all__ = ["describe_audio"]


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
    sr : int
        Sampling rate, in Hz.
    frame_length, hop_length : int
        Samples in a frame, and from one frame's centre to the next.
    n_mfcc : int
        Number of cepstral coefficients.

    Returns
    -------
    features : pandas.DataFrame
        A row a frame: `songform.features.frame_features` of the whole signal, bit for bit.
    overview : Overview
        A row every 0.1 s.
    n_samples : int
        Length of the signal.

    Raises
    ------
    ParameterError
        If there is no sample, or a block is not finite.
    """
    extractor = FrameExtractor(sr, frame_length=frame_length, hop_length=hop_length, n_mfcc=n_mfcc)
    overview = OverviewBuilder(sr, frame_length=frame_length, hop_length=hop_length)
    rows = []
    for y in map(mono_signal, blocks):
        overview.add_samples(y)
        for block in extractor.spectra.push(y):
            rows.append(extractor.add(block))
            overview.add_spectra(block)
    if not extractor.spectra.n_samples:
        raise ParameterError("the signal must hold at least one sample; the file or the slice it comes from is empty")
    for block in extractor.spectra.flush():
        rows.append(extractor.add(block))
        overview.add_spectra(block)
    rows.append(extractor.finish())
    features = feature_table(rows, extractor.columns, sr=sr, hop_length=hop_length)
    return features, overview.finish(), extractor.spectra.n_samples

"""Semitone spectrum of a song: what is needed to find its beats, downbeats and sections, one row per 0.2 s.

By default, songform deletes the audio after the features are extracted, and the overview is too coarse to locate beats
and to compare bars. This table holds the rest: the level of each semitone, from frames that are long enough to separate
semitones, and the onset strength in three frequency bands. `SemitoneSpectrumBuilder` computes it in the same pass as
the features. It takes about 1 kB per second.

Conventions
-----------
Let ``hop = round(sr / 5)``. Row ``k`` is at ``time_s = hop * k / sr``, and there are ``1 + n_samples // hop`` rows.

===================  ==========================================================================================
``semitones``        uint8, the levels of 84 semitones from C1 (32.7 Hz) to B7 (3,951 Hz), tuned to A = 440 Hz,
                     in the frame that is centered on ``hop * k``: -100 to 27.5 dB in steps of 0.5 dB
``onset_low``        float32, a list with the onset strength of mel bands 0 to 9 of each frame of 2048 samples
                     whose center is in the samples ``hop * k`` to ``hop * (k + 1) - 1``
``onset_mid``        the same for the mel bands 10 to 39
``onset_high``       the same for the mel bands 40 to 127
===================  ==========================================================================================

The long frames are Hann windows with a length of 0.37 s, rounded to a power of two samples: 8192 at 22,050 Hz. Samples
outside the signal are zero. The level of a semitone is the weighted sum of the magnitudes of the neighboring bins. A
sine with amplitude 1 at the frequency of a semitone has 0 dB there. The weights are triangles in log frequency that
reach to the next semitones. At the bottom, where a bin of 2.7 Hz is wider than a semitone, they reach one bin upward.
Semitones above half the sampling rate have -100 dB.

The concatenated onset lists contain one value per frame of 2048 samples. They equal ``librosa.onset.
onset_strength_multi(S=mel_db, channels=[0, 10, 40, 128], center=False)``, where mel_db are the 128 mel bands in dB
without `top_db`. A row covers two cells of the overview if `sr` is a multiple of 10.

References
----------
`librosa.onset.onset_strength_multi`; `librosa.cqt` has the same 84 semitones.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import scipy.fft

from songform.errors import ParameterError
from songform.features.filters import Filterbank, fft_frequencies, hann_window
from songform.features.overview import dequantised, quantised
from songform.features.stft import Framer, decibels, sliding_frames

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "N_SEMITONES",
    "ONSET_BANDS",
    "SEMITONE_SPECTRUM_SCHEMA",
    "VERSION",
    "SemitoneSpectrum",
    "SemitoneSpectrumBuilder",
    "semitone_filters",
    "semitone_framing",
    "semitone_frequencies",
]

VERSION = 1  # increase this when the spectrum of the same audio changes; tables on disk are then computed again

N_SEMITONES = 84
C1_HZ = 440.0 * 2 ** (-45 / 12)
FRAME_SECONDS = 0.3715
# Long frames every 0.1 s instead of every 0.2 s did not improve the segmentation of 70 songs (F at 0.5 s 0.53 for both,
# at 3 s 0.63 for both), and took more time than the FFT of all frames of the features. Onsets have a finer resolution.
ROWS_PER_SECOND = 5
BLOCK_FRAMES = 64  # frames filtered at once, so that the overhead of the calls is small
FFT_FRAMES = 16  # frames transformed at once; they fit into the second-level cache of a core

ONSET_BANDS = {"onset_low": (0, 10), "onset_mid": (10, 40), "onset_high": (40, 128)}  # first and last mel band + 1

SEMITONE_SPECTRUM_SCHEMA = pa.schema(
    [
        pa.field("time_s", pa.float64(), nullable=False),
        pa.field("semitones", pa.list_(pa.uint8(), N_SEMITONES), nullable=False),
        *(pa.field(name, pa.list_(pa.float32()), nullable=False) for name in ONSET_BANDS),
    ]
)


@dataclass(frozen=True, eq=False)
class SemitoneSpectrum:
    """The semitone spectrum of one song.

    Attributes
    ----------
    time_s : np.ndarray, shape (n,)
        Center of each long frame, in seconds; float64.
    semitones : np.ndarray, shape (n, 84)
        Levels of the semitones from C1 upward, quantized to uint8; see `semitone_db` for values in dB.
    onset_low, onset_mid, onset_high : np.ndarray, shape (n_frames,)
        Onset strength of each frame of the features in three bands, in dB.
    frame_counts : np.ndarray, shape (n,)
        Number of frames of the features whose center is in each row; the sum is n_frames.
    """

    time_s: NDArray[np.float64]
    semitones: NDArray[np.uint8]
    onset_low: NDArray[np.float32]
    onset_mid: NDArray[np.float32]
    onset_high: NDArray[np.float32]
    frame_counts: NDArray[np.int32]

    def __post_init__(self) -> None:
        for name in ONSET_BANDS:
            n_values = len(getattr(self, name))
            if self.frame_counts.sum() != n_values:
                raise ParameterError(
                    f"a semitone spectrum must have one value of {name} per frame, but its rows contain "
                    f"{self.frame_counts.sum()} frames and there are {n_values} values; check that all columns come "
                    "from the same table"
                )

    def __len__(self) -> int:
        return len(self.time_s)

    @property
    def semitone_db(self) -> NDArray[np.float32]:
        """Levels of the semitones in dB, of shape (n, 84), with an error of at most 0.25 dB."""
        return dequantised(self.semitones)

    def to_table(self) -> pa.Table:
        """Return the semitone spectrum as an Arrow table with the schema `SEMITONE_SPECTRUM_SCHEMA`."""
        offsets = np.concatenate(([0], np.cumsum(self.frame_counts))).astype(np.int32)
        columns = [
            self.time_s,
            pa.FixedSizeListArray.from_arrays(self.semitones.ravel(), N_SEMITONES),
            *(pa.ListArray.from_arrays(offsets, getattr(self, name)) for name in ONSET_BANDS),
        ]
        return pa.table([pa.array(column) for column in columns], schema=SEMITONE_SPECTRUM_SCHEMA)

    @classmethod
    def from_table(cls, table: pa.Table) -> SemitoneSpectrum:
        """Return the semitone spectrum stored in an Arrow table.

        Raises
        ------
        ParameterError
            If a column is missing, or if the columns do not fit together.
        """
        if missing := set(SEMITONE_SPECTRUM_SCHEMA.names) - set(table.column_names):
            raise ParameterError(
                f"this table is not a semitone spectrum; these columns are missing: {', '.join(sorted(missing))}"
            )
        column = {name: table.column(name).combine_chunks() for name in SEMITONE_SPECTRUM_SCHEMA.names}
        return cls(
            time_s=column["time_s"].to_numpy(),
            semitones=column["semitones"].flatten().to_numpy().reshape(-1, N_SEMITONES),
            **{name: column[name].flatten().to_numpy() for name in ONSET_BANDS},
            frame_counts=column["onset_low"].value_lengths().to_numpy(),
        )


def semitone_frequencies() -> NDArray[np.float64]:
    """Return the frequencies of the semitones from C1 to B7 in Hz, of shape (84,)."""
    return C1_HZ * 2 ** (np.arange(N_SEMITONES) / 12)


def semitone_framing(sr: int) -> tuple[int, int]:
    """Return the length of the long frames, and the distance between their centers, in samples."""
    return int(2 ** np.round(np.log2(FRAME_SECONDS * sr))), round(sr / ROWS_PER_SECOND)


def semitone_filters(sr: int, n_fft: int) -> NDArray[np.float64]:
    """Return the weights of the bins of a Hann-windowed FFT in each semitone.

    Returns
    -------
    np.ndarray, shape (84, n_bins)
        Weights of the bins from 0 Hz to the last one that has a weight; 0 for semitones above ``sr / 2``.
    """
    center, bin_hz = semitone_frequencies()[:, None], sr / n_fft
    f = fft_frequencies(sr, n_fft)
    f = f[f < center[-1] * 2 ** (1 / 12)]
    distance = np.abs(12 * (np.log2(np.maximum(f, bin_hz / 2)) - np.log2(center)))  # in semitones
    reach = np.maximum(1, 12 * np.log2(1 + bin_hz / center))
    filters: NDArray[np.float64] = np.maximum(0, 1 - distance / reach) * (center < sr / 2)
    semitone, used = np.nonzero(filters)  # few bins, so that short songs do not wait for the weights of the others
    weights = filters[semitone, used]
    heard = weights * _hann_response((f[used] - center[semitone, 0]) / bin_hz) * n_fft / 4
    filters[semitone, used] = weights / np.bincount(semitone, heard)[semitone]
    return filters


class SemitoneSpectrumBuilder:
    """Incremental computation of the semitone spectrum of a song.

    Parameters
    ----------
    sr : int
        Sampling rate in Hz.
    hop_length : int
        Distance between the centers of the frames of the features, in samples.
    """

    def __init__(self, sr: int = 22050, *, hop_length: int = 512) -> None:
        self._sr, self._hop_length = sr, hop_length
        self._levels = _SemitoneLevels(sr)
        self._onset = _BandOnsets()
        self._spectrum: SemitoneSpectrum | None = None

    def add_samples(self, y: NDArray[Any]) -> None:
        """Add a chunk of the mono signal, of shape (n_samples,)."""
        self._levels.add(y)

    def add_rises(self, rises: NDArray[Any]) -> None:
        """Add the rises of the mel bands of the next frames, the return value of `OverviewBuilder.add_spectra`."""
        self._onset.add(rises)

    def finish(self) -> SemitoneSpectrum:
        """End the song and return its semitone spectrum; later calls return the same one."""
        if self._spectrum is None:
            self._spectrum = self._finished()
        return self._spectrum

    def _finished(self) -> SemitoneSpectrum:
        semitones, onset = self._levels.finish(), self._onset.finish()
        hop, n_rows = self._levels.hop_length, len(semitones)
        row = np.arange(len(onset)) * self._hop_length // hop
        return SemitoneSpectrum(
            time_s=np.arange(n_rows) * hop / self._sr,
            semitones=semitones,
            **{name: np.ascontiguousarray(onset[:, n]) for n, name in enumerate(ONSET_BANDS)},
            frame_counts=np.bincount(row, minlength=n_rows).astype(np.int32),
        )


class _SemitoneLevels:
    """Levels of the semitones, from blocks of long frames."""

    def __init__(self, sr: int) -> None:
        n_fft, self.hop_length = semitone_framing(sr)
        self._framer = Framer(frame_length=n_fft, hop_length=self.hop_length, block_frames=BLOCK_FRAMES)
        self._window = hann_window(n_fft).astype(np.float32)
        self._filterbank, n_bins = _semitone_filterbank(sr, n_fft)
        # These arrays are reused for every block, so that no memory is allocated for them.
        self._windowed = np.empty((FFT_FRAMES, n_fft), np.float32)
        self._magnitude = np.empty((BLOCK_FRAMES, n_bins), np.float32)
        self._rows: list[NDArray[np.uint8]] = []

    def add(self, y: NDArray[Any]) -> None:
        self._rows += map(self._levels, self._framer.push(y))

    def finish(self) -> NDArray[np.uint8]:
        return np.concatenate([*self._rows, *map(self._levels, self._framer.flush())])

    def _levels(self, samples: NDArray[np.float32]) -> NDArray[np.uint8]:
        frames = sliding_frames(samples, self._framer.frame_length, self.hop_length)
        magnitude = self._magnitude[: len(frames)]
        for first in range(0, len(frames), FFT_FRAMES):
            part = slice(first, first + FFT_FRAMES)
            windowed = np.multiply(frames[part], self._window, out=self._windowed[: len(frames[part])])
            spectra = scipy.fft.rfft(windowed, axis=1, overwrite_x=True)
            np.abs(spectra[:, : magnitude.shape[1]], out=magnitude[part])
        return quantised(decibels(np.square(self._filterbank(magnitude))))


class _BandOnsets:
    """Onset strength in bands: mean rise of the mel bands of each band since the previous frame."""

    def __init__(self) -> None:
        weights = np.zeros((len(ONSET_BANDS), max(stop for _, stop in ONSET_BANDS.values())))
        for row, (start, stop) in zip(weights, ONSET_BANDS.values(), strict=True):
            row[start:stop] = 1 / (stop - start)
        self._means = Filterbank(weights)
        self._parts: list[NDArray[np.float32]] = []

    def add(self, rises: NDArray[Any]) -> None:
        self._parts.append(self._means(rises))

    def finish(self) -> NDArray[np.float32]:
        return np.concatenate(self._parts)


@lru_cache(maxsize=4)  # a worker extracts many songs with the same filters
def _semitone_filterbank(sr: int, n_fft: int) -> tuple[Filterbank, int]:
    """Return the filter bank of the semitones, and the number of bins that it reads."""
    filters = semitone_filters(sr, n_fft)
    return Filterbank(filters, group=12), filters.shape[1]


def _hann_response(bins: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the magnitude of a sine in a Hann-windowed FFT at a distance of some bins; 1 at its own frequency."""
    return np.abs(np.sinc(bins) + 0.5 * np.sinc(bins - 1) + 0.5 * np.sinc(bins + 1))

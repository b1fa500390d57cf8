"""Semitone spectrum of a song: what is needed to find its beats, downbeats and sections, one row per 0.1 s.

By default, songform deletes the audio after the features are extracted, and the overview is too coarse to locate beats
and to compare bars. This table holds the rest: the level of each semitone, from frames that are long enough to separate
semitones, and the onset strength in three frequency bands. `SemitoneSpectrumBuilder` computes it in the same pass as
the features. It takes about 1.5 kB per second.

Conventions
-----------
Let ``hop = round(sr / 10)``. Row ``k`` is at ``time_s = hop * k / sr``, and there are ``1 + n_samples // hop`` rows.

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
without `top_db`. The cells of the overview begin at the same samples if `sr` is a multiple of 10.

References
----------
`librosa.onset.onset_strength_multi`; `librosa.cqt` has the same 84 semitones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import scipy.fft

from songform.errors import ParameterError
from songform.features.decimation import PASS_BAND, HalfRate, half_rate_response
from songform.features.filters import Filterbank, fft_frequencies
from songform.features.overview import dequantised, quantised
from songform.features.stft import Framer, decibels, sliding_frames

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from songform.features.stft import SpectrumBlock

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
ROWS_PER_SECOND = 10
BLOCK_FRAMES = 64  # frames transformed at once, so that the overhead of the calls is small

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
    distance = np.abs(12 * np.log2(np.maximum(f, bin_hz / 2) / center))  # in semitones
    reach = np.maximum(1, 12 * np.log2(1 + bin_hz / center))
    filters = np.maximum(0, 1 - distance / reach) * (center < sr / 2)
    response = (filters * _hann_response((f - center) / bin_hz)).sum(axis=1, keepdims=True) * n_fft / 4
    scaled: NDArray[np.float64] = filters / np.where(response > 0, response, 1)
    return scaled


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

    def add_samples(self, y: NDArray[Any]) -> None:
        """Add a chunk of the mono signal, of shape (n_samples,)."""
        self._levels.add(y)

    def add_spectra(self, block: SpectrumBlock) -> None:
        """Add the next block of spectra of the features."""
        self._onset.add(block.mel_db)

    def finish(self) -> SemitoneSpectrum:
        """End the song and return its semitone spectrum."""
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
    """Levels of the semitones, from blocks of long frames.

    Before the FFT, the samples are decimated to the lowest rate at which the highest semitone is in the pass band. This
    makes the FFT shorter. Its bins keep their frequencies, because the duration of a frame does not change.
    """

    def __init__(self, sr: int) -> None:
        n_fft, self.hop_length = semitone_framing(sr)
        filters = semitone_filters(sr, n_fft)
        self._framer = Framer(frame_length=n_fft, hop_length=self.hop_length, block_frames=BLOCK_FRAMES)
        f = np.arange(filters.shape[1]) / n_fft  # of each bin, relative to the sampling rate
        n_samples = (BLOCK_FRAMES - 1) * self.hop_length + n_fft
        self._factor, self._halvings, gain = 1, [], np.ones_like(f)
        while self._factor * f[-1] <= PASS_BAND:
            gain *= half_rate_response(self._factor * f)
            self._halvings.append(HalfRate(-(-n_samples // self._factor)))
            self._factor *= 2
        self._windows = _shifted_windows(n_fft, self.hop_length, self._factor)
        self._filterbank = Filterbank(filters * self._factor / gain, group=12)
        self._windowed = np.empty((BLOCK_FRAMES, n_fft // self._factor), np.float32)
        self._magnitude = np.empty((BLOCK_FRAMES, len(f)), np.float32)
        self._rows: list[NDArray[np.uint8]] = []

    def add(self, y: NDArray[Any]) -> None:
        self._rows += map(self._levels, self._framer.push(y))

    def finish(self) -> NDArray[np.uint8]:
        return np.concatenate([*self._rows, *map(self._levels, self._framer.flush())])

    def _levels(self, samples: NDArray[np.float32]) -> NDArray[np.uint8]:
        n = 1 + (len(samples) - self._framer.frame_length) // self.hop_length
        spectra = scipy.fft.rfft(self._windowed_frames(samples, n), axis=1, overwrite_x=True)
        magnitude = np.abs(spectra[:, : self._magnitude.shape[1]], out=self._magnitude[:n])
        return quantised(decibels(np.square(self._filterbank(magnitude))))

    def _windowed_frames(self, samples: NDArray[np.float32], n: int) -> NDArray[np.float32]:
        factor, windowed = self._factor, self._windowed
        for halve in self._halvings:
            samples = halve(samples)
        # A frame may begin between two samples of the lower rate. Every factor-th frame has the same position.
        for first, window in enumerate(self._windows[:n]):
            start = first * self.hop_length // factor
            frames = sliding_frames(samples[start:], windowed.shape[1], self.hop_length)
            rows = windowed[first:n:factor]
            np.multiply(frames[: len(rows)], window, out=rows)
        return windowed[:n]


class _BandOnsets:
    """Onset strength in bands: mean rise of the mel bands of each band since the previous frame."""

    def __init__(self) -> None:
        weights = np.zeros((len(ONSET_BANDS), max(stop for _, stop in ONSET_BANDS.values())))
        for row, (start, stop) in zip(weights, ONSET_BANDS.values(), strict=True):
            row[start:stop] = 1 / (stop - start)
        self._means = Filterbank(weights)
        self._parts: list[NDArray[np.float32]] = []
        self._last: NDArray[Any] | None = None

    def add(self, mel_db: NDArray[Any]) -> None:
        first = mel_db[:1] if self._last is None else self._last
        rises = mel_db - np.concatenate([first, mel_db[:-1]])
        self._parts.append(self._means(np.maximum(rises, 0, out=rises)))
        self._last = mel_db[-1:]

    def finish(self) -> NDArray[np.float32]:
        return np.concatenate(self._parts)


def _shifted_windows(n_fft: int, hop_length: int, factor: int) -> NDArray[np.float32]:
    """Return the Hann windows of `factor` consecutive frames at the samples of the lower rate.

    The window of frame j is shifted by the distance from its beginning to the sample at or before it.
    """
    shift = np.arange(factor)[:, None] * hop_length % factor
    offset = np.arange(n_fft // factor) * factor - shift
    return (0.5 - 0.5 * np.cos(2 * np.pi * offset / n_fft)).astype(np.float32)


def _hann_response(bins: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the magnitude of a sine in a Hann-windowed FFT at a distance of some bins; 1 at its own frequency."""
    return np.abs(np.sinc(bins) + 0.5 * np.sinc(bins - 1) + 0.5 * np.sinc(bins + 1))

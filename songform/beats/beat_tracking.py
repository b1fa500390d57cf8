"""Beats and bars of a song, from its stored tables.

`find_beats` measures the rate of the tatum (`songform.beats.pulse`), locates the tatums (`songform.beats.tatums`),
describes them (`songform.beats.tatum_features`), and has a network estimate the probabilities that a tatum is a beat or
a downbeat. `songform.beats.bar_positions` then finds the most probable bars.

Conventions
-----------
Times are in seconds. A position is 1 at a downbeat, 2 at the next beat of the bar, and so on.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from songform.beats.bar_positions import METRES, BarPath, bar_path
from songform.beats.pulse import loud_onsets, onset_rises, pulse_rate
from songform.beats.tatum_features import Tatums, describe_tatums, tatum_features
from songform.beats.tatums import tatum_times
from songform.errors import ParameterError
from songform.learning.temporal_network import Ensemble

if TYPE_CHECKING:
    import pandas as pd

    from songform.features.overview import Overview
    from songform.features.semitone_spectrum import SemitoneSpectrum

__all__ = [
    "BEATS_SCHEMA",
    "FRAME_RATE",
    "NO_BEATS",
    "VERSION",
    "Beats",
    "beat_network",
    "beats_of",
    "find_beats",
    "tatums_of",
]

VERSION = 2  # increase this when the beats of the same tables change

Array = NDArray[np.float64]

FRAME_RATE = 22050 / 512  # frames per second with the default settings
LEAST_SECONDS = 6.0
"""Length of the sound below which a song has no beats: fewer would fit into it than a tempo needs."""

LEAST_STRENGTH = 9.2
"""Median strength of the pulse below which a song has no regular beat: noise has 3 to 6, irregular clicks up to 9."""

QUIETEST = 3e-3
"""RMS relative to the loudest frame (-50 dB), below which the start and the end of a song are silent."""

LEAST_VARIATION = 0.2
"""Range of the level in dB below which a sound, such as a hum, has no onsets; its spectrum varies by rounding only."""

LEAST_CONFIDENCE = 0.3

TEMPO_BEATS = 8  # a single interval is only known to 6 ms, which is 1 % at 120 beats per minute

LEAST_MARGIN = 1.5
"""Log-likelihood per bar by which a metre must exceed the other one; below it, the metre is unsure.

Music has 2 to 10. Where all beats are downbeats with the same probability of 1/4, the margin of 4/4 is 0.4, because
its bars have fewer downbeats.
"""


BEATS_SCHEMA = pa.schema(
    [
        pa.field("time_s", pa.float64(), nullable=False),
        pa.field("position", pa.int8(), nullable=False),
        pa.field("tempo", pa.float64(), nullable=False),
        pa.field("metre", pa.int8(), nullable=False),
        pa.field("is_metre_sure", pa.bool_(), nullable=False),
        pa.field("confidence", pa.float64(), nullable=False),
    ]
)
"""Columns of the table of beats, one row per beat. The last four are the same in each row."""


@dataclass(frozen=True, eq=False)
class Beats:
    """Beats of a song.

    Attributes
    ----------
    times : np.ndarray, shape (n_beats,)
        Times of the beats, in seconds; empty if the song has no regular beat.
    positions : np.ndarray, shape (n_beats,)
        Position of each beat in its bar, from 1.
    tempo : float or None
        Median tempo over eight beats, in beats per minute; None without beats.
    metre : int or None
        Beats per bar, 3 or 4; None without beats.
    is_metre_sure : bool
        Whether the other metre is clearly less probable.
    confidence : float
        Mean probability of the beats, from 0 to 1; 0 without beats.
    """

    times: NDArray[np.float64]
    positions: NDArray[np.intp]
    tempo: float | None
    metre: int | None
    is_metre_sure: bool
    confidence: float

    @property
    def downbeats(self) -> NDArray[np.float64]:
        """Times of the downbeats, in seconds."""
        downbeats: NDArray[np.float64] = self.times[self.positions == 1]
        return downbeats

    def to_table(self) -> pa.Table:
        """Return the beats as an Arrow table with the schema `BEATS_SCHEMA`, without rows if there are no beats."""
        facts = (self.tempo, self.metre, self.is_metre_sure, self.confidence)
        columns = [self.times, self.positions, *([fact] * len(self.times) for fact in facts)]
        return pa.table(
            [pa.array(column, field.type) for column, field in zip(columns, BEATS_SCHEMA, strict=True)],
            schema=BEATS_SCHEMA,
        )

    @classmethod
    def from_table(cls, table: pa.Table) -> Beats:
        """Return the beats stored in an Arrow table.

        Raises
        ------
        ParameterError
            If the table is not one of `to_table`.
        """
        if missing := set(BEATS_SCHEMA.names) - set(table.column_names):
            raise ParameterError(f"this is not a table of beats; it has no column {min(missing)}")
        table = table.select(BEATS_SCHEMA.names)
        if table.schema.types != BEATS_SCHEMA.types:
            raise ParameterError("this is not a table of beats; its columns have other types")
        if any(column.null_count for column in table.columns):
            raise ParameterError("this is not a table of beats; some of its values are missing")
        times, positions, *facts = (table.column(name).to_numpy() for name in BEATS_SCHEMA.names)
        if not (np.isfinite(times).all() and (np.diff(times) > 0).all() and (positions > 0).all()):
            raise ParameterError(
                "this is not a table of beats; its times do not increase, or a position is not positive"
            )
        if not len(times):
            return NO_BEATS
        tempo, metre, is_sure, confidence = (column[0].item() for column in facts)
        return cls(times, positions.astype(np.intp), tempo, metre, is_metre_sure=is_sure, confidence=confidence)


NO_BEATS = Beats(np.empty(0), np.empty(0, np.intp), None, None, is_metre_sure=False, confidence=0.0)


def find_beats(
    features: pd.DataFrame, overview: Overview, spectrum: SemitoneSpectrum, *, sr: int = 22050, hop_length: int = 512
) -> Beats:
    """Find the beats and bars of a song.

    Parameters
    ----------
    features, overview, spectrum
        Tables of the song.
    sr, hop_length : int
        Sampling rate in Hz, and distance between the frames of the features in samples.

    Returns
    -------
    Beats
        Without beats if the song is shorter than 6 s or has no regular pulse. Silence at the start and at the end of
        the song has no beats and is not part of its length.

    Examples
    --------
    >>> from songform import SongExtractor, compose
    >>> from songform.features.frame_features import feature_table
    >>> song = compose(seed=3, duration=40)
    >>> extractor = SongExtractor(song.sr)
    >>> features = feature_table([extractor.push(song.y), extractor.flush()], extractor.columns)
    >>> beats = find_beats(features, extractor.overview(), extractor.semitone_spectrum())
    >>> bool(abs(beats.tempo / song.traits.bpm - 1) < 0.02), beats.metre == song.traits.beats
    (True, True)
    """
    found = tatums_of(features, overview, spectrum, frame_rate=sr / hop_length)
    beats = NO_BEATS if found is None else beats_of(*found, beat_network())
    return beats if beats.confidence >= LEAST_CONFIDENCE else NO_BEATS


def beats_of(times: Array, tatums: Tatums, network: Ensemble) -> Beats:
    """Find the beats and bars among the tatums of a song.

    Parameters
    ----------
    times : np.ndarray, shape (n_tatums,)
        Times of the tatums in seconds.
    tatums : Tatums
        Their description.
    network : Ensemble
        Networks whose three outputs are unscaled log-probabilities that a tatum is no beat, a beat, or a downbeat.
    """
    log_probability = _log_softmax(network(tatum_features(tatums)))
    return _beats(times, log_probability, 60 / float(np.median(tatums.seconds)))


def tatums_of(
    features: pd.DataFrame, overview: Overview, spectrum: SemitoneSpectrum, *, frame_rate: float
) -> tuple[Array, Tatums] | None:
    """Return the times of the tatums in seconds and their description, or None without a regular pulse.

    Parameters
    ----------
    features, overview, spectrum
        Tables of the song.
    frame_rate : float
        Frames per second.
    """
    rms = features["rms_mean"].to_numpy()
    first, stop = _audible(rms)
    if stop - first < LEAST_SECONDS * frame_rate or _level_range(rms[first:stop]) < LEAST_VARIATION:
        return None
    onset = loud_onsets(overview.onset[first:stop], rms[first:stop])
    pulse = pulse_rate(onset_rises(onset, frame_rate=frame_rate), frame_rate=frame_rate)
    if np.median(pulse.strength) < LEAST_STRENGTH:
        return None
    times = first + tatum_times(onset, pulse.periods(len(onset), frame_rate))
    tatums = describe_tatums(times, features, overview, spectrum, frame_rate=frame_rate)
    return times / frame_rate, tatums


@cache
def beat_network() -> Ensemble:
    """Return the network that is part of the package, as an ensemble of one."""
    with (files("songform.beats") / "beat_network.npz").open("rb") as file, np.load(file) as stored:
        return Ensemble.from_arrays(dict(stored))


def _audible(rms: NDArray[Any]) -> tuple[int, int]:
    """Return the first frame that is not silent, and the one after the last."""
    audible = np.flatnonzero(rms > QUIETEST * rms.max())
    return (int(audible[0]), int(audible[-1]) + 1) if len(audible) else (0, 0)


def _level_range(rms: NDArray[Any]) -> float:
    """Return the range of the level in dB, without the highest and the lowest 5 %."""
    low, high = np.percentile(rms, (5, 95))
    return float(20 * np.log10((high + 1e-9) / (low + 1e-9)))


def _beats(times: Array, log_probability: NDArray[Any], rate: float) -> Beats:
    path = bar_path(log_probability, rate)
    is_beat = path.position % path.tatums_per_beat == 0
    if is_beat.sum() < 2:
        return NO_BEATS
    metre = int(np.median(path.metre))
    return Beats(
        times=times[is_beat],
        positions=1 + path.position[is_beat] // path.tatums_per_beat[is_beat],
        tempo=_tempo(times[is_beat]),
        metre=metre,
        is_metre_sure=_margin(path, metre, log_probability, rate) > LEAST_MARGIN,
        confidence=float(1 - np.exp(log_probability[is_beat, 0]).mean()),
    )


def _tempo(beats: Array) -> float:
    n = min(TEMPO_BEATS, len(beats) - 1)
    return 60 * n / float(np.median(beats[n:] - beats[:-n]))


def _margin(path: BarPath, metre: int, log_probability: NDArray[Any], rate: float) -> float:
    """Return by how much the log-likelihood per bar exceeds that of the other metre."""
    others = [other for other in METRES if other != metre]
    n_bars = max(1, int((path.position == 0).sum()))
    return (path.score - bar_path(log_probability, rate, metres=others).score) / n_bars


def _log_softmax(x: NDArray[Any]) -> NDArray[np.float64]:
    x = x - x.max(axis=1, keepdims=True)
    log_probability: NDArray[np.float64] = x - np.log(np.exp(x).sum(axis=1, keepdims=True))
    return log_probability

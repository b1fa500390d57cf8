"""Examples from which the beat network learns: the features of the tatums of a song, and which of them are beats.

Most songs are in 4/4. A 3/4 version of each of them is made by leaving out the tatums of one beat of each bar, so that
as many examples have three beats per bar as four. Few songs have triplets. Versions with three tatums per beat are made
from songs with four, by leaving out one of them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from songform.beats.beat_tracking import FRAME_RATE, tatums_of
from songform.beats.tatum_features import Tatums, tatum_features
from songform.learning.temporal_training import Example
from training.labeled_songs import LabeledSong, TrueBeats

__all__ = ["TatumSong", "beat_example", "tatum_song", "triplet_example", "waltz_example"]

NEAR_SECONDS = 0.06  # a tatum is a beat if it is at most this far from one
UNKNOWN_SECONDS = 1.5  # tatums within this time of a beat that is far from all tatums are not used for training
UNHEARD_DOWNBEAT = (0.0, 0.75, 0.25)  # target of a beat if the downbeats cannot be heard
LEAST_TATUMS, LEAST_BARS = 60, 5  # of a waltz
LEAST_SHARE = 0.75  # of the beats of a song that have four tatums


@dataclass(frozen=True, eq=False)
class TatumSong:
    """Tatums of a song, and what each of them is.

    Attributes
    ----------
    name : str
        Name of the song.
    tatums : Tatums
        Description of the tatums.
    times : np.ndarray, shape (n,)
        Times of the tatums in seconds.
    kinds : np.ndarray, shape (n,)
        0 for no beat, 1 for a beat and 2 for a downbeat.
    is_known : np.ndarray, shape (n,)
        Whether a tatum is where the beats of the song are known and near tatums.
    beats : TrueBeats
        The beats.
    """

    name: str
    tatums: Tatums
    times: NDArray[np.float64]
    kinds: NDArray[np.intp]
    is_known: NDArray[np.bool_]
    beats: TrueBeats


def tatum_song(song: LabeledSong) -> TatumSong | None:
    """Return the tatums of a song with known beats, or None if it has no pulse or no beats."""
    beats, found = song.beats, tatums_of(song.features, song.overview, song.spectrum, frame_rate=FRAME_RATE)
    if beats is None or found is None:
        return None
    times, tatums = found
    kinds, is_known = _labels(times, beats)
    return TatumSong(song.name, tatums, times, kinds, is_known, beats)


def beat_example(song: TatumSong) -> Example:
    """Return the example of a song."""
    return _example(song.tatums, song)


def waltz_example(song: TatumSong, without: int) -> Example | None:
    """Return the example of a song without one beat of each bar, or None if it has too few bars of four beats.

    Parameters
    ----------
    song : TatumSong
        A song in 4/4.
    without : int
        Beat of the bar to leave out: 2, 3 or 4.
    """
    is_beat = song.kinds > 0
    n_beats = np.cumsum(is_beat)
    last_downbeat = np.maximum.accumulate(np.where(song.kinds == 2, np.arange(len(is_beat)), -1))
    position = np.where(last_downbeat >= 0, n_beats - n_beats[last_downbeat] + 1, 0)
    is_kept = (position != without) & (position <= 4)
    if is_kept.sum() < LEAST_TATUMS or (song.kinds == 2).sum() < LEAST_BARS or song.beats.positions.max() != 4:
        return None
    return _example(_selected(song.tatums, is_kept), _selected(song, is_kept))


def triplet_example(song: TatumSong, without: int) -> Example | None:
    """Return the example of a song without one tatum of each beat, or None if few of its beats have four tatums.

    Parameters
    ----------
    song : TatumSong
        A song with four tatums per beat, such as a slow one in sixteenth notes.
    without : int
        Tatum of the beat to leave out: 2, 3 or 4.
    """
    place = np.arange(len(song.kinds)) - np.maximum.accumulate(np.where(song.kinds > 0, np.arange(len(song.kinds)), 0))
    n_tatums = np.diff(np.flatnonzero(song.kinds > 0))
    if len(n_tatums) < LEAST_TATUMS / 4 or np.mean(n_tatums == 4) < LEAST_SHARE:
        return None
    is_kept = place != without - 1
    return _example(_selected(song.tatums, is_kept), _selected(song, is_kept))


def _example(tatums: Tatums, song: Any) -> Example:
    targets = np.eye(3, dtype=np.float32)[song.kinds]
    if not song.beats.has_accents:
        targets[song.kinds > 0] = UNHEARD_DOWNBEAT
    return Example(tatum_features(tatums), targets, song.is_known.astype(np.float32))


def _selected(record: Any, rows: NDArray[np.bool_]) -> Any:
    """Return a copy of a record with some rows of its arrays."""
    values = {field.name: getattr(record, field.name) for field in fields(record)}
    return type(record)(
        **{name: value[rows] if isinstance(value, np.ndarray) else value for name, value in values.items()}
    )


def _labels(times: NDArray[np.float64], beats: TrueBeats) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return what each tatum is, and whether that is known."""
    kinds, is_known = np.zeros(len(times), np.intp), np.ones(len(times), np.bool_)
    nearest = np.abs(beats.times[:, None] - times).argmin(axis=1)
    is_near = np.abs(beats.times - times[nearest]) < NEAR_SECONDS
    kinds[nearest[is_near]] = np.where(beats.positions[is_near] == 1, 2, 1)
    for time in beats.times[~is_near]:
        is_known[np.abs(times - time) < UNKNOWN_SECONDS] = False
    is_known[(times < beats.times[0] - 0.5) | (times > beats.times[-1] + 0.5)] = False
    return kinds, is_known

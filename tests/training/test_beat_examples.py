"""Examples for the beat network: which tatums are beats, and bars of three beats made of bars of four."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from songform.beats.tatum_features import N_FEATURES, Tatums
from training.beat_examples import (
    UNHEARD_DOWNBEAT,
    TatumSong,
    _labels,
    beat_example,
    tatum_song,
    triplet_example,
    waltz_example,
)
from training.click_tracks import click_tracks
from training.labeled_songs import TrueBeats


def made_song(metre=4, n_bars=14, *, has_accents=True, first=0, n_tatums=2):
    """Return a song with some tatums per beat, whose loudness is the number of the tatum."""
    between = [0] * (n_tatums - 1)
    kinds = np.array(([2, *between] + [1, *between] * (metre - 1)) * n_bars)[first:]
    n = len(kinds)
    times = 0.25 * np.arange(n)
    tatums = Tatums(np.ones((n, 4)), np.ones((n, 84)), np.zeros((n, 13)), np.arange(n, dtype=float), np.full(n, 0.25))
    positions = (np.arange(n // n_tatums) + first // n_tatums) % metre + 1
    beats = TrueBeats(times[::n_tatums], positions, has_accents)
    return TatumSong("made", tatums, times, kinds, np.ones(n, np.bool_), beats)


def test_targets_are_what_the_tatums_are():
    example = beat_example(made_song())
    assert example.inputs.shape == (112, N_FEATURES)
    np.testing.assert_array_equal(example.targets.argmax(axis=1), made_song().kinds)
    np.testing.assert_array_equal(example.targets.sum(axis=1), 1)
    np.testing.assert_array_equal(example.weights, 1)


def test_beats_without_accents_may_be_downbeats():
    song = made_song(has_accents=False)
    targets = beat_example(song).targets
    np.testing.assert_array_equal(targets[song.kinds == 0], np.tile([1.0, 0.0, 0.0], (56, 1)))
    np.testing.assert_allclose(targets[song.kinds > 0], np.tile(UNHEARD_DOWNBEAT, (56, 1)))


@pytest.mark.parametrize("without", [2, 3, 4])
def test_a_waltz_lacks_the_tatums_of_one_beat_of_each_bar(without):
    song = made_song()
    waltz = waltz_example(song, without)
    kinds = waltz.targets.argmax(axis=1)
    np.testing.assert_array_equal(kinds, [2, 0, 1, 0, 1, 0] * 14)
    tatum = np.arange(112)
    loudness = np.delete(tatum, np.flatnonzero(tatum % 8 // 2 + 1 == without)).astype(float)
    order = np.argsort(np.argsort(waltz.inputs[:, 19]))  # the standardized loudness
    np.testing.assert_array_equal(order, np.argsort(np.argsort(loudness)))
    assert len(waltz.inputs) == len(waltz.weights) == 84


def test_tatums_before_the_first_downbeat_are_kept():
    song = made_song(first=4)  # the song begins with the third beat of a bar
    kinds = waltz_example(song, 3).targets.argmax(axis=1)
    np.testing.assert_array_equal(kinds, [1, 0, 1, 0] + [2, 0, 1, 0, 1, 0] * 13)


def test_songs_in_three_or_of_few_bars_have_no_waltz():
    assert waltz_example(made_song(metre=3), 2) is None
    assert waltz_example(made_song(n_bars=4), 2) is None
    assert waltz_example(made_song(n_bars=9), 2) is None  # 54 tatums are left


@pytest.mark.parametrize("without", [2, 3, 4])
def test_triplets_lack_one_tatum_of_each_beat(without):
    triplets = triplet_example(made_song(n_bars=6, n_tatums=4), without)
    kinds = triplets.targets.argmax(axis=1)
    np.testing.assert_array_equal(kinds, ([2, 0, 0] + [1, 0, 0] * 3) * 6)
    kept = np.array([place for place in range(96) if place % 4 != without - 1])
    order = np.argsort(np.argsort(triplets.inputs[:, 19]))  # the standardized loudness
    np.testing.assert_array_equal(order, np.argsort(np.argsort(kept)))


def test_songs_of_two_tatums_per_beat_or_few_beats_have_no_triplets():
    assert triplet_example(made_song(), 2) is None
    assert triplet_example(made_song(n_bars=3, n_tatums=4), 2) is None


def test_tatums_are_labeled_by_the_nearest_beat_and_unknown_where_no_tatum_is_near():
    times = 0.25 * np.arange(80)
    beats = TrueBeats(np.r_[1.02, 1.5, 2.0, 2.5, 3.0, np.arange(10.12, 12, 0.5)], np.array([1, 2, 3, 4, 1, 1, 2, 3, 4]))
    kinds, is_known = _labels(times, beats)
    assert np.flatnonzero(kinds).tolist() == [4, 6, 8, 10, 12]  # the later beats are between the tatums
    assert np.flatnonzero(kinds == 2).tolist() == [4, 12]
    assert not is_known[times < 0.5].any()  # before the first beat
    assert is_known[(times >= 0.75) & (times <= 8.5)].all()
    assert not is_known[times > 8.75].any()


def test_a_click_track_gives_an_example_whose_downbeats_are_those_of_the_track():
    *_, track = click_tracks(3, seed=3)
    song = tatum_song(track)
    downbeats = song.times[song.kinds == 2]
    distance = np.abs(track.beats.downbeats[:, None] - downbeats).min(axis=1)
    assert np.mean(distance < 0.07) > 0.9
    assert beat_example(song).targets.shape == (len(song.times), 3)


def test_a_song_without_known_beats_gives_no_example():
    track = next(click_tracks(1, seed=4))
    assert tatum_song(replace(track, beats=None)) is None

"""Click tracks and composed songs for training: reproducible, and with beats where the clicks are."""

from __future__ import annotations

import numpy as np

from songform.synth import compose
from training import click_tracks as module
from training.click_tracks import click_tracks, composed_songs, described
from training.labeled_songs import TrueBeats


def test_the_same_seed_gives_the_same_click_tracks_however_many_there_are():
    one, two = list(click_tracks(1, seed=5)), list(click_tracks(2, seed=5))
    other = next(click_tracks(1, seed=6))
    assert [song.name for song in two] == ["click track 0", "click track 1"]
    np.testing.assert_array_equal(one[0].beats.times, two[0].beats.times)
    np.testing.assert_array_equal(one[0].features, two[0].features)
    np.testing.assert_array_equal(one[0].spectrum.semitones, two[0].spectrum.semitones)
    assert not np.array_equal(one[0].beats.times, two[1].beats.times)
    assert not np.array_equal(one[0].beats.times, other.beats.times)


def test_beats_are_within_the_track_and_their_positions_count_through_the_bar():
    for song in click_tracks(6, seed=0):
        times, positions = song.beats.times, song.beats.positions
        assert 30 <= song.duration <= 75
        assert np.all(np.diff(times) > 0)
        assert 0 <= times[0] < times[-1] < song.duration
        metre = positions.max()
        assert metre in (3, 4)
        np.testing.assert_array_equal(positions[1:], positions[:-1] % metre + 1)
        tempo = 60 / np.median(np.diff(times))
        assert 0.8 * module.SLOWEST <= tempo <= 1.25 * module.FASTEST


def test_onsets_are_where_the_beats_are():
    song = next(click_tracks(1, seed=1))
    onset = song.overview.onset
    frames = np.round(song.beats.times * 22050 / 512).astype(int)
    at_beats = np.array([onset[max(0, frame - 2) : frame + 3].max() for frame in frames])
    assert np.mean(at_beats > np.median(onset) + onset.std()) > 0.95


def test_described_tables_cover_the_signal():
    song = described("silence", np.zeros(50_000), TrueBeats(np.array([0.5]), np.array([1])))
    assert song.duration == 50_000 / 22050
    assert len(song.features) == len(song.overview.onset) == 1 + 50_000 // 512
    assert song.people == ()


def test_beats_of_composed_songs_begin_with_a_downbeat(monkeypatch):
    monkeypatch.setattr(module, "compose", lambda seed, duration: compose(seed, duration=duration / 7))
    song = next(composed_songs(1, seed=2))
    assert song.beats.times[0] == 0
    assert song.beats.positions[:5].tolist() == [1, 2, 3, 4, 1]
    assert song.beats.times[-1] <= song.duration

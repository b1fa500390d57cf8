"""Tests of the mixdown: files whose channels cancel out, are silent or have an offset are read with another one."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from songform.audio.mixdown import MEAN, ChannelStatistics, Mixdown, suitable_mixdown
from songform.audio.stream import UnsuitableMeanError, load, open_audio, read_audio
from tests.songform.audio.conftest import FFMPEG

SR = 8000
N = 24 * SR


@pytest.fixture(scope="module")
def song():
    """Return a mono song of 24 s: two tones and noise, with a quiet and a loud half."""
    t = np.arange(N) / SR
    level = np.where(t < 12, 0.05, 0.4)
    noise = np.random.default_rng(0).standard_normal(N)
    return level * (0.5 * np.sin(2 * np.pi * 220 * t) + 0.3 * np.sin(2 * np.pi * 1234.5 * t) + 0.1 * noise)


@pytest.fixture
def read(tmp_path):
    """Return a function that writes channels to a file, and returns its samples and notes."""

    def read(*channels, name="song.wav", options=()):
        path = tmp_path / "song.wav"
        soundfile.write(path, np.stack(channels, axis=1), SR, subtype="FLOAT")
        if name != path.name:
            subprocess.run([FFMPEG, "-v", "error", "-i", path, *options, tmp_path / name], check=True)
        return read_audio(
            tmp_path / name, lambda audio: (np.concatenate(list(audio)), audio.notes, audio.channels), ffmpeg=FFMPEG
        )[:2]

    return read


def other(song, seed=1):
    """Return a signal of the same level that is not correlated with the song."""
    return 0.5 * np.abs(song).max() * np.random.default_rng(seed).uniform(-1, 1, len(song)) * (np.abs(song) > 0)


@pytest.mark.parametrize("gain", [-1.0, -0.98, -0.8])
def test_antiphase_channels_are_read_from_the_louder_one_with_a_note(read, song, gain):
    y, notes = read(song, gain * song)
    np.testing.assert_allclose(y, song, atol=1e-6)
    (note,) = notes
    assert "opposite signs in 100 % of the file" in note
    assert "only channel 1 is used" in note


@pytest.mark.parametrize(
    ("name", "options"),
    [("song.mp3", ("-b:a", "64k")), ("song.opus", ("-b:a", "64k"))],
)
def test_antiphase_channels_are_recognized_after_lossy_coding(read, song, name, options):
    y, notes = read(song, -song, name=name, options=options)
    assert np.std(y) == pytest.approx(np.std(song), rel=0.1)
    assert "opposite signs" in notes[-1]


def test_antiphase_after_a_mono_intro_is_recognized(read, song):
    sign = np.where(np.arange(N) < N // 2, 1.0, -1.0)
    y, notes = read(song, sign * song)
    np.testing.assert_allclose(y, song, atol=1e-6)
    assert "opposite signs" in notes[0]


@pytest.mark.parametrize("silent", [1, 0])
@pytest.mark.parametrize("noise", [0.0, 1e-4])
def test_silent_channel_is_left_out_with_a_note(read, song, silent, noise):
    channels, heard = [song, song], 1 - silent
    channels[silent] = noise * np.random.default_rng(1).standard_normal(N)
    y, notes = read(*channels)
    np.testing.assert_allclose(y, song, atol=1e-6)
    (note,) = notes
    assert f"channel {silent + 1} is silent" in note
    assert f"channel {heard + 1} is used" in note
    assert ("-80 dB" if noise else "digital silence") in note


def test_mean_of_the_channels_with_sound_is_used_of_six(read, song):
    zeros = np.zeros(N)
    y, notes = read(song, 0.5 * song, zeros, zeros, 0.3 * song, zeros)
    np.testing.assert_allclose(y, 0.6 * song, atol=1e-6)
    assert "channels 3, 4 and 6 are silent" in notes[0]
    assert "the mean of channels 1, 2 and 5" in notes[0]


@pytest.mark.parametrize("offsets", [(0.2,), (-0.1,), (0.2, 0.0), (0.1, -0.1), (0.05, 0.3)])
def test_constant_offset_is_subtracted_with_a_note(read, song, offsets):
    y, notes = read(*(song + offset for offset in offsets))
    np.testing.assert_allclose(y, song, atol=0.005)
    (note,) = notes
    for channel, offset in enumerate(offsets, start=1):
        assert (f"{offset:+.2f}" in note and f"channel {channel}" in note) == (offset != 0)


def test_offset_does_not_hide_that_a_channel_is_silent_or_opposite(read, song):
    y, notes = read(song, np.full(N, 0.2))
    np.testing.assert_allclose(y, song, atol=1e-6)
    assert "channel 2 is silent" in notes[0]
    y, notes = read(song + 0.1, -song + 0.1)
    np.testing.assert_allclose(y, song, atol=0.005)
    assert len(notes) == 2


def test_ordinary_channels_are_averaged_without_a_note(read, song):
    """Not defects: stereo of any width, a hard-panned half, a short effect, a small offset, a quiet or silent song."""
    first, zeros = np.arange(N) < N // 2, np.zeros(N)
    effect = np.where(np.arange(N) // SR == 8, -1.0, 1.0)
    for channels in (
        (song, song),
        (song, other(song)),
        (song, 0.5 * other(song) - 0.6 * song),
        (song, np.where(first, 0.0, song)),
        (song, effect * song),
        (song, 0.05 * song),
        (song + 0.004, song + 0.004),
        (1e-3 * song, 5e-4 * song),
        (zeros, zeros),
        (song, song, 0.5 * song, 0.02 * song, 0.3 * other(song), 0.3 * other(song, 2)),
    ):
        y, notes = read(*channels)
        assert notes == []
        np.testing.assert_allclose(y, np.mean(channels, axis=0), atol=1e-6)


def test_slow_changes_are_not_an_offset(read, song):
    drift = 0.3 * np.linspace(-0.2, 1.0, N)
    assert read(song + drift)[1] == []


def test_open_audio_raises_an_error_after_the_last_block_and_load_does_not(tmp_path, song):
    soundfile.write(tmp_path / "song.wav", np.stack([song, -song], axis=1), SR)
    blocks = []
    with open_audio(tmp_path / "song.wav") as audio, pytest.raises(UnsuitableMeanError, match="opposite") as found:
        blocks.extend(audio)
    assert sum(map(len, blocks)) == N
    assert found.value.mixdown.weights == (1.0, 0.0)
    y, _ = load(tmp_path / "song.wav", sr=SR)
    np.testing.assert_allclose(y, song, atol=1e-4)
    with open_audio(tmp_path / "song.wav", mixdown=MEAN) as audio:
        assert np.abs(np.concatenate(list(audio))).max() < 1e-4
    assert audio.notes == []


def test_changed_number_of_channels_is_averaged(rng):
    """A mixdown for two channels does not apply to a part of the file with one or three."""
    mixdown = Mixdown((1.0, 0.0), (0.0, 0.0), ("a note",))
    block = rng.standard_normal((100, 3)).astype(np.float32)
    np.testing.assert_allclose(mixdown.mixed(block), block.mean(axis=1), atol=1e-6)
    np.testing.assert_array_equal(mixdown.mixed(block[:, :1]), block[:, 0])
    np.testing.assert_array_equal(mixdown.mixed(block[:, :2]), block[:, 0])


@settings(max_examples=30, deadline=None)
@given(
    gain=st.floats(1e-3, 1.0),
    correlation=st.floats(-0.85, 1.0),
    balance=st.floats(0.05, 1.0),
    seed=st.integers(0, 1000),
)
def test_stereo_of_any_correlation_level_and_balance_is_not_changed(gain, correlation, balance, seed):
    y = np.random.default_rng(seed).uniform(-1, 1, (2, 20 * 4096))
    right = balance * (correlation * y[0] + np.sqrt(1 - correlation**2) * y[1])
    statistics = ChannelStatistics(44100)
    for block in np.split((gain * np.stack([y[0], right], axis=1)).astype(np.float32), 20):
        statistics.add(block)
    assert suitable_mixdown(statistics) is None


def test_statistics_equal_those_of_numpy(rng):
    y = (0.1 * rng.standard_normal((3, 4096, 4)) + [0.0, 0.1, -0.2, 0.3]).astype(np.float32)
    statistics = ChannelStatistics(44100)
    for block in y:
        statistics.add(block)
    means, covariances = statistics.arrays()
    np.testing.assert_allclose(means, y.mean(axis=1), atol=1e-6)
    np.testing.assert_allclose(covariances, [np.cov(block.T, bias=True) for block in y], atol=1e-6)


def test_audio_shorter_than_a_window_is_not_checked():
    statistics = ChannelStatistics(44100)
    statistics.add(np.ones((100, 2), np.float32))
    assert suitable_mixdown(statistics) is None

"""Rate and times of the tatum: click tracks with a known tempo, noise, and rhythms without a pulse."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from songform.beats.pulse import FASTEST, SLOWEST, onset_rises, pulse_rate
from songform.beats.tatums import tatum_times

FRAME_RATE = 22050 / 512
NO_PULSE, PULSE = 20.0, 40.0


def onset_strength(times, seconds=40.0, strength=10.0):
    """Return an onset strength with a peak at each time, and weak noise."""
    noise = np.abs(np.random.default_rng(0).normal(0, 0.1, int(seconds * FRAME_RATE)))
    place = np.asarray(times) * FRAME_RATE
    inside = place < len(noise) - 1
    low = np.floor(place[inside]).astype(int)
    np.add.at(noise, low, strength * (1 - place[inside] % 1))
    np.add.at(noise, low + 1, strength * (place[inside] % 1))
    return gaussian_filter1d(noise, 0.7)


def tatums(onset):
    pulse = pulse_rate(onset_rises(onset, frame_rate=FRAME_RATE), frame_rate=FRAME_RATE)
    return pulse, tatum_times(onset, pulse.periods(len(onset), FRAME_RATE)) / FRAME_RATE


def share_found(times, found, within=0.03):
    return np.mean(np.abs(np.asarray(times)[:, None] - found).min(axis=1) <= within)


@pytest.mark.parametrize("bpm", range(60, 200, 10))
def test_each_click_of_a_steady_tempo_is_a_tatum(bpm):
    clicks = np.arange(0.3, 39, 60 / bpm)
    pulse, found = tatums(onset_strength(clicks))
    assert share_found(clicks, found) == 1
    assert np.median(pulse.strength) > PULSE
    ratio = np.median(pulse.rate) / bpm
    assert ratio == pytest.approx(round(ratio), rel=0.01)
    assert SLOWEST * 0.99 < np.median(pulse.rate) < FASTEST * 1.01


def drifting(bpm):
    tempo = bpm * (1 + 0.05 * np.sin(2 * np.pi * np.arange(200) / 60))
    return 0.3 + np.cumsum(60 / tempo)


def jumping(bpm):
    return 0.3 + np.cumsum(np.where(np.arange(200) < 30, 60 / bpm, 60 / (1.2 * bpm)))


@pytest.mark.parametrize("bpm", [80, 110, 150])
@pytest.mark.parametrize("tempo", [drifting, jumping])
def test_tatums_follow_a_tempo_that_drifts_or_jumps(tempo, bpm):
    clicks = tempo(bpm)
    clicks = clicks[clicks < 39]
    assert share_found(clicks, tatums(onset_strength(clicks))[1]) >= 0.95


def test_clicks_after_ten_seconds_of_silence_are_tatums():
    clicks = np.arange(10, 39, 0.5)
    assert share_found(clicks, tatums(onset_strength(clicks))[1]) == 1


def test_tatums_cover_the_whole_song():
    _, found = tatums(onset_strength(np.arange(12, 25, 0.5)))
    assert found[0] < 0.5
    assert found[-1] > 39.5
    assert np.all(np.diff(found) > 0)


def irregular(rng):
    return np.cumsum(rng.uniform(0.25, 1.2, 60))


def free(rng):
    return np.cumsum(0.6 * np.exp(rng.normal(0, 0.25, 70)))


@pytest.mark.parametrize("rhythm", [irregular, free])
@pytest.mark.parametrize("seed", range(3))
def test_a_rhythm_without_pulse_has_a_low_strength(rhythm, seed):
    pulse, _ = tatums(onset_strength(rhythm(np.random.default_rng(seed))))
    assert np.median(pulse.strength) < NO_PULSE


def test_strength_of_noise_is_low_and_of_silence_0():
    noise = np.abs(np.random.default_rng(1).normal(size=1700))
    assert np.median(tatums(noise)[0].strength) < NO_PULSE
    assert np.all(pulse_rate(np.zeros(1700), frame_rate=FRAME_RATE).strength == 0)


def test_tatums_do_not_depend_on_the_scale_of_the_onset_strength():
    onset = onset_strength(np.arange(0.3, 39, 0.45))
    np.testing.assert_array_equal(tatums(onset)[1], tatums(1000 * onset)[1])

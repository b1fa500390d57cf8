"""Rate of the tatum: trains of onsets whose rate is known."""

from __future__ import annotations

import numpy as np
import pytest

from songform.beats.beat_tracking import FRAME_RATE, LEAST_STRENGTH
from songform.beats.pulse import onset_rises, pulse_rate

SECONDS = 90


def onsets(times, strength=1.0):
    """Return onset strengths of some onsets, each two frames wide."""
    curve = np.zeros(int(SECONDS * FRAME_RATE))
    frames = np.round(np.asarray(times) * FRAME_RATE).astype(int)
    frames = frames[frames < len(curve) - 1]
    curve[frames] = strength
    curve[frames + 1] = strength / 2
    return curve


def rates_of(curve):
    return pulse_rate(onset_rises(curve, frame_rate=FRAME_RATE), frame_rate=FRAME_RATE)


def regular(per_minute, start=0.0, stop=SECONDS):
    return np.arange(start, stop, 60 / per_minute)


@pytest.mark.parametrize("per_minute", [145, 170, 200, 230, 275])
def test_rate_of_regular_onsets_is_found_everywhere(per_minute):
    np.testing.assert_allclose(rates_of(onsets(regular(per_minute))).rate, per_minute, rtol=0.006)


def test_a_few_seconds_of_soft_onsets_at_another_rate_do_not_change_the_rate():
    soft = onsets(regular(129, 38, 46), strength=0.4)
    noise = 0.2 * np.abs(np.random.default_rng(1).normal(size=len(soft)))
    rhythm = onsets([*regular(145, 0, 38), *regular(145, 46)]) + soft + noise
    np.testing.assert_allclose(rates_of(rhythm).rate, 145, rtol=0.01)


def test_a_rate_that_jumps_for_good_is_followed():
    found = rates_of(onsets([*regular(160, 0, 45), *regular(192, 45)]))
    np.testing.assert_allclose(found.rate[found.time_s < 38], 160, rtol=0.01)
    np.testing.assert_allclose(found.rate[found.time_s > 52], 192, rtol=0.01)


def test_a_rate_that_drifts_is_followed():
    place = np.linspace(0, 1, 400)
    times = np.cumsum(60 / (190 * (1 + 0.05 * np.sin(2 * np.pi * place))))
    found = rates_of(onsets(times[times < SECONDS]))
    true = 60 / np.interp(found.time_s, times[1:], np.diff(times))
    inside = (found.time_s > 6) & (found.time_s < SECONDS - 6)
    np.testing.assert_allclose(found.rate[inside], true[inside], rtol=0.012)


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_weaker_than_the_weakest_pulse(seed):
    noise = np.random.default_rng(seed).normal(size=int(SECONDS * FRAME_RATE))
    assert np.median(rates_of(noise).strength) < 0.75 * LEAST_STRENGTH

"""Sonification: clicks at the boundaries, tones of known frequency, and the unchanged length of the song."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from songform.errors import ParameterError
from songform.output.sonification import CLICK_HZ, CLICK_SECONDS, SONG_GAIN, sonified, state_tones
from songform.plots.palette import STATE_COLORS
from songform.structure.segments import Segment

SR = 22050
SEGMENTS = [
    Segment(0.0, 2.0, "Calm", 0.5),
    Segment(2.0, 3.5, "Energetic", 0.5),
    Segment(3.5, 6.0, "Calm", 0.5),
]
SILENCE = np.zeros(6 * SR, np.float32)


def loudest_hz(y, sr=SR):
    spectrum = np.abs(np.fft.rfft(y * np.hanning(len(y)), 4 * len(y)))
    return np.fft.rfftfreq(4 * len(y), 1 / sr)[spectrum.argmax()]


def energy_near(y, hz, sr=SR):
    t = np.arange(len(y)) / sr
    return abs(np.exp(-2j * np.pi * hz * t) @ y) / len(y)


def between(y, start, end, sr=SR):
    return y[round(start * sr) : round(end * sr)]


def test_each_state_has_its_own_tone():
    y, tones = sonified(SILENCE, SR, SEGMENTS), state_tones(["Calm", "Energetic"])
    for segment in SEGMENTS:
        middle = between(y, segment.start + 0.2, segment.end - 0.2)
        assert loudest_hz(middle) == pytest.approx(tones[segment.state], abs=1.0)
        assert np.abs(middle).max() == pytest.approx(0.05, rel=0.01)  # quiet


def test_clicks_are_at_the_boundaries_only():
    y = sonified(SILENCE, SR, SEGMENTS)
    starts = np.arange(0, 5.9, 0.1)
    clicks = [energy_near(between(y, start, start + CLICK_SECONDS), CLICK_HZ) for start in starts]
    loud = [round(float(start), 1) for start, click in zip(starts, clicks, strict=True) if click > 0.01]
    assert loud == [2.0, 3.5]
    assert np.abs(between(y, 2.0, 2.03)).max() < 0.3  # soft
    assert np.abs(between(y, 2.0, 2.0005)).max() < 0.05  # gradual attack


def test_song_is_attenuated_and_keeps_its_length():
    rng = np.random.default_rng(1)
    song = (0.5 * rng.uniform(-1, 1, len(SILENCE))).astype(np.float32)
    y = sonified(song, SR, SEGMENTS)
    assert (y.shape, y.dtype) == (song.shape, np.float32)
    assert np.allclose(y - sonified(SILENCE, SR, SEGMENTS), SONG_GAIN * song, atol=1e-6)


@settings(max_examples=30)
@given(st.lists(st.floats(0.01, 5.9), max_size=8), st.floats(0.1, 10))
def test_output_does_not_clip(inner, level):
    """For boundaries at any distance, and for input beyond full scale."""
    edges = [0.0, *sorted(inner), 6.0]
    segments = [Segment(a, b, f"State {n}", 0.5) for n, (a, b) in enumerate(pairwise(edges))]
    y = sonified(np.full(6000, level), 1000, segments)
    assert np.abs(y).max() <= 1.0
    if not inner:
        assert np.abs(y).max() <= 0.76


@settings(max_examples=30)
@given(st.lists(st.integers(1, 6 * SR - 1), max_size=5, unique=True))
def test_blocks_equal_the_whole_song(cuts):
    song = np.sin(np.arange(len(SILENCE)) / 7).astype(np.float32)
    edges = [0, *sorted(cuts), len(song)]
    blocks = [sonified(song[a:b], SR, SEGMENTS, offset=a) for a, b in pairwise(edges)]
    assert np.array_equal(np.concatenate(blocks), sonified(song, SR, SEGMENTS))


def test_tones_depend_only_on_the_state_and_are_different():
    tones = state_tones(list(STATE_COLORS))
    assert len(set(tones.values())) == len(STATE_COLORS)
    assert tones["Calm"] == 220
    assert tones["State 6"] == 440  # five steps per octave
    assert state_tones(["Energetic"])["Energetic"] == tones["Energetic"]
    others = state_tones(["verse", "chorus", "verse"])
    assert others["verse"] > max(tones.values())
    assert others["chorus"] > others["verse"]


def test_segments_after_the_end_of_the_sound_are_ignored():
    y = sonified(np.zeros(SR), SR, [*SEGMENTS, Segment(6.0, 9.0, "Calm", 0.5)])
    assert len(y) == SR
    assert sonified(np.zeros(0), SR, SEGMENTS).shape == (0,)


@pytest.mark.parametrize(
    ("y", "sr", "message"),
    [
        (np.zeros((2, 5)), SR, r"one channel.* not shape \(2, 5\)"),
        (np.zeros(5), 0, "sr must be a positive number.* not 0"),
    ],
)
def test_invalid_samples_and_sampling_rates_are_rejected(y, sr, message):
    with pytest.raises(ParameterError, match=message):
        sonified(y, sr, SEGMENTS)


def test_digital_silence_has_no_tone_but_clicks_at_its_ends():
    segments = [Segment(0.0, 2.0, "Calm", 0.5), Segment(2.0, 4.5, "Silence", 1.0), Segment(4.5, 6.0, "verse", 0.5)]
    y = sonified(SILENCE, SR, segments)
    assert not between(y, 2.1, 4.5).any()
    assert all(np.abs(between(y, time, time + CLICK_SECONDS)).max() > 0.1 for time in (2.0, 4.5))
    assert loudest_hz(between(y, 4.7, 5.8)) == pytest.approx(state_tones(["verse"])["verse"], abs=1.0)

"""Sonification: clicks at the boundaries, tones of known frequency, and the unchanged length of the song."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from songform.beats.beat_tracking import Beats
from songform.errors import ParameterError
from songform.output.sonification import (
    BEAT_HZ,
    CLICK_HZ,
    CLICK_SECONDS,
    DOWNBEAT_HZ,
    SONG_GAIN,
    bell_strokes,
    sonified,
    state_tones,
)
from songform.plots.palette import STATE_COLORS
from songform.sections.section_finding import SongPart
from songform.structure.segments import Segment

SR = 22050
SEGMENTS = [
    Segment(0.0, 2.0, "Calm", 0.5),
    Segment(2.0, 3.5, "Energetic", 0.5),
    Segment(3.5, 6.0, "Calm", 0.5),
]
SILENCE = np.zeros(6 * SR, np.float32)
BEATS = Beats(np.arange(0.25, 6, 0.5), np.arange(12) % 4 + 1, 120.0, 4, is_metre_sure=True, confidence=0.9)
SECTIONS = [SongPart(0.0, 1.5, "A", 1.0), SongPart(1.5, 3.1, "C", 0.5), SongPart(3.1, 6.0, "E", 0.5)]


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
    whole = sonified(song, SR, SEGMENTS, beats=BEATS, sections=SECTIONS)
    blocks = [sonified(song[a:b], SR, SEGMENTS, beats=BEATS, sections=SECTIONS, offset=a) for a, b in pairwise(edges)]
    assert np.array_equal(np.concatenate(blocks), whole)


def added(**sounds):
    """Return only the sounds of the beats or of the sections."""
    return sonified(SILENCE, SR, SEGMENTS, **sounds) - sonified(SILENCE, SR, SEGMENTS)


def test_beats_and_downbeats_are_ticks_of_two_pitches():
    y = added(beats=BEATS)
    for time, position in zip(BEATS.times, BEATS.positions, strict=True):
        tick = between(y, time, time + CLICK_SECONDS)
        expected = DOWNBEAT_HZ if position == 1 else BEAT_HZ
        assert loudest_hz(tick) == pytest.approx(expected, rel=0.05)
        assert 0.05 < np.abs(tick).max() < 0.2
        assert not between(y, time + 0.04, time + 0.49).any()


def test_beats_are_on_time_to_the_sample():
    y = added(beats=BEATS)
    starts = np.flatnonzero((y[1:] != 0) & (np.convolve(y != 0, np.ones(50), "full")[: len(y) - 1] == 0)) + 1
    assert np.abs(starts - np.round(BEATS.times * SR)).max() <= 1


def strokes_of(y):
    """Return the number of strokes of a bell: the times at which the level rises at least to its double."""
    level = np.array([np.abs(part).max() for part in np.array_split(y, len(y) // 220)])  # every 10 ms
    rises = (level[1:] > 2 * level[:-1]) & (level[1:] > 0.02)
    return int((rises & ~np.r_[False, rises[:-1]]).sum())


def test_sections_are_announced_by_strokes_that_can_be_counted():
    y = added(sections=[SongPart(0.05, 3.0, "B", 1.0), SongPart(3.0, 6.0, "G", 0.5)])
    first, second = between(y, 0, 3), between(y, 3 - 0.05, 6)
    assert (strokes_of(first), strokes_of(second)) == (2, 3)
    assert loudest_hz(between(first, 0, 0.3)) == pytest.approx(bell_strokes("B")[1], rel=0.01)
    assert loudest_hz(between(second, 0, 0.5)) == pytest.approx(bell_strokes("G")[1], rel=0.01)
    assert not between(y, 1.0, 3.0).any()  # short


def test_letters_have_different_announcements_until_they_start_over():
    twelve = [bell_strokes(letter) for letter in "ABCDEFGHIJKL"]
    assert len(set(twelve)) == 12
    assert bell_strokes("M") == bell_strokes("A") == bell_strokes("a")
    assert bell_strokes("A1") == bell_strokes("C")  # it follows Z, as the 27th letter
    assert bell_strokes("verse") == bell_strokes("A")


@pytest.mark.parametrize("letter", "ABCDEFGHIJKL")
@pytest.mark.parametrize("sr", [8000, SR])
def test_all_sounds_at_once_stay_below_full_scale(letter, sr):
    """A boundary, a downbeat and a section begin together, in a song at full scale."""
    segments = [Segment(0.0, 1.0, "Calm", 0.5), Segment(1.0, 3.0, "Energetic", 0.5)]
    beats = Beats(np.arange(0, 3, 0.25), np.ones(12, np.intp), 240.0, 4, is_metre_sure=True, confidence=0.9)
    sections = [SongPart(0.0, 1.0, "A", 1.0), SongPart(1.0, 3.0, letter, 1.0)]
    for level in (-1.0, 1.0):
        y = sonified(np.full(3 * sr, level), sr, segments, beats=beats, sections=sections)
        assert np.abs(y).max() < 1.0


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

"""Beats of click tracks and of composed songs with known beats, sounds without beats, and bars of known tatums."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest

from songform.annotation.beat_scores import beat_f_measure
from songform.beats.beat_tracking import beats_of, find_beats
from songform.beats.tatum_features import N_FEATURES, Tatums
from songform.features.extraction import SongExtractor
from songform.features.frame_features import feature_table
from songform.synth import compose

SR = 22050
SECONDS = 30.0
LEAST_F = 0.95


def tables(y):
    """Return the features, the overview and the semitone spectrum of a signal."""
    extractor = SongExtractor(SR, with_semitones=True)
    rows = [extractor.push(np.asarray(y, np.float32)), extractor.flush()]
    return feature_table(rows, extractor.columns), extractor.overview(), extractor.semitone_spectrum()


def beats_in(y):
    return find_beats(*tables(y))


# Click tracks


@dataclass(frozen=True, eq=False)
class Clicks:
    """Times of the beats of a click track, of its accents, and of soft clicks between the beats, in seconds."""

    beats: np.ndarray
    accents: np.ndarray | tuple[()] = ()
    between: np.ndarray | tuple[()] = ()


def rendered(clicks, seconds=SECONDS):
    """Return a click track as audio: a short tone for each click, and soft noise."""
    y = 1e-4 * np.random.default_rng(0).normal(size=round(seconds * SR))
    add_tones(y, clicks.beats, 1000, 0.5)
    add_tones(y, clicks.between, 1000, 0.1)
    add_tones(y, clicks.accents, 150, 1.0)
    return y


def add_tones(y, times, hz, amplitude):
    t = np.arange(round(0.05 * SR)) / SR
    tone = amplitude * np.exp(-t / 0.01) * np.sin(2 * np.pi * hz * t)
    for time in times:
        start = round(time * SR)
        y[start : start + len(tone)] += tone[: len(y) - start]


def beat_times(tempo, first=0.3, seconds=SECONDS):
    """Return beats with the tempo that a function of the time gives, in beats per minute."""
    times = [first]
    while times[-1] < seconds - 0.5:
        times.append(times[-1] + 60 / tempo(times[-1]))
    return np.array(times[:-1])


def steady(bpm):
    return Clicks(beat_times(lambda _: bpm))


def swinging(bpm):
    beats = beat_times(lambda _: bpm)
    return Clicks(beats, between=beats + 2 / 3 * 60 / bpm)


def drifting(bpm):
    return Clicks(beat_times(lambda time: bpm * (1 + 0.05 * np.sin(2 * np.pi * time / SECONDS))))


def jumping(bpm):
    return Clicks(beat_times(lambda time: bpm if time < SECONDS / 2 else 1.15 * bpm))


def after_silence(bpm):
    return Clicks(beat_times(lambda _: bpm, first=9.0))


def with_bars(bpm, metre, pickup=0):
    """Return clicks with an accent on each downbeat, of which the first is after `pickup` beats."""
    beats = beat_times(lambda _: bpm)
    return Clicks(beats, accents=beats[pickup::metre])


CLICK_TRACKS = {
    **{f"steady {bpm}": steady(bpm) for bpm in range(60, 200, 10)},
    **{f"swing {bpm}": swinging(bpm) for bpm in (90, 120, 160)},
    **{f"drift {bpm}": drifting(bpm) for bpm in (80, 120, 160)},
    **{f"jump {bpm}": jumping(bpm) for bpm in (80, 120, 160)},
    "silence in front": after_silence(120),
    "4/4": with_bars(120, 4),
    "3/4": with_bars(100, 3),
    "4/4 with a pickup": with_bars(110, 4, pickup=1),
    "3/4 with a pickup": with_bars(130, 3, pickup=2),
}


@cache
def found_in(name):
    return beats_in(rendered(CLICK_TRACKS[name]))


@pytest.mark.parametrize("name", CLICK_TRACKS)
def test_beats_of_click_tracks_are_found(name):
    assert beat_f_measure(CLICK_TRACKS[name].beats, found_in(name).times) >= LEAST_F


@pytest.mark.parametrize("bpm", range(60, 200, 10))
def test_tempo_of_steady_clicks_is_known_to_half_a_percent(bpm):
    assert found_in(f"steady {bpm}").tempo == pytest.approx(bpm, rel=0.005)


@pytest.mark.parametrize("name", [name for name in CLICK_TRACKS if "/4" in name])
def test_downbeats_and_metre_of_accented_clicks_are_found(name):
    found = found_in(name)
    assert beat_f_measure(CLICK_TRACKS[name].accents, found.downbeats) >= LEAST_F
    assert found.metre == int(name[0])
    assert found.is_metre_sure


@pytest.mark.parametrize("name", CLICK_TRACKS)
def test_beats_are_within_the_song_and_their_positions_count_through_the_bar(name):
    found = found_in(name)
    assert np.all(np.diff(found.times) > 0)
    assert found.times[0] >= 0
    assert found.times[-1] <= SECONDS
    assert 0 <= found.confidence <= 1
    assert set(found.positions) <= {1, 2, 3, 4}
    is_next = found.positions[1:] == found.positions[:-1] % found.metre + 1
    assert np.mean(is_next) >= LEAST_F


def test_silence_at_the_start_and_at_the_end_has_no_beats():
    clicks = steady(100)
    y = np.concatenate([np.zeros(8 * SR), rendered(clicks), np.zeros(20 * SR)])
    found = beats_in(y)
    assert found.times[0] > 8 - 0.3
    assert found.times[-1] < 8 + SECONDS
    assert beat_f_measure(clicks.beats + 8, found.times) >= LEAST_F


def test_metre_of_clicks_without_accents_is_unsure():
    assert not found_in("steady 120").is_metre_sure


@pytest.mark.parametrize("name", ["4/4", "3/4"])
def test_beats_do_not_depend_on_the_gain(name):
    softer = beats_in(0.5 * rendered(CLICK_TRACKS[name]))
    np.testing.assert_allclose(softer.times, found_in(name).times, atol=0.01)
    np.testing.assert_array_equal(softer.positions, found_in(name).positions)
    assert softer.metre == found_in(name).metre


# Composed songs


@pytest.mark.parametrize("seed", [1, 2, 5])
def test_beats_downbeats_and_metre_of_composed_songs_are_found(seed):
    song = compose(seed, duration=SECONDS)
    times = np.arange(0, len(song.y) / SR, 60 / song.traits.bpm)
    found = beats_in(song.y)
    assert beat_f_measure(times, found.times) >= LEAST_F
    assert beat_f_measure(times[:: song.traits.beats], found.downbeats) >= 0.85
    assert (found.metre, found.is_metre_sure) == (song.traits.beats, True)


# Sounds without beats


def no_clicks(rhythm, seed=0):
    times = np.cumsum(rhythm(np.random.default_rng(seed)))
    return rendered(Clicks(times[times < SECONDS - 0.5]))


def rubato(rng):
    return 0.6 * np.exp(0.35 * np.sin(np.cumsum(rng.uniform(0.5, 1.5, 80))) + rng.normal(0, 0.1, 80))


def free(rng):
    return rng.uniform(0.2, 1.3, 80)


def hum(t):
    return sum(0.2 / k * np.sin(2 * np.pi * 110 * k * t) for k in range(1, 6))


T = np.arange(round(SECONDS * SR)) / SR
WITHOUT_BEATS = {
    "rubato": lambda: no_clicks(rubato),
    "free timing": lambda: no_clicks(free),
    "noise": lambda: 0.1 * np.random.default_rng(0).normal(size=len(T)),
    "digital silence": lambda: np.zeros(len(T)),
    "sustained hum": lambda: hum(T),
    "sustained hum with noise": lambda: hum(T) + 1e-3 * np.random.default_rng(0).normal(size=len(T)),
    "clicks for less than six seconds": lambda: rendered(steady(120))[: int(5.9 * SR)],
    "one sample": lambda: np.ones(1),
}


@pytest.mark.parametrize("name", WITHOUT_BEATS)
def test_sounds_without_a_pulse_have_no_beats(name):
    found = beats_in(WITHOUT_BEATS[name]())
    assert len(found.times) == len(found.positions) == len(found.downbeats) == 0
    assert (found.tempo, found.metre, found.is_metre_sure, found.confidence) == (None, None, False, 0.0)


# Bars from known probabilities of tatums


def made_tatums(kinds, seconds=0.25):
    """Return tatums whose first onset curve is their kind: 0 no beat, 1 a beat, 2 a downbeat."""
    n = len(kinds)
    onsets = np.column_stack([kinds, np.zeros((n, 3))]).astype(float)
    return Tatums(onsets, np.ones((n, 84)), np.zeros((n, 13)), np.zeros(n), np.full(n, seconds))


def known_kinds(certainty=0.9):
    """Return a network that recognizes the kinds of `made_tatums` in its first feature, which is standardized."""

    def network(features):
        assert features.shape[1] == N_FEATURES
        kind = np.unique(features[:, 0], return_inverse=True)[1]
        return np.log(np.where(kind[:, None] == np.arange(3), certainty, (1 - certainty) / 2)) + 5.0

    return network


def bar(metre, tatums_per_beat):
    return [2, *[0] * (tatums_per_beat - 1), *([1, *[0] * (tatums_per_beat - 1)] * (metre - 1))]


@pytest.mark.parametrize("metre", [3, 4])
@pytest.mark.parametrize(("tatums_per_beat", "seconds"), [(2, 0.25), (3, 0.22), (4, 0.22)])
def test_beats_and_bars_of_known_probabilities(metre, tatums_per_beat, seconds):
    kinds = np.array(bar(metre, tatums_per_beat) * 12)
    times = 1.0 + seconds * np.arange(len(kinds))
    found = beats_of(times, made_tatums(kinds, seconds), known_kinds())
    np.testing.assert_allclose(found.times, times[::tatums_per_beat])
    np.testing.assert_array_equal(found.positions, np.tile(np.arange(1, metre + 1), 12))
    np.testing.assert_allclose(found.downbeats, times[kinds == 2])
    assert found.tempo == pytest.approx(60 / (seconds * tatums_per_beat))
    assert (found.metre, found.is_metre_sure) == (metre, True)
    assert found.confidence == pytest.approx(0.95)


def test_an_additional_beat_is_an_irregular_bar_only():
    kinds = np.array([*bar(4, 2) * 8, 1, 0, *bar(4, 2) * 8])
    found = beats_of(0.25 * np.arange(len(kinds)), made_tatums(kinds), known_kinds())
    np.testing.assert_array_equal(found.times[found.positions == 1], 0.25 * np.flatnonzero(kinds == 2))
    assert (found.metre, found.is_metre_sure) == (4, True)


@pytest.mark.parametrize("share", [0.25, 1 / 3, 0.5])
def test_metre_is_unsure_where_all_beats_are_downbeats_with_the_same_probability(share):
    kinds = np.array(bar(4, 2) * 12)

    def network(features):
        is_beat = known_kinds()(features).argmax(axis=1) > 0
        return np.log(np.where(is_beat[:, None], [0.1, 0.9 - 0.9 * share, 0.9 * share], [0.9, 0.05, 0.05]))

    found = beats_of(0.25 * np.arange(len(kinds)), made_tatums(kinds), network)
    np.testing.assert_allclose(found.times, 0.5 * np.arange(len(kinds) // 2))
    assert not found.is_metre_sure


def test_confidence_is_the_mean_probability_of_the_beats():
    kinds = np.array(bar(4, 2) * 12)
    times = 0.25 * np.arange(len(kinds))
    confidence = [beats_of(times, made_tatums(kinds), known_kinds(p)).confidence for p in (0.5, 0.7, 0.99)]
    assert confidence == pytest.approx([0.75, 0.85, 0.995])


def test_one_beat_is_no_beat():
    found = beats_of(np.array([0.0, 0.25]), made_tatums([2, 0]), known_kinds())
    assert (len(found.times), found.tempo, found.metre) == (0, None, None)

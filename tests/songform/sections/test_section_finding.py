"""Sections and phrases: known answers on hand-made similarities, properties for any input, and whole songs."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from songform.beats.beat_tracking import NO_BEATS, Beats, find_beats
from songform.features.extraction import SongExtractor
from songform.features.frame_features import feature_table
from songform.features.semitone_spectrum import SemitoneSpectrum
from songform.learning.temporal_network import Dense, Ensemble, Normalization, TemporalNetwork
from songform.sections.boundary_features import N_FEATURES
from songform.sections.repetition import repetition_model
from songform.sections.section_finding import (
    FORCED,
    MOST_BARS,
    PHRASE_LENGTHS,
    BarSimilarity,
    BoundaryModel,
    Loudness,
    boundary_model,
    divided,
    find_sections,
    song_bars,
)
from songform.sections.segmentation import best_division, boundary_probabilities

SR, HOP = 22050, 512
BAR_SECONDS = 2.0
NO, YES = -8.0, 8.0  # log-odds


def made_similarity(form, bars_each=8, first=0.0):
    """Return the similarity of a song in which bars at the same place of sections of one letter are alike."""
    rng = np.random.default_rng(0)
    bars = [f"{letter}{n}" for letter in form for n in range(bars_each)]
    sounds = {bar: rng.normal(size=40) for bar in dict.fromkeys(bars)}
    lines = first + BAR_SECONDS * np.arange(len(bars) + 1)
    heard = np.array([sounds[bar] for bar in bars])
    noisy = [heard + rng.normal(0, 0.25, heard.shape) for _ in range(2)]
    unit = [vectors / np.linalg.norm(vectors, axis=1, keepdims=True) for vectors in noisy]
    return BarSimilarity(lines, *(vectors @ vectors.T for vectors in unit))


def made_log_odds(n_bars, boundaries):
    log_odds = np.full(n_bars + 1, NO)
    log_odds[list(boundaries)] = YES
    return log_odds


def divided_song(similarity, log_odds, duration, loudness):
    return divided(similarity, log_odds, duration, loudness, repetition_model())


def even_loudness(seconds=1000):
    return Loudness(np.ones(seconds), 1.0)


def label_string(parts):
    return "".join(part.label for part in parts)


# Known answers


@pytest.mark.parametrize("form", ["ABACAB", "AABA", "ABCDE"])
def test_letters_and_times_of_a_known_form(form):
    n_bars = 8 * len(form)
    similarity = made_similarity(form)
    found = divided_song(similarity, made_log_odds(n_bars, range(8, n_bars, 8)), n_bars * BAR_SECONDS, even_loudness())
    assert label_string(found.sections) == form
    np.testing.assert_allclose([part.start for part in found.sections], 16.0 * np.arange(len(form)))
    assert [part.end for part in found.sections] == [16.0 * (n + 1) for n in range(len(form))]


def test_a_pair_of_32_s_that_always_occurs_together_is_one_section_and_two_phrases():
    found = divided_song(made_similarity("ABAB"), made_log_odds(32, [8, 16, 24]), 64.0, even_loudness())
    assert label_string(found.sections) == "AA"
    assert {0.0, 16.0, 32.0, 48.0} <= {part.start for part in found.phrases}


def test_facts_of_sections():
    form, n_bars = "ABACAB", 48
    rms = np.ones(96)
    rms[48:64] = 2.0  # the fourth section, C
    found = divided_song(made_similarity(form), made_log_odds(n_bars, range(8, 48, 8)), 96.0, Loudness(rms, 1.0))
    facts = [
        (part.label, part.occurrence, part.n_occurrences, part.is_most_repeated, part.is_loudest)
        for part in found.sections
    ]
    assert facts == [
        ("A", 1, 3, True, False),
        ("B", 1, 2, False, False),
        ("A", 2, 3, True, False),
        ("C", 1, 1, False, True),
        ("A", 3, 3, True, False),
        ("B", 2, 2, False, False),
    ]


@pytest.mark.parametrize(("form", "most_repeated"), [("ABCABDBA", "AB"), ("ABCD", "")])
def test_letters_that_return_equally_often_are_all_the_most_repeated_and_others_are_not(form, most_repeated):
    n_bars = 8 * len(form)
    odds = made_log_odds(n_bars, range(8, n_bars, 8))
    found = divided_song(made_similarity(form), odds, n_bars * BAR_SECONDS, even_loudness())
    assert label_string(found.sections) == form
    assert {part.label for part in found.sections if part.is_most_repeated} == set(most_repeated)


def test_confidence_is_high_at_clear_boundaries_and_low_at_doubtful_ones():
    odds = made_log_odds(24, [8])
    odds[16] = -0.5  # the length of eight bars decides
    found = divided_song(made_similarity("ABC"), odds, 48.0, even_loudness())
    assert found.sections[0].confidence == 1.0
    assert found.sections[1].confidence > 0.99
    assert found.sections[2].confidence < 0.9


def test_sections_are_divided_into_phrases():
    """Lines where a boundary is more probable than elsewhere, but not enough for a section."""
    odds = made_log_odds(32, [16])
    odds[[4, 8, 12, 20, 24, 28]] = -1.5
    found = divided_song(made_similarity("ABCD"), odds, 64.0, even_loudness())
    assert [part.start for part in found.phrases] == [0, 8, 16, 24, 32, 40, 48, 56]
    assert label_string(found.phrases).islower()


@pytest.mark.parametrize("boundary", [3, 5, 11, 29])
def test_a_section_begins_with_a_phrase_even_at_an_odd_bar(boundary):
    odds = made_log_odds(32, [boundary])
    odds[[boundary - 1, boundary + 1]] = -2.0
    found = divided_song(made_similarity("ABCD"), odds, 64.0, even_loudness())
    assert BAR_SECONDS * boundary in [part.start for part in found.sections]
    assert BAR_SECONDS * boundary in [part.start for part in found.phrases]


def test_labels_after_the_twenty_sixth_letter_have_a_number():
    form = [chr(0x100 + n) for n in range(30)]
    n_bars = 8 * len(form)
    odds = made_log_odds(n_bars, range(8, n_bars, 8))
    found = divided_song(made_similarity(form), odds, n_bars * BAR_SECONDS, even_loudness())
    labels = [part.label for part in found.sections]
    assert labels[:2] + labels[25:28] == ["A", "B", "Z", "A1", "B1"]
    assert len(set(labels)) == 30


def test_equal_sections_have_the_same_letter_even_if_the_whole_song_is_one_loop():
    noise = np.random.default_rng(0).normal(0, 0.001, (32, 32))
    loop = 0.99 + (noise + noise.T) / 2
    similarity = BarSimilarity(BAR_SECONDS * np.arange(33), loop, loop)
    found = divided_song(similarity, made_log_odds(32, [8, 16, 24]), 64.0, even_loudness())
    assert label_string(found.sections) == "AAAA"
    assert set(label_string(found.phrases)) == {"a"}


def test_loudness_is_the_mean_power_of_an_interval():
    loudness = Loudness(np.array([1.0, 2.0, 3.0, 4.0]), 0.5)
    assert loudness(0.5, 1.5) == pytest.approx((4 + 9) / 2)
    assert loudness(0.5, 0.5) == pytest.approx(4)
    assert loudness(1.5, 9.0) == pytest.approx(16)
    assert loudness(9.0, 10.0) == 0


# Properties


@st.composite
def any_song(draw):
    """Return a similarity, log-odds and a duration that need not fit to the bars."""
    n_bars = draw(st.integers(1, 60))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    first = draw(st.floats(-5, 5))
    bars = first + np.cumsum(rng.uniform(0.5, draw(st.sampled_from([1.0, 3.0, 30.0])), n_bars + 1))
    vectors = rng.normal(size=(n_bars, draw(st.sampled_from([1, 4, 40]))))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    similarity = vectors @ vectors.T
    log_odds = rng.normal(draw(st.sampled_from([-30, -3, 0, 30])), draw(st.sampled_from([0.0, 1.0, 10.0])), n_bars + 1)
    duration = max(0.1, bars[-1] + draw(st.sampled_from([-200.0, -10.0, -0.1, 0.0, 0.1, 10.0, 200.0])))
    return BarSimilarity(bars, similarity, similarity), log_odds, duration


@settings(max_examples=150)
@given(any_song())
def test_sections_and_phrases_cover_any_song_without_gaps(song):
    similarity, log_odds, duration = song
    before = log_odds.copy()
    found = divided_song(similarity, log_odds, duration, even_loudness())
    for parts in (found.sections, found.phrases):
        assert (parts[0].start, parts[-1].end) == (0.0, duration)
        assert all(left.end == right.start for left, right in pairwise(parts))
        assert all(part.start < part.end for part in parts)
        assert all(0 <= part.confidence <= 1 for part in parts)
        assert (parts[0].confidence, parts[0].label.upper()) == (1.0, "A")
        assert sum(part.is_loudest for part in parts) == 1
        for label in {part.label for part in parts}:
            same = [part for part in parts if part.label == label]
            assert [part.occurrence for part in same] == list(range(1, len(same) + 1))
            assert {part.n_occurrences for part in same} == {len(same)}
    assert {part.start for part in found.sections} <= {part.start for part in found.phrases}
    np.testing.assert_array_equal(log_odds, before)


@pytest.mark.parametrize("duration", [5.0, 31.0, 63.9, 64.0, 64.4, 100.0])
@pytest.mark.parametrize("first", [-0.4, 0.0, 3.0])
def test_the_first_and_the_last_part_end_with_the_song_wherever_its_bars_are(first, duration):
    odds = made_log_odds(32, range(1, 32))
    found = divided_song(made_similarity("ABCD", first=first), odds, duration, even_loudness())
    inside = [time for time in first + BAR_SECONDS * np.arange(1, 32) if 0 < time < duration]
    assert [part.start for part in found.phrases] == [0.0, *inside]
    assert found.sections[-1].end == found.phrases[-1].end == duration


@pytest.mark.parametrize("n_bars", [20, 300])
def test_forced_boundaries_have_the_probability_1(n_bars):
    """Sums of forced evidence are large, and a probability is a difference of such sums."""
    evidence = np.random.default_rng(0).normal(-2, 2, n_bars + 1)
    forced = np.arange(5, n_bars, 5)
    evidence[forced] = FORCED
    probability = boundary_probabilities(evidence, 2.0, PHRASE_LENGTHS)
    np.testing.assert_allclose(probability[[0, *forced, n_bars]], 1, atol=1e-6)
    assert set(forced) <= set(best_division(evidence, 2.0, PHRASE_LENGTHS))
    evidence[forced] = 30.0  # as clear, without large sums
    np.testing.assert_allclose(probability, boundary_probabilities(evidence, 2.0, PHRASE_LENGTHS), atol=1e-6)


# Songs


def beats_at(times, metre=4):
    positions = np.arange(len(times)) % metre + 1
    return Beats(np.asarray(times), positions, 120.0, metre, is_metre_sure=True, confidence=1.0)


def made_tables(seconds, sound):
    """Return tables whose MFCCs and semitones at a time are the rows of `sound(time)`."""
    frames = np.arange(int(seconds * SR / HOP)) * HOP / SR
    rows = np.arange(int(seconds * 5)) / 5
    mfcc = sound(frames)
    features = pd.DataFrame({f"mfcc_{n + 1:02}": mfcc[:, n % mfcc.shape[1]] for n in range(13)}).astype(np.float32)
    features["rms_mean"] = np.float32(0.1)
    levels = np.clip(120 + 20 * np.resize(sound(rows).T, (84, len(rows))).T, 0, 255).astype(np.uint8)
    onset = np.zeros(len(rows), np.float32)
    return features, SemitoneSpectrum(rows, levels, onset, onset, onset, np.ones(len(rows), np.int32))


def form_sound(form, section_seconds):
    """Return a sound that repeats where the letters repeat, with other values every half second."""
    n = round(2 * section_seconds)
    rng = np.random.default_rng(0)
    of = {letter: rng.normal(size=(n, 8)) for letter in sorted(set(form))}
    values = np.concatenate([of[letter] for letter in form])
    return lambda time: values[np.minimum((2 * time).astype(int), len(values) - 1)]


def test_a_song_without_beats_has_no_sections_but_a_reason():
    found = find_sections(*made_tables(30, form_sound("AB", 15)), NO_BEATS, 30.0)
    assert (found.sections, found.phrases) == ((), ())
    assert "no regular beat" in found.reason


def test_a_song_of_fewer_than_16_bars_has_no_sections_but_a_reason_with_the_number():
    found = find_sections(*made_tables(30, form_sound("AB", 15)), beats_at(np.arange(0, 30, 0.5)), 30.0)
    assert (found.sections, found.phrases) == ((), ())
    assert "15 bars" in found.reason
    assert "16" in found.reason


@pytest.mark.parametrize("n_beats", [2, 4, 5])
def test_a_song_of_a_few_beats_is_too_short(n_beats):
    reason = song_bars(beats_at(0.5 + 0.5 * np.arange(n_beats)), 4.0)
    assert "too short" in reason
    assert "16" in reason


def test_a_song_of_one_bar_has_one_bar_in_the_reason():
    assert "it has 1 bar, " in song_bars(beats_at(0.1 + np.arange(5)), 4.2)


def test_a_song_that_is_too_short_for_beats_says_so():
    assert "too short" in song_bars(NO_BEATS, 5.9)
    assert "no regular beat" in song_bars(NO_BEATS, 6.1)


@pytest.mark.parametrize(("n_bars", "n_left"), [(MOST_BARS, MOST_BARS), (MOST_BARS + 2, MOST_BARS // 2 + 1)])
def test_bars_are_combined_only_if_there_are_more_than_the_most(n_bars, n_left):
    assert len(song_bars(beats_at(np.arange(0, 2 * n_bars, 0.5)), 2.0 * n_bars)) - 1 == n_left


def test_a_song_of_16_bars_has_sections():
    found = find_sections(*made_tables(32, form_sound("AB", 16)), beats_at(np.arange(0, 32, 0.5)), 32.0)
    assert found.reason == ""
    assert found.sections[-1].end == 32.0


@pytest.mark.parametrize("form", ["ABACABA", "ABABCB"])
def test_form_of_tables_that_repeat_is_found(form):
    seconds = 16.0 * len(form)
    beats = beats_at(np.arange(0, seconds, 0.5))
    found = find_sections(*made_tables(seconds, form_sound(form, 16)), beats, seconds)
    first = {part.start: part.label for part in found.phrases}  # pairs of sections may be joined, but no phrases
    labels = [first[16.0 * n] for n in range(len(form))]
    assert labels == [labels[form.index(letter)] for letter in form]
    assert len(set(labels)) == len(set(form))


def rendered_loop(chords, n_harmonics):
    """Return bars of four beats at 100 bpm: one chord per bar, a bass, a bass drum and a snare drum."""
    rng, t = np.random.default_rng(n_harmonics), np.arange(round(0.6 * SR)) / SR
    drums = [0.3 * np.exp(-30 * t) * np.sin(2 * np.pi * 60 * t), 0.15 * np.exp(-40 * t) * rng.normal(size=len(t))]
    beats = []
    for chord in chords:
        hz = [220 * 2 ** (note / 12) * k for note in chord for k in range(1, n_harmonics + 1)]
        tones = sum(np.sin(2 * np.pi * f * t) for f in hz) * np.exp(-2 * t) / len(hz)
        bass = 0.3 * np.exp(-4 * t) * np.sin(2 * np.pi * 55 * 2 ** (chord[0] / 12) * t)
        beats += [tones + bass + drums[0], tones + drums[1]] * 2
    return np.concatenate(beats)


LOOPS = {
    "A": rendered_loop([(0, 3, 7), (-4, 0, 3), (3, 7, 10), (-2, 2, 5)] * 2, 3),
    "B": rendered_loop([(3, 7, 10), (10, 14, 17), (7, 10, 14), (5, 9, 12)] * 2, 10),
    "C": rendered_loop([(1, 5, 8), (1, 4, 8)] * 4, 6),
}


@pytest.mark.parametrize("form", ["ABAB", "ABACAB"])
def test_form_of_audio_that_repeats_is_found(form):
    y = np.concatenate([LOOPS[letter] for letter in form])
    y += 1e-4 * np.random.default_rng(0).normal(size=len(y))
    extractor = SongExtractor(SR)
    rows = [extractor.push(y.astype(np.float32)), extractor.flush()]
    features, spectrum = feature_table(rows, extractor.columns), extractor.semitone_spectrum()
    beats = find_beats(features, extractor.overview(), spectrum)
    found = find_sections(features, spectrum, beats, len(y) / SR)
    moments = 2.4 * np.arange(8 * len(form)) + 1.2  # the centers of the bars
    heard = [next(part.label for part in found.sections if part.end > moment) for moment in moments]
    assert "".join(heard) == "".join(letter * 8 for letter in form)


def test_the_model_of_the_caller_is_used():
    def network(value):
        zeros = np.zeros((N_FEATURES, 1), np.float32)
        one = Normalization(np.ones(1, np.float32), np.zeros(1, np.float32))
        first = Dense(zeros, np.zeros(1, np.float32))
        return TemporalNetwork(first, (), one, Dense(np.ones((1, 1), np.float32), np.float32([value])))

    scale = np.ones(N_FEATURES, np.float32)
    model = BoundaryModel(0 * scale, scale, Ensemble((network(-40.0), network(-20.0))))
    np.testing.assert_allclose(model(np.zeros((5, N_FEATURES), np.float32)), -30.0)
    tables = made_tables(48, form_sound("ABC", 16))
    found = find_sections(*tables, beats_at(np.arange(0, 48, 0.5)), 48.0, model=model)
    assert len(found.sections) == 1
    assert found.sections[0].confidence == 1


def test_the_model_of_the_package_is_loaded_once_and_has_finite_outputs():
    model = boundary_model()
    assert model is boundary_model()
    assert np.isfinite(model(np.random.default_rng(0).normal(0, 10, (200, N_FEATURES)).astype(np.float32))).all()


def test_a_mix_of_two_hours_needs_bounded_memory():
    seconds = 7400.0
    beats = beats_at(np.arange(0, seconds, 0.5))
    tables = made_tables(seconds, form_sound([str(n % 20) for n in range(37)], 200))
    assert len(song_bars(beats, seconds)) - 1 <= MOST_BARS
    tracemalloc.start()
    found = find_sections(*tables, beats, seconds)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.sections[-1].end == seconds
    assert max(part.end - part.start for part in found.sections) <= 70
    assert peak < 300e6

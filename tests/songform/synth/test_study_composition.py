"""Tests of study songs: their variety, and that their states are measurable in the sound."""

from __future__ import annotations

from collections import Counter
from functools import cache
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import stft

from songform.synth import Song, study_song, study_songs
from songform.synth.composition import Composition
from songform.synth.instruments import SETS
from songform.synth.patterns import PATTERNS, TRANSITION
from songform.synth.rendering.mastering import PEAK
from songform.synth.score.dynamics import PROFILES
from songform.synth.score.forms import CLOSING, SECONDS, new_form
from songform.synth.score.plan import STATES
from songform.synth.study_composition import TEMPI, study_composition

SR = 22050
N = 100


@cache
def batch() -> list[Composition]:
    """Compose `N` songs without rendering them."""
    return [study_composition(seed, SR, None, SETS["study"].players) for seed in range(N)]


@cache
def songs(dynamics: str) -> list[Song]:
    """Render the first two songs of the batch with a dynamics profile, each with another set of instruments."""
    seeds = [seed for seed, each in enumerate(batch()) if each.traits.dynamics == dynamics][:2]
    first = list(PROFILES).index(dynamics)  # so that all pairs of sets occur
    sets = [list(SETS)[(first + i) % len(SETS)] for i in range(2)]
    return [study_song(seed, sr=SR // 2, instruments=each) for seed, each in zip(seeds, sets, strict=True)]


def bars(composition: Composition) -> list[int]:
    """Return the length of each section in bars."""
    return [passage.clock.steps // (4 * composition.traits.beats) for passage in composition.passages]


def decibels(y: np.ndarray) -> float:
    """Return the RMS in dB relative to full scale."""
    return float(10 * np.log10(np.mean(np.square(y, dtype=np.float64)) + 1e-12))


def sections(song: Song, *states: str) -> list[np.ndarray]:
    """Return the sound of the sections of some states, without the decay of preceding sections and without fades."""
    begins, ends = song.traits.fade_in, song.y.size / song.sr - song.traits.fade_out
    spans = [(max(each.start + 1.0, begins), min(each.end, ends)) for each in song.sections if each.state in states]
    return [song.y[round(start * song.sr) : round(end * song.sr)] for start, end in spans if end - start > 1.5]


@settings(max_examples=15)
@given(st.integers(0, 2**64), st.sampled_from([8000, 11025]), st.floats(5, 30), st.sampled_from(list(SETS)))
def test_sections_partition_the_song_and_the_samples_are_valid(
    seed: int, sr: int, duration: float, instruments: str
) -> None:
    whole = study_song(seed, sr=sr, duration=duration, instruments=instruments)
    assert whole.sections[0].start == 0
    assert whole.sections[-1].end == whole.y.size / sr >= duration
    assert all(before.end == after.start for before, after in pairwise(whole.sections))
    assert {each.state for each in whole.sections} <= set(STATES.values())
    assert whole.y.dtype == np.float32
    assert np.all(np.isfinite(whole.y))
    assert 0.01 < np.max(np.abs(whole.y)) <= PEAK


@given(
    seed=st.integers(0, 2**32),
    duration=st.floats(5, 300),
    bar=st.floats(60 / 180 * 3, 60 / 60 * 4),
    lacking=st.sets(st.sampled_from(sorted(STATES.values())), max_size=2),
)
def test_a_form_fills_the_duration_with_sections_of_allowed_states_and_lengths(
    seed: int, duration: float, bar: float, lacking: set
) -> None:
    form = new_form(np.random.default_rng(seed), duration, bar, lacking)
    total = bar * sum(n_bars for _, n_bars in form)
    assert duration <= total + 1e-6
    assert total < duration + 40
    assert form[-1][0] in CLOSING
    assert all(before != after for (before, _), (after, _) in pairwise(form))
    assert lacking.isdisjoint(state for state, _ in form)
    for state, n_bars in form:
        shortest, longest = SECONDS[state]
        assert 1 <= n_bars <= 16
        assert shortest - 1e-9 <= bar * n_bars <= max(longest, shortest + bar)


def test_songs_last_60_to_150_seconds() -> None:
    seconds = [sum(passage.clock.n_samples for passage in each.passages) / SR for each in batch()]
    assert min(seconds) >= 60
    assert max(seconds) <= 150


def test_all_tempi_metres_swings_fades_and_dynamics_occur() -> None:
    traits = [each.traits for each in batch()]
    octaves = [np.log(each.bpm / TEMPI[0]) / np.log(TEMPI[1] / TEMPI[0]) for each in traits]
    assert min(octaves) >= -0.01
    assert max(octaves) <= 1.01
    assert np.all(np.histogram(octaves, bins=8, range=(-0.01, 1.01))[0] >= N // 20)
    assert Counter(each.beats for each in traits)[3] >= N // 10
    assert {each.swing > 0 for each in traits} == {True, False}
    assert sum(each.fade_in > 0.5 for each in traits) >= N // 20
    assert sum(each.fade_out > 1 for each in traits) >= N // 5
    assert Counter(each.dynamics for each in traits).keys() == PROFILES.keys()
    assert len({each.title for each in batch()}) > 0.9 * N


def test_sections_of_one_to_sixteen_bars_occur() -> None:
    counts = Counter(n_bars for each in batch() for n_bars in bars(each))
    assert set(counts) <= set(range(1, 17))
    assert min(counts[n_bars] for n_bars in (1, 2, 3, 4, 5, 6, 8, 10, 12, 16)) >= N // 10


def test_every_state_follows_every_other_state_and_every_pattern_occurs() -> None:
    orders = [[passage.state for passage in each.passages] for each in batch()]
    pairs = Counter(pair for order in orders for pair in pairwise(order))
    assert len(pairs) == 5 * 4
    assert min(pairs.values()) >= N // 10
    kinds = Counter((passage.state, passage.pattern) for each in batch() for passage in each.passages)
    expected = {(state, kind) for state, of_state in PATTERNS.items() for kind in of_state}
    assert set(kinds) == expected | {("Transition", kind) for kind in TRANSITION}
    assert min(kinds.values()) >= N // 20
    assert len(set(map(tuple, orders))) > 0.9 * N


def test_at_most_two_states_are_missing_from_a_song() -> None:
    lacking = Counter(5 - len({passage.state for passage in each.passages}) for each in batch())
    assert set(lacking) == {0, 1, 2}
    assert min(lacking.values()) >= N // 10
    for each in batch():
        assert {passage.state for passage in each.passages}.isdisjoint(PROFILES[each.traits.dynamics].lacking)


def test_no_state_takes_too_much_or_too_little_time() -> None:
    seconds: Counter[str] = Counter()
    for each in batch():
        for passage in each.passages:
            seconds[passage.state] += passage.clock.n_samples
    shares = {state: seconds[state] / seconds.total() for state in STATES.values()}
    assert shares["Transition"] > 0.04
    assert min(share for state, share in shares.items() if state != "Transition") > 0.15
    assert max(shares.values()) < 0.35


@pytest.mark.parametrize("seed", [3, 4])
def test_all_sets_of_instruments_play_the_same_notes(seed: int) -> None:
    composed = [study_composition(seed, SR, 30.0, SETS[each].players) for each in SETS]
    played = [study_song(seed, sr=8000, duration=10.0, instruments=each) for each in SETS]
    for i, j in combinations(range(len(SETS)), 2):
        assert composed[i].passages == composed[j].passages
        assert (composed[i].title, composed[i].traits) == (composed[j].title, composed[j].traits)
        assert composed[i].master == composed[j].master
        assert set(composed[i].band.values()).isdisjoint(composed[j].band.values())
        assert played[i].sections == played[j].sections
        assert np.corrcoef(played[i].y, played[j].y)[0, 1] < 0.5


def test_sections_return_in_many_songs() -> None:
    """In many but not all songs, two sections start with the same notes."""
    returning = 0
    for each in batch():
        notes = [tuple(passage.notes[:12]) for passage in each.passages if passage.state != "Transition"]
        returning += len(set(notes)) < len(notes)
    assert N // 10 < returning < N


def test_a_mastered_song_is_equally_loud_in_all_its_sections() -> None:
    for song in songs("mastered"):
        loudness = [decibels(y) for y in sections(song, "Calm", "BuildUp", "Energetic", "Repetitive")]
        assert len(loudness) >= 3
        assert max(loudness) - min(loudness) < 2.5
        for y in sections(song, "BuildUp"):
            first, *_, last = (decibels(part) for part in np.array_split(y, 4))
            assert abs(last - first) < 2.5


def recurrence(y: np.ndarray, bar: float) -> float:
    """Return the highest correlation of a section's spectra with those half a bar, one, two or four bars later."""
    spectra = np.log10(np.abs(stft(y, SR // 2, nperseg=512, noverlap=512 - 220)[2]) + 1e-3)  # every 20 ms
    bands = np.stack([band.mean(axis=0) for band in np.array_split(spectra, 50)])
    bands -= bands.mean(axis=1, keepdims=True)
    lags = [round(bar * part / 0.02) + jitter for part in (0.5, 1, 2, 4) for jitter in (-1, 0, 1)]
    fitting = [lag for lag in lags if lag < 0.6 * bands.shape[1]]
    return max(
        (float(np.corrcoef(bands[:, :-lag].ravel(), bands[:, lag:].ravel())[0, 1]) for lag in fitting), default=0
    )


@pytest.mark.parametrize("dynamics", PROFILES)
def test_only_repetitive_sections_repeat_within_four_bars(dynamics: str) -> None:
    """Human timing, reverb, mastering and noise do not hide the repetition."""
    for song in songs(dynamics):
        bar = 60 / song.traits.bpm * song.traits.beats
        loops, others = (
            [recurrence(y, bar) for y in sections(song, *states) if y.size / song.sr > 4 * bar]
            for states in (("Repetitive",), ("Calm", "Energetic"))
        )
        assert min(loops, default=1) > 0.7 > max(others, default=0)


@pytest.mark.parametrize("dynamics", PROFILES)
def test_a_build_up_gets_brighter_and_denser_with_any_dynamics(dynamics: str) -> None:
    found = 0
    for song in songs(dynamics):
        for y in sections(song, "BuildUp"):
            spectra = [np.abs(stft(part, song.sr, nperseg=512)[2]) for part in np.array_split(y, 3)]
            hz = np.linspace(0, song.sr / 2, len(spectra[0]))
            centroid = [float(np.sum(hz[:, None] * each) / np.sum(each)) for each in spectra]
            onsets = [float(np.maximum(np.diff(np.log10(each + 1e-3)), 0).mean()) for each in spectra]
            assert centroid[0] * 1.2 < centroid[2]
            assert onsets[0] * 1.2 < onsets[2]
            found += 1
    assert found >= 2


@pytest.mark.parametrize("dynamics", ["wide", "narrow"])
def test_calm_is_softer_than_energetic_with_wide_and_narrow_dynamics(dynamics: str) -> None:
    pairs = [(sections(song, "Calm"), sections(song, "Energetic")) for song in songs(dynamics)]
    compared = [(calm, full) for calm, full in pairs if calm and full]
    assert compared
    assert all(max(map(decibels, calm)) + 3 < min(map(decibels, full)) for calm, full in compared)


def test_calm_has_few_onsets_and_energetic_many_at_any_tempo() -> None:
    """Calm has fewer than three onsets per second, Energetic more, so they differ even if they are equally loud."""
    rates: dict[str, list[float]] = {state: [] for state in STATES.values()}
    for each in batch():
        for passage in each.passages:
            onsets = len({round(2 * note.step) for note in passage.notes})
            rates[passage.state].append(onsets / passage.clock.n_samples * SR)
    assert max(rates["Calm"]) < 3 < min(rates["Energetic"])
    assert np.median(rates["Calm"]) < 1.5
    assert np.median(rates["Energetic"]) > 6


def test_a_soft_song_is_softer_than_any_other() -> None:
    soft = max(decibels(song.y) for song in songs("soft"))
    assert soft + 4 < min(decibels(song.y) for each in ("wide", "narrow", "loud", "mastered") for song in songs(each))


def test_a_song_of_study_songs_is_that_of_study_song_and_has_the_traits_of_its_composition() -> None:
    """The seeds of the songs are derived from the seed of the list, as in `playlist`."""
    (song,) = study_songs(1, 9, sr=8000, duration=10.0)
    seed = int(np.random.SeedSequence(9).generate_state(1, np.uint64)[0])
    np.testing.assert_array_equal(song.y, study_song(seed, sr=8000, duration=10.0).y)
    composition = study_composition(seed, 8000, 10.0, SETS["study"].players)
    assert song.traits == composition.traits
    assert [each.kind for each in song.sections] == [passage.pattern for passage in composition.passages]

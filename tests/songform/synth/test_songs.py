"""Composed songs: their states must be true to the ear, that is, measurable in the sound, and not in name alone."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import correlate

from songform.errors import ParameterError
from songform.synth import Section, Song, compose, playlist, states_at
from songform.synth.melodies import melody
from songform.synth.mixing import INSTRUMENTS, PEAK, Player, levelled
from songform.synth.plan import STATES, new_levels, new_plan
from songform.synth.score import Note, build_up, new_band
from songform.synth.themes import MODES, STEPS, modulated, new_theme, voicings

SEEDS = (1, 2, 5)
PLAYERS = ["strings", "flute", "guitar", "harp", "marimba", "reeds", "brass", "sub", "epiano"]

song = cache(compose)


def stretches(seed: int, state: str) -> list[np.ndarray]:
    """Return the sound of each section of a state, without the ring of what was before and the fade at the end."""
    whole = song(seed)
    wanted = [section for section in whole.sections if section.state == state]
    return [
        whole.y[round((section.start + 1.0) * whole.sr) : round((section.end - 0.3) * whole.sr)] for section in wanted
    ]


def decibels(y: np.ndarray) -> float:
    """Return the RMS in dB of full scale."""
    return float(10 * np.log10(np.mean(np.square(y, dtype=np.float64))))


def spectrum(y: np.ndarray, sr: int) -> tuple[np.ndarray, np.ndarray]:
    """Return frequencies in Hz and power."""
    return np.fft.rfftfreq(y.size, 1 / sr), np.abs(np.fft.rfft(y)) ** 2


def best_echo(y: np.ndarray, sr: int) -> float:
    """Return the highest correlation of the first 1.5 s with any later 1.5 s at a lag of a second or more."""
    width = round(1.5 * sr)
    later = y[sr:].astype(np.float64)
    products = correlate(later, y[:width], mode="valid", method="fft")
    total = np.concatenate([[0.0], np.cumsum(later**2)])
    return float(np.max(products / np.sqrt((total[width:] - total[:-width]) * np.sum(np.square(y[:width])))))


def test_the_same_seed_gives_the_same_samples() -> None:
    again = compose(1)
    np.testing.assert_array_equal(again.y, song(1).y)
    assert (again.title, again.sections) == (song(1).title, song(1).sections)


def test_different_seeds_give_different_songs() -> None:
    songs = [song(seed) for seed in SEEDS]
    assert len({each.title for each in songs}) == len(SEEDS)
    assert len({each.y.tobytes() for each in songs}) == len(SEEDS)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**64), sr=st.sampled_from([8000, 11025]), duration=st.floats(5, 40))
def test_sections_partition_the_song_and_the_sound_is_sound(seed: int, sr: int, duration: float) -> None:
    whole = compose(seed, sr=sr, duration=duration)
    assert whole.sections[0].start == 0
    assert whole.sections[-1].end == whole.y.size / sr
    assert all(before.end == after.start for before, after in pairwise(whole.sections))
    assert duration <= whole.sections[-1].end < duration + 3
    assert whole.y.dtype == np.float32
    assert np.all(np.isfinite(whole.y))
    assert 0.3 < np.max(np.abs(whole.y)) <= PEAK or len(whole.sections) < 4


@given(seed=st.integers(0, 2**32), duration=st.floats(5, 600), bar=st.floats(60 / 140 * 4, 60 / 84 * 4))
def test_a_plan_fills_the_duration_with_whole_bars_and_every_state(seed: int, duration: float, bar: float) -> None:
    rng = np.random.default_rng(seed)
    plan = new_plan(rng, duration, bar)
    assert duration <= bar * sum(n_bars for _, n_bars in plan) * (1 + 1e-9) < duration + bar * (1 + 1e-6)
    assert min(n_bars for _, n_bars in plan) >= 2
    assert all(bar * n_bars <= 8 for state, n_bars in plan if state == "Transition")
    assert all(before != after for (before, _), (after, _) in pairwise(plan))
    assert all(before != "Transition" or after != "BuildUp" for (before, _), (after, _) in pairwise(plan))
    assert len(new_levels(rng, plan)) == len(plan)
    if duration >= 60:
        assert {state for state, _ in plan} == set(STATES.values())


@given(seed=st.integers(0, 2**32), bar=st.floats(60 / 140 * 4, 60 / 84 * 4))
def test_states_share_the_time_of_a_song(seed: int, bar: float) -> None:
    """A transition has about a tenth; the other four share the rest."""
    plan = new_plan(np.random.default_rng(seed), 75.0, bar)
    total = sum(n_bars for _, n_bars in plan)
    for state in STATES.values():
        share = sum(n_bars for each, n_bars in plan if each == state) / total
        assert 0.06 < share < 0.13 if state == "Transition" else 0.15 <= share <= 0.31


@pytest.mark.parametrize("seed", SEEDS)
def test_calm_is_softer_than_repetitive_and_that_than_energetic(seed: int) -> None:
    calm, loop, full = ([decibels(y) for y in stretches(seed, state)] for state in ("Calm", "Repetitive", "Energetic"))
    assert max(calm) + 3 < min(loop)
    assert max(loop) + 4 < min(full)
    assert min(full) - min(calm) < 22


@pytest.mark.parametrize("seed", SEEDS)
def test_a_build_up_rises_all_the_way(seed: int) -> None:
    """Louder and brighter third by third, with less and less bass, to just below the level that follows."""
    for y in stretches(seed, "BuildUp"):
        parts = [spectrum(part, 22050) for part in np.array_split(y, 3)]
        loudness = [decibels(part) for part in np.array_split(y, 3)]
        centroid = [float(np.sum(hz * np.sqrt(power)) / np.sum(np.sqrt(power))) for hz, power in parts]
        bass = [float(np.sum(power[hz < 150]) / np.sum(power)) for hz, power in parts]
        assert loudness == sorted(loudness)
        assert loudness[-1] - loudness[0] > 3
        assert centroid == sorted(centroid)
        assert bass[-1] < 0.5 * bass[0]


@given(seed=st.integers(0, 2**32), n_bars=st.integers(3, 12))
def test_a_build_up_gets_denser_bar_by_bar(seed: int, n_bars: int) -> None:
    rng = np.random.default_rng(seed)
    notes = build_up(new_theme(rng), new_band(rng), n_bars, rng)
    strokes = [
        len({n.step for n in notes if n.instrument == "snare" and n.step // STEPS == bar}) for bar in range(n_bars)
    ]
    assert strokes == sorted(strokes)
    assert strokes[-1] >= 2 * strokes[0]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_loop_repeats_exactly_and_the_other_states_do_not(seed: int) -> None:
    assert min(best_echo(y, 22050) for y in stretches(seed, "Repetitive")) > 0.99
    for state in ("Calm", "BuildUp", "Energetic", "Transition"):
        assert max(best_echo(y, 22050) for y in stretches(seed, state)) < 0.95, state


@pytest.mark.parametrize("seed", SEEDS)
def test_a_transition_is_the_most_unlike_itself(seed: int) -> None:
    """Its beats differ from each other in the spectrum more than those of any other state."""

    def unrest(y: np.ndarray) -> float:
        beats = np.array_split(y, y.size // 11025)
        bands = [[band.sum() for band in np.array_split(spectrum(beat, 22050)[1], 24)] for beat in beats]
        return float(np.std(10 * np.log10(np.array(bands)), axis=0).mean())

    steady = [unrest(y) for state in ("Calm", "Energetic", "Repetitive") for y in stretches(seed, state)]
    assert min(unrest(y) for y in stretches(seed, "Transition")) > 1.05 * max(steady)


def test_a_playlist_is_made_of_different_songs_and_a_longer_one_begins_alike() -> None:
    short = list(playlist(2, 3, sr=8000, duration=10))
    long = list(playlist(3, 3, sr=8000, duration=10))
    other = list(playlist(2, 4, sr=8000, duration=10))
    assert [each.y.tobytes() for each in short] == [each.y.tobytes() for each in long[:2]]
    assert len({each.y.tobytes() for each in [*long, *other]}) == 5
    assert list(playlist(0, 3)) == []


SECTIONS = (Section(0.0, 2.0, "Calm"), Section(2.0, 5.5, "BuildUp"), Section(5.5, 9.0, "Energetic"))


def test_the_state_at_a_boundary_is_the_later_one_and_past_the_end_the_last() -> None:
    found = states_at(SECTIONS, [0.0, 1.999, 2.0, 5.5, 8.9, 9.0, 1e6])
    assert found.tolist() == ["Calm", "Calm", "BuildUp", "Energetic", "Energetic", "Energetic", "Energetic"]
    assert states_at(SECTIONS, []).shape == (0,)


@given(times=st.lists(st.floats(0, 8.99), max_size=20))
def test_states_at_agrees_with_a_search_through_the_sections(times: list[float]) -> None:
    expected = [section.state for t in times for section in SECTIONS if section.start <= t < section.end]
    assert states_at(SECTIONS, times).tolist() == expected


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"seed": -1}, "seed"),
        ({"seed": 0, "sr": 4000}, "sr"),
        ({"seed": 0, "duration": 4.9}, "duration"),
        ({"seed": 0, "duration": float("nan")}, "duration"),
        ({"seed": 0, "duration": float("inf")}, "duration"),
    ],
)
def test_an_impossible_argument_is_refused_by_name_before_anything_is_composed(arguments: dict, name: str) -> None:
    with pytest.raises(ParameterError, match=f"^{name} must"):
        compose(**arguments)
    with pytest.raises(ParameterError, match=f"^{name} must"):
        playlist(1, **arguments)


def test_a_negative_number_of_songs_and_impossible_times_are_refused() -> None:
    with pytest.raises(ParameterError, match="n_songs"):
        playlist(-1, 0)
    with pytest.raises(ParameterError, match=r"-0\.5"):
        states_at(SECTIONS, [1.0, -0.5])
    with pytest.raises(ParameterError, match="nan"):
        states_at(SECTIONS, [np.nan])
    with pytest.raises(ParameterError, match="empty"):
        states_at((), [1.0])


def test_a_song_cannot_be_changed() -> None:
    whole: Song = song(1)
    with pytest.raises(FrozenInstanceError):
        whole.title = "Other"  # type: ignore[misc]


@pytest.mark.parametrize("instrument", sorted(INSTRUMENTS))
def test_an_instrument_sounds_alike_each_time_and_at_the_level_of_its_note(instrument: str) -> None:
    """The loudest 50 ms have the RMS that the note asks for, whatever the instrument, pitch and brightness."""
    for pitch, brightness in ((40, 0.0), (64, 0.5), (88, 1.0)):
        note = Note(0, 8, instrument, pitch, 0.25, brightness)
        first, again = (Player(22050, 2756, seed=7).played([note], 22050 * 4).sum(axis=0) for _ in range(2))
        np.testing.assert_array_equal(first, again)
        window = round(0.05 * 22050)
        power = np.square(first[: first.size // window * window]).reshape(-1, window).mean(axis=1)
        assert np.sqrt(power.max()) == pytest.approx(0.25, rel=0.05)


@pytest.mark.parametrize("instrument", PLAYERS)
@pytest.mark.parametrize("pitch", [45, 60, 69, 76])
def test_an_instrument_is_in_tune(instrument: str, pitch: int) -> None:
    """The partial nearest to the fundamental lies within a third of a semitone of equal temperament."""
    y = Player(22050, 5512, seed=0).played([Note(0, 4, instrument, pitch, 1.0, 0.5)], 22050).sum(axis=0)
    hz, power = spectrum(np.pad(y * np.hanning(y.size), (0, 7 * y.size)), 22050)
    expected = 440 * 2 ** ((pitch - 69) / 12)
    near = (hz > expected / 1.3) & (hz < expected * 1.3)
    assert abs(12 * np.log2(hz[near][np.argmax(power[near])] / expected)) < 1 / 3


def test_a_level_is_what_was_asked_for_and_a_rise_is_straight() -> None:
    buses = np.random.default_rng(0).standard_normal((2, 4500)).astype(np.float32)
    buses[:, 1000:2000] *= 1.25
    steady = levelled(buses, 4000, 1000, (-6.0, -6.0)).sum(axis=0)
    assert decibels(steady[:4000]) == pytest.approx(-21, abs=0.01)
    rising = levelled(buses, 4000, 1000, (-16.0, 0.0)).sum(axis=0)
    measured = [decibels(rising[i : i + 1000]) for i in range(0, 4000, 1000)]
    np.testing.assert_allclose(measured, [-29, -25, -21, -17], atol=1)


@given(seed=st.integers(0, 2**32))
def test_chords_keep_their_tones_and_move_little(seed: int) -> None:
    """Every voicing has the chord's pitch classes; no voice ever leaps by more than a fifth."""
    theme = new_theme(np.random.default_rng(seed))
    chords = voicings(theme, 16)
    for bar, chord in enumerate(chords):
        assert {pitch % 12 for pitch in chord} == {theme.pitch(degree) % 12 for degree in theme.chord(bar)}
        assert list(chord) == sorted(chord)
    assert all(abs(a - b) <= 7 for before, after in pairwise(chords) for a, b in zip(before, after, strict=True))


@given(seed=st.integers(0, 2**32), slow=st.booleans())
def test_a_melody_stays_in_its_key_and_never_repeats_a_phrase(seed: int, slow: bool) -> None:
    rng = np.random.default_rng(seed)
    theme = new_theme(rng)
    tune = melody(theme, 8, rng, slow=slow)
    scale = {(theme.tonic + step) % 12 for step in MODES[theme.mode]}
    assert {theme.pitch(tone.degree) % 12 for tone in tune} <= scale
    assert all(tone.step + tone.length == after.step for tone, after in pairwise(tune))
    assert tune[-1].step + tune[-1].length == 8 * STEPS
    assert max(tone.degree for tone in tune) - min(tone.degree for tone in tune) <= 16
    halves = [
        [tone._replace(step=tone.step % (4 * STEPS)) for tone in tune if tone.step // (4 * STEPS) == i] for i in (0, 1)
    ]
    assert halves[0] != halves[1]


@given(seed=st.integers(0, 2**32))
def test_a_modulation_changes_the_key(seed: int) -> None:
    rng = np.random.default_rng(seed)
    theme = new_theme(rng)
    assert modulated(theme, rng).tonic != theme.tonic

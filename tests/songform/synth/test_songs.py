"""Tests of demo songs: the states must be measurable in the sound."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from songform.errors import ParameterError
from songform.synth import Section, Song, compose, playlist, states_at, study_song, study_songs
from songform.synth.rendering.mastering import PEAK
from songform.synth.score.plan import STATES, new_levels, new_plan

SEEDS = (1, 2, 6, 9)  # all patterns of BuildUp but one, four of Repetitive, three of Energetic and of Calm

song = cache(compose)


def stretches(seed: int, state: str) -> list[np.ndarray]:
    """Return the sound of each section of a state, without the decay of the preceding section and the final fade."""
    whole = song(seed)
    wanted = [section for section in whole.sections if section.state == state]
    return [
        whole.y[round((section.start + 1.0) * whole.sr) : round((section.end - 0.3) * whole.sr)] for section in wanted
    ]


def decibels(y: np.ndarray) -> float:
    """Return the RMS in dB relative to full scale."""
    return float(10 * np.log10(np.mean(np.square(y, dtype=np.float64))))


def spectrum(y: np.ndarray, sr: int) -> tuple[np.ndarray, np.ndarray]:
    """Return frequencies in Hz and power."""
    return np.fft.rfftfreq(y.size, 1 / sr), np.abs(np.fft.rfft(y)) ** 2


@pytest.mark.parametrize("composer", [compose, study_song])
def test_the_same_seed_gives_the_same_samples(composer) -> None:
    first, again = (composer(1, sr=8000, duration=20.0) for _ in range(2))
    np.testing.assert_array_equal(again.y, first.y)
    assert (again.title, again.sections, again.traits) == (first.title, first.sections, first.traits)


@pytest.mark.parametrize("composer", [compose, study_song])
def test_different_seeds_give_different_songs(composer) -> None:
    songs = [composer(seed, sr=8000, duration=10.0) for seed in range(4)]
    assert len({each.title for each in songs}) == 4
    assert len({each.y.tobytes() for each in songs}) == 4


@settings(max_examples=12)
@given(seed=st.integers(0, 2**64), sr=st.sampled_from([8000, 11025]), duration=st.floats(5, 40))
def test_sections_partition_the_song_and_the_samples_are_valid(seed: int, sr: int, duration: float) -> None:
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
    """Transitions take about a tenth; the other four states share the rest about equally."""
    plan = new_plan(np.random.default_rng(seed), 75.0, bar)
    total = sum(n_bars for _, n_bars in plan)
    for state in STATES.values():
        share = sum(n_bars for each, n_bars in plan if each == state) / total
        assert 0.06 < share < 0.13 if state == "Transition" else 0.15 <= share <= 0.31


@pytest.mark.parametrize("seed", SEEDS)
def test_calm_is_softer_than_repetitive_which_is_softer_than_energetic(seed: int) -> None:
    calm, loop, full = ([decibels(y) for y in stretches(seed, state)] for state in ("Calm", "Repetitive", "Energetic"))
    assert max(calm) + 3 < min(loop)
    assert max(loop) + 4 < min(full)
    assert min(full) - min(calm) < 22


@pytest.mark.parametrize("seed", SEEDS)
def test_a_build_up_rises_until_its_end(seed: int) -> None:
    """It becomes louder and brighter from third to third, and the bass, if any, decreases."""
    for y in stretches(seed, "BuildUp"):
        parts = [spectrum(part, 22050) for part in np.array_split(y, 3)]
        loudness = [decibels(part) for part in np.array_split(y, 3)]
        centroid = [float(np.sum(hz * np.sqrt(power)) / np.sum(np.sqrt(power))) for hz, power in parts]
        bass = [float(np.sum(power[hz < 150]) / np.sum(power)) for hz, power in parts]
        assert loudness == sorted(loudness)
        assert loudness[-1] - loudness[0] > 3
        assert centroid == sorted(centroid)
        assert bass[-1] <= max(0.5 * bass[0], 0.02)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_transition_varies_more_than_any_other_state(seed: int) -> None:
    """Its beats differ from each other in the spectrum more than those of other states."""

    def unrest(y: np.ndarray) -> float:
        beats = np.array_split(y, y.size // 11025)
        bands = [[band.sum() for band in np.array_split(spectrum(beat, 22050)[1], 24)] for beat in beats]
        return float(np.std(10 * np.log10(np.array(bands)), axis=0).mean())

    steady = [unrest(y) for state in ("Calm", "Energetic", "Repetitive") for y in stretches(seed, state)]
    assert min(unrest(y) for y in stretches(seed, "Transition")) > 1.05 * max(steady)


@pytest.mark.parametrize("many", [playlist, study_songs])
def test_a_playlist_has_different_songs_and_a_longer_one_starts_with_the_same_songs(many) -> None:
    short = list(many(2, 3, sr=8000, duration=10))
    long = list(many(3, 3, sr=8000, duration=10))
    other = list(many(2, 4, sr=8000, duration=10))
    assert [each.y.tobytes() for each in short] == [each.y.tobytes() for each in long[:2]]
    assert len({each.y.tobytes() for each in [*long, *other]}) == 5
    assert list(many(0, 3)) == []


SECTIONS = (Section(0.0, 2.0, "Calm"), Section(2.0, 5.5, "BuildUp"), Section(5.5, 9.0, "Energetic"))


def test_a_boundary_has_the_state_of_the_later_section_and_times_after_the_end_the_last_state() -> None:
    found = states_at(SECTIONS, [0.0, 1.999, 2.0, 5.5, 8.9, 9.0, 1e6])
    assert found.tolist() == ["Calm", "Calm", "BuildUp", "Energetic", "Energetic", "Energetic", "Energetic"]
    assert states_at(SECTIONS, []).shape == (0,)


@given(times=st.lists(st.floats(0, 8.99), max_size=20))
def test_states_at_agrees_with_a_search_through_the_sections(times: list[float]) -> None:
    expected = [section.state for t in times for section in SECTIONS if section.start <= t < section.end]
    assert states_at(SECTIONS, times).tolist() == expected


@pytest.mark.parametrize(("one", "many"), [(compose, playlist), (study_song, study_songs)])
@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"seed": -1}, "seed"),
        ({"seed": 0, "sr": 4000}, "sr"),
        ({"seed": 0, "duration": 4.9}, "duration"),
        ({"seed": 0, "duration": float("nan")}, "duration"),
        ({"seed": 0, "duration": float("inf")}, "duration"),
        ({"seed": 0, "instruments": "kazoo"}, "instruments"),
    ],
)
def test_an_argument_out_of_range_is_rejected_by_name_before_anything_is_composed(one, many, arguments, name) -> None:
    with pytest.raises(ParameterError, match=f"^{name} must"):
        one(**arguments)
    with pytest.raises(ParameterError, match=f"^{name} must"):
        many(1, **arguments)


def test_a_negative_number_of_songs_and_invalid_times_are_rejected() -> None:
    for many in (playlist, study_songs):
        with pytest.raises(ParameterError, match="n_songs"):
            many(-1, 0)
    with pytest.raises(ParameterError, match=r"-0\.5"):
        states_at(SECTIONS, [1.0, -0.5])
    with pytest.raises(ParameterError, match="nan"):
        states_at(SECTIONS, [np.nan])
    with pytest.raises(ParameterError, match="empty"):
        states_at((), [1.0])


def test_a_song_is_immutable() -> None:
    whole: Song = compose(1, sr=8000, duration=5.0)
    with pytest.raises(FrozenInstanceError):
        whole.title = "Other"  # type: ignore[misc]

"""Tests of the patterns: each one must have the properties of its state, with each set of instruments."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import correlate

from songform.synth.instruments import ROLES, SETS, new_band
from songform.synth.patterns import PATTERNS, TRANSITION
from songform.synth.patterns.repetitive import loop_steps
from songform.synth.rendering.mastering import Master, mastered
from songform.synth.rendering.mixing import levelled
from songform.synth.rendering.note_player import Player
from songform.synth.score.notes import Note
from songform.synth.score.step_times import Clock
from songform.synth.score.themes import modulated, new_theme

SR = 22050
STEP = round(SR * 15 / 112)
N_BARS = 8
ALL = [(state, kind) for state, of_state in PATTERNS.items() for kind in of_state]
SEED = st.integers(0, 2**32)
METRE = st.sampled_from((16, 12))  # steps per bar of 4/4 and of 3/4


def written(state: str, kind: str, n_bars: int, seed: int, metre: int = 16) -> list[Note]:
    """Write the notes of a section."""
    rng = np.random.default_rng(seed)
    return PATTERNS[state][kind].write(new_theme(rng, metre=metre), n_bars, rng)


def played(notes: list[Note], instruments: str, seed: int, n_bars: int = N_BARS) -> np.ndarray:
    """Render bars of 4/4 at a constant level, with reverb, without noise."""
    chosen = SETS[instruments]
    band = new_band(np.random.default_rng(seed), chosen.players)
    player = Player({role: chosen.instruments[name] for role, name in band.items()}, SR, STEP, seed)
    clock = Clock(STEP, 16 * n_bars)
    buses = levelled(player.played(notes, clock, clock.n_samples), clock.n_samples, 16 * STEP, (0.0, 0.0))
    return mastered(buses, Master(hiss_db=-200.0), SR, seed)


def best_echo(y: np.ndarray, sr: int) -> float:
    """Return the highest correlation of the first 1.5 s with any other 1.5 s, at a lag of at least 1 s."""
    width = round(1.5 * sr)
    later = y[sr:].astype(np.float64)
    products = correlate(later, y[:width], mode="valid", method="fft")
    total = np.concatenate([[0.0], np.cumsum(later**2)])
    return float(np.max(products / np.sqrt((total[width:] - total[:-width]) * np.sum(np.square(y[:width])))))


def centroid(y: np.ndarray) -> float:
    """Return the centroid of the magnitude spectrum in Hz."""
    magnitude = np.abs(np.fft.rfft(y))
    return float(np.sum(np.fft.rfftfreq(y.size, 1 / SR) * magnitude) / np.sum(magnitude))


@given(each=st.sampled_from(ALL), n_bars=st.integers(1, 16), seed=SEED, metre=METRE)
def test_a_section_has_valid_notes_from_its_first_bar_to_its_last(each, n_bars, seed, metre) -> None:
    notes = written(*each, n_bars, seed, metre)
    assert {note.role for note in notes} <= set(ROLES)
    assert {int(note.step // metre) for note in notes} >= {0, (n_bars - 1) // 2 * 2}
    for note in notes:
        assert 0 <= note.step < n_bars * metre
        assert note.length > 0
        assert 0 < note.level <= 1
        assert 0 <= note.brightness <= 1
        assert 0 <= note.pitch <= 110


@given(kind=st.sampled_from(sorted(TRANSITION)), n_bars=st.integers(1, 4), seed=SEED, metre=METRE)
def test_a_transition_has_valid_notes_until_its_last_bar(kind, n_bars, seed, metre) -> None:
    rng = np.random.default_rng(seed)
    theme = new_theme(rng, metre=metre)
    notes = TRANSITION[kind].write(theme, modulated(theme, rng), n_bars, rng)
    assert {note.role for note in notes} <= set(ROLES)
    assert min(note.step for note in notes) == 0
    assert all(note.step < n_bars * metre and note.length > 0 and 0 < note.level <= 1 for note in notes)
    assert max(note.step for note in notes) >= (n_bars - 1) * metre


@given(n_bars=st.integers(1, 16), seed=SEED, metre=METRE)
def test_a_loop_occurs_at_least_three_times_and_has_at_most_four_bars(n_bars: int, seed: int, metre: int) -> None:
    length = loop_steps(metre, n_bars, np.random.default_rng(seed))
    assert metre // 4 <= length <= 4 * metre
    assert n_bars * metre >= 3 * length


@given(kind=st.sampled_from(sorted(PATTERNS["Repetitive"])), n_bars=st.integers(1, 16), seed=SEED, metre=METRE)
def test_the_notes_of_a_repetitive_section_repeat_exactly(kind, n_bars, seed, metre) -> None:
    notes = written("Repetitive", kind, n_bars, seed, metre)
    lengths = (metre // 4, metre // 2, metre, 2 * metre, 4 * metre)
    heard = {note._replace(length=0) for note in notes}
    end = n_bars * metre

    def recurs(lag: int) -> bool:
        return all(note._replace(step=note.step + lag) in heard for note in heard if note.step + lag < end)

    assert any(recurs(lag) for lag in lengths if 3 * lag <= end)


@given(
    each=st.sampled_from([(state, kind) for state, kind in ALL if state != "Repetitive"]),
    seed=SEED,
    metre=METRE,
)
def test_the_notes_of_other_sections_do_not_repeat(each, seed: int, metre: int) -> None:
    """At every lag from half a bar to four bars, fewer than nine tenths of the notes recur."""
    notes = written(*each, N_BARS, seed, metre)
    heard = {(note.step, note.role, note.pitch) for note in notes}
    for lag in (metre // 2, metre, 2 * metre, 4 * metre):
        early = [(note.step + lag, note.role, note.pitch) for note in notes if note.step + lag < N_BARS * metre]
        assert np.mean([note in heard for note in early]) < 0.9


@given(kind=st.sampled_from(sorted(PATTERNS["BuildUp"])), n_bars=st.integers(2, 16), seed=SEED, metre=METRE)
def test_a_build_up_gets_denser_bar_by_bar(kind: str, n_bars: int, seed: int, metre: int) -> None:
    notes = written("BuildUp", kind, n_bars, seed, metre)
    strokes = [len([note for note in notes if note.step // metre == bar]) for bar in range(n_bars)]
    assert strokes[-1] > 1.2 * strokes[0]
    assert all(later >= 0.75 * earlier for earlier, later in pairwise(strokes))


@pytest.mark.parametrize("instruments", SETS)
@pytest.mark.parametrize("kind", PATTERNS["BuildUp"])
def test_a_build_up_gets_brighter_and_has_no_bass_at_the_end(kind: str, instruments: str) -> None:
    thirds = np.array_split(played(written("BuildUp", kind, N_BARS, 1), instruments, 1), 3)
    assert centroid(thirds[0]) < centroid(thirds[1]) < centroid(thirds[2])
    assert centroid(thirds[2]) > 1.25 * centroid(thirds[0])
    power = np.abs(np.fft.rfft(thirds[2])) ** 2
    assert power[: np.searchsorted(np.fft.rfftfreq(thirds[2].size, 1 / SR), 120)].sum() < 0.05 * power.sum()


@pytest.mark.parametrize("instruments", SETS)
@pytest.mark.parametrize(("state", "kind"), ALL)
def test_only_the_sound_of_a_repetitive_section_repeats(state: str, kind: str, instruments: str) -> None:
    y = played(written(state, kind, N_BARS, 3), instruments, 3)[round(0.3 * SR) :]
    assert (best_echo(y, SR) > 0.97) == (state == "Repetitive")


@pytest.mark.parametrize("instruments", SETS)
def test_energetic_is_brighter_than_calm_at_the_same_loudness(instruments: str) -> None:
    """Every pattern of Energetic has a higher share of power above 1.5 kHz than every pattern of Calm."""

    def treble(state: str, kind: str) -> float:
        y = played(written(state, kind, 2, 4), instruments, 4, n_bars=2)
        power = np.abs(np.fft.rfft(y)) ** 2
        return float(power[np.fft.rfftfreq(y.size, 1 / SR) > 1500].sum() / power.sum())

    calm, full = ([treble(state, kind) for kind in PATTERNS[state]] for state in ("Calm", "Energetic"))
    assert max(calm) < min(full)

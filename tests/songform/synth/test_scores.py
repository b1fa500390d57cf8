"""Tests of the musical material: keys, chords, melodies, rhythms, times, notes and levels."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from songform.synth.rendering.mixing import levelled
from songform.synth.score.melodies import melody
from songform.synth.score.notes import Note, cropped, humanised, repeated, stretched
from songform.synth.score.rhythms import BACKBEATS, BASS_LINES, COMPING, HATS, KICKS, PULSES, pulse
from songform.synth.score.step_times import Clock
from songform.synth.score.themes import MODES, modulated, new_theme, voicings

SEED = st.integers(0, 2**32)
METRES = (16, 12)  # steps per bar of 4/4 and of 3/4
METRE = st.sampled_from(METRES)


@given(seed=SEED, metre=METRE)
def test_voicings_have_the_tones_of_the_chord_and_move_little(seed: int, metre: int) -> None:
    """No voice moves by more than a fifth."""
    theme = new_theme(np.random.default_rng(seed), metre=metre)
    chords = voicings(theme, 16)
    for bar, chord in enumerate(chords):
        assert {pitch % 12 for pitch in chord} == {theme.pitch(degree) % 12 for degree in theme.chord(bar)}
        assert list(chord) == sorted(chord)
    assert all(abs(a - b) <= 7 for before, after in pairwise(chords) for a, b in zip(before, after, strict=True))


@given(seed=SEED, metre=METRE, slow=st.booleans())
def test_a_melody_stays_in_its_key_and_never_repeats_a_phrase(seed: int, metre: int, slow: bool) -> None:
    rng = np.random.default_rng(seed)
    theme = new_theme(rng, metre=metre)
    tune = melody(theme, 8, rng, slow=slow)
    scale = {(theme.tonic + step) % 12 for step in MODES[theme.mode]}
    assert {theme.pitch(tone.degree) % 12 for tone in tune} <= scale
    assert all(tone.step + tone.length == after.step for tone, after in pairwise(tune))
    assert tune[-1].step + tune[-1].length == 8 * metre
    assert max(tone.degree for tone in tune) - min(tone.degree for tone in tune) <= 16
    halves = [
        [tone._replace(step=tone.step % (4 * metre)) for tone in tune if tone.step // (4 * metre) == i] for i in (0, 1)
    ]
    assert halves[0] != halves[1]


@given(seed=SEED, metre=METRE)
def test_a_modulation_changes_the_key_and_keeps_the_metre(seed: int, metre: int) -> None:
    rng = np.random.default_rng(seed)
    theme = new_theme(rng, metre=metre)
    assert modulated(theme, rng).tonic != theme.tonic
    assert modulated(theme, rng).metre == metre


@pytest.mark.parametrize("metre", METRES)
def test_rhythms_stay_within_their_bar(metre: int) -> None:
    assert sorted(PULSES[metre]) == list(range(metre))
    for table in (KICKS, HATS, COMPING, BASS_LINES):
        assert all(0 <= step < metre for steps in table[metre] for step in steps)
        assert all(list(steps) == sorted(set(steps)) for steps in table[metre])
    assert all(0 <= step < metre for step in BACKBEATS[metre])
    assert [len(pulse(metre, density)) for density in (0, 1, 2, 7, metre)] == [1, 1, 2, 7, metre]


@given(
    step=st.integers(900, 6000), beats=st.integers(2, 64), swing=st.floats(0, 0.17), slowing=st.sampled_from([0.0, 0.8])
)
def test_clock_times_increase_and_swing_does_not_move_beats(
    step: int, beats: int, swing: float, slowing: float
) -> None:
    clock = Clock(step, 4 * beats, swing, slowing)
    samples = [clock.sample(place / 2) for place in range(8 * beats + 1)]
    assert samples[0] == 0
    assert all(before < after for before, after in pairwise(samples))
    assert samples[-1] == clock.n_samples
    if slowing:
        assert clock.n_samples == pytest.approx(4 * beats * step * 1.4, abs=1)
        assert samples[-1] - samples[-9] > 1.3 * (samples[8] - samples[0])
    else:
        assert samples[::8] == [4 * beat * step for beat in range(beats + 1)]
        assert samples[4] == pytest.approx(4 * step * (0.5 + swing), abs=1)


@given(end=st.integers(4, 64), length=st.integers(1, 16))
def test_a_loop_fills_a_section_and_no_note_lasts_longer(end: int, length: int) -> None:
    loop = [Note(0, 3, "loop", 60, 0.5), Note(length - 1, length, "bass", 40, 0.5)]
    notes = repeated(loop, length, end)
    assert [note.step for note in notes if note.role == "loop"] == list(range(0, end, length))
    assert all(note.step + note.length <= end for note in notes)
    slower = stretched(notes, 2.0)
    assert [note.step for note in slower] == [2 * note.step for note in notes]
    assert all(note.step + note.length <= end for note in cropped(slower, end))


@given(seed=SEED, steps=st.floats(0, 0.5), decibels=st.floats(0, 2))
def test_human_deviations_are_bounded_and_move_no_note_before_the_start(
    seed: int, steps: float, decibels: float
) -> None:
    notes = [Note(i / 2, 1, "keys", 60, 0.5) for i in range(40)]
    touched = humanised(notes, np.random.default_rng(seed), steps=steps, decibels=decibels)
    assert min(note.step for note in touched) >= 0
    for before, after in zip(notes, touched, strict=True):
        assert abs(after.step - before.step) <= 2 * steps + 1e-9
        assert abs(20 * np.log10(after.level / before.level)) <= 2 * decibels + 1e-9
        assert after._replace(step=before.step, level=before.level) == before


def test_a_section_has_the_requested_level_and_a_rise_is_linear() -> None:
    buses = np.random.default_rng(0).standard_normal((2, 4500)).astype(np.float32)
    buses[:, 1000:2000] *= 1.25
    steady = levelled(buses, 4000, 1000, (-6.0, -6.0)).sum(axis=0)
    assert decibels_of(steady[:4000]) == pytest.approx(-21, abs=0.01)
    rising = levelled(buses, 4000, 1000, (-16.0, 0.0)).sum(axis=0)
    measured = [decibels_of(rising[i : i + 1000]) for i in range(0, 4000, 1000)]
    np.testing.assert_allclose(measured, [-29, -25, -21, -17], atol=1)
    short = levelled(buses, 1000, 1000, (-16.0, 0.0)).sum(axis=0)  # a section of one bar rises, too
    assert decibels_of(short[750:1000]) - decibels_of(short[:250]) == pytest.approx(12, abs=2)


def decibels_of(y: np.ndarray) -> float:
    """Return the RMS in dB relative to full scale."""
    return float(10 * np.log10(np.mean(np.square(y, dtype=np.float64))))

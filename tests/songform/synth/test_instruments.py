"""Tests of the instruments: tuning, level, reproducibility, and the differences between the sets."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest

from songform.synth.instruments import ROLES, SETS, Instrument, Stroke, new_band
from songform.synth.rendering.note_player import Player
from songform.synth.score.notes import Note
from songform.synth.score.step_times import Clock

SR = 22050
ALL = {name: instrument for each in SETS.values() for name, instrument in each.instruments.items()}
PAIRS = list(combinations(SETS, 2))
TONAL = ("pad", "voice", "keys", "loop", "lead", "chords", "bass", "strings", "brass")
IN_TUNE = sorted({name for each in SETS.values() for role in TONAL for name in each.players[role]})


def played(name: str, note: Note, step: int, n_samples: int) -> np.ndarray:
    """Play one note on an instrument."""
    player = Player({note.role: ALL[name]}, SR, step, seed=7)
    return player.played([note], Clock(step, 16), n_samples).sum(axis=0)


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_two_sets_have_no_instrument_and_no_synthesis_method_in_common(one: str, other: str) -> None:
    assert set(SETS[one].instruments).isdisjoint(SETS[other].instruments)
    modules = [{module(each) for each in SETS[name].instruments.values()} for name in (one, other)]
    assert modules[0].isdisjoint(modules[1])


def module(instrument: Instrument) -> str:
    """Return the module that synthesizes the sound of an instrument."""
    return str(getattr(instrument, "func", instrument).__module__)


@pytest.mark.parametrize("instruments", SETS)
def test_every_role_has_an_instrument_and_every_instrument_has_a_role(instruments: str) -> None:
    chosen = SETS[instruments]
    assert set(chosen.players) == set(ROLES)
    assert {name for names in chosen.players.values() for name in names} == set(chosen.instruments)
    band = new_band(np.random.default_rng(0), chosen.players)
    assert all(band[role] in chosen.players[role] for role in ROLES)


@pytest.mark.parametrize("role", [*TONAL, "crunch", "kick", "snare", "tom", "hat", "crash", "boom", "riser"])
def test_instruments_of_different_sets_have_different_spectra(role: str) -> None:
    """Spectra of 0.4 s in bands of a third of an octave differ by more than 2 dB on average."""

    def bands(name: str) -> np.ndarray:
        y = ALL[name](Stroke(57, 0.4, 0.5, SR, 1))[: round(0.4 * SR)]
        power = np.abs(np.fft.rfft(y, SR)) ** 2
        edges = np.geomspace(60, 10000, 23).astype(int)
        decibels = 10 * np.log10([power[a:b].mean() for a, b in pairwise(edges)])
        return np.maximum(decibels - decibels.max(), -50)

    spectra = {each: [bands(name) for name in SETS[each].players[role]] for each in SETS}
    for one, other in PAIRS:
        assert min(np.mean(np.abs(a - b)) for a in spectra[one] for b in spectra[other]) > 2


@pytest.mark.parametrize("instrument", sorted(ALL))
def test_the_same_note_gives_the_same_sound_at_the_level_of_the_note(instrument: str) -> None:
    """The RMS of the loudest 50 ms is the level of the note, for any pitch and brightness."""
    for pitch, brightness in ((28, 0.5), (40, 0.0), (64, 0.5), (88, 1.0), (103, 1.0)):
        note = Note(0, 8, "lead", pitch, 0.25, brightness)
        y = played(instrument, note, 1378, 22050 * 4)
        window = round(0.05 * 22050)
        power = np.square(y[: y.size // window * window]).reshape(-1, window).mean(axis=1)
        assert np.sqrt(power.max()) == pytest.approx(0.25, rel=0.05)
    np.testing.assert_array_equal(y, played(instrument, note, 1378, 22050 * 4))


@pytest.mark.parametrize("instrument", IN_TUNE)
@pytest.mark.parametrize("pitch", [45, 60, 69, 76])
def test_an_instrument_is_in_tune(instrument: str, pitch: int) -> None:
    """The strongest partial near the fundamental is within a third of a semitone of equal temperament."""
    y = played(instrument, Note(0, 4, "lead", pitch, 1.0, 0.5), 5512, 22050)
    power = np.abs(np.fft.rfft(np.pad(y * np.hanning(y.size), (0, 7 * y.size)))) ** 2
    hz = np.fft.rfftfreq(8 * y.size, 1 / SR)
    expected = 440 * 2 ** ((pitch - 69) / 12)
    near = (hz > expected / 1.3) & (hz < expected * 1.3)
    assert abs(12 * np.log2(hz[near][np.argmax(power[near])] / expected)) < 1 / 3


@pytest.mark.parametrize("instrument", sorted(ALL))
def test_spectral_centroid_does_not_fall_with_brightness(instrument: str) -> None:
    """It may stay the same, because some drums ignore brightness."""

    def centroid(brightness: float) -> float:
        power = np.abs(np.fft.rfft(ALL[instrument](Stroke(60, 0.5, brightness, SR, 3)), 4 * SR)) ** 2
        hz = np.fft.rfftfreq(4 * SR, 1 / SR)
        return float(np.sum(hz * power) / np.sum(power))

    assert centroid(1.0) >= centroid(0.0) * (1 - 1e-9)


def harmonics(name: str, pitch: int, brightness: float = 0.5, n: int = 6) -> np.ndarray:
    """Return the levels in dB of the first harmonics of a tone, 0.2 s after its start, relative to the strongest."""
    stroke = Stroke(pitch, 0.8, brightness, SR, 5)
    y = ALL[name](stroke)[SR // 5 : SR // 5 + SR // 2]
    spectrum = np.abs(np.fft.rfft(y * np.hanning(y.size)))
    hz = np.fft.rfftfreq(y.size, 1 / SR)
    near = [np.abs(hz - k * stroke.frequency) < 0.05 * stroke.frequency for k in range(1, n + 1)]
    decibels = 20 * np.log10([spectrum[each].max() for each in near])
    return decibels - decibels.max()


@pytest.mark.parametrize("name", ["chalumeau", "reed pipe"])
def test_a_tube_that_is_closed_by_a_reed_has_mainly_odd_harmonics(name: str) -> None:
    level = harmonics(name, 50)
    assert np.argmax(level) == 0
    assert max(level[1], level[3]) < min(level[0], level[2]) - 10


def test_a_bowed_string_moves_in_a_sawtooth() -> None:
    """In Helmholtz motion, harmonic k has the amplitude 1 / k, except near the nodes of the bow's place."""
    np.testing.assert_allclose(harmonics("bowed solo", 45, 0.0, 4), -20 * np.log10([1, 2, 3, 4]), atol=3)


def test_the_harmonics_of_a_waveshaper_grow_with_the_index() -> None:
    soft, loud = (harmonics("shaped trombone", 45, brightness, 10) for brightness in (0.1, 0.9))
    assert np.all(loud[2:] > soft[2:] + 6)


def test_ring_modulation_gives_the_sums_and_differences_of_the_frequencies() -> None:
    """The factors 2.5 and 0.5 give the harmonics 2 and 3; the factors 5 and 1 give 4 and 6; the fifth is absent."""
    level = harmonics("ring organ", 57, 1.0)
    assert level[4] < -60
    assert min(level[[1, 2, 3, 5]]) > -20


@pytest.mark.parametrize("name", ["pulse pluck", "pulse bass", "shaped clav", "reed pipe", "bowed solo"])
def test_a_high_note_hardly_aliases(name: str) -> None:
    """Below its fundamental, a tone is at least 35 dB softer."""
    y = ALL[name](Stroke(91, 0.5, 1.0, SR, 5))[: SR // 2]
    power = np.abs(np.fft.rfft(y * np.hanning(y.size))) ** 2
    hz = np.fft.rfftfreq(y.size, 1 / SR)
    assert power[(hz > 100) & (hz < 1300)].sum() < 10**-3.5 * power.sum()


@pytest.mark.parametrize("name", ["cloud", "shimmer", "mist"])
def test_a_cloud_of_grains_has_no_gaps(name: str) -> None:
    """The level of a sustained tone does not fall by 10 dB for a tenth of a second."""
    y = ALL[name](Stroke(57, 3.0, 0.5, SR, 5))[SR // 2 : 3 * SR]
    level = 10 * np.log10(np.square(y[: y.size // 2205 * 2205]).reshape(-1, 2205).mean(axis=1))
    assert np.ptp(level) < 10


def test_a_comb_filter_resonates_at_odd_multiples_of_the_pitch_of_a_tom() -> None:
    level = harmonics("comb tom", 50, n=4)
    assert np.argmax(level) == 0
    assert level[2] > level[1]

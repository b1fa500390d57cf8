"""Tests of the instruments: tuning, level, reproducibility, and the difference between the two sets."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from songform.synth.instruments import ROLES, SETS, Stroke, new_band
from songform.synth.rendering.note_player import Player
from songform.synth.score.notes import Note
from songform.synth.score.step_times import Clock

SR = 22050
ALL = {name: instrument for each in SETS.values() for name, instrument in each.instruments.items()}
TONAL = ("pad", "voice", "keys", "loop", "lead", "chords", "bass", "strings", "brass")
IN_TUNE = sorted({name for each in SETS.values() for role in TONAL for name in each.players[role]})


def played(name: str, note: Note, step: int, n_samples: int) -> np.ndarray:
    """Play one note on an instrument."""
    player = Player({note.role: ALL[name]}, SR, step, seed=7)
    return player.played([note], Clock(step, 16), n_samples).sum(axis=0)


def test_the_sets_have_no_instrument_in_common() -> None:
    study, unseen = SETS["study"], SETS["unseen"]
    assert set(study.instruments).isdisjoint(unseen.instruments)
    functions = [{each.func for each in one.instruments.values() if hasattr(each, "func")} for one in (study, unseen)]
    plain = [{each for each in one.instruments.values() if not hasattr(each, "func")} for one in (study, unseen)]
    assert functions[0].isdisjoint(functions[1])
    assert plain[0].isdisjoint(plain[1])


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

    study, unseen = ([bands(name) for name in SETS[each].players[role]] for each in ("study", "unseen"))
    assert min(np.mean(np.abs(one - other)) for one in study for other in unseen) > 2


@pytest.mark.parametrize("instrument", sorted(ALL))
def test_the_same_note_gives_the_same_sound_at_the_level_of_the_note(instrument: str) -> None:
    """The RMS of the loudest 50 ms is the level of the note, for any pitch and brightness."""
    for pitch, brightness in ((28, 0.5), (40, 0.0), (64, 0.5), (88, 1.0), (103, 1.0)):
        note = Note(0, 8, "lead", pitch, 0.25, brightness)
        first, again = (played(instrument, note, 2756, 22050 * 4) for _ in range(2))
        np.testing.assert_array_equal(first, again)
        window = round(0.05 * 22050)
        power = np.square(first[: first.size // window * window]).reshape(-1, window).mean(axis=1)
        assert np.sqrt(power.max()) == pytest.approx(0.25, rel=0.05)


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

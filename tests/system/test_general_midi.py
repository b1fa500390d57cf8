"""Tests of study songs on General MIDI instruments; they need Debian's fluidsynth and fluid-soundfont-gm."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.generalmidi import CHANNELS, DRUMS, KEYS, PLAYERS, PROGRAMS, general_midi_song
from songform.synth import study_song
from songform.synth.instruments import ROLES, SETS
from songform.synth.rendering.mastering import PEAK

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def song():
    return general_midi_song(5, duration=40.0)


def test_every_role_has_a_program_or_a_key():
    assert set(PLAYERS) == set(ROLES) == set(PROGRAMS) | set(KEYS)
    assert len(set(CHANNELS.values())) == len(PROGRAMS)
    assert DRUMS not in CHANNELS.values()


def test_song_has_the_same_form_with_other_instruments(song):
    composed = study_song(5, duration=40.0)
    assert song.sections == composed.sections
    assert song.y.size == composed.y.size
    assert abs(np.corrcoef(song.y, composed.y)[0, 1]) < 0.5
    assert set(PLAYERS["lead"]).isdisjoint(SETS["study"].players["lead"])


def test_samples_are_valid_and_every_section_is_audible(song):
    assert np.all(np.isfinite(song.y))
    assert np.max(np.abs(song.y)) <= PEAK
    for section in song.sections:
        heard = song.y[round(section.start * song.sr) : round(section.end * song.sr)]
        assert np.sqrt(np.mean(np.square(heard))) > 0.005


def test_same_seed_gives_the_same_song(song):
    np.testing.assert_array_equal(general_midi_song(5, duration=40.0).y, song.y)

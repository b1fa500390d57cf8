"""Contrast of a composition: 1 keeps it, 0 makes it even, and the mean level stays."""

from __future__ import annotations

import numpy as np
import pytest

from songform.errors import ParameterError
from songform.synth import study_song
from songform.synth.contrast import with_contrast
from songform.synth.instruments import SETS
from songform.synth.study_composition import study_composition


@pytest.fixture(scope="module")
def composition():
    return study_composition(11, 22050, 40.0, SETS["study"].players)


def velocities(composition) -> np.ndarray:
    return np.sqrt([note.level for passage in composition.passages for note in passage.notes])


def levels(composition) -> np.ndarray:
    return np.array([passage.levels for passage in composition.passages])


def test_contrast_of_one_keeps_the_composition(composition):
    assert with_contrast(composition, 1.0) is composition


def test_levels_keep_their_mean_and_two_fifths_of_their_spread(composition):
    soft = with_contrast(composition, 0.4)
    for values in (velocities, levels):
        before, after = values(composition), values(soft)
        np.testing.assert_allclose(after.mean(), before.mean())
        np.testing.assert_allclose(after.std(), 0.4 * before.std())
    assert [passage.state for passage in soft.passages] == [passage.state for passage in composition.passages]


def test_contrast_of_zero_makes_all_levels_equal(composition):
    even = with_contrast(composition, 0.0)
    assert np.ptp(velocities(even)) < 1e-9
    assert np.ptp(levels(even)) < 1e-9


def test_song_with_less_contrast_has_the_same_form_and_smaller_differences_of_loudness():
    song, soft = (study_song(11, duration=40.0, contrast=contrast) for contrast in (1.0, 0.4))
    assert soft.sections == song.sections
    assert np.std(_loudness(soft)) < 0.8 * np.std(_loudness(song))


def _loudness(song) -> np.ndarray:
    parts = [song.y[round(each.start * song.sr) : round(each.end * song.sr)] for each in song.sections]
    return np.array([10 * np.log10(np.mean(np.square(part, dtype=float))) for part in parts])


@pytest.mark.parametrize("contrast", [-0.1, 1.5, float("nan")])
def test_contrast_out_of_range_is_refused(contrast):
    with pytest.raises(ParameterError, match=r"contrast must be between 0 and 1"):
        study_song(1, duration=10.0, contrast=contrast)

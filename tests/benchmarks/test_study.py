"""Tests that each variant of the study still matches the code that it changes."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.study.composed import VARIANTS, Scores, _model
from benchmarks.study.songs import Described
from songform.features.extraction import describe_audio
from songform.structure.states import unit_vectors


@pytest.fixture(scope="module")
def described(songs):
    """Return the features and the true sections of two songs."""
    found = []
    for song in songs[:2]:
        features, overview, n_samples = describe_audio([song.y], sr=song.sr)
        found.append(Described(song.title, features, overview, n_samples / song.sr, song.sections))
    return found


@pytest.mark.parametrize(("change", "options"), [each[1:] for each in VARIANTS], ids=[each[0] for each in VARIANTS])
def test_variant_can_be_fitted_and_scored_and_is_undone_afterwards(described, change, options):
    before = unit_vectors(described[0].features, described[0].overview)
    with change():
        scores = Scores.of(_model(described, **options), described)
    assert 0 <= scores.macro_f1 <= 1
    np.testing.assert_array_equal(unit_vectors(described[0].features, described[0].overview), before)

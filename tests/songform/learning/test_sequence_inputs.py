"""Inputs of the sequence model, compared with plain computations."""

from __future__ import annotations

import numpy as np
import pytest

from songform.beats.beat_tracking import NO_BEATS, Beats
from songform.errors import ModelError
from songform.features.extraction import describe_audio
from songform.learning.sequence_inputs import INPUTS, SongTables, n_inputs, song_inputs, whole_song_inputs
from songform.learning.sequences import WindowShape, standard_inputs
from songform.sections.section_finding import Sections, SongPart
from songform.structure.normalized_curves import song_curves
from songform.structure.pooling import song_units
from songform.structure.states import unit_vectors

SHAPE = WindowShape(0.5, every_unit=True)


@pytest.fixture(scope="module")
def tables():
    """Return the tables of 20 s of noise that becomes louder."""
    rng = np.random.default_rng(1)
    y = (rng.standard_normal(22050 * 20) * np.linspace(0.02, 0.5, 22050 * 20)).astype(np.float32)
    features, overview, _ = describe_audio([y])
    times = np.arange(1.0, 11.0, 0.5)  # 120 beats per minute, the first beat is the second of its bar
    beats = Beats(times, (np.arange(len(times)) + 1) % 4 + 1, 120.0, 4, True, 0.8)
    sections = Sections((SongPart(0.0, 8.25, "A", 1.0), SongPart(8.25, 20.0, "B", 0.6)))
    return SongTables(features, unit_vectors(features, overview)[:, -6:], beats, sections), overview


def inputs(song, *names, shape=SHAPE):
    n_columns = song.features.shape[1]
    found = song_inputs(names, song, shape, center=np.full(n_columns, 0.5), scale=np.full(n_columns, 2.0))
    assert found.dtype == np.float32
    assert found.shape[1] == n_inputs(names, n_columns, shape)
    assert np.isfinite(found).all()
    return found


def test_groups_are_columns_in_the_given_order(tables):
    song, _ = tables
    groups = [inputs(song, name) for name in INPUTS]
    np.testing.assert_array_equal(inputs(song, *INPUTS), np.hstack(groups))
    np.testing.assert_array_equal(inputs(song, *INPUTS[::-1]), np.hstack(groups[::-1]))
    assert {len(group) for group in groups} == {40}


def test_features_are_those_of_the_windows(tables):
    song, _ = tables
    expected = standard_inputs(song.features.to_numpy(), np.full(38, 0.5), np.full(38, 2.0), SHAPE)
    np.testing.assert_array_equal(inputs(song, "features"), expected)


def test_only_features_are_causal(tables):
    """The inputs of the first units are the same without the second half of the song."""
    song, _ = tables
    half = SongTables(song.features.iloc[:431], song.context[:20], song.beats, song.sections)
    np.testing.assert_array_equal(inputs(half, "features")[:19], inputs(song, "features")[:19])
    assert not np.allclose(inputs(half, "normalized")[:19], inputs(song, "normalized")[:19], atol=0.1)
    assert whole_song_inputs(INPUTS) == [name for name in INPUTS if name != "features"]


def test_normalized_features_are_those_of_the_state_model(tables):
    song, overview = tables
    curves = song_curves(song_units(song.features, overview))
    np.testing.assert_allclose(inputs(song, "normalized")[curves.before :][: len(curves)], curves.columns, atol=1e-5)


def test_context_of_a_unit_is_that_of_its_half_second(tables):
    song, _ = tables
    coarse, fine = inputs(song, "context"), inputs(song, "context", shape=WindowShape(0.25, every_unit=True))
    np.testing.assert_array_equal(fine, coarse[np.arange(len(fine)) // 2])
    order = [np.argsort(column, kind="stable").tolist() for column in (coarse[:, 0], song.context[:, 0])]
    assert order[0] == order[1]
    with pytest.raises(ModelError, match="context of the song"):
        inputs(SongTables(song.features), "context")


def test_beats_give_tempo_position_and_confidence(tables):
    song, _ = tables
    found = inputs(song, "beats")
    times = (np.arange(len(found)) + 0.5) * 0.5
    inside = (times >= 1.0) & (times < 10.5)
    assert (found[~inside] == 0).all()
    np.testing.assert_allclose(found[inside][:, 3], 0.8)
    np.testing.assert_allclose(found[inside][:, 0], 0.0, atol=1e-6)  # 0 octaves from 120 beats per minute
    bars = (times[inside] - 1.0) / 2.0 + 0.25
    np.testing.assert_allclose(found[inside][:, 1], np.sin(2 * np.pi * bars), atol=1e-5)
    np.testing.assert_allclose(found[inside][:, 2], np.cos(2 * np.pi * bars), atol=1e-5)


def test_sections_give_distances_and_the_confidence_of_a_boundary(tables):
    song, _ = tables
    found = inputs(song, "sections")
    since, until, near = found.T
    assert since[:16].tolist() == sorted(since[:16])
    assert since[17:].tolist() == sorted(since[17:])
    assert until[:16].tolist() == sorted(until[:16], reverse=True)
    seconds = np.expm1(since * np.log1p(60.0))
    np.testing.assert_allclose(seconds[[0, 4, 20]], [0.25, 2.25, 2.0], atol=1e-4)
    assert near.argmax() == 0
    assert 4 + near[4:].argmax() == 16  # the center of unit 16 is at 8.25 s
    np.testing.assert_allclose(near[16], 0.6, atol=1e-6)


@pytest.mark.parametrize("name", ["beats", "sections"])
def test_a_song_without_beats_or_sections_has_zeros(tables, name):
    song, _ = tables
    for other in (SongTables(song.features), SongTables(song.features, None, NO_BEATS, Sections(reason="short"))):
        assert (inputs(other, name) == 0).all()

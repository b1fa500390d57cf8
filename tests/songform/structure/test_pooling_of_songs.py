"""Tests of the units of songs and of beginnings of songs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from songform.features.extraction import describe_audio
from songform.structure.pooling import CausalUnits, SongUnits, song_units

SR, HOP = 22050, 512


@pytest.fixture(scope="module")
def described(song):
    features, overview, _ = describe_audio([song])
    return features, overview


def same_units(one: SongUnits, other: SongUnits) -> None:
    for name, value in vars(one).items():
        assert_array_equal(value, vars(other)[name], err_msg=name)


def test_unit_is_the_mean_of_its_frames_and_cells(described):
    features, overview = described
    units = song_units(features, overview)
    assert units.columns == tuple(features.columns)
    assert len(units) == 8
    frames = [np.flatnonzero(np.arange(len(features)) * HOP // (SR // 2) == u) for u in range(8)]
    for u, which in enumerate(frames):
        rows = features.to_numpy(np.float64)[which]
        assert_allclose(units.mean[u], rows.mean(axis=0))
        assert_allclose(units.std[u], rows.std(axis=0), atol=1e-9)
        assert units.onset[u] == pytest.approx(overview.onset[which].mean(dtype=np.float64))
        cells = slice(5 * u, 5 * u + 5)
        assert_allclose(units.chroma[u], overview.chroma[cells].mean(axis=0, dtype=np.float64))
        assert units.low_share[u] == pytest.approx(overview.low_share[cells].mean(dtype=np.float64))
    assert_array_equal(units.column("zcr_mean"), units.mean[:, 2])


def test_loudness_is_the_mean_power_of_the_samples(rng):
    """Use white noise at four levels, four seconds each; noise with standard deviation s has power s squared."""
    level = np.array([-50.0, -30.0, -20.0, -10.0])
    y = np.repeat(10 ** (level / 20), 4 * SR) * rng.standard_normal(16 * SR)
    features, overview, _ = describe_audio([y.astype(np.float32)])
    loudness = song_units(features, overview).loudness_db[:32].reshape(4, 8)
    assert_allclose(loudness[:, 1:-1], np.repeat(level[:, None], 6, axis=1), atol=0.3)


def test_loudness_of_silence_is_minus_100_db():
    features, overview, _ = describe_audio([np.zeros(SR, np.float32)])
    assert_allclose(song_units(features, overview).loudness_db, -100)


def test_beginning_with_all_frames_is_the_whole_song(described):
    units = CausalUnits(*described)
    same_units(units.until(len(described[0])), units.whole)


@settings(max_examples=40)
@given(n=st.integers(1, 172))
def test_units_of_a_beginning_do_not_depend_on_later_frames(described, n):
    """The same is true for the cell of the overview that contains both known and later frames.

    The first cell, of 0.1 s, is an exception, because there is no earlier cell to replace it.
    """
    features, overview = described
    later = np.arange(len(overview)) >= max(np.searchsorted(np.cumsum(overview.frame_counts), n, side="right"), 1)
    changed = replace(
        overview,
        chroma=np.where(later[:, None], np.float32(1e3), overview.chroma),
        low_share=np.where(later, np.float32(1e3), overview.low_share),
        onset=np.where(np.arange(len(features)) >= n, np.float32(1e3), overview.onset),
    )
    other = features.copy()
    other.iloc[n:] = 1e3
    beginning = CausalUnits(*described).until(n)
    assert len(beginning) == (n - 1) * HOP // (SR // 2) + 1
    same_units(CausalUnits(other, changed).until(n), beginning)


def test_several_beginnings_equal_single_beginnings(described):
    units = CausalUnits(*described)
    moments = np.array([170, 3, 1, 90, 22, 23, 90])
    for n, beginning in zip(moments, units.beginnings(moments), strict=True):
        same_units(beginning, units.until(n))

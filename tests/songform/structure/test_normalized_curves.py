"""Tests of curves normalized within a song."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import zscore

from songform.features.extraction import describe_audio
from songform.features.frame_features import FEATURE_COLUMNS
from songform.structure.normalized_curves import AUDIBLE_DB, Curves, song_curves, standardised
from songform.structure.pooling import SongUnits, song_units
from songform.structure.self_similarity import similarity_vectors

SILENCE_DB = -100.0  # loudness of a unit of zeros
ARRAYS = [field.name for field in fields(Curves) if field.name not in ("before", "after")]
MEASURED = [name for name in ARRAYS if name != "level_db"]


@pytest.fixture
def music(rng, units_of) -> SongUnits:
    """Return 40 units in which all quantities vary, with a loudness range of 20 dB."""
    return units_of(
        rng.uniform(-30, -10, 40),
        onset=rng.uniform(0, 2, 40),
        centroid_hz=rng.uniform(500, 4000, 40),
        low_share=rng.uniform(0, 0.5, 40),
        mfcc=20 * rng.standard_normal((40, 13)),
        chroma=rng.uniform(0, 1, (40, 12)),
    )


def between_silences(units: SongUnits, before: int, after: int) -> SongUnits:
    """Add units of digital silence before and after the given units."""
    padded = {
        name: np.pad(value, [(before, after), *[(0, 0)] * (value.ndim - 1)])
        for name, value in vars(units).items()
        if name != "columns"
    }
    loudness = np.pad(units.loudness_db, (before, after), constant_values=SILENCE_DB)
    return SongUnits(units.columns, **{**padded, "loudness_db": loudness})


def same_curves(one: Curves, other: Curves, *, names: list[str] = ARRAYS, atol: float = 1e-9) -> None:
    for name in names:
        assert_allclose(getattr(one, name), getattr(other, name), atol=atol, err_msg=name)


def test_values_are_standardised_by_the_audible_units(rng):
    x, audible = rng.standard_normal((50, 3)), rng.uniform(size=50) < 0.7
    expected = (x - x[audible].mean(axis=0)) / x[audible].std(axis=0)
    assert_allclose(standardised(x, audible, floor=1e-6), np.clip(expected, -2.5, 2.5))
    everything = np.ones(50, dtype=bool)
    assert_allclose(standardised(x[:, 0], everything, floor=1e-6), np.clip(zscore(x[:, 0]), -2.5, 2.5))


@given(
    x=arrays(float, st.integers(1, 30), elements=st.floats(-1e6, 1e6)),
    scale=st.sampled_from([0.25, 1.0, 8.0]),
    shift=st.integers(-1000, 1000),
)
def test_standardised_values_are_bounded_and_do_not_depend_on_the_unit(x, scale, shift):
    everything = np.ones(len(x), dtype=bool)
    found = standardised(x, everything, floor=1e-3)
    assert np.abs(found).max() <= 2.5
    assert_allclose(standardised(scale * x + shift, everything, floor=scale * 1e-3), found, atol=1e-4)


def test_minimum_standard_deviation_is_the_floor(rng):
    x = 0.01 * rng.standard_normal(100)
    found = standardised(x, np.ones(100, dtype=bool), floor=1.0)
    assert_allclose(found, x - x.mean())
    assert_array_equal(standardised(np.full(9, 7.0), np.ones(9, dtype=bool), floor=1e-6), np.zeros(9))


def test_curves_of_a_song_are_its_standardised_units(music):
    curves = song_curves(music)
    for name, value in {
        "loudness": music.loudness_db,
        "onset": music.onset,
        "brightness": np.log(music.column("centroid_hz")),
        "bass": music.low_share,
        "mfcc": music.mean[:, [FEATURE_COLUMNS.index(f"mfcc_{i:02}") for i in range(1, 14)]],
        "chroma": music.chroma,
    }.items():
        assert_allclose(getattr(curves, name), np.clip(zscore(value, axis=0), -2.5, 2.5), err_msg=name)
    both = np.hstack([music.mean, music.std])
    moves = both.std(axis=0) > 1e-6
    assert_allclose(curves.columns[:, moves], np.clip(zscore(both[:, moves], axis=0), -2.5, 2.5))
    assert_array_equal(curves.columns[:, ~moves], 0)
    assert_array_equal(curves.level_db, music.loudness_db)
    assert_array_equal(curves.vectors, similarity_vectors(curves.mfcc, curves.chroma))
    assert (len(curves), curves.before, curves.after) == (40, 0, 0)


@pytest.mark.parametrize(
    ("what", "curve"),
    [
        ({"loudness_db": -20 + 0.1 * np.sin(np.arange(40))}, "loudness"),
        ({"onset": 1 + 0.002 * np.sin(np.arange(40))}, "onset"),
        ({"centroid_hz": 1000 * np.exp(0.002 * np.sin(np.arange(40)))}, "brightness"),
        ({"low_share": 0.1 + 0.001 * np.sin(np.arange(40))}, "bass"),
        ({"mfcc": 0.05 * np.sin(np.arange(40))[:, None]}, "mfcc"),
        ({"chroma": 0.5 + 0.002 * np.sin(np.arange(40))[:, None]}, "chroma"),
    ],
    ids=lambda what: what if isinstance(what, str) else "",
)
def test_hardly_audible_changes_remain_small(units_of, what, curve):
    curves = song_curves(units_of(**{"loudness_db": np.full(40, -20.0), **what}))
    assert 0 < np.abs(getattr(curves, curve)).max() < 0.11


@pytest.mark.parametrize("gain_db", [-40.0, 12.0])
def test_gain_does_not_change_the_curves(music, gain_db):
    louder = replace(music, loudness_db=music.loudness_db + gain_db)
    same_curves(song_curves(louder), song_curves(music), names=MEASURED)
    assert_allclose(song_curves(louder).level_db, song_curves(music).level_db + gain_db)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 60),
    ends=st.tuples(st.integers(0, 200), st.integers(0, 200)),
    range_db=st.sampled_from([0.0, 10.0, 25.0, 40.0]),
)
def test_silence_at_both_ends_does_not_change_the_curves(units_of, seed, n, ends, range_db):
    """Vary the length of the silence and the loudness range of the music."""
    rng = np.random.default_rng(seed)
    loudness = rng.uniform(-10 - range_db, -10, n)
    loudness[rng.integers(n)] = -10.0  # with a unit this loud, digital silence at -100 dB is not counted as sound
    units = units_of(loudness, onset=rng.uniform(0, 2, n), mfcc=rng.standard_normal((n, 13)))
    alone, padded = song_curves(units), song_curves(between_silences(units, *ends))
    assert (padded.before, padded.after) == (alone.before + ends[0], alone.after + ends[1])
    same_curves(padded, alone)


def test_soft_ends_are_excluded_and_soft_units_inside_are_included(units_of):
    """Units more than 30 dB below the loud parts are silent; inside the song they are raised to that level."""
    loudness = np.r_[-60.0, -45.0, np.full(20, -10.0), -60.0, -38.0, np.full(20, -10.0), -41.0]
    curves = song_curves(units_of(loudness, onset=np.arange(45.0)))
    assert (curves.before, len(curves), curves.after) == (2, 42, 1)
    assert_allclose(curves.level_db, np.maximum(loudness[2:-1], -10 - AUDIBLE_DB))
    audible = np.r_[2:22, 23:44]
    onset = np.arange(45.0)
    assert_allclose(curves.onset, np.clip((onset - onset[audible].mean()) / onset[audible].std(), -2.5, 2.5)[2:44])


@pytest.mark.parametrize("n", [1, 2, 30])
def test_curves_of_a_silent_song_are_zero(units_of, n):
    curves = song_curves(units_of(np.full(n, SILENCE_DB), centroid_hz=0.0))
    assert (curves.before, len(curves), curves.after) == (0, n, 0)
    for name in MEASURED:
        assert_allclose(getattr(curves, name), 0, atol=1e-9, err_msg=name)
    assert np.isfinite(curves.level_db).all()


def test_silent_units_get_the_value_of_the_nearest_music(music, rng):
    curves = song_curves(between_silences(music, 3, 5))
    values = rng.standard_normal((40, 6))
    whole = curves.whole(values)
    assert_array_equal(whole, np.vstack([values[[0] * 3], values, values[[-1] * 5]]))
    assert_array_equal(curves.whole(values[:, 2]), whole[:, 2])


def test_last_units_are_normalized_by_the_whole_song(music):
    curves = song_curves(between_silences(music, 3, 5))
    last = curves.last(12)
    assert (last.before, last.after, len(last)) == (0, 5, 12)
    for name in ARRAYS:
        assert_array_equal(getattr(last, name), getattr(curves, name)[-12:], err_msg=name)
    assert_array_equal(curves.last(1000).onset, curves.onset)


@pytest.mark.parametrize("n_last", [1, 12, 1000])
def test_n_last_gives_the_last_units_of_the_curves(music, n_last):
    units = between_silences(music, 3, 5)
    asked, last = song_curves(units, n_last=n_last), song_curves(units).last(n_last)
    assert (asked.before, asked.after) == (last.before, last.after)
    same_curves(asked, last, atol=0)


def tables_curves(y: np.ndarray, *, sr: int = 22050) -> Curves:
    features, overview, _ = describe_audio([y], sr=sr)
    return song_curves(song_units(features, overview, sr=sr))


def test_gain_does_not_change_the_curves_of_audio(song):
    same_curves(tables_curves(0.25 * song), tables_curves(song), names=MEASURED, atol=2e-3)


def test_digital_silence_at_both_ends_does_not_change_the_curves_of_audio(song):
    """The music has silent ends, so that frames of the added silence do not contain music."""
    sr = 25_600  # 0.5 s are 25 hops
    music = np.concatenate([np.zeros(sr // 4), song[: 3 * sr], np.zeros(sr // 4)]).astype(np.float32)
    silence = np.zeros(2 * sr, np.float32)
    alone = tables_curves(music, sr=sr)
    padded = tables_curves(np.concatenate([silence, music, silence]), sr=sr)
    assert padded.before == alone.before + 4
    same_curves(padded, alone, atol=1e-6)

"""Context: known sounds must have the descriptors that a listener would give them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.signal import savgol_filter

from songform.context import (
    CONTEXT_COLUMNS,
    context_descriptors,
    last_context,
    local_slope,
    rise,
    robust_z,
    units_context,
)
from songform.errors import ParameterError
from songform.extraction import describe_audio
from songform.selfsimilarity import recurrence
from songform.songunits import KnownUnits, song_vectors

SR = 22050


def context(y: np.ndarray) -> pd.DataFrame:
    features, overview, _ = describe_audio([y.astype(np.float32)])
    return context_descriptors(features, overview)


def tone(hz: float, seconds: float) -> np.ndarray:
    t = np.arange(round(seconds * SR)) / SR
    return 0.1 * sum(np.sin(2 * np.pi * k * hz * t) / k for k in range(1, 5))


def tune(rng: np.random.Generator, n_notes: int) -> np.ndarray:
    """Half a second a note, each a step away from the one before."""
    return np.concatenate([tone(220 * 2 ** (k / 12), 0.5) for k in np.cumsum(rng.integers(1, 12, n_notes)) % 24])


def test_the_table_has_a_row_a_unit_and_knows_their_centres(rng):
    table = context(rng.standard_normal(SR * 5 // 2))
    assert tuple(table.columns) == CONTEXT_COLUMNS
    assert_allclose(table.index, [0.25, 0.75, 1.25, 1.75, 2.25])
    assert table.index.name == "time_s"
    assert set(table.dtypes) == {np.dtype(np.float64)}


def test_a_crescendo_rises_and_a_diminuendo_does_not(rng):
    """Louder, brighter, and less bass: noise over a hum, from far to near within 20 s of 40."""
    level = np.repeat([-45.0, -20.0], 20 * SR)
    ramp = np.linspace(-45, -20, 14 * SR)
    level[16 * SR : 30 * SR] = ramp
    y = 10 ** (level / 20) * rng.standard_normal(len(level)) + 0.003 * np.sin(2 * np.pi * 60 * np.arange(40 * SR) / SR)
    up, down = context(y), context(y[::-1])
    assert up.loc[17:26, "rise"].min() > 0.5
    assert max(up.loc[:12, "rise"].max(), up.loc[30:, "rise"].max()) == 0
    assert down.loc[11:23, "rise"].abs().max() == 0
    assert_allclose(up.loc[20:26, "abs_slope"], 25 / 14, rtol=0.03)
    assert_allclose(down.loc[14:20, "abs_slope"], 25 / 14, rtol=0.03)


def test_a_loop_recurs_and_a_tune_that_never_returns_does_not(rng):
    loop, free = context(np.tile(tune(rng, 8), 8)), context(tune(rng, 64))
    assert loop["recurrence"].min() > 0.5
    assert free["recurrence"].max() < loop["recurrence"].min() - 0.1
    assert loop["novelty"].max() < 0.05


def test_a_cut_has_novelty_at_the_cut_and_nowhere_else(rng):
    table = context(np.r_[tone(110, 20), 0.1 * rng.standard_normal(20 * SR)])
    assert table["novelty"].idxmax() == pytest.approx(20.0, abs=0.3)
    assert table["novelty"].max() > 0.4
    assert table["novelty"].drop(table.loc[16:24].index).max() < 0.12


def test_noise_has_almost_no_novelty_and_no_recurrence(rng):
    table = context(0.1 * rng.standard_normal(40 * SR))
    assert table["novelty"].max() < 0.06
    assert table["recurrence"].max() < 0.15
    assert table["energy"].abs().max() < 0.3
    assert (table["rise"] == 0).all()
    assert table["variance"].min() > 0.8


@pytest.mark.parametrize(
    ("wave", "hz"), [(np.sin, 440), (np.sin, 1000), (lambda phase: np.sign(np.sin(phase + 1)), 110)]
)
def test_a_constant_sound_is_near_zero_in_everything(wave, hz):
    """Where its own beginning and end are far: they are changes."""
    inside = context(0.3 * wave(2 * np.pi * hz * np.arange(40 * SR) / SR)).loc[10:30]
    assert inside["variance"].max() < 0.25
    assert inside.drop(columns="variance").abs().to_numpy().max() < 0.1


def test_silence_is_zero_in_everything():
    assert_array_equal(context(np.zeros(10 * SR)), np.zeros((20, 6)))


def test_gain_leaves_the_context_unchanged(rng):
    y = tune(rng, 40) * np.repeat(rng.uniform(0.2, 1, 10), 2 * SR) + 0.01 * rng.standard_normal(20 * SR)
    assert_allclose(context(0.25 * y), context(y), atol=2e-3)


@pytest.mark.parametrize("n_samples", [1, 100, SR // 3, SR * 3 // 5, SR, 4 * SR - 1, 5 * SR])
def test_a_song_of_any_length_has_finite_descriptors(rng, n_samples):
    """One unit, two units, less than the 4 s of a path: nothing to warn of."""
    table = context(0.1 * rng.standard_normal(n_samples))
    assert len(table) == n_samples // 512 * 512 // (SR // 2) + 1
    assert np.isfinite(table.to_numpy()).all()
    assert (table["novelty"] == 0).all() or len(table) > 8


def test_features_and_overview_of_different_songs_are_refused(rng):
    features, _, _ = describe_audio([rng.standard_normal(SR)])
    _, overview, _ = describe_audio([rng.standard_normal(2 * SR)])
    with pytest.raises(ParameterError, match="44 frames but the overview 87: they are of different songs"):
        context_descriptors(features, overview)


def test_the_threshold_of_the_corpus_decides_what_was_heard_before(rng):
    features, overview, _ = describe_audio([tune(rng, 64)])
    vectors = song_vectors(features, overview)
    for threshold in (0.1, 0.9):
        found = context_descriptors(features, overview, threshold=threshold)["recurrence"]
        assert_array_equal(found, recurrence(vectors, unit_seconds=0.5, threshold=threshold))


def test_song_vectors_hold_cepstra_and_chroma_alone(song):
    features, overview, _ = describe_audio([song])
    vectors = song_vectors(features, overview)
    assert vectors.shape == (8, 13 + 12)
    disturbed = features.assign(mfcc_delta_01=0.0, rms_mean=1.0)
    assert_array_equal(song_vectors(disturbed, overview), vectors)


def test_the_slope_is_a_savitzky_golay_derivative_inside_and_a_straight_line_at_the_ends(rng):
    x = rng.standard_normal(50).cumsum()
    slope = local_slope(x)
    assert_allclose(slope[8:-8], savgol_filter(x, 17, 1, deriv=1, delta=0.5)[8:-8], atol=1e-12)
    time = np.arange(50) * 0.5
    for u in (0, 3, 7, 42, 46, 49):
        near = slice(max(u - 8, 0), u + 9)
        assert slope[u] == pytest.approx(np.polyfit(time[near], x[near], 1)[0], abs=1e-9)


def test_the_slope_is_as_exact_after_twelve_hours_as_at_the_beginning(rng):
    """86,400 units: the last hundred are worth what they are worth alone, to 1e-9 of their size."""
    x = 3000 + 500 * rng.standard_normal(86_400)
    assert_allclose(local_slope(x)[-100:], local_slope(x[-200:])[-100:], rtol=0, atol=1e-9)
    assert np.abs(local_slope(np.full(86_400, 3000.0))).max() < 1e-9


def test_the_slope_of_one_unit_is_zero_and_of_two_their_difference():
    assert_array_equal(local_slope(np.array([7.0])), [0])
    assert_allclose(local_slope(np.array([1.0, 3.0])), [4, 4])


def test_robust_z_counts_in_deviations_from_the_median_and_is_clipped():
    x = np.r_[np.arange(-10.0, 11), 1000]
    median = np.median(x)
    scale = max(1.4826 * np.median(np.abs(x - median)), 0.1 * x.std())
    assert_allclose(robust_z(x), np.clip((x - median) / scale, -3, 3))
    assert robust_z(x).max() == 3


def test_robust_z_of_a_constant_is_zero_and_small_deviations_stay_small():
    assert_array_equal(robust_z(np.full(9, -30.0)), np.zeros(9))
    assert np.abs(robust_z(np.linspace(-0.01, 0.01, 21), floor=1.0)).max() < 0.011


@pytest.mark.parametrize(("ahead_seconds", "least"), [(8.0, 0.5), (7.5, 2.0), (0.5, 0.1)])
def test_a_rise_counts_only_before_more_energy(rng, ahead_seconds, least):
    energy, *slopes = rng.standard_normal((5, 60))
    loudness, onset, centroid, bass = map(robust_z, slopes)
    cues = (loudness + onset + centroid - bass) / 4
    ahead = round(ahead_seconds / 0.5)
    louder = [energy[u : u + ahead + 1].max() - energy[u] > least for u in range(60)]
    found = rise(energy, *slopes, ahead_seconds=ahead_seconds, least=least)
    assert_allclose(found, np.where(louder, cues, 0))
    assert 0 < np.count_nonzero(found) < 60


@pytest.mark.parametrize("seconds", [0.1, 0.6, 1.3, 4.2, 9.0, 11.9])
def test_the_last_units_context_alone_is_the_last_of_all(song, seconds):
    features, overview, _ = describe_audio([song])
    known = KnownUnits(features, overview).until(min(len(features), 1 + int(seconds * 22050 / 512)))
    assert_allclose(last_context(known, threshold=0.4), units_context(known, threshold=0.4)[-1], atol=1e-12)


def test_all_frames_known_are_the_whole_song(song):
    features, overview, _ = describe_audio([song])
    units = KnownUnits(features, overview)
    for name, value in vars(units.until(len(features))).items():
        assert_array_equal(value, vars(units.whole)[name], err_msg=name)

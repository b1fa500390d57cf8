"""Tests of the context descriptors with known sounds and known curves."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.signal import savgol_filter

from songform.errors import ParameterError
from songform.features.extraction import describe_audio
from songform.features.frame_features import FEATURE_COLUMNS
from songform.features.overview import Overview
from songform.structure.change_points import song_stretches
from songform.structure.context import (
    CONTEXT_COLUMNS,
    context_descriptors,
    cut_density,
    energy,
    last_stretch_context,
    local_slope,
    novelty_curve,
    rise,
    stretch_context,
)
from songform.structure.normalized_curves import Curves, song_curves
from songform.structure.pooling import n_units, song_units
from songform.structure.self_similarity import loop_similarity, recurrence

SR = 22050


def context(y: np.ndarray, *, sr: int = SR) -> pd.DataFrame:
    features, overview, _ = describe_audio([y.astype(np.float32)], sr=sr)
    return context_descriptors(features, overview, sr=sr)


def curves_of(y: np.ndarray) -> Curves:
    features, overview, _ = describe_audio([y.astype(np.float32)])
    return song_curves(song_units(features, overview))


def time_of(seconds: float) -> np.ndarray:
    return np.arange(round(seconds * SR)) / SR


def tone(hz: float, seconds: float) -> np.ndarray:
    t = time_of(seconds)
    return 0.1 * sum(np.sin(2 * np.pi * k * hz * t) / k for k in range(1, 5))


def bass(amplitude: float | np.ndarray, seconds: float) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * 60 * time_of(seconds))


def noise(rng: np.random.Generator, seconds: float) -> np.ndarray:
    return 0.1 * rng.standard_normal(round(seconds * SR))


def tune(rng: np.random.Generator, n_notes: int) -> np.ndarray:
    """Return notes of half a second, each with another pitch than the previous one."""
    return np.concatenate([tone(220 * 2 ** (k / 12), 0.5) for k in np.cumsum(rng.integers(1, 12, n_notes)) % 24])


def test_table_has_one_row_per_unit_indexed_by_its_centre(rng):
    table = context(rng.standard_normal(SR * 5 // 2))
    assert tuple(table.columns) == CONTEXT_COLUMNS
    assert_allclose(table.index, [0.25, 0.75, 1.25, 1.75, 2.25])
    assert table.index.name == "time_s"
    assert set(table.dtypes) == {np.dtype(np.float64)}


def test_rise_is_positive_for_a_crescendo_and_negative_for_a_diminuendo(rng):
    """Between 32 and 47 s the sound becomes louder, higher and noisier while the bass decreases.

    The parts before and after are longer than 30 s, so that they are not joined with the build-up.
    """
    grows = np.linspace(0, 1, 15 * SR)
    glide = np.sin(2 * np.pi * np.cumsum(200 * 2 ** (3 * grows)) / SR)
    riser = 10 ** ((25 * grows - 35) / 20) * (glide + 0.3 * grows * rng.standard_normal(len(grows)))
    before, after = 0.2 * tone(220, 32) + bass(0.05, 32), 3 * tone(440, 32) + bass(0.3, 32)
    y = np.concatenate([before, riser + bass(0.05 * (1 - grows) ** 2, 15), after])
    up, down = context(y)["rise"], context(y[::-1])["rise"]
    assert up.loc[33:46].min() > 1
    assert down.loc[33:46].max() < -0.5
    for flat in (up.loc[:31], up.loc[48:], down.loc[:31], down.loc[48:]):
        assert flat.abs().max() < 0.2


def test_slope_of_a_fade_is_the_same_down_and_up():
    """The slope is 0.5 dB per second, down from 10 to 40 s and up from 40 to 70 s."""
    level = np.interp(time_of(80), [0, 10, 40, 70, 80], [0, 0, -15, 0, 0])
    slope = context(10 ** (level / 20) * tone(220, 80))["abs_slope"]
    assert_allclose(slope.loc[17:37], 0.5, rtol=0.15)
    assert_allclose(slope.loc[43:60], 0.5, rtol=0.15)
    assert max(slope.loc[:9].max(), slope.loc[71:].max()) < 0.25


def test_loop_has_recurrence_and_a_tune_without_repetition_has_little(rng):
    loop, free = context(np.tile(tune(rng, 8), 8)), context(tune(rng, 64))
    assert loop["recurrence"].min() > 0.97
    assert free["recurrence"].max() < 0.5


def test_novelty_of_a_cut_is_high_only_at_the_cut(rng):
    curve = novelty_curve(curves_of(np.r_[tone(110, 20), noise(rng, 20)]))
    assert curve.argmax() == 40
    assert curve[40] > 0.4
    assert np.r_[curve[:36], curve[45:]].max() < 0.12
    assert novelty_curve(curves_of(noise(rng, 40))).mean() < 0.02


def test_transition_has_novelty_and_the_sections_around_it_have_little(rng):
    """The transition is two seconds of noise, two seconds of a tune, and one second of softer noise."""
    turn = np.r_[noise(rng, 2), tune(rng, 4), 0.1 * noise(rng, 1)]
    novelty = context(np.r_[tone(110, 20), turn, tone(330, 20)])["novelty"]
    assert novelty.loc[20.1:24.9].min() > 0.09
    assert max(novelty.loc[:20].max(), novelty.loc[25.1:].max()) < 0.04


def test_song_that_changes_all_the_time_has_little_novelty(rng):
    """The song has twenty sounds of 3 s each. Novelty is relative to the median of the song."""
    restless = np.concatenate([tone(110 * 2 ** (n / 3), 3) if n % 2 else noise(rng, 3) for n in range(20)])
    turn = np.r_[noise(rng, 2), tune(rng, 4), 0.1 * noise(rng, 1)]
    calm = np.r_[tone(110, 20), turn, tone(330, 20)]
    assert context(restless)["novelty"].loc[15:45].abs().max() < 0.5 * context(calm)["novelty"].max()


def test_noise_has_variance_and_little_of_all_other_descriptors(rng):
    table = context(noise(rng, 40))
    assert table["novelty"].max() < 0.05
    assert table["recurrence"].max() < 0.2
    assert table["energy"].abs().max() < 0.1
    assert table["rise"].abs().max() < 0.2
    assert table["abs_slope"].max() < 0.05
    assert table["variance"].min() > 0.8


@pytest.mark.parametrize(
    ("wave", "hz"), [(np.sin, 440), (np.sin, 1000), (lambda phase: np.sign(np.sin(phase + 1)), 110)]
)
def test_descriptors_of_a_constant_sound_are_near_zero(wave, hz):
    """The beginning and the end of the sound are excluded, because they are changes."""
    inside = context(0.3 * wave(2 * np.pi * hz * time_of(40))).loc[10:30]
    assert inside["variance"].max() < 0.6
    assert inside.drop(columns="variance").abs().to_numpy().max() < 0.12


def test_descriptors_of_silence_are_zero():
    assert_array_equal(context(np.zeros(10 * SR)), np.zeros((20, 6)))


def test_energy_increases_with_loudness_and_bass():
    """There are four sections of 15 s: soft or loud, without or with bass."""
    thin, full = tone(440, 15), tone(440, 15) + bass(0.2, 15)
    energies = context(np.r_[0.2 * thin, 2 * thin, 0.2 * full, 2 * full])["energy"]
    least, louder, fuller, most = (energies.loc[start : start + 11].mean() for start in (2, 17, 32, 47))
    assert least < min(louder, fuller) - 0.4
    assert most > max(louder, fuller) + 0.4


def test_variance_is_high_for_a_tune_and_low_for_a_steady_tone(rng):
    variance = context(np.r_[tone(220, 20), tune(rng, 40)])["variance"]
    assert variance.loc[:19].max() < 0.4
    assert variance.loc[21:].min() > 0.8


def test_gain_does_not_change_the_context(rng):
    y = tune(rng, 40) * np.repeat(rng.uniform(0.2, 1, 10), 2 * SR) + 0.1 * noise(rng, 20)
    assert_allclose(context(0.25 * y), context(y), atol=2e-3)


def test_silence_at_both_ends_does_not_change_the_context_of_the_music(song):
    """The music has silent ends, so that frames of the added silence do not contain music."""
    sr = 25_600  # 0.5 s are 25 hops
    edge = np.zeros(sr // 4)
    music = np.concatenate([edge, song[: 2 * sr], 0.2 * song[: 3 * sr], song[sr : 3 * sr], edge])
    alone = context(music, sr=sr)
    table = context(np.concatenate([np.zeros(3 * sr), music, np.zeros(5 * sr)]), sr=sr)
    assert len(table) == 6 + len(alone) + 10 == 32
    expected = alone.to_numpy()[np.clip(np.arange(-6, len(alone) + 10), 0, len(alone) - 1)]
    assert_allclose(table, expected, atol=1e-6)
    assert len(alone["energy"].unique()) > 1  # the music has more than one stretch


@pytest.mark.parametrize("n_samples", [1, 100, SR // 3, SR * 3 // 5, SR, 4 * SR - 1, 5 * SR])
def test_descriptors_are_finite_for_songs_of_any_length(rng, n_samples):
    """Songs of one unit, of two units, and of less than the 4 s of a path cause no warnings."""
    table = context(0.1 * rng.standard_normal(n_samples))
    assert len(table) == n_samples // 512 * 512 // (SR // 2) + 1
    assert np.isfinite(table.to_numpy()).all()


@settings(max_examples=60)
@given(n=st.integers(1, 40), seed=st.integers(0, 2**32 - 1), size=st.sampled_from([0.0, 1e-9, 1.0, 1e3, 1e6]))
def test_descriptors_are_within_their_bounds_for_any_curves(units_of, n, seed, size):
    """Curves have jumps of any size, and songs may have only one unit."""
    rng = np.random.default_rng(seed)
    units = units_of(
        np.maximum(-20 - size * rng.exponential(size=n), -100),
        onset=size * rng.exponential(size=n),
        centroid_hz=size * rng.exponential(size=n),
        low_share=rng.uniform(0, 1, n),
        mfcc=size * rng.standard_t(1, (n, 13)),
        chroma=rng.uniform(0, 1, (n, 12)),
    )
    curves = song_curves(units)
    bounds = song_stretches(curves)
    table = stretch_context(curves, bounds)
    assert np.isfinite(table).all()
    assert_allclose(last_stretch_context(curves, bounds), table[-1], atol=1e-12)
    least = np.array([-2.5, -1, -np.inf, 0, 0, 0])
    most = np.array([2.5, 2, np.inf, 1, 2.5, 1])
    assert (least - 1e-9 <= table).all()
    assert (table <= most + 1e-9).all()


def hours(n_hours: float) -> tuple[pd.DataFrame, Overview]:
    """Return the tables of a very long song without audio: new values every minute, plus noise."""
    rng = np.random.default_rng(9)
    n_frames, n_cells = round(n_hours * 3600 * SR / 2048), round(n_hours * 36_000)
    cell_of = np.arange(n_frames) * 2048 // (SR // 10)
    minute = np.arange(n_frames) // 646
    values = rng.standard_normal((minute[-1] + 1, 38))[minute] + 0.1 * rng.standard_normal((n_frames, 38))
    features = pd.DataFrame(np.abs(values).astype(np.float32), columns=list(FEATURE_COLUMNS))
    overview = Overview(
        time_s=np.arange(n_cells) / 10,
        wave_min=np.zeros(n_cells, np.float32),
        wave_max=np.zeros(n_cells, np.float32),
        logmel=np.zeros((n_cells, 64), np.uint8),
        chroma=rng.uniform(0, 1, (n_cells, 12)).astype(np.float32),
        low_share=rng.uniform(0, 1, n_cells).astype(np.float32),
        onset=rng.exponential(size=n_frames).astype(np.float32),
        frame_counts=np.bincount(cell_of, minlength=n_cells).astype(np.int32)[:n_cells],
    )
    return features, overview


def test_context_of_a_song_of_two_hours():
    features, overview = hours(2.0)
    table = context_descriptors(features, overview, hop_length=2048)
    assert len(table) == n_units(len(features), hop_length=2048, unit_seconds=0.5) == 14_400
    assert np.isfinite(table.to_numpy()).all()
    assert (table.std() > 0).all()


def test_memory_is_linear_in_the_length_of_the_song():
    """For four times the length, a table of all pairs of units would need sixteen times the memory."""
    peaks = []
    for n_hours in (0.125, 0.5):
        features, overview = hours(n_hours)
        tracemalloc.start()
        try:
            context_descriptors(features, overview, hop_length=2048)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] < 4.6 * peaks[0]


def test_features_and_overview_of_different_songs_are_an_error(rng):
    features, _, _ = describe_audio([rng.standard_normal(SR)])
    _, overview, _ = describe_audio([rng.standard_normal(2 * SR)])
    with pytest.raises(ParameterError, match=r"features has 44 frames.*overview has 87.*same song"):
        context_descriptors(features, overview)


def random_curves(rng: np.random.Generator, n: int) -> Curves:
    level, *four = 3 * rng.standard_normal((5, n)).cumsum(axis=1) / np.sqrt(n)
    parts = [rng.standard_normal((n, m)) for m in (13, 12, 76)]
    return Curves(0, 0, level, *four, *parts)


def cues_of(curves: Curves) -> list[np.ndarray]:
    return [curves.loudness, curves.brightness, curves.onset, -curves.bass]


def climb(curves: Curves, a: int, b: int) -> float:
    """Return the mean increase of the lines through the cues, each limited to three standard deviations."""
    lines = [np.polyfit(np.arange(b - a), x[a:b], 1)[0] * (b - a - 1) for x in cues_of(curves)]
    return float(np.clip(lines, -3, 3).mean())


def jump(curves: Curves, cut: int) -> float:
    """Return the mean difference between the two seconds before and after a change point."""
    return float(np.mean([abs(x[cut : cut + 4].mean() - x[max(cut - 4, 0) : cut].mean()) for x in cues_of(curves)]))


def plain_rise(curves: Curves, bounds: np.ndarray, i: int) -> float:
    """Return the largest increase of a stretch, alone or joined with neighbors without a jump between them."""
    befores, afters = [i], [i]
    if i > 0 and jump(curves, bounds[i]) <= 1:
        befores.append(i - 1)
    if i + 2 < len(bounds) and jump(curves, bounds[i + 1]) <= 1:
        afters.append(i + 1)
    spans = [(bounds[first], bounds[last + 1]) for first in befores for last in afters]
    allowed = [span for span in spans if span == (bounds[i], bounds[i + 1]) or span[1] - span[0] <= 60]
    return float(np.clip(max(climb(curves, *span) for span in allowed), -1, 2))


@pytest.mark.parametrize("cuts", [[], [4], [5, 12, 40, 77], [30, 34, 38, 60], [20, 35, 50, 70, 80]])
def test_context_of_stretches_equals_that_of_plain_loops(rng, cuts):
    """The curves of novelty, recurrence and slope are tested elsewhere."""
    curves = random_curves(rng, 90)
    bounds = np.array([0, *cuts, 90])
    near = recurrence(curves.vectors, unit_seconds=0.5)
    expected, turning = [], []
    for i, (a, b) in enumerate(pairwise(bounds)):
        seconds = (np.arange(a, b) + 0.5) * 0.5
        density = [sum(np.exp(-0.5 * ((t - cut * 0.5) / 3) ** 2) for cut in cuts) for t in seconds]
        turning.append(novelty_curve(curves)[a:b].mean() + 0.05 * np.mean(density))
        loop = loop_similarity(curves.vectors[a:b], unit_seconds=0.5)
        expected.append(
            [
                (curves.loudness[a:b].mean() + curves.bass[a:b].mean()) / 2,
                plain_rise(curves, bounds, i),
                turning[-1],
                (near[a:b].mean() + loop) / 2 if b - a >= 8 else near[a:b].mean(),
                curves.columns[a:b, :38].std(axis=0).mean(),
                np.minimum(np.abs(local_slope(curves.level_db)[a:b]), 1).mean(),
            ]
        )
    of_units = sorted(value for value, (a, b) in zip(turning, pairwise(bounds), strict=True) for _ in range(a, b))
    expected = np.array(expected) - [0, 0, (of_units[44] + of_units[45]) / 2, 0, 0, 0]
    assert_allclose(
        stretch_context(curves, bounds), expected, atol=2e-4
    )  # the Gaussian window is limited to four standard deviations
    assert_allclose(energy(curves), (curves.loudness + curves.bass) / 2)


def straight(rng: np.random.Generator, x: np.ndarray) -> Curves:
    """Return curves in which loudness, brightness and onsets equal `x`, and the bass equals `-x`."""
    parts = [rng.standard_normal((len(x), m)) for m in (13, 12, 76)]
    return Curves(0, 0, x, x, x, x, -x, *parts)


def test_build_up_of_two_stretches_is_joined(rng):
    """The increase is 1 and then 1.5, in 10 s each. A jump or more than 30 s prevent the join."""
    x = np.r_[np.linspace(-1, 0, 20), np.linspace(0, 1.5, 20)]
    bounds = np.array([0, 20, 40])
    assert rise(straight(rng, x), bounds).min() > 1.9
    for apart in (x + np.repeat([0, 1.2], 20), x - np.repeat([0, 2.0], 20)):
        assert_allclose(rise(straight(rng, apart), bounds), [1, 1.5])
    assert_allclose(rise(straight(rng, np.repeat(x, 2)), 2 * bounds), [1, 1.5], atol=0.1)


def test_rise_is_limited_to_minus_one_and_two(rng):
    steep = np.linspace(-20, 20, 40)
    assert_array_equal(rise(straight(rng, steep), np.array([0, 40])), [2])
    assert_array_equal(rise(straight(rng, -steep), np.array([0, 40])), [-1])


def test_density_of_change_points_depends_on_their_distance():
    """The density between two change points 2 s apart is almost two. A change point 12 s away adds nothing."""
    density = cut_density(np.array([0, 60, 64, 120]))
    assert density[61:63].min() > 1.85
    assert_array_equal(density[:36], 0)
    assert_allclose(density, cut_density(np.array([0, 56, 60, 120]))[::-1])
    assert_array_equal(cut_density(np.array([0, 120])), np.zeros(120))


def test_slope_is_a_savitzky_golay_derivative_inside_and_a_fitted_line_at_the_ends(rng):
    x = rng.standard_normal(50).cumsum()
    slope = local_slope(x)
    assert_allclose(slope[8:-8], savgol_filter(x, 17, 1, deriv=1, delta=0.5)[8:-8], atol=1e-12)
    time = np.arange(50) * 0.5
    for u in (0, 3, 7, 42, 46, 49):
        near = slice(max(u - 8, 0), u + 9)
        assert slope[u] == pytest.approx(np.polyfit(time[near], x[near], 1)[0], abs=1e-9)


def test_slope_is_exact_after_twelve_hours(rng):
    """The last hundred of 86,400 units have the same slope as in a short song, to 1e-9."""
    x = 3000 + 500 * rng.standard_normal(86_400)
    assert_allclose(local_slope(x)[-100:], local_slope(x[-200:])[-100:], rtol=0, atol=1e-9)
    assert np.abs(local_slope(np.full(86_400, 3000.0))).max() < 1e-9


def test_slope_of_one_unit_is_zero_and_of_two_units_their_difference():
    assert_array_equal(local_slope(np.array([7.0])), [0])
    assert_allclose(local_slope(np.array([1.0, 3.0])), [4, 4])

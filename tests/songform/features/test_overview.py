from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from songform.errors import ParameterError
from songform.features import overview as overview_builder
from songform.features.extraction import describe_audio
from songform.features.frame_features import frame_features
from songform.features.overview import OVERVIEW_SCHEMA, Overview, dequantised, quantised

SR = 22050
ARRAYS = ("time_s", "wave_min", "wave_max", "logmel", "chroma", "low_share", "onset", "frame_counts")


def overview_of(y, sr=SR, **how):
    return describe_audio([y], sr=sr, **how)[1]


def assert_same(first, second):
    for name in ARRAYS:
        a, b = getattr(first, name), getattr(second, name)
        assert a.dtype == b.dtype, name
        np.testing.assert_array_equal(a, b, err_msg=name)


@pytest.fixture(scope="module")
def power(song):
    import librosa

    return np.abs(librosa.stft(song.astype(np.float64), pad_mode="constant")) ** 2


def cells(n_frames, sr=SR, hop_length=512):
    return np.arange(n_frames) * hop_length * 10 // sr


def cell_means(values):
    """Return the mean over the frames of each cell, computed by pandas from values of shape (n, n_frames)."""
    return pd.DataFrame(values.T).groupby(cells(values.shape[1])).mean().to_numpy()


def test_chroma_is_the_mean_of_librosa_chroma_over_each_cell(song, power):
    import librosa

    expected = cell_means(librosa.feature.chroma_stft(S=power, sr=SR, tuning=0, norm=np.inf))
    np.testing.assert_allclose(overview_of(song).chroma, expected, atol=1e-4)


def test_log_mel_is_the_mean_of_librosa_decibels_within_half_a_step(song, power):
    import librosa

    mel = librosa.feature.melspectrogram(S=power, sr=SR, n_mels=64)
    expected = cell_means(librosa.power_to_db(mel, ref=1, amin=1e-10, top_db=None))
    overview = overview_of(song)
    assert overview.logmel.dtype == np.uint8
    np.testing.assert_allclose(overview.logmel_db, expected, atol=0.26)


def test_onset_strength_equals_that_of_librosa_without_centring(song, power):
    import librosa

    mel_db = librosa.power_to_db(librosa.feature.melspectrogram(S=power, sr=SR), ref=1, amin=1e-10, top_db=None)
    expected = librosa.onset.onset_strength(S=mel_db, sr=SR, lag=1, max_size=1, center=False)
    np.testing.assert_allclose(overview_of(song).onset, expected, atol=1e-3)


def test_low_share_is_the_fraction_of_energy_below_150_hertz(song, power):
    low = power[np.arange(1025) * SR / 2048 < 150].sum(axis=0) / power.sum(axis=0)
    np.testing.assert_allclose(overview_of(song).low_share, cell_means(low[None])[:, 0], atol=1e-5)


def test_wave_is_the_minimum_and_maximum_of_each_tenth_of_a_second(song):
    overview = overview_of(song)
    tenths = song[: len(song) // 2205 * 2205].reshape(-1, 2205)
    np.testing.assert_array_equal(overview.wave_min[: len(tenths)], tenths.min(axis=1))
    np.testing.assert_array_equal(overview.wave_max[: len(tenths)], tenths.max(axis=1))


@pytest.mark.parametrize("sr", [22050, 16000, 11025])
def test_each_sample_and_each_frame_is_in_exactly_one_cell(sr):
    """At 11,025 Hz a cell has no whole number of samples. A single peak must be in one cell only."""
    for peak in (0, 1, sr // 10 - 1, sr // 10, sr // 10 + 1, 2 * sr - 1):
        y = np.zeros(2 * sr, np.float32)
        y[peak] = 0.5
        overview = overview_of(y, sr)
        assert np.flatnonzero(overview.wave_max).tolist() == [min(peak * 10 // sr, len(overview) - 1)]
        np.testing.assert_array_equal(
            np.repeat(np.arange(len(overview)), overview.frame_counts), cells(1 + len(y) // 512, sr)
        )


def test_last_cell_includes_the_samples_after_it():
    y = np.zeros(5 * 2205 + 100, np.float32)  # the last frame is centered on 10,752, and cell 5 would begin at 11,025
    y[-1] = -0.7
    overview = overview_of(y)
    assert len(overview) == 5
    assert overview.wave_min[-1] == np.float32(-0.7)


def test_overview_of_silence_is_zero():
    overview = overview_of(np.zeros(SR, np.float32))
    assert (overview.logmel == 0).all()
    for name in ("wave_min", "wave_max", "chroma", "low_share", "onset"):
        assert (getattr(overview, name) == 0).all(), name


def test_signal_of_one_sample_has_one_cell():
    overview = overview_of(np.array([0.25], np.float32))
    assert len(overview) == 1
    assert overview.frame_counts.tolist() == [1]
    assert overview.wave_min[0] == overview.wave_max[0] == 0.25


def test_cell_without_frames_has_the_values_of_the_previous_cell():
    y = np.random.default_rng(5).standard_normal(2 * SR).astype(np.float32)
    overview = overview_of(y, frame_length=8192, hop_length=4410)
    assert overview.frame_counts.tolist() == [1, 0] * 10 + [1]
    np.testing.assert_array_equal(overview.logmel[1::2], overview.logmel[:-1:2])


@settings(max_examples=25)
@given(st.integers(1, 120_000), st.lists(st.integers(0, 120_000), max_size=6))
def test_overview_and_features_do_not_depend_on_the_chunks(n_samples, cuts):
    y = np.random.default_rng(n_samples).standard_normal(n_samples).astype(np.float32)
    chunks = np.split(y, sorted(min(cut, n_samples) for cut in cuts))
    features, overview, counted = describe_audio(chunks, sr=SR)
    assert counted == n_samples
    assert_same(overview, overview_of(y))
    pd.testing.assert_frame_equal(features, frame_features(y, SR), check_exact=True)


def test_overview_does_not_depend_on_the_number_of_collected_frames(monkeypatch, rng):
    y = rng.standard_normal(300_000).astype(np.float32)
    whole = overview_of(y)
    monkeypatch.setattr(overview_builder, "HELD_FRAMES", 1)
    assert_same(overview_of(y), whole)


def test_channels_are_averaged(rng):
    y = rng.standard_normal((2, SR)).astype(np.float32)
    assert_same(overview_of(y), overview_of(y.mean(axis=0)))


@pytest.mark.parametrize("blocks", [[], [np.zeros(0, np.float32)]])
def test_signal_without_samples_is_an_error(blocks):
    with pytest.raises(ParameterError, match="at least one sample"):
        describe_audio(blocks)


def test_overview_is_unchanged_after_writing_and_reading_parquet(song, tmp_path):
    import pyarrow.parquet as pq

    overview = overview_of(song)
    table = overview.to_table()
    assert table.schema == OVERVIEW_SCHEMA
    pq.write_table(table, tmp_path / "overview.parquet")
    assert_same(Overview.from_table(pq.read_table(tmp_path / "overview.parquet")), overview)


def test_onset_lists_of_the_table_contain_one_value_per_frame(song):
    overview = overview_of(song)
    lists = overview.to_table().column("onset").to_pylist()
    np.testing.assert_array_equal(np.concatenate(lists), overview.onset)
    assert len(overview.onset) == 1 + len(song) // 512


def test_chunked_and_sliced_tables_can_be_read(song):
    table = overview_of(song).to_table()
    in_chunks = pa.concat_tables([table.slice(0, 10), table.slice(10)])
    assert_same(Overview.from_table(in_chunks), Overview.from_table(table))
    np.testing.assert_array_equal(Overview.from_table(table.slice(10)).logmel, overview_of(song).logmel[10:])


def test_table_that_is_not_an_overview_is_an_error():
    with pytest.raises(ParameterError, match=r"not an overview.*missing: chroma, logmel"):
        Overview.from_table(pa.table({"time_s": [0.0], "wave_min": [0.0]}))


def test_overview_with_another_number_of_onset_values_is_an_error(song):
    overview = overview_of(song)
    fields = {name: getattr(overview, name) for name in ARRAYS} | {"onset": overview.onset[:-1]}
    with pytest.raises(ParameterError, match=r"one onset value per frame.* 173 .* 172 .*table"):
        Overview(**fields)


@given(st.floats(-300, 300))
def test_quantisation_error_is_at_most_a_quarter_of_a_decibel_within_the_range(level):
    found = dequantised(quantised(np.array([level])))[0]
    assert abs(found - np.clip(level, -100, 27.5)) <= 0.25

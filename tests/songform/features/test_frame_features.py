from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from songform.errors import ParameterError
from songform.features.frame_features import FEATURE_COLUMNS, FrameExtractor, feature_columns, frame_features

SR = 22050
BIN_HZ = SR / 2048
RNG = np.random.default_rng(3)
T = np.arange(3 * SR) / SR


def impulse():
    y = np.zeros(SR)
    y[9000] = 1
    return y


BROADBAND = {
    "noise": 0.3 * RNG.standard_normal(2 * SR),
    "clipped noise": np.clip(2 * RNG.standard_normal(SR), -1, 1),
    "square wave": np.sign(np.sin(2 * np.pi * 220 * T)),
    "square wave that grows": 0.3 * T * np.sign(np.sin(2 * np.pi * 437 * T)),
    "single impulse": impulse(),
    "0.05 s of noise": 0.3 * RNG.standard_normal(SR // 20),
    "one sample": np.array([0.5]),
    "eight frames": 0.3 * RNG.standard_normal(7 * 512),
    "nine frames": 0.3 * RNG.standard_normal(8 * 512),
}
NARROW = {
    "pure tone": 0.5 * np.sin(2 * np.pi * 10_000 * T),
    "clipped sine": np.clip(3 * np.sin(2 * np.pi * 440 * T), -1, 1),
    "square wave of whole periods": np.sign(np.sin(2 * np.pi * 441 * T + 0.1)),
    "fade": 0.5 * np.sin(2 * np.pi * 440 * T) * np.linspace(1, 0, len(T)) ** 4,
    "quiet tone": 1e-4 * np.sin(2 * np.pi * 300 * T),
}
# Maximum error, in the unit of the column, if most bins are below the noise floor of float32.
NOISE_BOUND = {"centroid_hz": 0.1, "rolloff_hz": 1.001 * BIN_HZ, "db": 0.05, "mfcc": 0.1}


def oracle(y, sr=SR, frame_length=2048, hop_length=512, n_mfcc=13):
    """Compute the table with one librosa call per feature."""
    import librosa

    how = {"n_fft": frame_length, "hop_length": hop_length}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="n_fft=|Empty filters")
        magnitude = np.abs(librosa.stft(y, pad_mode="constant", **how))
        mel_db = librosa.power_to_db(
            librosa.feature.melspectrogram(S=magnitude**2, sr=sr), ref=1, amin=1e-10, top_db=None
        )
    mfcc = librosa.feature.mfcc(S=mel_db, n_mfcc=n_mfcc)
    db = librosa.amplitude_to_db(magnitude, ref=1, amin=1e-5, top_db=None)
    padded = np.pad(y, frame_length // 2)
    frames = librosa.util.frame(padded, frame_length=frame_length, hop_length=hop_length, axis=0)
    quarters = frames.reshape(len(frames), 4, -1)
    quarter = {"frame_length": frame_length // 4, "hop_length": frame_length // 4, "center": False}
    rms = librosa.feature.rms(y=quarters, **quarter)[:, :, 0, 0]
    zcr = librosa.feature.zero_crossing_rate(quarters, **quarter, pad=False)[:, :, 0, 0]
    columns = {"rms_mean": rms.mean(axis=1), "rms_std": rms.std(axis=1)}
    columns |= {"zcr_mean": zcr.mean(axis=1), "zcr_std": zcr.std(axis=1)}
    columns |= {"rms_delta": delta(columns["rms_mean"]), "zcr_delta": delta(columns["zcr_mean"])}
    columns["centroid_hz"] = librosa.feature.spectral_centroid(S=magnitude, sr=sr)[0]
    columns["bandwidth_hz"] = librosa.feature.spectral_bandwidth(S=magnitude, sr=sr)[0]
    columns["rolloff_hz"] = librosa.feature.spectral_rolloff(S=magnitude, sr=sr)[0]
    columns |= {"db_mean": db.mean(axis=0), "db_std": db.std(axis=0), "db_max": db.max(axis=0)}
    columns |= {f"mfcc_{i:02d}": row for i, row in enumerate(mfcc, 1)}
    columns |= {f"mfcc_delta_{i:02d}": row for i, row in enumerate(delta(mfcc), 1)}
    return pd.DataFrame(columns)


def delta(x):
    import librosa

    return librosa.feature.delta(x, width=9, mode="interp" if x.shape[-1] >= 9 else "nearest")


def in_precision(y, dtype, **how):
    extractor = FrameExtractor(SR, dtype=dtype, **how)
    return pd.concat([extractor.push(y), extractor.flush()])


def assert_equal_but_for(table, expected, bound):
    """Compare two tables column by column; `bound(column, expected values)` is the maximum difference."""
    assert list(table.columns) == list(expected.columns)
    assert len(table) == len(expected)
    for column in expected:
        found, wanted = table[column].to_numpy(float), expected[column].to_numpy()
        worst = np.max(np.abs(found - wanted) / np.maximum(bound(column, wanted), 1e-12))
        assert worst <= 1, f"{column} is off by {worst:.3g} times its bound"


def relative(column, wanted):
    # Values of a flat spectrum are small differences of levels near -100 dB, which float32 resolves to 1e-5 dB.
    resolution = 5e-5 if column.startswith(("db", "mfcc")) and wanted.dtype == np.float32 else 1e-9
    return 1e-4 * np.abs(wanted).max() + resolution


def noise_limited(column, wanted):
    kind = column.split("_")[0] if column.startswith(("db", "mfcc")) else column
    if column == "bandwidth_hz":
        return np.maximum(3, 0.003 * wanted)
    return np.maximum(NOISE_BOUND.get(kind, 0), relative(column, wanted))


def broadband(column, wanted):
    return BIN_HZ * 1.001 if column == "rolloff_hz" else relative(column, wanted)


@pytest.mark.parametrize("name", BROADBAND)
def test_broadband_features_equal_those_of_librosa_within_a_ten_thousandth(name):
    y = BROADBAND[name].astype(np.float32)
    assert_equal_but_for(frame_features(y, SR), oracle(y), broadband)


@pytest.mark.parametrize("name", NARROW)
def test_narrowband_features_equal_those_of_librosa_within_the_noise_of_float32(name):
    y = NARROW[name].astype(np.float32)
    assert_equal_but_for(frame_features(y, SR), oracle(y), noise_limited)


def test_features_of_music_equal_those_of_librosa(song):
    assert_equal_but_for(frame_features(song, SR), oracle(song), broadband)


@pytest.mark.parametrize("name", BROADBAND | NARROW)
def test_float64_features_equal_those_of_librosa_within_a_ten_thousandth(name):
    """The errors are small in float64, so larger errors in float32 are caused only by its precision."""
    y = (BROADBAND | NARROW)[name]
    assert_equal_but_for(in_precision(y, np.float64), oracle(y), relative)


def test_float64_features_of_music_equal_those_of_librosa_within_a_ten_thousandth(song):
    y = song.astype(np.float64)
    assert_equal_but_for(in_precision(y, np.float64), oracle(y), relative)


@pytest.mark.parametrize(
    "how",
    [
        {"frame_length": 32, "hop_length": 8, "n_mfcc": 5},
        {"frame_length": 1024, "hop_length": 256},
        {"frame_length": 2048, "hop_length": 441},
        {"frame_length": 1024, "hop_length": 1024},
        {"frame_length": 4096, "hop_length": 512, "n_mfcc": 20},
        {"frame_length": 1020, "hop_length": 100, "n_mfcc": 5},
        {"frame_length": 256, "hop_length": 64},
        {"frame_length": 16384, "hop_length": 2048},
    ],
    ids=str,
)
def test_features_with_other_framings_equal_those_of_librosa(song, how):
    y = song[:SR].astype(np.float64)
    assert_equal_but_for(in_precision(y, np.float64, **how), oracle(y, **how), relative)


def test_channels_are_averaged_as_in_librosa(rng):
    import librosa

    y = 0.3 * rng.standard_normal((2, SR)).astype(np.float32)
    table = frame_features(y, SR)
    assert_equal_but_for(table, oracle(librosa.to_mono(y)), broadband)
    pd.testing.assert_frame_equal(table, frame_features(y.mean(axis=0), SR))


def test_features_of_silence_are_finite_and_have_known_values():
    table = frame_features(np.zeros(SR, np.float32), SR)
    assert np.isfinite(table.to_numpy()).all()
    assert_equal_but_for(table, oracle(np.zeros(SR, np.float32)), relative)
    np.testing.assert_allclose(table[["db_mean", "db_max"]], -100, rtol=1e-6)
    np.testing.assert_allclose(table["mfcc_01"], -100 * np.sqrt(128), rtol=1e-6)
    np.testing.assert_allclose(table.drop(columns=["db_mean", "db_max", "mfcc_01"]), 0, atol=5e-5)


def test_all_frames_of_silence_have_the_same_features():
    """Values are equal to the last bit, also in the last block, which is shorter."""
    table = frame_features(np.zeros(300 * 512, np.float32), SR)
    assert (table == table.iloc[0]).all(axis=None)


def test_silence_after_a_loud_part_has_features_of_zero():
    """Earlier samples must not affect a frame, not even by rounding."""
    y = np.zeros(2 * SR, np.float32)
    y[: SR // 2] = 1
    last = frame_features(y, SR).iloc[-20:]
    assert (last[["rms_mean", "rms_std", "zcr_mean", "centroid_hz", "bandwidth_hz", "rolloff_hz"]] == 0).all(axis=None)


def test_narrowband_frames_are_exact_in_a_block_with_broadband_frames():
    """Only frames whose variance is too inexact in float32 are computed again from their deviations."""
    y = np.concatenate([BROADBAND["noise"], NARROW["pure tone"], impulse()]).astype(np.float32)
    table, exact = frame_features(y, SR), in_precision(y.astype(np.float64), np.float64)
    within = exact.iloc[np.r_[5:80, 95:205]]  # frames that contain only noise or only the tone
    flat = exact[exact["db_std"] < 1e-9]
    assert len(flat) >= 4
    np.testing.assert_allclose(table.loc[flat.index, "db_std"], 0, atol=5e-5)
    np.testing.assert_allclose(table.loc[within.index, "bandwidth_hz"], within["bandwidth_hz"], rtol=3e-3, atol=3)
    np.testing.assert_allclose(table.loc[within.index, "centroid_hz"], within["centroid_hz"], rtol=1e-4)


def test_sample_close_to_zero_counts_as_positive():
    """A signal that alternates between -1e-11 and 0.5 has no zero crossings."""
    y = np.where(np.arange(SR) % 2, 0.5, -1e-11).astype(np.float32)
    assert frame_features(y, SR)["zcr_mean"].iloc[5:-5].eq(0).all()


@settings(max_examples=40)
@given(st.integers(1, 150_000), st.lists(st.integers(0, 150_000), max_size=8), st.sampled_from([512, 300, 2048]))
def test_table_does_not_depend_on_the_chunks(n_samples, cuts, hop_length):
    y = np.random.default_rng(n_samples).standard_normal(n_samples).astype(np.float32)
    extractor = FrameExtractor(SR, hop_length=hop_length)
    tables = [extractor.push(chunk) for chunk in np.split(y, sorted(min(cut, n_samples) for cut in cuts))]
    table = pd.concat([*tables, extractor.flush()])
    pd.testing.assert_frame_equal(table, frame_features(y, SR, hop_length=hop_length), check_exact=True)


def test_chunk_that_completes_no_block_returns_an_empty_table_with_all_columns():
    extractor = FrameExtractor(SR)
    nothing = extractor.push(np.zeros(512, np.float32))
    assert nothing.shape == (0, 38)
    assert (nothing.dtypes == np.float32).all()
    assert nothing.index.name == "time_s"
    assert nothing.index.dtype == np.float64


def test_samples_can_be_pushed_one_at_a_time():
    y = np.random.default_rng(1).standard_normal(5000).astype(np.float32)
    extractor = FrameExtractor(SR)
    for sample in y:
        assert not len(extractor.push(sample[None]))
    pd.testing.assert_frame_equal(extractor.flush(), frame_features(y, SR), check_exact=True)


def test_table_has_38_columns_and_is_indexed_by_the_centres_of_frames(song):
    table = frame_features(song, SR)
    assert tuple(table.columns) == FEATURE_COLUMNS
    assert len(FEATURE_COLUMNS) == 38
    assert (table.dtypes == np.float32).all()
    assert table.index.name == "time_s"
    assert table.index.dtype == np.float64
    np.testing.assert_array_equal(table.index, 512 * np.arange(1 + len(song) // 512) / SR)


def test_order_of_the_columns():
    assert feature_columns(2) == (
        "rms_mean", "rms_std", "zcr_mean", "zcr_std", "rms_delta", "zcr_delta", "centroid_hz", "bandwidth_hz",
        "rolloff_hz", "db_mean", "db_std", "db_max", "mfcc_01", "mfcc_02", "mfcc_delta_01", "mfcc_delta_02",
    )  # fmt: skip


def test_doubling_the_amplitude_adds_six_decibels_and_keeps_the_centroid(song):
    quiet, loud = frame_features(song / 2, SR), frame_features(song, SR)
    np.testing.assert_allclose(loud["rms_mean"], 2 * quiet["rms_mean"], rtol=1e-5)
    np.testing.assert_allclose(loud["db_max"] - quiet["db_max"], 20 * np.log10(2), atol=1e-3)
    np.testing.assert_allclose(loud["centroid_hz"], quiet["centroid_hz"], rtol=1e-5)


def test_centroid_of_a_pure_tone_is_its_frequency():
    tone = frame_features(NARROW["pure tone"].astype(np.float32), SR).iloc[5:-5]
    np.testing.assert_allclose(tone["centroid_hz"], 10_000, atol=3)
    assert tone["zcr_mean"].sub(2 * 10_000 / SR).abs().max() < 0.01


@pytest.mark.parametrize(
    ("y", "how", "message"),
    [
        (np.zeros(0, np.float32), {}, "at least one sample"),
        (np.zeros(100, np.int16), {}, "floating-point.*int16"),
        (np.array([0, np.nan]), {}, "NaN or infinity"),
        (np.zeros((1000, 2)), {}, r"not \(1000, 2\).*y\.T"),
        (np.zeros((2, 2, 9)), {}, r"must have shape.*not \(2, 2, 9\)"),
        (np.zeros(9), {"sr": 0}, "sr must be.*not 0"),
        (np.zeros(9), {"n_mfcc": 0}, "n_mfcc must be.*not 0"),
        (np.zeros(9), {"n_mfcc": 129}, "from 1 to n_mels.*129"),
        (np.zeros(9), {"frame_length": 2047}, "frame_length.*2047"),
        (np.zeros(9), {"hop_length": -1}, "hop_length.*-1"),
    ],
)
def test_error_for_an_invalid_argument_contains_its_value(y, how, message):
    with pytest.raises(ParameterError, match=message):
        frame_features(y, **how)


def test_roll_percent_of_one_is_an_error():
    with pytest.raises(ParameterError, match=r"roll_percent must be between 0 and 1.*not 1;"):
        FrameExtractor(SR, roll_percent=1)

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from songform.errors import ParameterError
from songform.features.extraction import SongExtractor
from songform.features.semitone_spectrum import (
    ONSET_BANDS,
    SEMITONE_SPECTRUM_SCHEMA,
    SemitoneSpectrum,
    semitone_filters,
    semitone_framing,
    semitone_frequencies,
)

SR = 22050
ARRAYS = ("time_s", "semitones", "onset_low", "onset_mid", "onset_high", "frame_counts")


def spectrum_of(y, sr=SR, **how):
    return spectrum_of_chunks([np.asarray(y)], sr, **how)


def spectrum_of_chunks(chunks, sr=SR, **how):
    extractor = SongExtractor(sr, **how)
    for chunk in chunks:
        extractor.push(chunk)
    extractor.flush()
    return extractor.semitone_spectrum()


def assert_same(first, second):
    for name in ARRAYS:
        a, b = getattr(first, name), getattr(second, name)
        assert a.dtype == b.dtype, name
        np.testing.assert_array_equal(a, b, err_msg=name)


def plain_levels(y, sr):
    """Return the levels in dB by a plain FFT of the whole frames in float64."""
    import librosa

    n_fft, hop = semitone_framing(sr)
    frames = librosa.util.frame(np.pad(y.astype(np.float64), n_fft // 2), frame_length=n_fft, hop_length=hop, axis=0)
    magnitude = np.abs(np.fft.rfft(frames * np.hanning(n_fft + 1)[:-1], axis=1))
    filters = semitone_filters(sr, n_fft)
    return 20 * np.log10(np.maximum(magnitude[:, : filters.shape[1]] @ filters.T, 1e-5))


def sine(frequency, seconds):
    return np.sin(2 * np.pi * frequency * np.arange(int(seconds * SR)) / SR).astype(np.float32)


@pytest.mark.parametrize(
    ("sr", "n_fft", "hop_length"),
    [(8000, 4096, 1600), (16000, 8192, 3200), (22050, 8192, 4410), (44100, 16384, 8820), (48000, 16384, 9600)],
)
def test_levels_equal_those_of_a_plain_fft(sr, n_fft, hop_length, rng):
    assert semitone_framing(sr) == (n_fft, hop_length)
    noise = (0.1 * rng.standard_normal(4 * sr)).astype(np.float32)
    found = spectrum_of(noise, sr).semitone_db
    assert found.shape == (1 + len(noise) // hop_length, 84)
    np.testing.assert_allclose(found, plain_levels(noise, sr), atol=0.26)


def test_levels_of_music_equal_those_of_a_plain_fft(song):
    found, expected = spectrum_of(song).semitone_db, plain_levels(song, SR)
    is_audible = expected > -75
    assert is_audible.mean() > 0.5
    np.testing.assert_allclose(found[is_audible], expected[is_audible], atol=0.3)


def test_onset_strength_equals_that_of_librosa_in_three_bands(song):
    import librosa

    power = np.abs(librosa.stft(song.astype(np.float64), pad_mode="constant")) ** 2
    mel_db = librosa.power_to_db(librosa.feature.melspectrogram(S=power, sr=SR), ref=1, amin=1e-10, top_db=None)
    expected = librosa.onset.onset_strength_multi(S=mel_db, sr=SR, channels=[0, 10, 40, 128], center=False)
    found = spectrum_of(song)
    for name, band in zip(ONSET_BANDS, expected, strict=True):
        np.testing.assert_allclose(getattr(found, name), band, atol=1e-3, err_msg=name)


def test_sine_of_amplitude_one_has_zero_decibels_in_its_own_semitone():
    y = np.concatenate([sine(frequency, 0.8) for frequency in semitone_frequencies()])
    middles = spectrum_of(y).semitone_db[2::4]  # the frame in the middle of a sine is within it
    for number, levels in enumerate(middles[:84]):
        frequency = semitone_frequencies()[number]
        assert abs(levels[number]) <= 0.75, frequency
        if number >= 12:
            assert levels.argmax() == number, frequency


def test_every_semitone_has_a_bin_at_all_sampling_rates():
    for sr in (8000, 11025, 16000, 22050, 44100, 48000, 96000, 192000):
        filters = semitone_filters(sr, semitone_framing(sr)[0])
        np.testing.assert_array_equal(filters.any(axis=1), semitone_frequencies() < sr / 2)


def test_silence_has_the_lowest_level_and_no_onsets():
    found = spectrum_of(np.zeros(SR, np.float32))
    assert (found.semitones == 0).all()
    assert all((getattr(found, name) == 0).all() for name in ONSET_BANDS)


def test_impulse_is_in_the_long_frames_that_contain_it_and_is_one_onset_in_each_band():
    y = np.zeros(2 * SR, np.float32)
    y[SR] = 1.0
    found = spectrum_of(y)
    reached = np.flatnonzero(np.abs(np.arange(len(found)) * 4410 - SR) < 4096)
    np.testing.assert_array_equal(np.flatnonzero(found.semitones.any(axis=1)), reached)
    assert found.semitones.sum(axis=1).argmax() == 5
    first = -(-(SR - 1024) // 512)  # the first frame of 2048 samples that contains the impulse
    for name in ONSET_BANDS:
        assert getattr(found, name)[:first].max() == 0
        assert getattr(found, name)[first : first + 2].max() > 10
        assert getattr(found, name)[first + 4 :].max() == 0


@pytest.mark.parametrize("sr", [8000, 11025, 11026, 22050])
@pytest.mark.parametrize("n_samples", [1, 1102, 22049, 22050, 22051, 33333])
def test_rows_are_every_fifth_of_a_second_and_contain_every_frame_once(sr, n_samples):
    found = spectrum_of(np.ones(n_samples, np.float32), sr)
    hop_length = round(sr / 5)
    np.testing.assert_array_equal(found.time_s, np.arange(1 + n_samples // hop_length) * hop_length / sr)
    centers = np.arange(1 + n_samples // 512) * 512
    np.testing.assert_array_equal(np.repeat(np.arange(len(found)), found.frame_counts), centers // hop_length)


def test_each_row_contains_the_frames_of_two_cells_of_the_overview(song):
    extractor = SongExtractor(SR)
    extractor.push(song)
    extractor.flush()
    counts, expected = extractor.semitone_spectrum().frame_counts, extractor.overview().frame_counts
    pairs = np.add.reduceat(expected, np.arange(0, len(expected), 2))
    np.testing.assert_array_equal(counts[: len(pairs)], pairs)
    assert not counts[len(pairs) :].any()


@pytest.mark.parametrize("seconds", [1, 20])
def test_spectrum_that_is_asked_for_again_is_the_same(seconds):
    extractor = SongExtractor(SR)
    extractor.push(np.random.default_rng(0).normal(0, 0.1, seconds * SR))
    extractor.flush()
    assert_same(extractor.semitone_spectrum(), extractor.semitone_spectrum())
    assert extractor.overview().to_table().equals(extractor.overview().to_table())


@settings(max_examples=15)
@given(st.integers(1, 150_000), st.lists(st.integers(0, 150_000), max_size=6))
def test_spectrum_does_not_depend_on_the_chunks(n_samples, cuts):
    y = np.random.default_rng(n_samples).standard_normal(n_samples).astype(np.float32)
    chunks = np.split(y, sorted(min(cut, n_samples) for cut in cuts))
    assert_same(spectrum_of_chunks(chunks), spectrum_of(y))


@settings(max_examples=15)
@given(st.integers(0, 10_000), st.floats(0.01, 0.2))
def test_gain_of_six_decibels_adds_twelve_steps(seed, amplitude):
    y = amplitude * np.random.default_rng(seed).standard_normal(8000).astype(np.float32)
    quiet, loud = spectrum_of(y), spectrum_of(y * np.float32(10**0.3))
    steps = loud.semitones.astype(int) - quiet.semitones
    is_within = quiet.semitones > 0
    assert is_within.mean() > 0.9
    assert np.isin(steps[is_within], (11, 12, 13)).all()  # a level between two steps may be rounded to either
    assert (steps[is_within] == 12).mean() > 0.99
    for name in ONSET_BANDS:
        np.testing.assert_allclose(getattr(loud, name), getattr(quiet, name), atol=1e-3)


def test_channels_are_averaged(rng):
    y = rng.standard_normal((2, SR)).astype(np.float32)
    assert_same(spectrum_of(y), spectrum_of(y.mean(axis=0)))


def test_spectrum_is_unchanged_after_writing_and_reading_parquet(song, tmp_path):
    spectrum = spectrum_of(song)
    table = spectrum.to_table()
    assert table.schema == SEMITONE_SPECTRUM_SCHEMA
    pq.write_table(table, tmp_path / "spectrum.parquet")
    assert_same(SemitoneSpectrum.from_table(pq.read_table(tmp_path / "spectrum.parquet")), spectrum)


def test_chunked_tables_can_be_read(song):
    table = spectrum_of(song).to_table()
    in_chunks = pa.concat_tables([table.slice(0, 5), table.slice(5)])
    assert_same(SemitoneSpectrum.from_table(in_chunks), SemitoneSpectrum.from_table(table))


def test_table_that_is_not_a_spectrum_is_an_error():
    with pytest.raises(ParameterError, match=r"not a semitone spectrum.*missing: onset_high, onset_low"):
        SemitoneSpectrum.from_table(pa.table({"time_s": [0.0]}))


def test_spectrum_with_another_number_of_onset_values_is_an_error(song):
    spectrum = spectrum_of(song)
    fields = {name: getattr(spectrum, name) for name in ARRAYS} | {"onset_mid": spectrum.onset_mid[:-1]}
    with pytest.raises(ParameterError, match=r"one value of onset_mid per frame.* 173 .* 172 .*table"):
        SemitoneSpectrum(**fields)


def test_extractor_without_semitones_says_how_to_get_them():
    extractor = SongExtractor(SR, with_semitones=False)
    extractor.push(np.zeros(100, np.float32))
    extractor.flush()
    with pytest.raises(ParameterError, match="with_semitones=True"):
        extractor.semitone_spectrum()

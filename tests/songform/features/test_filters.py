from __future__ import annotations

import numpy as np
import pytest
import scipy.signal

from songform.features.filters import (
    Filterbank,
    chroma_filters,
    dct_basis,
    fft_frequencies,
    hann_window,
    hz_to_mel,
    mel_filters,
)

SHAPES = [(22050, 2048), (44100, 4096), (16000, 512), (8000, 1024)]


@pytest.mark.parametrize("frame_length", [4, 512, 2048])
def test_window_equals_the_periodic_hann_window_of_scipy(frame_length):
    expected = scipy.signal.get_window("hann", frame_length, fftbins=True)
    np.testing.assert_allclose(hann_window(frame_length), expected, atol=1e-15)


@pytest.mark.parametrize(("sr", "n_fft"), SHAPES)
def test_frequencies_of_bins_equal_those_of_librosa(sr, n_fft):
    import librosa

    np.testing.assert_allclose(fft_frequencies(sr, n_fft), librosa.fft_frequencies(sr=sr, n_fft=n_fft), rtol=1e-12)


def test_mel_scale_equals_that_of_librosa():
    import librosa

    hertz = np.r_[np.linspace(0, 20_000, 401), 999.9, 1000.1]
    np.testing.assert_allclose(hz_to_mel(hertz), librosa.hz_to_mel(hertz), rtol=1e-12)


@pytest.mark.parametrize(("sr", "n_fft"), SHAPES)
@pytest.mark.parametrize("n_mels", [40, 64, 128])
@pytest.mark.filterwarnings("ignore:Empty filters detected")
def test_mel_filters_equal_those_of_librosa(sr, n_fft, n_mels):
    import librosa

    expected = librosa.filters.mel(sr=sr, n_fft=n_fft, n_mels=n_mels, dtype=np.float64)
    np.testing.assert_allclose(mel_filters(sr, n_fft, n_mels), expected, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize(("sr", "n_fft"), SHAPES)
def test_chroma_filters_equal_those_of_librosa(sr, n_fft):
    import librosa

    expected = librosa.filters.chroma(sr=sr, n_fft=n_fft, tuning=0, dtype=np.float64)
    np.testing.assert_allclose(chroma_filters(sr, n_fft), expected, rtol=1e-9, atol=1e-14)


def test_dct_basis_is_orthonormal_and_its_first_row_is_constant():
    basis = dct_basis(128, 128)
    np.testing.assert_allclose(basis @ basis.T, np.eye(128), atol=1e-12)
    np.testing.assert_allclose(basis[0], 1 / np.sqrt(128))


@pytest.mark.parametrize(
    "filters", [mel_filters(22050, 2048, 128), mel_filters(22050, 256, 128), chroma_filters(22050, 2048)]
)
def test_filterbank_equals_the_full_matrix_product(filters, rng):
    """The second bank has empty filters, because some mel bands contain no bin."""
    power = rng.random((5, filters.shape[1]))
    np.testing.assert_allclose(Filterbank(filters, dtype=np.float64)(power), power @ filters.T, rtol=1e-12)


@pytest.mark.parametrize("n", [0, 1, 127, 128, 129, 300])
def test_filterbank_accepts_any_number_of_rows(n, rng):
    """Products are divided by rows, so that BLAS computes each part in one thread."""
    filters = mel_filters(22050, 2048, 128)
    power = rng.random((n, filters.shape[1]))
    for group in (1, 8, 128):
        found = Filterbank(filters, dtype=np.float64, group=group)(power)
        np.testing.assert_allclose(found, power @ filters.T, rtol=1e-12)

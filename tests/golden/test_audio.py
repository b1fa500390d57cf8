"""Golden values of reading an audio file: decoding, mixing to one channel and resampling."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from songform.audio import stream
from songform.audio.stream import load

ORIG_SR, SR = 44100, 22050
EVERY = 29  # samples


def channels(n_channels):
    """Return 0.5 s of tones that differ between channels; some are near the Nyquist frequency of `SR`."""
    time, number = np.arange(ORIG_SR // 2)[:, None] / ORIG_SR, np.arange(n_channels)
    low = np.sin(2 * np.pi * 220 * (1 + number) * time + 0.3 * number)
    high = np.sin(2 * np.pi * (9800 + 400 * number) * time + 0.7)
    return (0.5 * low + 0.3 * high) / (1 + number)


@pytest.mark.parametrize(("name", "n_channels"), [("stereo", 2), ("three_channels", 3)])
def test_samples_match_stored_values(golden, tmp_path, name, n_channels):
    path = tmp_path / "song.wav"
    soundfile.write(path, channels(n_channels), ORIG_SR, subtype="PCM_16")
    y, sr = load(path, sr=SR)
    golden.check(f"audio_{name}", [stream], {"sr": sr, "n_samples": len(y), "y": y[::EVERY]})

"""Golden values of the features, the overview and the semitone spectrum."""

from __future__ import annotations

import numpy as np
import pytest

from songform.features import frame_features, overview, semitone_spectrum
from songform.features.extraction import SongExtractor, describe_audio

SR = 8000


@pytest.fixture(scope="module")
def signal():
    """Return 1.5 s of notes, a sweep and beats; their phases keep every sample away from 0."""
    time = np.arange(int(1.5 * SR)) / SR
    notes = 0.3 * np.sin(2 * np.pi * 221.3 * time + 0.3) * np.exp(-3 * (time % 0.5))
    sweep = 0.1 * np.sin(2 * np.pi * 1003.7 * time**2 + 1.1)
    beats = 0.2 * np.sin(2 * np.pi * 83.1 * time + 0.7) * np.exp(-20 * (time % 0.25))
    return notes + sweep + beats


@pytest.fixture(scope="module")
def described(signal):
    """Return the features and the overview of the signal."""
    return describe_audio([signal], sr=SR, frame_length=1024, hop_length=512)


def test_features_match_stored_values(golden, described):
    features, _, n_samples = described
    columns = {name: features[name].to_numpy() for name in features}
    output = {"n_samples": n_samples, "time_s": features.index.to_numpy(), "columns": columns}
    golden.check("features", [frame_features], output)


def test_overview_matches_stored_values(golden, described):
    """The mel bands are quantized in steps of 0.5 dB and are compared with a tolerance of one step."""
    values = {name: value for name, value in vars(described[1]).items() if name != "logmel"}
    golden.check("overview", [overview, frame_features], values)
    levels = described[1].logmel_db
    golden.check(
        "overview_levels", [overview, frame_features], {"decibels": levels}, tolerance=0.51 / np.abs(levels).max()
    )


def test_semitone_spectrum_matches_stored_values(golden, signal):
    """The digest of its folder contains only its own VERSION, which must also increase if the mel bands change.

    The levels are quantized in steps of 0.5 dB, as those of the overview.
    """
    extractor = SongExtractor(SR, frame_length=1024, hop_length=512)
    extractor.push(signal)
    extractor.flush()
    spectrum = extractor.semitone_spectrum()
    values = {name: value for name, value in vars(spectrum).items() if name != "semitones"}
    golden.check("semitone_spectrum", [semitone_spectrum], values)
    levels = spectrum.semitone_db
    tolerance = 0.51 / np.abs(levels).max()
    golden.check("semitone_spectrum_levels", [semitone_spectrum], {"decibels": levels}, tolerance=tolerance)

"""Check of the feature column `crest`, in the table of a signal and in the table that an extraction writes."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from songform import frame_features
from tasks.ingest.extraction_worker import ExtractionJob, extract_track
from tasks.settings import Settings
from tasks.store.tracks import Track

SR = 22050


def crest(y: np.ndarray) -> np.ndarray:
    """Compute the column independently, with one FFT per frame."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(2048) / 2048)
    padded = np.pad(y.astype(np.float64), 1024)
    frames = [padded[start : start + 2048] for start in range(0, len(y) + 1, 512)]
    magnitude = np.abs([np.fft.rfft(window * frame) for frame in frames])
    return magnitude.max(axis=1) / magnitude.mean(axis=1)


def main(folder: Path, old_config: str) -> None:
    """Compare the column with `crest`, in memory and on disk."""
    y = np.random.default_rng(0).uniform(-0.5, 0.5, 2 * SR) + 0.4 * np.sin(np.arange(2 * SR) * 0.1)
    y = np.round(y * 2**15).astype(np.int16)
    expected = crest(y / 2**15)

    table = frame_features((y / 2**15).astype(np.float32), SR)
    assert table.shape[1] == 39
    np.testing.assert_allclose(table["crest"], expected, rtol=1e-4)

    audio = folder / "song.wav"
    soundfile.write(audio, y, SR)
    track = Track(key="file-0", title="song", source="song.wav", path=str(audio))
    features, *_ = extract_track(ExtractionJob(folder, track, audio, Settings())).files
    assert features.parent.name != old_config, "the new table would have the path of tables with the old columns"
    np.testing.assert_allclose(pd.read_parquet(features)["crest"], expected, rtol=1e-4)


main(Path(sys.argv[1]), sys.argv[2])

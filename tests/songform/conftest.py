"""Signals, units and a seeded random generator for the tests of songform."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from songform.features.frame_features import FEATURE_COLUMNS
from songform.structure.pooling import SongUnits

SR = 22050


@pytest.fixture
def rng():
    """Return a random generator with a fixed seed, so that tests do not depend on global state."""
    return np.random.default_rng(20260501)


def melody(seconds: float = 4.0, sr: int = SR) -> np.ndarray:
    """Return music-like audio, float32: decaying notes with harmonics, a drum on each beat, and soft noise."""
    rng = np.random.default_rng(7)
    t = np.arange(round(seconds * sr)) / sr
    y = 0.003 * rng.standard_normal(len(t))
    for beat in np.arange(0, seconds, 0.5):
        since = t - beat
        note = 220 * 2 ** (rng.integers(0, 12) / 12)
        sounding = np.where(since >= 0, np.exp(-3 * np.maximum(since, 0)), 0)
        y += sum(0.2 / k * sounding * np.sin(2 * np.pi * k * note * since) for k in range(1, 8))
        y += 0.2 * np.where(since >= 0, np.exp(-40 * np.maximum(since, 0)), 0) * rng.standard_normal(len(t))
    return np.clip(y, -1, 1).astype(np.float32)


@pytest.fixture(scope="session")
def song():
    """Return four seconds of music-like audio at 22,050 Hz."""
    return melody()


def made_units(
    loudness_db: np.ndarray,
    *,
    onset: np.ndarray | float = 1.0,
    centroid_hz: np.ndarray | float = 1000.0,
    low_share: np.ndarray | float = 0.1,
    mfcc: np.ndarray | float = 0.0,
    chroma: np.ndarray | float = 0.5,
) -> SongUnits:
    """Return the units of a song with the given loudness; all other values are constant unless they are given."""
    n = len(loudness_db)
    mean = np.zeros((n, len(FEATURE_COLUMNS)))
    mean[:, FEATURE_COLUMNS.index("rms_mean")] = 10 ** (loudness_db / 20)
    mean[:, FEATURE_COLUMNS.index("centroid_hz")] = centroid_hz
    first = FEATURE_COLUMNS.index("mfcc_01")
    mean[:, first : first + 13] = mfcc
    return SongUnits(
        FEATURE_COLUMNS,
        mean,
        np.zeros_like(mean),
        np.asarray(loudness_db, np.float64),
        np.full(n, onset, np.float64),
        np.full(n, low_share, np.float64),
        np.broadcast_to(np.asarray(chroma, np.float64), (n, 12)).copy(),
    )


@pytest.fixture(scope="session")
def units_of() -> Callable[..., SongUnits]:
    """Return `made_units`, which creates the units of a song from known values, without audio."""
    return made_units

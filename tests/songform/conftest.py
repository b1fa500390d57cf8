"""Signals and a seeded random generator for the tests of songform."""

from __future__ import annotations

import numpy as np
import pytest

SR = 22050


@pytest.fixture
def rng():
    """Give a random generator with a fixed seed: no test draws from global state."""
    return np.random.default_rng(20260501)


def melody(seconds: float = 4.0, sr: int = SR) -> np.ndarray:
    """Music-like sound: notes with harmonics that decay, a drum on each beat, a breath of noise; float32."""
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
    """Four seconds of music-like sound at 22,050 Hz."""
    return melody()

"""Random changes of the sound of a song, as they occur between recordings: gain, equalizer, compression, MP3, speed.

The changes do not affect which state a moment has. `augmented` also returns by which factor times became shorter.
"""

from __future__ import annotations

import io

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from scipy.signal import lfilter

__all__ = ["augmented", "compressed", "encoded", "equalized", "resampled"]

Sound = NDArray[np.float32]

SHARE = 0.5  # probability of each change
SEMITONES = 3.0  # largest transposition; the tempo changes by the same factor
EQUALIZER_DB, BANDS = 9.0, 3
GAIN_DB = (-18.0, 3.0)
PEAK = 0.98


def augmented(y: Sound, sr: int, rng: np.random.Generator) -> tuple[Sound, float]:
    """Change a song at random.

    Parameters
    ----------
    y : np.ndarray of float32, shape=(n,)
        Samples.
    sr : int
        Sampling rate in Hz.
    rng : numpy.random.Generator
        Random number generator.

    Returns
    -------
    y : np.ndarray of float32
        Changed samples, between -0.98 and 0.98.
    speed : float
        Factor by which the song became faster and higher: a time `t` is now at `t / speed`.
    """
    speed = float(2 ** (rng.uniform(-SEMITONES, SEMITONES) / 12)) if rng.random() < SHARE else 1.0
    y = resampled(y, sr, speed) if speed != 1 else y
    if rng.random() < SHARE:
        y = equalized(y, sr, rng)
    if rng.random() < SHARE:
        y = compressed(y, sr, ratio=float(rng.uniform(1.5, 6.0)), threshold_db=float(rng.uniform(-12.0, 0.0)))
    y = y * np.float32(10 ** (rng.uniform(*GAIN_DB) / 20))
    y = y / max(1.0, float(np.abs(y).max()) / PEAK)
    if rng.random() < SHARE:
        y = encoded(y, sr, quality=float(rng.uniform(0.0, 0.9)))
    return np.clip(y, -PEAK, PEAK).astype(np.float32), speed


def resampled(y: Sound, sr: int, speed: float) -> Sound:
    """Play a song faster and higher by a factor."""
    return np.asarray(soxr.resample(y, sr * speed, sr), np.float32)


def equalized(y: Sound, sr: int, rng: np.random.Generator) -> Sound:
    """Boost or cut three random bands (peaking filters of the Audio EQ Cookbook by R. Bristow-Johnson)."""
    for _ in range(BANDS):
        frequency = float(np.exp(rng.uniform(np.log(60.0), np.log(0.4 * sr))))
        b, a = _peaking(frequency / sr, float(rng.uniform(-EQUALIZER_DB, EQUALIZER_DB)), float(rng.uniform(0.4, 1.5)))
        y = lfilter(b, a, y).astype(np.float32)
    return y


def compressed(y: Sound, sr: int, *, ratio: float, threshold_db: float) -> Sound:
    """Compress the dynamics: levels above a threshold, relative to the RMS of the song, rise more slowly.

    Parameters
    ----------
    y, sr
        Samples, and sampling rate in Hz.
    ratio : float >= 1
        By how many dB the input has to rise for the output to rise by 1 dB.
    threshold_db : float
        Threshold in dB relative to the RMS of the song.
    """
    step = sr // 100
    n_blocks = -(-len(y) // step)
    blocks = np.pad(y, (0, n_blocks * step - len(y))).reshape(n_blocks, step)
    level = 10 * np.log10(np.maximum(np.square(blocks).mean(axis=1), 1e-10))
    level = lfilter([0.1], [1, -0.9], level, zi=[0.9 * level[0]])[0]  # 0.1 s
    reference = 10 * np.log10(max(float(np.square(y).mean()), 1e-10)) + threshold_db
    gain_db = -np.maximum(level - reference, 0) * (1 - 1 / ratio)
    gain = np.interp(np.arange(len(y)), np.arange(n_blocks) * step + step / 2, gain_db)
    return np.asarray(y * 10 ** (gain / 20), np.float32)


def encoded(y: Sound, sr: int, *, quality: float) -> Sound:
    """Encode a song as MP3 and decode it.

    Parameters
    ----------
    y, sr
        Samples, and sampling rate in Hz.
    quality : float, 0 to 1
        Degree of compression; 0 is the highest bit rate.
    """
    file = io.BytesIO()
    soundfile.write(file, y, sr, format="MP3", bitrate_mode="CONSTANT", compression_level=quality)
    file.seek(0)
    decoded, _ = soundfile.read(file, dtype="float32")
    return np.asarray(decoded[: len(y)], np.float32)


def _peaking(frequency: float, gain_db: float, q: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the coefficients of a peaking filter; the frequency is a fraction of the sampling rate."""
    amplitude, omega = 10 ** (gain_db / 40), 2 * np.pi * frequency
    alpha = np.sin(omega) / (2 * q)
    b = np.array([1 + alpha * amplitude, -2 * np.cos(omega), 1 - alpha * amplitude])
    a = np.array([1 + alpha / amplitude, -2 * np.cos(omega), 1 - alpha / amplitude])
    return b / a[0], a / a[0]

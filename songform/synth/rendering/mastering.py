"""Mastering, applied to a song after its sections have been set to their levels.

The steps are, in this order: room reverb; downmix of a simulated stereo pair to mono, which acts as a comb filter;
spectral tilt; an optional leveler, which makes the whole song equally loud; limiter; gain; fades; background noise, so
that rests are not digital silence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter, oaconvolve

from songform.synth.instruments.instrument import Samples, Stroke, filtered
from songform.synth.rendering.note_player import Sound

__all__ = ["PEAK", "Master", "mastered", "new_master"]

PEAK = 0.9  # maximum absolute value of a sample
LEVELLER_HOP = 0.1  # seconds
LEVELLER_SECONDS = 2.4
LEVELLER_DB = 15.0  # maximum gain or attenuation
LEVELLED_DB = -16.0
FLOOR_DB = -60.0  # levels below this are treated as this level
TILT_HZ = 1000.0


@dataclass(frozen=True)
class Master:
    """Parameters of the mastering.

    Parameters
    ----------
    room_seconds, room : float
        Reverberation time (60 dB) in seconds, and gain of the reverb.
    delay_seconds, delayed : float
        Delay of the second channel of the stereo pair in seconds, and its gain.
    tilt_db : float
        Gain of the treble relative to the bass in dB.
    highest : float
        Cutoff frequency of a low-pass filter in Hz, as after lossy encoding.
    evened : bool
        Whether the leveler is on.
    drive_db, gain_db : float
        Gain before and after the limiter in dB.
    fade_in, fade_out : float
        Lengths of the fades in seconds.
    hiss_db : float
        RMS of the background noise in dB relative to full scale.
    hiss_pink : float
        Color of the noise: 0 is white; values toward 1 have more bass, like tape noise.
    """

    room_seconds: float = 1.2
    room: float = 0.3
    delay_seconds: float = 0.0
    delayed: float = 0.0
    tilt_db: float = 0.0
    highest: float = 20000.0
    evened: bool = False
    drive_db: float = 0.0
    gain_db: float = 0.0
    fade_in: float = 0.0
    fade_out: float = 0.3
    hiss_db: float = -66.0
    hiss_pink: float = 0.0


def new_master(
    rng: np.random.Generator, gain: tuple[float, float], fades: tuple[float, float], *, evened: bool
) -> Master:
    """Choose the parameters of the mastering at random.

    Parameters
    ----------
    rng : numpy.random.Generator
        Random number generator.
    gain : tuple of float
        Bounds of the gain in dB. Positive gain is applied before the limiter, negative gain after it.
    fades : tuple of float
        Lengths of the fade-in and the fade-out in seconds.
    evened : bool
        Whether the leveler is on.

    Returns
    -------
    Master
        Parameters of the mastering.
    """
    level = float(rng.uniform(*gain))
    return Master(
        room_seconds=float(rng.uniform(0.4, 2.0)),
        room=float(rng.uniform(0.08, 0.4)),
        delay_seconds=float(rng.uniform(2e-4, 1.2e-3)),
        delayed=float(rng.choice([0.0, rng.uniform(0.1, 0.5)])),
        tilt_db=float(rng.uniform(-4.0, 4.0)),
        highest=float(rng.choice([20000.0, 20000.0, rng.uniform(5000.0, 10000.0)])),
        evened=evened,
        drive_db=max(0.0, level) + (float(rng.uniform(0.0, 3.0)) if evened else 0.0),
        gain_db=min(0.0, level),
        fade_in=fades[0],
        fade_out=fades[1],
        hiss_db=float(rng.uniform(-78.0, -52.0)) + min(0.0, level),
        hiss_pink=float(rng.choice([0.0, 0.6, 0.95])),
    )


def mastered(buses: Sound, master: Master, sr: int, seed: int) -> Sound:
    """Mix the buses and master the song.

    Parameters
    ----------
    buses : Sound, shape=(2, n)
        Dry bus, and bus that is also sent to the room reverb.
    master : Master
        Parameters of the mastering.
    sr : int
        Sampling rate in Hz.
    seed : int
        Seed of the reverb and the noise.

    Returns
    -------
    Sound, shape=(n,)
        Samples between -`PEAK` and `PEAK`. The limiter has no memory, so it leaves equal bars equal.
    """
    wet = oaconvolve(buses[1], _room(master, sr, seed))[: buses.shape[1]]
    y = _coloured(buses.sum(axis=0) + np.float32(master.room) * wet, master, sr)
    if master.evened:
        y = _evened(y, sr)
    y = PEAK * np.tanh(10.0 ** (master.drive_db / 20) * y / PEAK) * 10.0 ** (master.gain_db / 20)
    y = _faded(y, master, sr) + _hiss(y.size, master, seed)
    return np.asarray(np.clip(y, -PEAK, PEAK), dtype=np.float32)


def _room(master: Master, sr: int, seed: int) -> Sound:
    """Return the impulse response of a room: band-pass filtered noise that decays by 60 dB, with unit energy."""
    stroke = Stroke(pitch=0, seconds=master.room_seconds, sr=sr, seed=seed)
    t = stroke.times()
    tail = filtered(stroke.noise(t.size), "bandpass", (200.0, 3500.0), sr)
    tail *= 10.0 ** (-3.0 * t / master.room_seconds)
    return np.asarray(tail / np.linalg.norm(tail), dtype=np.float32)


def _coloured(y: Sound, master: Master, sr: int) -> Sound:
    """Mix the stereo pair to mono, tilt the spectrum, and apply the low-pass filter."""
    later = np.pad(y, (max(1, round(master.delay_seconds * sr)), 0))[: y.size]
    summed = np.asarray((y + master.delayed * later) / (1.0 + master.delayed), dtype=np.float64)
    coloured = _tilted(summed, master.tilt_db, sr)
    if master.highest < 0.45 * sr:
        coloured = filtered(coloured, "lowpass", master.highest, sr)
    return np.asarray(coloured, dtype=np.float32)


def _tilted(y: Samples, decibels: float, sr: int) -> Samples:
    """Amplify frequencies above `TILT_HZ` by half of `decibels`, and attenuate those below by the other half."""
    if not decibels:
        return y
    pole = np.exp(-2.0 * np.pi * TILT_HZ / sr)
    low = lfilter([1.0 - pole], [1.0, -pole], y)
    half = 10.0 ** (decibels / 40)
    return np.asarray(low / half + (y - low) * half)


def _evened(y: Sound, sr: int) -> Sound:
    """Make the loudness of a song uniform, as a leveler with a window of `LEVELLER_SECONDS` does."""
    hop = round(LEVELLER_HOP * sr)
    n_hops = -(-y.size // hop)
    power = np.square(np.pad(y, (0, n_hops * hop - y.size))).reshape(n_hops, hop).mean(axis=1, dtype=np.float64)
    window = np.hanning(round(LEVELLER_SECONDS / LEVELLER_HOP) + 2)[1:-1]
    smooth = np.convolve(power, window, "same") / np.convolve(np.ones(n_hops), window, "same")
    level = 10.0 * np.log10(np.maximum(smooth, 10.0 ** (FLOOR_DB / 10)))
    gain = np.clip(LEVELLED_DB - level, -LEVELLER_DB, LEVELLER_DB)
    ridden = np.interp(np.arange(y.size), (np.arange(n_hops) + 0.5) * hop, gain)
    return np.asarray(y * 10.0 ** (ridden / 20), dtype=np.float32)


def _faded(y: Sound, master: Master, sr: int) -> Sound:
    """Apply the fades. There is always a short fade-out, because a song that is cut at its last bar would click."""
    gain = np.ones(y.size, dtype=np.float32)
    n_in, n_out = (min(y.size, round(seconds * sr)) for seconds in (master.fade_in, master.fade_out))
    gain[:n_in] = np.linspace(0, 1, n_in, dtype=np.float32)
    gain[y.size - n_out :] *= np.linspace(1, 0, n_out, dtype=np.float32)
    return np.asarray(y * gain, dtype=np.float32)


def _hiss(n_samples: int, master: Master, seed: int) -> Sound:
    """Return the background noise."""
    noise = np.random.default_rng(seed).standard_normal(n_samples, dtype=np.float32)
    noise = lfilter([np.sqrt(1.0 - master.hiss_pink**2)], [1.0, -master.hiss_pink], noise)
    return np.asarray(noise * np.float32(10.0 ** (master.hiss_db / 20)), dtype=np.float32)

"""The master: what happens to a song once its sections are played and set to their levels.

In this order: the room; the sum of a stereo pair to mono, which colours the sound as a comb does; a tilt of the
spectrum; the leveller, if the song is to be equally loud all the way; a drive into the limiter; the gain; fades; the
floor of noise, without which a rest would be digital silence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter, oaconvolve

from songform.synth.instruments.instrument import Samples, Stroke, filtered
from songform.synth.rendering.note_player import Sound

__all__ = ["PEAK", "Master", "mastered", "new_master"]

PEAK = 0.9  # no sample is louder
LEVELLER_HOP = 0.1  # seconds
LEVELLER_SECONDS = 2.4
LEVELLER_DB = 15.0  # it lifts or lowers by no more
LEVELLED_DB = -16.0
FLOOR_DB = -60.0  # what is softer is not lifted
TILT_HZ = 1000.0


@dataclass(frozen=True)
class Master:
    """The knobs of the master.

    Parameters
    ----------
    room_seconds, room : float
        How long the room rings (by 60 dB), and its share of what is sent to it.
    delay_seconds, delayed : float
        By how much, and how strongly, one side of the stereo pair comes later.
    tilt_db : float
        How much louder the treble is made than the bass.
    highest : float
        Above this frequency in Hz there is little, as after a lossy encoding.
    evened : bool
        Whether the leveller works.
    drive_db, gain_db : float
        Into the limiter, and after it.
    fade_in, fade_out : float
        In seconds.
    hiss_db : float
        RMS of the noise, in dB of full scale.
    hiss_pink : float
        0: white; towards 1: as of tape.
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
    """Draw a master.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws the knobs.
    gain : tuple of float
        Bounds of the song's gain in dB; what is over 0 drives the limiter instead.
    fades : tuple of float
        How long the song fades in and out, in seconds.
    evened : bool
        Whether the leveller works.
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
    """Join the buses and finish the song.

    Parameters
    ----------
    buses : Sound, shape=(2, n)
        The dry bus, and the one for the room.
    master : Master
        The knobs.
    sr : int
        Sampling rate in Hz.
    seed : int
        Seed of the room and the noise.

    Returns
    -------
    Sound, shape=(n,)
        Within `PEAK`; the limiter has no memory, so equal bars stay equal where there is no noise.
    """
    wet = oaconvolve(buses[1], _room(master, sr, seed))[: buses.shape[1]]
    y = _coloured(buses.sum(axis=0) + np.float32(master.room) * wet, master, sr)
    if master.evened:
        y = _evened(y, sr)
    y = PEAK * np.tanh(10.0 ** (master.drive_db / 20) * y / PEAK) * 10.0 ** (master.gain_db / 20)
    y = _faded(y, master, sr) + _hiss(y.size, master, seed)
    return np.asarray(np.clip(y, -PEAK, PEAK), dtype=np.float32)


def _room(master: Master, sr: int, seed: int) -> Sound:
    """Return a room's impulse response: dull noise that dies away by 60 dB, of unit energy."""
    stroke = Stroke(pitch=0, seconds=master.room_seconds, sr=sr, seed=seed)
    t = stroke.times()
    tail = filtered(stroke.noise(t.size), "bandpass", (200.0, 3500.0), sr)
    tail *= 10.0 ** (-3.0 * t / master.room_seconds)
    return np.asarray(tail / np.linalg.norm(tail), dtype=np.float32)


def _coloured(y: Sound, master: Master, sr: int) -> Sound:
    """Sum the stereo pair, tilt the spectrum, and take the top off."""
    later = np.pad(y, (max(1, round(master.delay_seconds * sr)), 0))[: y.size]
    summed = np.asarray((y + master.delayed * later) / (1.0 + master.delayed), dtype=np.float64)
    coloured = _tilted(summed, master.tilt_db, sr)
    if master.highest < 0.45 * sr:
        coloured = filtered(coloured, "lowpass", master.highest, sr)
    return np.asarray(coloured, dtype=np.float32)


def _tilted(y: Samples, decibels: float, sr: int) -> Samples:
    """Raise what is above `TILT_HZ` by half of some decibels, and lower what is below by the other half."""
    if not decibels:
        return y
    pole = np.exp(-2.0 * np.pi * TILT_HZ / sr)
    low = lfilter([1.0 - pole], [1.0, -pole], y)
    half = 10.0 ** (decibels / 40)
    return np.asarray(low / half + (y - low) * half)


def _evened(y: Sound, sr: int) -> Sound:
    """Make a song equally loud all the way, as a leveller with a window of some seconds does."""
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
    """Fade in and out; a song that is cut at its last bar would click."""
    gain = np.ones(y.size, dtype=np.float32)
    n_in, n_out = (min(y.size, round(seconds * sr)) for seconds in (master.fade_in, master.fade_out))
    gain[:n_in] = np.linspace(0, 1, n_in, dtype=np.float32)
    gain[y.size - n_out :] *= np.linspace(1, 0, n_out, dtype=np.float32)
    return np.asarray(y * gain, dtype=np.float32)


def _hiss(n_samples: int, master: Master, seed: int) -> Sound:
    """Return the noise floor."""
    noise = np.random.default_rng(seed).standard_normal(n_samples, dtype=np.float32)
    noise = lfilter([np.sqrt(1.0 - master.hiss_pink**2)], [1.0, -master.hiss_pink], noise)
    return np.asarray(noise * np.float32(10.0 ** (master.hiss_db / 20)), dtype=np.float32)

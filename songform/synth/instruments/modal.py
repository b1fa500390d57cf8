"""Modal synthesis of drums, and noise like that of early samplers.

- *Membranes*: damped sines at the frequency ratios of a round membrane's modes (zeros of Bessel functions) [1]_.
- *Metal*: six square waves with inharmonic frequencies, as in early electronic cymbals.
- *Sampled noise*: noise with a reduced sampling rate and word length.

References
----------
.. [1] Fletcher and Rossing, "The physics of musical instruments", Springer, 1998, chapters 3 and 18.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from songform.synth.instruments.instrument import Instrument, Samples, Stroke, filtered

__all__ = ["MODAL"]

MEMBRANE = (1.0, 1.59, 2.14, 2.3, 2.65, 2.92)
SQUARES = (263.0, 400.0, 421.0, 474.0, 587.0, 845.0)


def _membrane(stroke: Stroke, hz: float, ring: float, slap: float) -> Samples:
    """Synthesize a struck membrane, whose upper modes decay faster, with the noise of the stick."""
    t = stroke.ringing(6.0 * ring)
    y = slap * _held_noise(stroke, t.size, 2) * np.exp(-t / 0.006)
    for ratio in MEMBRANE:
        y += np.sin(2.0 * np.pi * hz * ratio * t) * np.exp(-t * ratio / ring) / ratio
    return y


def _tuned(stroke: Stroke) -> Samples:
    """Synthesize a drum with the stroke's pitch."""
    return _membrane(stroke, stroke.frequency, 0.22, 0.5)


def _thud(stroke: Stroke, hz: float, ring: float, bend: float) -> Samples:
    """Synthesize a kick by FM with a falling modulation index."""
    t = stroke.ringing(6.0 * ring)
    turn = 2.0 * np.pi * hz * t
    return np.asarray(np.sin(turn + bend * np.exp(-t / 0.02) * np.sin(1.4 * turn)) * np.exp(-t / ring))


def _held_noise(stroke: Stroke, n: int, hold: int) -> Samples:
    """Return noise with each sample held for `hold` samples and quantized to steps of 0.25, which sounds harsh."""
    coarse = np.clip(stroke.noise(n // hold + 1), -2.0, 2.0)
    return np.repeat(np.round(4.0 * coarse) / 4.0, hold)[:n]


def _crunch(stroke: Stroke, hz: float, hold: int, ring: float) -> Samples:
    """Synthesize a snare: gated sampled noise and two modes of a membrane."""
    t = stroke.ringing(0.3)
    gate = np.clip((6.0 * ring - t) / 0.01, 0.0, 1.0)
    noise = filtered(_held_noise(stroke, t.size, hold), "highpass", 700.0, stroke.sr)
    skin = np.sin(2.0 * np.pi * hz * t) + 0.6 * np.sin(2.0 * np.pi * 1.59 * hz * t)
    return np.asarray((0.8 * noise * np.exp(-t / (4.0 * ring)) * gate) + 0.7 * skin * np.exp(-t / 0.04))


def _metal(stroke: Stroke, t: Samples, corner: float) -> Samples:
    """Return six square waves and some noise, high-pass filtered."""
    tune = 1.0 + 0.03 * (stroke.pitch % 3)
    squares = np.zeros(t.size)
    for hz in SQUARES:
        squares += np.sign(np.sin(2.0 * np.pi * 3.1 * tune * hz * t))
    return filtered(squares + 0.5 * stroke.noise(t.size), "highpass", corner, stroke.sr)


def _plate(stroke: Stroke, corner: float, ring: float) -> Samples:
    """Synthesize hats and crash cymbals."""
    t = stroke.ringing(5.0 * ring)
    return _metal(stroke, t, corner) * np.exp(-t / ring)


def _wood(stroke: Stroke) -> Samples:
    """Synthesize a wood block: two modes with a fast decay."""
    t = stroke.ringing(0.15)
    return np.asarray((np.sin(2 * np.pi * 1100 * t) + 0.7 * np.sin(2 * np.pi * 1870 * t)) * np.exp(-t / 0.018))


def _backwards(stroke: Stroke) -> Samples:
    """Synthesize a reversed cymbal of the stroke's length."""
    t = stroke.times()
    return (_metal(stroke, t, 2000.0) * np.exp(-5.0 * t / stroke.seconds))[::-1]


def _siren(stroke: Stroke) -> Samples:
    """Synthesize a riser: a harsh FM tone that rises by three octaves and 20 dB during the stroke."""
    t = stroke.times()
    octaves = 3.0 * t / stroke.seconds
    turn = 2.0 * np.pi * np.cumsum(110.0 * 2.0**octaves) / stroke.sr
    tone = np.sin(turn + 2.0 * np.sin(1.5 * turn)) + 0.6 * filtered(
        _held_noise(stroke, t.size, 3), "highpass", 1500.0, stroke.sr
    )
    return np.asarray(tone * 10.0 ** (t / stroke.seconds))


MODAL: dict[str, Instrument] = {
    "thud": partial(_thud, hz=52.0, ring=0.1, bend=3.0),
    "skin kick": partial(_membrane, hz=58.0, ring=0.13, slap=0.8),
    "timpano": partial(_membrane, hz=49.0, ring=0.5, slap=0.2),
    "conga": _tuned,
    "gated snare": partial(_crunch, hz=175.0, hold=2, ring=0.035),
    "coarse snare": partial(_crunch, hz=215.0, hold=4, ring=0.02),
    "wood": _wood,
    "metal hat": partial(_plate, corner=6500.0, ring=0.03),
    "coin hat": partial(_plate, corner=5000.0, ring=0.02),
    "open metal": partial(_plate, corner=6000.0, ring=0.16),
    "plate": partial(_plate, corner=2000.0, ring=0.4),
    "backwards": _backwards,
    "siren": _siren,
}

"""Waveshaping synthesis: a cosine is distorted by a sum of Chebyshev polynomials [1]_ [2]_.

The polynomial of degree k turns a cosine of amplitude 1 into its harmonic k. If the amplitude, the *index*, is smaller,
the upper harmonics become weaker, so that the tone gets duller. The index has an envelope.

References
----------
.. [1] Le Brun, "Digital waveshaping synthesis", JAES 27(4), 1979.
.. [2] Arfib, "Digital synthesis of complex spectra by means of multiplication of nonlinear distorted sine waves",
   JAES 27(10), 1979.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.polynomial.chebyshev import chebval
from scipy.signal import lfilter

from songform.synth.instruments.instrument import Envelope, Instrument, Samples, Stroke

__all__ = ["WAVESHAPING"]


@dataclass(frozen=True)
class _Shaper:
    """Parameters of a tone: envelope, harmonics at the index 1, and course of the index."""

    envelope: Envelope
    harmonics: tuple[float, ...]
    index: float = 0.9  # index at the start, at full brightness
    floor: float = 1.0  # index that is approached, as a fraction of the start
    closing: float = 0.4  # time constant of this fall in seconds
    rising: float = 0.0  # time constant of an initial rise in seconds, as in horns; 0: none
    detune: tuple[float, ...] = (0.0,)  # cents, one voice each
    fifth: float = 0.0  # amplitude of a second cosine, a fifth above, that is distorted together with the first


def _index(stroke: Stroke, shaper: _Shaper, t: Samples) -> Samples:
    """Return the course of the index."""
    index = shaper.floor + (1.0 - shaper.floor) * np.exp(-t / shaper.closing)
    if shaper.rising:
        index *= 1.0 - 0.8 * np.exp(-t / shaper.rising)
    return np.asarray(shaper.index * (0.3 + 0.7 * stroke.brightness) * index)


def _shaped(stroke: Stroke, shaper: _Shaper) -> Samples:
    """Synthesize a tone without the harmonics that would alias."""
    t = stroke.times(shaper.envelope.release)
    top = stroke.frequency * (1.5 if shaper.fifth else 1.0)
    n = max(1, min(len(shaper.harmonics), int(0.45 * stroke.sr / top)))
    series = np.array([0.0, *shaper.harmonics[:n]])
    index = _index(stroke, shaper, t)
    y = np.zeros(t.size)
    for voice, cents in enumerate(shaper.detune):
        turn = 2.0 * np.pi * (stroke.frequency * 2.0 ** (cents / 1200) * t + 0.17 * voice)
        y += chebval(index * (np.cos(turn) + shaper.fifth * np.cos(1.5 * turn)) / (1.0 + shaper.fifth), series)
    return _without_constant(y, stroke.sr) * shaper.envelope(t, stroke.seconds)


def _without_constant(y: Samples, sr: int) -> Samples:
    """Remove the slow part of a signal, because even polynomials add a constant that depends on the index."""
    pole = np.exp(-2.0 * np.pi * 20.0 / sr)
    return np.asarray(lfilter([1.0, -1.0], [1.0, -pole], y))


def _clipping(n: int) -> tuple[float, ...]:
    """Return the first harmonics of a cosine that is clipped to a rectangle, with a smooth end of the series."""
    return tuple(float(np.sin(np.pi * k / 2) / k * np.cos(0.5 * np.pi * k / (n + 1))) for k in range(1, n + 1))


def _thump(stroke: Stroke, hz: float, ring: float, click: float) -> Samples:
    """Synthesize a kick: a decaying cosine whose index falls from 1 with the time constant `click`."""
    t = stroke.ringing(6.0 * ring)
    index = 0.15 + 0.85 * np.exp(-t / click)
    y = chebval(index * np.sin(2.0 * np.pi * hz * t), np.array([0.0, *_clipping(25)]))
    return _without_constant(y, stroke.sr) * np.exp(-t / ring)


_HORN = tuple(float(np.exp(-0.28 * k) * (-1.0) ** (k // 2)) for k in range(14))
_ROUND = (0.55, 1.0, -0.8, -0.4, 0.2, 0.1, -0.05)
_WIDE = tuple(float(np.exp(-(((k - 3.5) / 3.0) ** 2)) * (-1.0) ** (k // 2)) for k in range(12))
_DARK = tuple(float(np.exp(-0.7 * k) * (-1.0) ** (k // 2)) for k in range(8))
_REEDY = (1.0, -0.35, -0.5, 0.3, 0.4, -0.2, -0.3, 0.15, 0.2, -0.1, -0.12)
_STRUCK = Envelope(decay=0.7, sustain=0.05, release=0.2)
_SHAPERS = {
    "shaped pad": _Shaper(Envelope(attack=0.5, release=0.9), _DARK, 0.8, detune=(-5.0, 4.0)),
    "shaped horn": _Shaper(Envelope(attack=0.06, release=0.2), _ROUND, 1.0, rising=0.15),
    "shaped trumpet": _Shaper(Envelope(attack=0.02, release=0.1), _HORN, 1.0, rising=0.05, detune=(0.0, 5.0)),
    "shaped trombone": _Shaper(Envelope(attack=0.03, release=0.12), _WIDE, 1.0, rising=0.08),
    "shaped piano": _Shaper(_STRUCK, (1.0, 0.35, 0.3, 0.1, 0.2), 0.95, 0.4, 0.3),
    "shaped clav": _Shaper(Envelope(decay=0.25, sustain=0.1, release=0.06), _REEDY, 1.0, 0.5, 0.12),
    "shaped stab": _Shaper(Envelope(decay=0.16, sustain=0.2), _HORN, 1.0, 0.5, 0.12, detune=(-6.0, 5.0)),
    "shaped bass": _Shaper(Envelope(attack=0.006, decay=0.6, sustain=0.5), _REEDY, 0.95, 0.6, 0.2),
    "shaped fuzz": _Shaper(Envelope(attack=0.006, release=0.1), _clipping(31), 1.0, 0.9, 0.8, detune=(-4.0, 5.0)),
    "shaped fifth": _Shaper(Envelope(attack=0.006, release=0.1), _clipping(21), 1.0, 0.85, 0.8, fifth=0.7),
}

WAVESHAPING: dict[str, Instrument] = {
    **{name: partial(_shaped, shaper=shaper) for name, shaper in _SHAPERS.items()},
    "shaped kick": partial(_thump, hz=51.0, ring=0.11, click=0.02),
    "shaped boom": partial(_thump, hz=41.0, ring=0.4, click=0.06),
}

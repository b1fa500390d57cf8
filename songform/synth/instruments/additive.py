"""Additive synthesis of struck and plucked instruments: piano, tines, bell, marimba, nylon strings, dulcimer.

A tone is a sum of decaying partials. Upper partials decay faster, as in wood, steel and strings.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from songform.synth.instruments.instrument import Envelope, Instrument, Samples, Stroke

__all__ = ["ADDITIVE"]


@dataclass(frozen=True)
class _Struck:
    """Partials of a struck or plucked body: ratios to the fundamental, amplitudes and decay times in seconds."""

    ratios: tuple[float, ...]
    strengths: tuple[float, ...]
    ring: float  # time constant of the fundamental
    faster: float = 1.0  # the partial of ratio r has the time constant ring / r ** faster
    release: float = 0.2


def _struck(stroke: Stroke, body: _Struck) -> Samples:
    """Sum the partials below the Nyquist frequency; brightness amplifies the upper ones."""
    t = stroke.times(body.release)
    y = np.zeros(t.size)
    for ratio, strength in zip(body.ratios, body.strengths, strict=True):
        if ratio * stroke.frequency < 0.45 * stroke.sr or ratio <= 1.0:
            shine = ratio ** (1.4 * (stroke.brightness - 0.5))
            dying = np.exp(-t * ratio**body.faster / body.ring)
            y += strength * shine * dying * np.sin(2.0 * np.pi * ratio * stroke.frequency * t)
    return y * Envelope(attack=0.003, release=body.release)(t, stroke.seconds)


def _stiff(n: int, stiffness: float) -> tuple[float, ...]:
    """Return the frequency ratios of a stiff string, whose partials are increasingly sharper than harmonics."""
    return tuple(float(k * np.sqrt((1 + stiffness * k**2) / (1 + stiffness))) for k in range(1, n + 1))


def _plucked_at(place: float, n: int) -> tuple[float, ...]:
    """Return the amplitudes of the partials of a string that is plucked at a fraction of its length."""
    return tuple(float(abs(np.sin(np.pi * k * place)) / k) for k in range(1, n + 1))


_BODIES = {
    "piano": _Struck(_stiff(9, 4e-4), (1.0, 0.7, 0.45, 0.35, 0.25, 0.16, 0.1, 0.07, 0.05), 1.3, 0.8),
    "tines": _Struck((1.0, 2.0, 3.0, 7.1), (1.0, 0.25, 0.12, 0.2), 1.1, 1.0, 0.35),
    "bell": _Struck((0.5, 1.0, 1.2, 2.0, 2.76, 4.1), (0.3, 1.0, 0.3, 0.6, 0.4, 0.25), 1.0, 0.6, 0.6),
    "marimba": _Struck((1.0, 3.93, 9.2), (1.0, 0.35, 0.1), 0.28, 0.8, 0.1),
    "nylon": _Struck(_stiff(8, 1e-4), _plucked_at(0.28, 8), 0.7, 0.9, 0.15),
    "dulcimer": _Struck(_stiff(8, 3e-4), _plucked_at(0.13, 8), 1.2, 0.7, 0.3),
}

ADDITIVE: dict[str, Instrument] = {name: partial(_struck, body=body) for name, body in _BODIES.items()}

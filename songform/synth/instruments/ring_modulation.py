"""Ring modulation: the product of two waves, whose spectrum has the sums and differences of their frequencies [1]_.

- *Bells, tines and bars*: products of sines, which decay faster than the sine at the fundamental.
- *Metal*: the product of three square waves, whose many inharmonic partials sound like a cymbal.

References
----------
.. [1] Bode, "The multiplier-type ring modulator", Electronic Music Review 1, 1967.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from songform.synth.instruments.instrument import Envelope, Instrument, Samples, Stroke, filtered

__all__ = ["RING_MODULATION"]

SQUARES = (541.0, 787.0, 1223.0)


@dataclass(frozen=True)
class _Modulated:
    """Parameters of a tone: a sine, and products of two sines with frequencies relative to the fundamental."""

    envelope: Envelope
    factors: tuple[tuple[float, float], ...]  # frequencies of the two sines of each product
    amount: float = 0.5  # amplitude of the products at medium brightness
    dying: float = 0.2  # time constant of the products in seconds


def _modulated(stroke: Stroke, ring: _Modulated) -> Samples:
    """Synthesize a tone; the products whose sum of frequencies would alias are left out."""
    t = stroke.times(ring.envelope.release)
    turn = 2.0 * np.pi * stroke.frequency * t
    products = np.zeros(t.size)
    for one, other in ring.factors:
        if (one + other) * stroke.frequency < 0.45 * stroke.sr:
            products += np.sin(one * turn) * np.sin(other * turn)
    amount = ring.amount * 6.0 ** (2.0 * stroke.brightness - 1.0) / len(ring.factors)
    y = np.sin(turn) + amount * np.exp(-t / ring.dying) * products
    return np.asarray(y * ring.envelope(t, stroke.seconds))


def _metal(stroke: Stroke, t: Samples, corner: float) -> Samples:
    """Return the product of three square waves, high-pass filtered; the pitch selects one of three tunings."""
    turn = 2.0 * np.pi * (1.0 + 0.04 * (stroke.pitch % 3)) * t
    product = np.ones(t.size)
    for hz in SQUARES:
        product *= np.sign(np.sin(hz * turn + 0.1))
    return filtered(product, "highpass", corner, stroke.sr)


def _plate(stroke: Stroke, corner: float, ring: float) -> Samples:
    """Synthesize hats and crash cymbals."""
    t = stroke.ringing(5.0 * ring)
    return _metal(stroke, t, corner) * np.exp(-t / ring)


def _rattle(stroke: Stroke, hz: float, ring: float) -> Samples:
    """Synthesize a snare: noise multiplied by a sine, and the tone of the head."""
    t = stroke.ringing(8.0 * ring)
    wires = filtered(stroke.noise(t.size), "lowpass", 2500.0, stroke.sr) * np.sin(2.0 * np.pi * 3100.0 * t)
    head = np.sin(2.0 * np.pi * hz * t) * np.sin(2.0 * np.pi * 2.3 * hz * t)
    return np.asarray(2.0 * wires * np.exp(-t / ring) + 0.8 * head * np.exp(-t / 0.04))


_TINES = Envelope(decay=0.8, sustain=0.1, release=0.3)
_TONES = {
    "ring tines": _Modulated(_TINES, ((3.0, 1.0), (7.5, 0.5)), 0.5, 0.25),
    "ring bell": _Modulated(Envelope(decay=0.8, sustain=0.05, release=0.6), ((2.4, 0.31), (3.7, 1.2)), 1.2, 0.6),
    "ring glass": _Modulated(Envelope(decay=0.5, sustain=0.05, release=0.5), ((4.1, 1.1), (2.9, 0.4)), 0.8, 0.35),
    "ring bars": _Modulated(Envelope(decay=0.22, sustain=0.0, release=0.1), ((4.5, 0.6), (8.2, 1.3)), 0.7, 0.06),
    "ring organ": _Modulated(Envelope(attack=0.01, release=0.1), ((2.5, 0.5), (5.0, 1.0)), 1.1, 1e3),
}

RING_MODULATION: dict[str, Instrument] = {
    **{name: partial(_modulated, ring=ring) for name, ring in _TONES.items()},
    "ring snare": partial(_rattle, hz=165.0, ring=0.045),
    "ring hat": partial(_plate, corner=4200.0, ring=0.03),
    "ring open hat": partial(_plate, corner=3800.0, ring=0.16),
}
